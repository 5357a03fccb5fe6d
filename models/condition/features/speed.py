"""The running speed, told from a machine's own vibration or current.

A shaft shakes at its running speed and at multiples of it. A candidate is good where its multiples stand out from their
neighbourhood and the places half-way between them do not: those would be the multiples of half the speed, and a candidate of
twice the speed finds the true one's odd multiples exactly there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from statistics import median
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

SLOWEST_HZ, FASTEST_HZ = 4.0, 125.0
"""240 to 7500 revolutions a minute: what mixers, fans, pumps and spindles turn at."""
HARMONICS = 8
LEAST_LINES = 4.0
"""A speed is resolved by a window in which it makes so many turns."""
TOP_HZ = 640.0
NEAR = 0.04
"""How far from its rated speed a motor may run: slip and mains."""
LEAST_CONFIDENCE = 0.35
"""Noise stays below 0.25."""
LEAST_WINDOW_S = 0.3
SETTLED_WINDOW_S = 0.95
"""What is told from a shorter window may be a multiple of the speed; it is looked for anew as the window grows."""
LOOK_SOON_S, LOOK_AGAIN_S, LOOK_SELDOM_S = 0.5, 30.0, 60.0
MOST_MISSES = 3
AGREEING = 5
"""Looks whose median a known speed is: one look at a short or interrupted window may be beside it by some percent, and every order
that is read off there would jump with it."""
_NEIGHBOURHOOD_HZ = 12.0
_MOST_SALIENT = 8.0
_PEAKS = 10
_AS_GOOD = 0.75
_AXES = 3
_CLEAR = 0.3
_WEIGHTS = 1.0 / np.sqrt(np.arange(1, HARMONICS + 1))
_PARITY = (np.arange(1, HARMONICS + 1)[:, None] % 2 == (1, 0)).astype(np.float64)
_PLACES = np.concatenate([np.arange(1.0, HARMONICS + 1), np.arange(0.5, HARMONICS)])


class Speed(NamedTuple):
    """An estimate: revolutions a second, and 0 to 1 how sure it is."""

    hz: float
    confidence: float


class Source(NamedTuple):
    """One spectrum."""

    saliency: Floats
    """How far each line stands out from its neighbourhood, 0 to 1."""
    amplitude: Floats
    """Of each line, over all axes."""
    step_hz: float
    trust: float
    """What a score is worth, by how many axes agree on it: that of noise falls with the root of their number."""


def salient(amplitude: Floats, step_hz: float, mains_hz: float) -> Source:
    """How far lines stand out; amplitude is (rows, lines).

    Lines at the mains' frequency and its multiples (a motor hums at twice of it) count for a third: they say nothing of the shaft.
    """
    lines = min(amplitude.shape[1], int(TOP_HZ / step_hz) + 1)
    part = amplitude[:, :lines]
    reach = max(round(_NEIGHBOURHOOD_HZ / step_hz), 3)
    total = np.zeros((len(part), lines + 1))
    np.cumsum(part, axis=1, out=total[:, 1:])
    low, high, width = _neighbourhoods(lines, reach)
    level = (total.take(high, axis=1) - total.take(low, axis=1)) / width
    ratio = part / np.maximum(level, 1e-300)
    np.minimum(np.maximum(ratio, 1.0, out=ratio), _MOST_SALIENT, out=ratio)
    standing = np.log(np.multiply.reduce(ratio, axis=0)) / (len(part) * math.log(_MOST_SALIENT))
    hum = [round(order * mains_hz / step_hz) for order in range(1, int(TOP_HZ / mains_hz) + 1)]
    standing[[line for line in hum if line < lines]] /= 3.0
    standing[: max(round(0.5 * SLOWEST_HZ / step_hz), 1)] = 0.0
    trust = math.sqrt(min(len(part), _AXES) / _AXES)
    return Source(standing, np.sqrt((part * part).sum(axis=0)), step_hz, trust)


@lru_cache(maxsize=32)
def _neighbourhoods(lines: int, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Where the neighbourhood of each line begins and ends, and how many lines it has."""
    place = np.arange(lines)
    low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, lines)
    return low, high, (high - low).astype(np.float64)


def estimate(source: Source, near_hz: float | None = None) -> Speed | None:
    """The speed whose multiples stand out most; None where the window is too short for any.

    Args:
        source: a spectrum.
        near_hz: a speed known from the rating plate or from before; only candidates within 4 % of it are looked at.
    """
    low, high = max(SLOWEST_HZ, LEAST_LINES * source.step_hz), FASTEST_HZ
    if near_hz is not None:
        low, high = max(low, (1.0 - NEAR) * near_hz), min(high, (1.0 + NEAR) * near_hz)
    candidates = _candidates(source)
    candidates = candidates[(candidates >= low) & (candidates <= high)]
    if not len(candidates):
        return None
    score = _comb(source, candidates)
    if not score.max() > 0.0:
        return None
    # A multiple of the speed may do nearly as well as the speed itself; a part of it finds every second place empty.
    # Near a known speed there are neither.
    good = np.flatnonzero(score >= (_AS_GOOD if near_hz is None else 1.0) * score.max())
    best = int(good[np.argmin(candidates[good])])
    hz = _refined(source, float(candidates[best]))
    hz = hz if near_hz is None or low <= hz <= high else float(candidates[best])
    return Speed(hz, min(source.trust * float(score[best]), 1.0))


def _candidates(source: Source) -> Floats:
    s = source.saliency
    rising = s[1:] > s[:-1]
    peaks = (rising[:-1] & ~rising[1:]).nonzero()[0] + 1
    if len(peaks) > _PEAKS:
        peaks = peaks[(-s.take(peaks)).argpartition(_PEAKS)[:_PEAKS]]
    tops = [place + _offset(*s[place - 1 : place + 2].tolist()) for place in peaks.tolist()]
    candidates: Floats = ((np.array(tops) * source.step_hz)[:, None] / _PLACES[:HARMONICS]).ravel()
    return candidates


def _offset(left: float, middle: float, right: float) -> float:
    """How far the top of a parabola through three lines lies from the middle one, in lines."""
    curve = left - 2.0 * middle + right
    return min(max(0.5 * (left - right) / min(curve, -1e-12), -0.5), 0.5) if curve < 0 else 0.0


def _comb(source: Source, candidates: Floats) -> Floats:
    s, lines = source.saliency, len(source.saliency)
    # Multiples first, then the places half-way between them; the larger of the two lines around counts.
    place = candidates[:, None] * (_PLACES / source.step_hz)
    below = np.minimum(place.astype(np.intp), lines - 2)
    found = np.maximum(s.take(below), s.take(below + 1))
    within = (place[:, :HARMONICS] < lines - 1) * _WEIGHTS
    sums, weights = (found[:, :HARMONICS] * within) @ _PARITY, within @ _PARITY
    between = (found[:, HARMONICS:] * within).sum(axis=1)
    score: Floats = (sums.sum(axis=1) - between) / np.maximum(weights.sum(axis=1), 1e-9)
    # Of half the speed only the even multiples are there.
    odd, even = (sums / np.maximum(weights, 1e-9)).T
    score -= 0.5 * np.maximum(even - odd, 0.0)
    return score


def _refined(source: Source, hz: float) -> float:
    """The speed by the lowest of its multiples that stands clear: those higher up may belong to a bearing."""
    for order in (1, 2, 3):
        place = round(order * hz / source.step_hz)
        if not 2 <= place < len(source.saliency) - 2:
            continue
        at = place - 1 + int(np.argmax(source.amplitude[place - 1 : place + 2]))
        if source.saliency[at] > _CLEAR:
            around = [math.log(amplitude + 1e-300) for amplitude in source.amplitude[at - 1 : at + 2].tolist()]
            offset = _offset(*around)
            return (at + offset) * source.step_hz / order
    return hz


class RunningSpeed:
    """One machine's running speed over time: measured, or told from its spectra, or rated, whichever is known first.

    Args:
        rated_hz: from the rating plate; then only what lies within 4 % of it is believed.
    """

    def __init__(self, rated_hz: float | None = None) -> None:
        self._rated_hz = rated_hz
        self._found: Speed | None = None
        self._seen: deque[float] = deque(maxlen=AGREEING)
        self._looked_s: float | None = None
        self._misses = 0
        self._asked_s: float | None = None
        self._settled = False
        self._measured_hz: float | None = None

    def measure(self, hz: float | None) -> None:
        """Takes what a tachometer says now; None where it says nothing."""
        self._measured_hz = hz

    @property
    def hz(self) -> float | None:
        """Revolutions a second; None while nobody knows."""
        if self._measured_hz is not None:
            return self._measured_hz
        return self._found.hz if self._found is not None else self._rated_hz

    @property
    def confidence(self) -> float:
        """0 to 1: how far the speed's multiples stood out when it was last told from a spectrum."""
        return self._found.confidence if self._found is not None else 0.0

    def due(self, time_s: float) -> bool:
        """Whether it is time to look again: soon while nothing is known, seldom afterwards."""
        if self._measured_hz is not None:
            return False
        if self._looked_s is None or time_s < self._looked_s:
            return True
        known = self._settled and self._found is not None and not self._misses
        # A machine without a shaft, or at rest, need not be asked again and again.
        # The first looks follow each other soon: a machine is not to be learned by an order that is beside the shaft's.
        looks, most = (len(self._seen), LOOK_AGAIN_S) if known else (self._misses, LOOK_SELDOM_S)
        wait = LOOK_AGAIN_S if known and looks == AGREEING else min(LOOK_SOON_S * 2.0 ** min(looks, 7), most)
        return time_s - self._looked_s >= wait

    def look(self, time_s: float, source: Source, window_s: float) -> None:
        """Takes a spectrum of a window of that length."""
        known = self._rated_hz or (self._found.hz if self._found is not None and self._settled else None)
        if known is None and window_s < LEAST_WINDOW_S:
            return
        self._settled = self._settled or window_s >= SETTLED_WINDOW_S
        self._looked_s = time_s
        found = estimate(source, known)
        if found is not None and found.confidence >= (LEAST_CONFIDENCE if known is None else LEAST_CONFIDENCE / 2):
            self._take(found, anew=known is None)
            return
        self._misses += 1
        if known is None:
            return
        if self._rated_hz is None and self._misses >= MOST_MISSES:
            other = estimate(source)
            if other is not None and other.confidence >= LEAST_CONFIDENCE:
                self._take(other, anew=True)

    def _take(self, found: Speed, *, anew: bool) -> None:
        if anew:
            self._seen.clear()
        self._seen.append(found.hz)
        self._found, self._misses = found._replace(hz=median(self._seen)), 0

    def asks(self, time_s: float) -> bool:
        """Whether it is worth looking at a motor's current: while vibration says nothing, now and then."""
        if (
            self._measured_hz is not None
            or self._rated_hz is not None
            or (self.confidence >= LEAST_CONFIDENCE and self._settled)
        ):
            return False
        if self._asked_s is not None and 0.0 <= time_s - self._asked_s < LOOK_AGAIN_S:
            return False
        self._asked_s = time_s
        return True

    def hear(self, hz: float, confidence: float) -> None:
        """Takes what a motor's current says, where spectra of vibration say nothing."""
        if self._rated_hz is None and confidence > max(self.confidence, LEAST_CONFIDENCE):
            self._found = Speed(hz, confidence)
            self._seen.clear()

    def state(self) -> list[float]:
        """For a snapshot: what was told, how sure, and by which looks; nothing where it was only rated."""
        if self._found is None:
            return []
        return [self._found.hz, self._found.confidence, float(self._settled), *self._seen]

    def load(self, state: Sequence[Any]) -> None:
        """From a snapshot; what contradicts the rated speed is forgotten.

        Raises:
            ValueError: no such state.
        """
        if not state:
            return
        hz, confidence, settled, *seen = (float(number) for number in state)
        if not SLOWEST_HZ / 2 <= hz <= 2 * FASTEST_HZ:
            raise ValueError(f"{hz} Hz is no running speed")
        if self._rated_hz is None or abs(hz / self._rated_hz - 1.0) <= NEAR:
            self._found, self._settled = Speed(hz, confidence), settled > 0
            self._seen = deque(seen or (hz,), maxlen=AGREEING)
