"""A stream of samples without times becomes blocks with them: the rate is measured, what is missing is counted.

A chip samples by an oscillator of its own, which may be off by several percent, and says only how many samples wait in its
FIFO. Counting them against the node's clock gives the rate: after N samples in T seconds it is N / T, better with each
second. Pure: no bus, no thread, no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block, Channel, Fault, SensorError
from edge.sensors.rate_meter import LEAST_SAMPLES, Fit, RateMeter

TOLERANCE = 0.2
"""A rate further than this share from the nominal one is no oscillator's error but another setting or another chip."""
LATE_S = 0.02
LATE_DRAINS = 5
"""So many drains in a row that are late by this time (and a few samples): it was not the thread, samples are missing."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one look into a FIFO brought, oldest sample first.

    `values` is float64 of shape (n, axes), possibly empty. `at_ns` is the monotonic time at which the newest of them was
    the chip's newest: to be taken right after the number of waiting samples was read, before they are fetched. `gap` says
    why samples are missing before these ("the FIFO overflowed"), empty where none are; their number is estimated from the
    time that passed. A gap without samples belongs to the next ones that come.
    """

    at_ns: int
    values: NDArray[np.float64]
    gap: str = ""


class _Piece(NamedTuple):
    """Samples without a break; `lost` are missing before them."""

    first: int
    values: NDArray[np.float64]
    lost: int = 0
    why: str = ""


class Stream:
    """Makes blocks of one channel from what is drained.

    The first drain only says where time begins; its samples are those of the start. Nothing is delivered before the rate is
    known (a good half second, and 100 samples), then everything since. Blocks never overlap.

    Args:
        channel: of the blocks; `rate_hz` is the nominal rate.
        keep_s: so many seconds of samples wait for `blocks`; the oldest give way.
        counts_unfetched: whether samples that gave way are lost (the reader was late) or were not to be looked at (it
            reads more rarely than that by design).
        tolerance: share by which the rate may differ from the nominal one.
    """

    def __init__(
        self, channel: Channel, *, keep_s: float = 10.0, counts_unfetched: bool = True, tolerance: float = TOLERANCE
    ) -> None:
        if channel.rate_hz is None:
            raise ValueError(f"{channel.name} has no nominal rate")
        self._channel = channel
        self._nominal_hz = channel.rate_hz
        self._tolerance = tolerance
        self._keep = max(round(keep_s * self._nominal_hz), 1)
        self._counts_unfetched = counts_unfetched
        self._meter = RateMeter(self._nominal_hz)
        self._pieces: deque[_Piece] = deque()
        self._held = 0
        self._count = 0
        self._gap = ""
        self._late: deque[float] = deque(maxlen=LATE_DRAINS)
        self._began_ns: int | None = None
        self._heard_ns = 0
        self._last_end_ns = 0
        self.overruns = 0
        """Breaks in the stream so far."""

    @property
    def rate_hz(self) -> float | None:
        """The measured rate; None before it is known."""
        fit = self._meter.fit()
        return 1e9 / fit.period_ns if fit else None

    def add(self, drained: Drained, /) -> None:
        """Takes what a drain brought."""
        if drained.gap:
            self._gap = drained.gap
        if self._began_ns is None:
            self._began_ns = self._heard_ns = self._last_end_ns = drained.at_ns
            self._meter.mark(drained.at_ns, 0)
            self._gap = ""
            return
        number = len(drained.values)
        if number == 0:
            return
        lost, why = self._missing(drained.at_ns, number)
        if why:
            self.overruns += 1
            self._count += lost
            self._late.clear()
            if self._meter.fit() is None:
                self._meter.restart()
        self._pieces.append(_Piece(self._count, drained.values, lost, why))
        self._held += number
        self._count += number
        self._heard_ns = drained.at_ns
        if not why or self._meter.fit() is None:
            self._meter.mark(drained.at_ns, self._count)
        self._bound()

    def blocks(self, now_ns: int) -> list[Block]:
        """What has come since the last call, one block for each stretch without a break.

        Raises:
            SensorError: nothing comes, or not at the rate that was set.
        """
        if self._began_ns is None:
            return []
        fit = self._meter.fit()
        self._require_flow(now_ns, measured=fit is not None)
        if fit is None:
            return []
        rate_hz = 1e9 / fit.period_ns
        if abs(rate_hz / self._nominal_hz - 1.0) > self._tolerance:
            raise SensorError(
                f"{self._channel.name}: samples come at {rate_hz:.0f} Hz where {self._nominal_hz:g} Hz were set"
            )
        # The line is that of a moment ago: what is there now was taken before it was seen.
        ahead_ns = max(fit.time_ns(self._count - 1) - self._heard_ns, 0)
        fit = fit._replace(reference_ns=fit.reference_ns - ahead_ns)
        made: list[Block] = []
        pieces, self._pieces, self._held = self._pieces, deque(), 0
        while pieces:
            stretch = [pieces.popleft()]
            while pieces and not pieces[0].why:
                stretch.append(pieces.popleft())
            made.append(self._block(stretch, fit, rate_hz))
        return made

    def _missing(self, at_ns: int, number: int) -> tuple[int, str]:
        """How many samples are missing before the `number` that came by `at_ns`, and why; 0 and "" where none are."""
        why, self._gap = self._gap, ""
        fit = self._meter.fit()
        if fit is None:
            lost = (at_ns - self._heard_ns) * self._nominal_hz / 1e9 - number
            return (max(round(lost), 1), why) if why else (0, "")
        late = (at_ns - fit.time_ns(self._count + number - 1)) / fit.period_ns
        if why:
            return max(int(late), 1), why
        # One late drain is a thread that had to wait after it had looked; all of them late are samples that never came.
        self._late.append(late)
        least = min(self._late)
        if len(self._late) == LATE_DRAINS and least > 4.0 + LATE_S * 1e9 / fit.period_ns:
            return int(least), "samples went missing without a word"
        return 0, ""

    def _bound(self) -> None:
        while self._held > self._keep and len(self._pieces) > 1:
            gone = self._pieces.popleft()
            self._held -= len(gone.values)
            after = self._pieces[0]
            if self._counts_unfetched and self._meter.fit() is not None:
                lost = gone.lost + len(gone.values) + after.lost
                self._pieces[0] = after._replace(lost=lost, why="nobody fetched them in time")

    def _require_flow(self, now_ns: int, *, measured: bool) -> None:
        silent_s = (now_ns - self._heard_ns) / 1e9
        if silent_s > 2.0 + 20.0 / self._nominal_hz:
            raise SensorError(f"{self._channel.name}: the chip answers, but no new samples come for {silent_s:.1f} s")
        if measured or self._began_ns is None:
            return
        waited_s = (now_ns - self._began_ns) / 1e9
        if waited_s > 10.0 + 4 * LEAST_SAMPLES / self._nominal_hz:
            raise SensorError(
                f"{self._channel.name}: the rate cannot be measured, the stream broke {self.overruns} times in "
                f"{waited_s:.0f} s; a lower rate_hz or a faster bus is needed"
            )

    def _block(self, stretch: list[_Piece], fit: Fit, rate_hz: float) -> Block:
        values = np.concatenate([piece.values for piece in stretch])
        if self._channel.axes == 1:
            values = values[:, 0].copy()
        first = stretch[0]
        start_ns = fit.time_ns(first.first)
        if self._last_end_ns == self._began_ns:
            # The first look may have been a late one: what was taken before it was reported is left out.
            early = min(max(int((self._last_end_ns - start_ns) / fit.period_ns) + 1, 0), len(values) - 1)
            values, start_ns = values[early:], fit.time_ns(first.first + early)
        start_ns = max(start_ns, self._last_end_ns + 1)
        faults: tuple[tuple[Fault, str], ...] = ()
        if first.lost:
            faults = ((Fault.OVERRUN, f"{self._channel.name}: {first.why}, about {first.lost} samples lost"),)
        block = Block(self._channel, start_ns, values, rate_hz=rate_hz, lost=first.lost, faults=faults)
        self._last_end_ns = block.end_ns
        return block
