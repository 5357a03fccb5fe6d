"""Time on a board without a clock.

Samples carry the monotonic time of the boot they were taken in (`CLOCK_BOOTTIME`, which also counts suspend) and that
boot's id. Wall time is monotonic time plus an *offset*; this module knows the best offset of each boot and how far it is
trusted. An offset comes from the board's own clock once the kernel calls it synchronised, else from the gateway's
beacon. What was sampled before the offset was known is dated with it afterwards.

Steps. While the clock is synchronised the offset follows it, so slewing and leap seconds come along. A step back of at
most `SLEW_LIMIT_NS` is spread: time runs at 90 % until it fits, so that no two samples sent as they come share a moment. A larger
step means that the time was wrong before; it is taken at once, and what has not been sent yet is dated by it.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import msgspec

from wire.messages import EARLIEST_NS, Trust

SLEW_LIMIT_NS = 10_000_000_000
SLEW_DIVISOR = 10
"""While slewing back, ten seconds of samples give up one second."""
JITTER_NS = 5_000_000
"""Differences below this are the network's, not the clock's."""
PERSIST_EVERY_NS = 60_000_000_000
KEPT_BOOTS = 16
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")
_STA_UNSYNC = 0x0040
_TIMEX_BYTES = 512
"""More than sizeof(struct timex) on every Linux architecture (208 on 64-bit)."""
_STATUS_OFFSET = 5 * ctypes.sizeof(ctypes.c_long)
"""struct timex: modes (padded), offset, freq, maxerror, esterror, then int status (linux/timex.h)."""


class Stamp(NamedTuple):
    """Wall time in nanoseconds since the epoch, and how far it is trusted."""

    time_ns: int
    trust: Trust


def boottime_ns() -> int:
    """Nanoseconds since this boot, including suspend."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id(path: Path = _BOOT_ID) -> str:
    """The kernel's random id of this boot."""
    return path.read_text(encoding="ascii").strip()


def kernel_synchronised(flag: Path = _TIMESYNC_FLAG) -> bool:
    """Whether NTP (any client: the kernel's flag; or systemd-timesyncd's own) has set this board's clock."""
    if flag.exists():
        return True
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    # modes = 0 only reads; TIME_ERROR (5) and -1 (forbidden in some containers) both mean: not known to be right.
    state = libc.adjtimex(timex)
    if state in (-1, 5):
        return False
    return not ctypes.c_int.from_buffer(timex, _STATUS_OFFSET).value & _STA_UNSYNC


class _Boot(msgspec.Struct, forbid_unknown_fields=True):
    """What is known of one boot. Offsets and times in nanoseconds."""

    last_mono_ns: int = 0
    offset_ns: int | None = None
    trust: Trust = Trust.ESTIMATED
    slew_from_ns: int | None = None
    """Monotonic time at which a small step back began, and the offset before it."""
    slew_offset_ns: int = 0

    def offset_at(self, mono_ns: int) -> int | None:
        if self.offset_ns is None or self.slew_from_ns is None:
            return self.offset_ns
        given_up = max(mono_ns - self.slew_from_ns, 0) // SLEW_DIVISOR
        return max(self.offset_ns, self.slew_offset_ns - given_up)


class Clock:
    """Dates monotonic moments of this and earlier boots. Thread-safe.

    Args:
        boot: id of the present boot.
        history: what `export` gave in an earlier run; anything unreadable is ignored, as the clock then only knows less.
        monotonic_ns, wall_ns, synced: the world, replaceable in tests.
    """

    def __init__(
        self,
        boot: str | None = None,
        history: str = "",
        *,
        monotonic_ns: Callable[[], int] = boottime_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        synced: Callable[[], bool] = kernel_synchronised,
    ) -> None:
        self.boot = boot_id() if boot is None else boot
        self.monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._synced = synced
        self._lock = Lock()
        self._boots = _load(history)
        self._present = self._boots.setdefault(self.boot, _Boot())
        self._beacons: deque[int] = deque(maxlen=8)
        self._persisted_ns = self.monotonic_ns()
        self.steps = 0
        """Steps of more than `SLEW_LIMIT_NS` seen since start."""

    def stamp(self, boot: str, mono_ns: int) -> Stamp | None:
        """When that was; None while nothing is known that could date it."""
        with self._lock:
            entry = self._boots.get(boot)
            if boot == self.boot:
                offset = self._present.offset_at(mono_ns)
                return None if offset is None else Stamp(mono_ns + offset, self._present.trust)
            if entry is None or entry.offset_ns is None:
                entry = self._estimate(boot, mono_ns)
            return None if entry is None or entry.offset_ns is None else Stamp(mono_ns + entry.offset_ns, entry.trust)

    def wall_ns(self) -> int | None:
        """The best present wall time, if any is known."""
        stamp = self.stamp(self.boot, self.monotonic_ns())
        return None if stamp is None else stamp.time_ns

    def gateway_ns(self) -> int | None:
        """The time by the gateway's own clock, which dates what people ask for: by its last beacon; the best known where none was heard."""
        with self._lock:
            offset_ns = self._beacons[-1] if self._beacons else None
        return self.wall_ns() if offset_ns is None else self.monotonic_ns() + offset_ns

    def hear(self, beacon_time_ns: int) -> None:
        """Takes the gateway's time, which arrived just now.

        A beacon is late by the time it travelled, so the largest of the last few offsets is the best one. An
        own synchronised clock is better than any beacon. Whether the gateway's is synchronised makes no difference:
        it is the time that this site shares.
        """
        if beacon_time_ns < EARLIEST_NS:
            return
        with self._lock:
            self._beacons.append(beacon_time_ns - self.monotonic_ns())
            best = max(self._beacons)
            present = self._present
            if present.trust is Trust.SYNCED and present.offset_ns is not None:
                return
            if present.offset_ns is None or abs(best - present.offset_ns) > JITTER_NS:
                self._move(best, Trust.GATEWAY)

    def poll(self) -> bool:
        """Looks at the board's clock; call it every few seconds. True when `export` is worth keeping now."""
        synced = self._synced()
        with self._lock:
            now = self.monotonic_ns()
            before = (self._present.trust, self._present.offset_ns is None)
            offset = self._wall_ns() - now
            if synced and offset + now >= EARLIEST_NS and offset != self._present.offset_ns:
                self._move(offset, Trust.SYNCED)
            self._present.last_mono_ns = max(self._present.last_mono_ns, now)
            changed = before != (self._present.trust, self._present.offset_ns is None)
            if changed or now - self._persisted_ns >= PERSIST_EVERY_NS:
                self._persisted_ns = now
                return True
            return False

    def export(self) -> str:
        """What is known of the latest boots, as JSON, for the next run's `history`."""
        with self._lock:
            kept = dict(list(self._boots.items())[-KEPT_BOOTS:])
            kept[self.boot] = self._present
            return msgspec.json.encode(kept).decode()

    def _move(self, offset_ns: int, trust: Trust) -> None:
        """Gives the present boot another offset; the caller holds the lock."""
        present = self._present
        now = self.monotonic_ns()
        current = present.offset_at(now)
        step = 0 if current is None else offset_ns - current
        small_step_back = current is not None and trust is present.trust and -SLEW_LIMIT_NS <= step < 0
        if small_step_back:
            present.slew_from_ns, present.slew_offset_ns = now, current or 0
        else:
            present.slew_from_ns = None
            if abs(step) > SLEW_LIMIT_NS:
                self.steps += 1
        present.offset_ns, present.trust = offset_ns, trust

    def _estimate(self, boot: str, mono_ns: int) -> _Boot | None:
        """Dates a boot that never knew the time: it ended, at the latest, where the present one began."""
        began = self._present.offset_ns
        if began is None:
            return None
        entry = self._boots.pop(boot, None) or _Boot()
        entry.last_mono_ns = max(entry.last_mono_ns, mono_ns) + PERSIST_EVERY_NS
        entry.offset_ns = began - entry.last_mono_ns
        entry.trust = Trust.ESTIMATED
        self._boots = {boot: entry, **self._boots}
        return entry


def _load(history: str) -> dict[str, _Boot]:
    if not history:
        return {}
    try:
        return msgspec.json.decode(history, type=dict[str, _Boot])
    except msgspec.DecodeError:
        return {}
