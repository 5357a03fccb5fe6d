"""Energy that only grows: kWh from a meter's own counter or from power and time, kept over restarts.

From a counter nothing is lost: what the meter counted while nobody looked is counted when it is read again, once. A
counter that was reset or rolled over goes on from where it was; one that jumps further than any meter can count while
it is watched (a meter was exchanged) is taken up at its new reading, and the jump is not counted. Over a restart that
cannot be told: a meter that was exchanged meanwhile and shows more is taken for consumption.

From power, only time that was measured counts: two readings no further apart than `longest_gap_s`, as the area under
the straight line between them. A gap, a stop or a restart adds nothing, and negative power (feeding back) adds nothing.

The sum is written when it has changed, at most every `SAVE_S` seconds, at a reset and at the end: about 3 MB a day on
an SD card at worst. A power cut takes away what power integrated since; a counter loses nothing.
"""

from __future__ import annotations

import logging
from pathlib import Path

from edge.sensors.registry import Surroundings
from edge.snapshots import BadSnapshot, Snapshots

SAVE_S = 300.0
LARGEST_KW = 1000.0
"""No meter on a machine's supply counts faster; what does is another meter or a misread one."""
NEAR_THE_END = 0.9
"""A counter that falls from above this share of its range to below the rest of it has rolled over."""
KWH_PER_WS = 1.0 / 3_600_000.0


class EnergyFile:
    """Where one energy channel keeps its numbers.

    Args:
        surroundings: the machine's name, its state folder (None: nothing is kept) and the clock.
        channel: name of the channel.
    """

    def __init__(self, surroundings: Surroundings, channel: str) -> None:
        self._folder: Path | None = surroundings.state_dir
        self._name = f"{surroundings.machine}.{channel}"
        self._monotonic_ns = surroundings.monotonic_ns
        self._saved: dict[str, float] | None = None
        self._saved_ns = surroundings.monotonic_ns()
        self._failed = False

    def load(self) -> dict[str, float]:
        """The numbers kept last; none when there are none or they are damaged (then set aside and logged)."""
        if self._folder is None:
            return {}
        try:
            snapshots = Snapshots(self._folder, self._monotonic_ns)
        except OSError as exc:
            self._complain(exc)
            return {}
        try:
            state = snapshots.load(self._name) or {}
            self._saved = {str(key): float(value) for key, value in state.items()}
        except (BadSnapshot, TypeError, ValueError) as exc:
            snapshots.set_aside(self._name, str(exc))
            return {}
        return dict(self._saved)

    def keep(self, state: dict[str, float], *, now: bool = False) -> None:
        """Writes them, when they changed and it is time, or at once; a full disk is logged and tried again later."""
        due = now or self._monotonic_ns() - self._saved_ns >= SAVE_S * 1e9
        if self._folder is None or not due or state == self._saved:
            return
        self._saved_ns = self._monotonic_ns()
        try:
            Snapshots(self._folder, self._monotonic_ns).save(self._name, state)
        except OSError as exc:
            self._complain(exc)
            return
        self._saved, self._failed = dict(state), False

    def _complain(self, exc: OSError) -> None:
        if not self._failed:
            logging.getLogger(__name__).warning("%s: energy is not kept: %s", self._name, exc)
        self._failed = True


class MeterEnergy:
    """kWh from a meter's own counter.

    Args:
        file: where the counter's last reading is kept.
        rollover_kwh: where this meter's counter starts again at zero; None when it is not known.
    """

    def __init__(self, file: EnergyFile, rollover_kwh: float | None = None) -> None:
        self._file = file
        self._rollover_kwh = rollover_kwh
        state = file.load()
        self._offset = state.get("offset", 0.0)
        self._last: float | None = state.get("counter")
        self._last_ns: int | None = None
        self._doubted: float | None = None

    def take(self, time_ns: int, counter_kwh: float) -> float:
        """The sum after this reading. As long as the meter was never reset, it is the meter's own reading.

        A reading below the last one, or further above it than can be, must be confirmed by the next; until then the sum
        stays.

        Args:
            time_ns: monotonic time of the reading.
            counter_kwh: what the meter shows, not negative.
        """
        if self._last is None:
            return self._accept(time_ns, counter_kwh)
        step = counter_kwh - self._last
        if 0.0 <= step <= self._possible(time_ns):
            return self._accept(time_ns, counter_kwh)
        before, self._doubted = self._doubted, counter_kwh
        if before is None or not 0.0 <= counter_kwh - before <= max(self._possible(time_ns), 1.0):
            return self._offset + self._last
        if step < 0.0:
            self._offset += self._restarted(self._last, counter_kwh, self._possible(time_ns))
        else:
            self._offset -= step
        return self._accept(time_ns, counter_kwh, now=True)

    def close(self) -> None:
        """Keeps the last reading."""
        if self._last is not None:
            self._file.keep(self._state(self._last), now=True)

    def _accept(self, time_ns: int, counter_kwh: float, *, now: bool = False) -> float:
        self._last, self._last_ns, self._doubted = counter_kwh, time_ns, None
        self._file.keep(self._state(counter_kwh), now=now)
        return self._offset + counter_kwh

    def _possible(self, time_ns: int) -> float:
        """The most a meter can have counted since its last reading; unknown (all) over a restart."""
        if self._last_ns is None:
            return float("inf")
        return 1.0 + LARGEST_KW * (time_ns - self._last_ns) / 3.6e12

    def _restarted(self, last: float, counter: float, possible: float) -> float:
        """What to add to the offset for a counter that began again."""
        end = self._rollover_kwh
        if end is not None and last >= NEAR_THE_END * end and counter <= (1.0 - NEAR_THE_END) * end:
            return end
        # Begun at zero: what it shows was counted since. Shows more than can be: it is another meter.
        return last if counter <= possible else last - counter

    def _state(self, counter: float) -> dict[str, float]:
        return {"offset": self._offset, "counter": counter}


class PowerEnergy:
    """kWh from power readings.

    Args:
        file: where the sum is kept.
        longest_gap_s: readings further apart than this have a gap between them, which is not counted.
    """

    def __init__(self, file: EnergyFile, longest_gap_s: float) -> None:
        self._file = file
        self._longest_gap_ns = round(longest_gap_s * 1e9)
        self._kwh = file.load().get("kwh", 0.0)
        self._last: tuple[int, float] | None = None

    def take(self, time_ns: int, watts: float) -> float:
        """The sum after this reading.

        Args:
            time_ns: monotonic time of the reading; one not after the last adds nothing.
            watts: active power; NaN is a gap.
        """
        if watts != watts:  # noqa: PLR0124  # only NaN differs from itself
            self._last = None
            return self._kwh
        power = max(watts, 0.0)
        before_ns, before = self._last or (time_ns, power)
        elapsed_ns = time_ns - before_ns
        if elapsed_ns < 0:
            return self._kwh
        if elapsed_ns <= self._longest_gap_ns:
            self._kwh += 0.5 * (before + power) * (elapsed_ns / 1e9) * KWH_PER_WS
            self._file.keep({"kwh": self._kwh})
        self._last = (time_ns, power)
        return self._kwh

    def close(self) -> None:
        """Keeps the sum; the next reading starts anew."""
        self._last = None
        self._file.keep({"kwh": self._kwh}, now=True)
