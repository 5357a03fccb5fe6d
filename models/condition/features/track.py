"""What a short block cannot resolve: blocks that follow each other without a gap, joined at a low rate.

A tenth of a second has lines 10 Hz apart. Twenty of them in a row, brought down to the few hundred hertz in which a shaft and its
bearings turn, have lines half a hertz apart and cost less than one more spectrum of the block.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from models.condition.features.spectrum import Floats, fast_length

WINDOW_S = 2.0
"""What is joined at most: running speeds hold still for about so long."""
ENOUGH_S = 0.8
"""Blocks of this length stand alone."""
_TAPS = 4
_SAME_RATE = 0.01
_SAME_TIME = 0.02


class _Part(NamedTuple):
    """One block."""

    values: Floats
    whole: Floats
    rate_hz: float
    start_s: float
    length_s: float

    def follows(self, other: _Part) -> bool:
        """Whether it begins where the other one ended, and is of its kind."""
        return (
            abs(self.start_s - other.start_s - other.length_s) <= _SAME_TIME * self.length_s
            and abs(self.rate_hz / other.rate_hz - 1.0) <= _SAME_RATE
            and self.values.shape[1:] == other.values.shape[1:]
            # A FIFO's filling wanders, and so may a block's length; what is made of it must keep its rate.
            and abs(len(self.whole) / self.length_s / (len(other.whole) / other.length_s) - 1.0) <= _SAME_RATE
        )


class Track:
    """Joins the contiguous blocks of one channel; a gap, another rate or another shape begins anew."""

    def __init__(self) -> None:
        self._parts: deque[_Part] = deque()
        self._new_s = 0.0

    def add(self, values: Floats, whole: Floats, rate_hz: float, start_s: float) -> None:
        """Takes a block.

        Args:
            values: as they were sampled, (n,) or (n, axes); kept by reference.
            whole: its envelope at any lower rate, (m,).
            rate_hz: of the block.
            start_s: time of its first sample.
        """
        part = _Part(values, whole, rate_hz, start_s, len(values) / rate_hz)
        if self._parts and not part.follows(self._parts[-1]):
            self._parts.clear()
        self._parts.append(part)
        self._new_s += part.length_s
        while len(self._parts) > 1 and self._length_s > WINDOW_S * 1.001:
            self._parts.popleft()

    def clear(self) -> None:
        """What comes does not follow what was."""
        self._parts.clear()

    def low(self, factor: int) -> Floats:
        """The joined samples at a rate lower by that factor, (axes, m) around zero; as many as are quick to transform."""
        joined = np.concatenate([part.values for part in self._parts])
        rows = joined[None, :] if joined.ndim == 1 else np.ascontiguousarray(joined.T)
        if factor > 1 and rows.shape[1] >= _TAPS * factor:
            rows = np.lib.stride_tricks.sliding_window_view(rows, _TAPS * factor, axis=1)[:, ::factor] @ _taps(factor)
        rows = rows[:, rows.shape[1] - fast_length(rows.shape[1]) :]
        free: Floats = rows - rows.mean(axis=1, keepdims=True)
        return free

    def rhythm(self) -> Floats:
        """The joined envelopes, each in units of its own mean; as much as is quick to transform."""
        joined = np.concatenate([part.whole / max(float(part.whole.mean()), 1e-300) for part in self._parts])
        return joined[len(joined) - fast_length(len(joined)) :]

    def renewed(self) -> bool:
        """Whether a quarter of what is joined came since this was last true: less is not worth another look."""
        new = self._new_s >= 0.25 * self._length_s
        if new:
            self._new_s = 0.0
        return new

    @property
    def _length_s(self) -> float:
        return sum(part.length_s for part in self._parts)


@lru_cache(maxsize=32)
def _taps(factor: int) -> Floats:
    """A Hann-shaped mean over four steps of the low rate: what would fold on the lowest eighth is 40 dB down."""
    taps = np.hanning(_TAPS * factor + 2)[1:-1]
    taps /= taps.sum()
    taps.setflags(write=False)
    return taps
