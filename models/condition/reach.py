"""How much a warm-up can know: effective sample size, and the widening of a limit that rests on few looks.

A channel that wanders slowly was seen only a few times in a warm-up, however many samples that had: a temperature that
rose through it was seen about once. The number of independent looks is the length divided by the integrated
autocorrelation time (Sokal, Monte Carlo methods in statistical mechanics, 1997, section 3). A limit at z deviations
of a normal distribution then lies at the same tail probability of Student's t with as many degrees of freedom, which is
how a channel that drifts without meaning loses its voice, and wins it back as more of its life has been seen.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

MOST = 1e3
FEW_LAGS = 12
"""What is alike for fewer samples than this is found out lag by lag; the spectrum tells all lags, but takes as long as dozens of them."""


def effective_samples(table: Floats) -> Floats:
    """Independent looks at each column of (rows, features) in time order, as deviations from zero; finite numbers only.

    What stays on one side of zero was seen to do so once, however much it jitters there.

    >>> noise = np.random.default_rng(0).standard_normal((400, 1))
    >>> looks = effective_samples(np.hstack([noise, np.cumsum(noise, axis=0)]))
    >>> bool(looks[0] > 250 and looks[1] < 20)
    True
    """
    rows = len(table)
    columns = np.ascontiguousarray(table.T)
    variance = np.vecdot(columns, columns) / rows
    # Lags up to the first within the standard error of white noise (Bartlett 1946): beyond it there is only noise of the estimate.
    least = rows**0.5 * variance
    time, alike_yet = np.ones(len(columns)), np.flatnonzero(variance > 0)
    for lag in range(1, min(FEW_LAGS, rows)):
        covariance = np.vecdot(columns[alike_yet, lag:], columns[alike_yet, :-lag])
        alike = covariance >= least[alike_yet]
        alike_yet = alike_yet[alike]
        if not len(alike_yet):
            break
        time[alike_yet] += 2.0 * covariance[alike] / (rows * variance[alike_yet])
    if len(alike_yet):
        time[alike_yet] = _long_time(columns[alike_yet], variance[alike_yet])
    looks: Floats = rows / np.maximum(time, 1.0)
    return looks


def _long_time(columns: Floats, variance: Floats) -> Floats:
    """The integrated autocorrelation time of each of (features, rows), from its spectrum."""
    rows = columns.shape[1]
    size = _quick_size(2 * rows)
    spectrum = np.fft.rfft(columns, size)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:, :rows] / (rows * variance[:, None])
    negative = correlation < rows**-0.5
    first = np.where(negative.any(axis=1), negative.argmax(axis=1), rows).tolist()
    return np.array([1.0 + 2.0 * float(lags[1:lag].sum()) for lags, lag in zip(correlation, first, strict=True)])


def _quick_size(least: int) -> int:
    """The next length without prime factors beyond 5: an FFT of it is quick.

    >>> _quick_size(97), _quick_size(2 * 1801)
    (100, 3645)
    """
    best = 1 << max(least - 1, 0).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            size = three << max(-(-least // three) - 1, 0).bit_length()
            best = min(best, size)
            three *= 3
        five *= 5
    return best


def widening(looks: Floats, sigmas: float) -> Floats:
    """Student's t quantile over the normal one at the tail probability of `sigmas`, at least 1.

    By the approximation of Gaver and Kafadar, A retrievable recipe for inverse t, The American Statistician 1984.

    >>> widening(np.array([4.0, 11.0, 1e6]), 4.5).round(1).tolist()
    [19.3, 1.9, 1.0]
    """
    freedom = np.maximum(looks - 1.0, 1.5)
    exponent = sigmas**2 * (freedom - 5 / 6) / (freedom - 2 / 3 + 0.1 / freedom) ** 2
    quantile = np.sqrt(freedom * np.expm1(np.minimum(exponent, 60.0)))
    wide: Floats = np.clip(quantile / sigmas, 1.0, MOST)
    return wide


def white_smoothed(weight: float) -> float:
    """Deviation of exponentially smoothed white noise of deviation 1 (Montgomery, Statistical Quality Control, 9.2).

    >>> round(white_smoothed(0.15), 3)
    0.285
    """
    return math.sqrt(weight / (2.0 - weight))
