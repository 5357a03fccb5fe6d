"""Makes the times of a recording go on as time does, whatever its clock did: midnight, autumn, runs joined, late rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import RecordingError
from edge.recordings.time_numbers import DAY_NS, NS

HOUR_NS = 3600 * NS
_LEAST_ROWS = 20
_MANY_STEPS = 10
_DEEP = 0.5
_DISORDER, _MOSTLY_LATE = 0.3, 0.5
_Times = NDArray[np.int64]


class Onward:
    """The clock of one recording; takes its stretches in order.

    Args:
        file: for messages.
        column: the time column's name, for messages.
        notes: takes what was mended.
        restarts: takes the rows at which time begins again.
        wraps: whether times begin again at midnight.
        dated: whether they count from 1970.
    """

    def __init__(
        self, file: str, column: str, notes: list[str], restarts: list[int], *, wraps: bool, dated: bool
    ) -> None:
        self._file = file
        self._column = column
        self._notes = notes
        self._restarts = restarts
        self._wraps = wraps
        self._dated = dated
        self._raw_ns: int | None = None
        self._begin_ns = 0
        self._peak_ns = 0
        """The latest that the clock said since the times last began again."""
        self._ahead_ns = 0
        """What is added to the clock: days since a time of day began, hours it was set back, runs before this one."""
        self._previous_ns: int | None = None
        self._went_back = False

    def take(self, times: _Times, row: int) -> _Times:
        """The times of a stretch of rows, (rows,) ns, so that they never decrease.

        Raises:
            RecordingError: the rows of the first stretch run backwards, or up and down.
        """
        if not len(times):
            return times
        gone_on = self._gone_on(times, row)
        if self._previous_ns is None:
            self._refuse_disorder(gone_on)
        risen = self._risen(gone_on, row)
        self._previous_ns = int(risen[-1])
        return risen

    def _gone_on(self, times: _Times, row: int) -> _Times:
        if self._raw_ns is None:
            self._begin_ns = self._peak_ns = int(times[0])
        steps = np.diff(times, prepend=times[0] if self._raw_ns is None else self._raw_ns)
        self._raw_ns = int(times[-1])
        added = np.zeros(len(times), dtype=np.int64)
        if self._wraps:
            added[steps < -DAY_NS // 2] = DAY_NS
        else:
            usual = int(np.median(steps[steps > 0])) if (steps > 0).any() else NS
            if self._dated:
                added[self._set_back(steps, usual, row)] = HOUR_NS
            for at in np.flatnonzero((steps < -_MANY_STEPS * usual) & (added == 0)).tolist():
                if self._begins_again(times, at, usual):
                    added[at] = usual - steps[at]
                    self._restarts.append(row + at)
                    self._note_once(
                        "time begins again at row",
                        f"{row + at}, as where runs were joined; it is counted on from there",
                    )
            self._peak_ns = max(self._peak_ns, int(times.max()))
        ahead = np.cumsum(added) + self._ahead_ns
        self._ahead_ns = int(ahead[-1])
        return np.asarray(times + ahead, dtype=np.int64)

    def _set_back(self, steps: _Times, usual: int, row: int) -> NDArray[np.bool_]:
        """Where a clock was set back from summer time."""
        on, following = steps + HOUR_NS, np.append(steps[1:], 0)
        back: NDArray[np.bool_] = (
            (steps < -HOUR_NS // 2)
            & (on >= 0)
            & (on <= max(_MANY_STEPS * usual, 60 * NS))
            & (np.abs(following) < HOUR_NS // 2)
        )
        if back.any():
            self._notes.append(
                f"the clock is set back by an hour at row {row + int(np.flatnonzero(back)[0])}, as in autumn; "
                "times are counted on from there"
            )
        return back

    def _begins_again(self, times: _Times, at: int, usual: int) -> bool:
        """Whether a run begins at a row whose time is earlier: near to where the last one began, and others follow from there."""
        start = int(times[at])
        peak = max(self._peak_ns, int(times[:at].max(initial=self._peak_ns)))
        near = start <= self._begin_ns + _MANY_STEPS * usual or peak - start >= _DEEP * (peak - self._begin_ns)
        follow = times[at : at + _MANY_STEPS]
        if not near or not bool((follow < peak).all()):
            return False
        self._begin_ns, self._peak_ns = start, start
        return True

    def _refuse_disorder(self, times: _Times) -> None:
        """Refuses rows that are not in order of time; what is only now and then late is held."""
        if len(times) < _LEAST_ROWS:
            return
        back = np.diff(times) < 0
        late = times < np.maximum.accumulate(times)
        if back.mean() > _DISORDER and late.mean() > _MOSTLY_LATE:
            what = "runs backwards: the newest row comes first" if back.mean() > 0.9 else "goes up and down"
            raise RecordingError(
                self._file, f"time column {self._column!r} {what}; sort the rows by time, oldest first", row=0
            )

    def _risen(self, times: _Times, row: int) -> _Times:
        """Times that never go back: a clock that was set back stands still until it is past again."""
        floor = times[0] if self._previous_ns is None else self._previous_ns
        risen = np.maximum.accumulate(np.maximum(times, floor))
        if not self._went_back and (risen != times).any():
            self._went_back = True
            self._notes.append(
                f"time goes back at row {row + int(np.flatnonzero(risen != times)[0])}; it is held there"
            )
        return risen

    def _note_once(self, text: str, rest: str) -> None:
        if not any(note.startswith(text) for note in self._notes):
            self._notes.append(f"{text} {rest}")
