"""The site under test and everything that can be done to it: kills, cuts, a full disk, a stepped clock."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.chaos.disk import SmallDisk
from benchmarks.chaos.network import Cable
from benchmarks.chaos.schedule import KINDS, Action
from benchmarks.chaos.server import Server
from benchmarks.chaos.wallclock import WallClock, library
from werkpuls.demo.plan import Recording
from werkpuls.demo.processes import Child
from werkpuls.demo.site import Site, free_port

DISK_NODE = "keller"
DISK_MB = 5
JOURNAL_MB = 8
RESTART_S = 1.0
"""A service manager's pause before it starts again what ended by itself."""


class World:
    """One site, started by `start` and ended by `stop`.

    Args:
        folder: for everything; new.
        store: `victoria-metrics` or `embedded`.
        seed: of the recording.
        seconds: how long a recording must last at least that plays as one more machine, 20 rows a second; 0: none plays.
        tell: is told what happened, in words.
    """

    def __init__(self, folder: Path, *, store: str, seed: int, seconds: float, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.skipped: list[str] = []
        self.disk_by = "tmpfs"
        self.unasked: Counter[str] = Counter()
        """Processes that ended by themselves and were started again, by name."""
        self._tell = tell
        self._down: set[str] = set()
        self._gateways: set[int] = set()
        self._ended_s: dict[str, float] = {}
        broker_port = free_port()
        self.cable = Cable(broker_port)
        self.server = Server(_made(folder / "store")) if store != "embedded" else None
        self.clock = self._make_clock()
        self.disk = self._make_disk()
        recording = folder / "recording.csv"
        if seconds:
            _write_recording(recording, seed, rows=math.ceil(20 * seconds))
        self.cable.start()
        self.site = Site(
            folder,
            recording=Recording(recording) if seconds else None,
            broker_port=broker_port,
            broker_port_for_nodes=self.cable.port,
            store=self.server.section() if self.server else "",
            environment={"gateway": self.clock.environment()} if self.clock else {},
            state_folders={DISK_NODE: self.disk.folder} if self.disk else {},
            journal_mb={DISK_NODE: JOURNAL_MB},
        )

    @property
    def kinds(self) -> list[str]:
        """What can be done here."""
        missing = {"store": self.server is None, "clock_step": self.clock is None, "disk_full": self.disk is None}
        return [kind for kind in KINDS if not missing.get(kind, False)]

    @property
    def children(self) -> dict[str, Child]:
        """Every process by name."""
        store = {"store": self.server.child} if self.server else {}
        return {**self.site.children, **store}

    def start(self) -> None:
        """Starts the store's server and the site."""
        self.site.build()
        if self.server:
            self.server.start()
        self.site.start()

    def begin(self, action: Action) -> None:
        """Breaks something."""
        kind, target = action.kind, action.target
        if kind in ("node", "receiver", "broker", "gateway", "store"):
            self._down.add(target)
            self.children[target].kill()
        elif kind == "clock_step" and self.clock:
            self.clock.set(action.value)
        elif kind == "disk_full" and self.disk:
            self.cable.cut("silent" if target == "silent" else "reset")
            self.disk.fill()
        elif kind in ("cut_silent", "cut_reset"):
            self.cable.cut("silent" if kind == "cut_silent" else "reset")

    def end(self, action: Action) -> None:
        """Mends it."""
        if action.target in self._down:
            self._down.discard(action.target)
            self.children[action.target].start()
        elif action.kind == "disk_full" and self.disk:
            self.disk.release()
            self.cable.heal()
        elif action.kind.startswith("cut_"):
            self.cable.heal()

    def tend(self) -> None:
        """Starts again what ended by itself, as systemd would."""
        now = time.monotonic()
        self._gateways |= {self.site.children["gateway"].pid or 0}
        for name, child in self.children.items():
            if name in self._down or child.pid is not None:
                continue
            if name not in self._ended_s:
                self._ended_s[name] = now
                self.unasked[name] += 1
                last = child.tail(3).replace("\n", " | ")
                self._tell(f"{name} ended by itself: {last}")
            elif now - self._ended_s[name] >= RESTART_S:
                del self._ended_s[name]
                child.start()

    def heal(self) -> None:
        """Mends everything."""
        if self.disk:
            self.disk.release()
        self.cable.heal()
        if self.clock:
            self.clock.set(0.0)
        for name in sorted(self._down):
            self.children[name].start()
        self._down.clear()

    def stop_site(self) -> None:
        """Ends everything but the store's server."""
        self.site.stop()
        self.cable.stop()

    def stop(self) -> None:
        """Ends everything; safe at any moment."""
        self.stop_site()
        if self.server:
            self.server.child.stop()

    def clean(self) -> None:
        """Gives the small disk back, and what killed processes left in memory."""
        for pid in self._gateways:
            if self.clock:
                self.clock.clean(pid)
        if self.disk:
            self.disk.unmount()

    def _make_clock(self) -> WallClock | None:
        preload = library()
        if preload is None:
            self.skipped.append("clock_step: libfaketime is not installed (Debian package faketime)")
            return None
        return WallClock(self.folder, preload)

    def _make_disk(self) -> SmallDisk | None:
        why = SmallDisk.why_not()
        disk = SmallDisk(self.folder / "small-disk", DISK_MB)
        why = why or disk.mount()
        if why:
            self.disk_by = "none"
            self.skipped.append(f"disk_full: {why}")
            return None
        return disk


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_recording(path: Path, seed: int, rows: int) -> None:
    """A table of slow waves and noise: twenty rows a second are what makes a journal grow."""
    draw = random.Random(seed)  # noqa: S311  # repeatable, not secret
    columns = 12
    with path.open("w", encoding="ascii") as file:
        file.write(",".join(f"c{column}" for column in range(columns)) + "\n")
        for row in range(rows):
            values = (math.sin(row / (20.0 + 7 * column)) + draw.gauss(0.0, 0.1) for column in range(columns))
            file.write(",".join(f"{value:.4f}" for value in values) + "\n")
