"""What spectra have in common: lengths, windows, lines, and the features found in one block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Complexes: TypeAlias = NDArray[np.complex128]

HANN_MAIN_LOBE = 2
"""Half the width of a Hann window's main lobe, in lines (Harris, On the use of windows, Proc. IEEE 66, 1978)."""
SPEED_TOLERANCE = 0.015
"""Slip of an induction motor and of the balls: a line is looked for within this share of its frequency."""
_FACTORS = (2, 3, 5)
_LARGEST = 1e60
"""A mean square beyond this would overflow when it is squared."""


class Found(NamedTuple):
    """Features of one block: values by name, and the units of all names (`1` where there is none).

    `signs` are numbers that mean something by themselves and are no distance from a normal: they are not for the detector, but
    for naming a cause.
    """

    values: Mapping[str, float]
    units: Mapping[str, str]
    signs: Mapping[str, float]


NOTHING = Found({}, {}, {})


@lru_cache(maxsize=32)
def hann(samples: int) -> Floats:
    """The window of a block; not to be written to."""
    window = np.hanning(samples)
    window.setflags(write=False)
    return window


@lru_cache(maxsize=256)
def fast_length(samples: int) -> int:
    """The largest length up to this one that has no prime factors but 2, 3 and 5.

    Such a length is quick to transform, and a FIFO's jitter of some samples does not need a new plan every time.

    >>> fast_length(3200), fast_length(3203), fast_length(7)
    (3200, 3200, 6)
    """
    length = max(samples, 1)
    while True:
        rest = length
        for factor in _FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length -= 1


class Rows(NamedTuple):
    """A waveform, row by row."""

    wave: Floats
    """(axes, n) around zero: sums along a row are several times quicker than along a column."""
    power: list[float]
    """Mean square of each axis."""
    room: Floats
    """(axes + 1, n): the rows of `wave`, and one more for what is to be transformed together with them."""


def rows_of(values: Floats) -> Rows | None:
    """(n,) or (n, axes) row by row, without their means; None where that is no reading of anything: too large, or no numbers."""
    columns = values[:, None] if values.ndim == 1 else values
    samples, axes = columns.shape
    room = np.empty((axes + 1, samples))
    wave = room[:-1]
    wave[:] = columns.T
    with np.errstate(over="ignore", invalid="ignore"):
        # `mean` costs as much again in Python as the sum does.
        wave -= np.add.reduce(wave, axis=1, keepdims=True) / samples
        power = [total / samples for total in np.vecdot(wave, wave).tolist()]
    return Rows(wave, power, room) if sum(power) < _LARGEST else None


def near(
    frequency: NDArray[np.floating[Any]], centres: Iterable[float], step_hz: float, lobe: float = HANN_MAIN_LOBE
) -> Floats:
    """1 at the lines of a spectrum that belong to one of these frequencies, 0 elsewhere."""
    chosen = np.zeros(len(frequency))
    for centre in centres:
        reach = max(lobe * step_hz, SPEED_TOLERANCE * centre) * (1 + 1e-9)
        chosen[np.abs(frequency - centre) <= reach] = 1.0
    return chosen
