"""What a short block cannot resolve: blocks that follow each other without a gap, joined at a low rate.

A tenth of a second has lines 10 Hz apart. Twenty of them in a row, brought down to the few hundred hertz in which a shaft and its
bearings turn, have lines half a hertz apart and cost less than one more spectrum of the block.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np

from models.condition.features.spectrum import Floats, fast_length

WINDOW_S = 2.0
"""What is joined at most: running speeds hold still for about so long."""
ENOUGH_S = 0.8
"""Blocks of this length stand alone."""
_TAPS = 4
_SAME_RATE = 0.01
_SAME_TIME = 0.02


class Track:
    """Joins the contiguous blocks of one channel; a gap, another rate or another shape begins anew."""

    def __init__(self) -> None:
        self._parts: deque[tuple[Floats, Floats]] = deque()
        self._held_s: deque[float] = deque()
        self._tail: Floats | None = None
        self._rate_hz = 0.0
        self._end_s: float | None = None
        self._new_s = 0.0

    def add(self, wave: Floats, whole: Floats, factor: int, rate_hz: float, start_s: float) -> None:
        """Takes a block.

        Args:
            wave: the block as it was sampled, (axes, n).
            whole: its envelope at any lower rate, (m,).
            factor: divides n; the wave is brought to a rate lower by it.
            rate_hz: of the block.
            start_s: time of its first sample.
        """
        length_s = wave.shape[1] / rate_hz
        if not self._follows(wave, whole, rate_hz, start_s, length_s):
            self.clear()
        tail = self._tail if self._tail is not None else np.repeat(wave[:, :1], (_TAPS - 1) * factor, axis=1)
        held = np.concatenate([tail, wave], axis=1)
        low = np.lib.stride_tricks.sliding_window_view(held, _TAPS * factor, axis=1)[:, ::factor] @ _taps(factor)
        self._tail = held[:, held.shape[1] - (_TAPS - 1) * factor :] if factor > 1 else wave[:, -(_TAPS - 1) :]
        self._rate_hz, self._end_s = rate_hz, start_s + length_s
        self._parts.append((low, whole))
        self._held_s.append(length_s)
        self._new_s += length_s
        while len(self._parts) > 1 and sum(self._held_s) > WINDOW_S * 1.001:
            self._parts.popleft()
            self._held_s.popleft()

    def low(self) -> Floats:
        """The joined waves at their low rate, around zero; as many as are quick to transform."""
        joined = np.concatenate([part[0] for part in self._parts], axis=1)
        joined = joined[:, joined.shape[1] - fast_length(joined.shape[1]) :]
        free: Floats = joined - joined.mean(axis=1, keepdims=True)
        return free

    def renewed(self) -> bool:
        """Whether an eighth of what is joined came since this was last true: less is not worth another look."""
        new = self._new_s >= 0.125 * sum(self._held_s)
        if new:
            self._new_s = 0.0
        return new

    def rhythm(self) -> Floats:
        """The joined envelopes; as much as is quick to transform."""
        joined = np.concatenate([part[1] for part in self._parts])
        return joined[len(joined) - fast_length(len(joined)) :]

    def clear(self) -> None:
        """What comes does not follow what was."""
        self._parts.clear()
        self._held_s.clear()
        self._tail = self._end_s = None

    def _follows(self, wave: Floats, whole: Floats, rate_hz: float, start_s: float, length_s: float) -> bool:
        if self._end_s is None or not self._parts:
            return False
        low, envelope = self._parts[-1]
        return (
            abs(start_s - self._end_s) <= _SAME_TIME * length_s
            and abs(rate_hz / self._rate_hz - 1.0) <= _SAME_RATE
            and len(low) == len(wave)
            # The length may wander with a FIFO's filling, what is made of it must keep its rate.
            and abs(len(envelope) / self._held_s[-1] / (len(whole) / length_s) - 1.0) <= _SAME_RATE
        )


@lru_cache(maxsize=32)
def _taps(factor: int) -> Floats:
    """A Hann-shaped mean over four steps of the low rate: what would fold on the lowest eighth is 40 dB down."""
    taps = np.hanning(_TAPS * factor + 2)[1:-1]
    taps /= taps.sum()
    taps.setflags(write=False)
    return taps
