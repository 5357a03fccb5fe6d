"""What both daemons of a node have in common: journal, clock, writer, publisher, health, and watching over them.

`Sense` and `Watch` say what they run beside these (`begin`, `tend`, `end`) and how their sources are doing.
"""

from __future__ import annotations

import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import msgspec

from edge.board import read_board
from edge.commands import CommandDesk, Outcome
from edge.config import MB, NodeConfig, link_of
from edge.drafts import Drafter
from edge.health import PUBLISHER, HealthReport
from edge.publisher import Publisher
from edge.writer import Writer
from wire.clock import Clock
from wire.commands import Command
from wire.envelope import Envelope
from wire.journal import Journal, JournalError, Record
from wire.messages import Origin, Reply, SensorState
from wire.service import Notifier, Progress, StopSignals
from wire.settings import SettingsError

BAD_CONFIGURATION = 2
FAILED = 1
TURN_S = 0.5
SOURCES_S = 20.0
"""All machines or cameras together have this long to end; each machine keeps a snapshot of what it learned first."""
STOP_S = 10.0
"""The writer, and after it the publisher, have this long. The units allow a stop more than all of it together."""
BREATH_S = 0.02
FAREWELL_S = 3.0
"""What was said last is given this long to reach the gateway before a stop; what does not make it waits in the journal."""
STALL_S = 30.0
"""A part that has not moved for this long stands still."""


class DaemonError(Exception):
    """The daemon cannot go on and must be started again; the text says why."""


def remembered_clock(history: str) -> Clock:
    """The board's clock, with what the journal remembers of it."""
    return Clock(history=history)


class Daemon(ABC):
    """One daemon without its signals: `start`, `turn` about twice a second, `stop`.

    Args:
        config: checked.
        origin: which daemon this is.
        names: machines or cameras that commands may be for.
        model: name and version of the model behind its verdicts.
        clock: makes the clock from what the journal remembers of it.
        notifier: systemd, or nobody.
        root: of /sys and /proc.

    Raises:
        JournalBusy: another process runs with the same state folder.
        JournalError, OSError: the state folder cannot be used.
    """

    def __init__(
        self,
        config: NodeConfig,
        origin: Origin,
        names: Collection[str],
        *,
        model: str = "",
        clock: Callable[[str], Clock] = remembered_clock,
        notifier: Notifier | None = None,
        root: str = "/",
    ) -> None:
        self.config = config
        self.options = options = config.options
        self.root = root
        self.log = logging.getLogger(type(self).__module__)
        self._notifier = notifier or Notifier()
        self.folder = options.state.dir / origin
        self.folder.mkdir(parents=True, exist_ok=True)
        self.link = link_of(options, origin)
        self.journal = Journal(
            self.folder / "journal.sqlite",
            readers=[PUBLISHER],
            max_bytes=options.journal.max_mb * MB,
            min_free_bytes=options.journal.min_free_mb * MB,
            commit_interval_s=options.journal.commit_s,
        )
        try:
            self._assemble(clock(self.journal.mark("clock") or ""), origin, names, model)
        except BaseException:
            self.journal.close()
            raise

    def _assemble(self, clock: Clock, origin: Origin, names: Collection[str], model: str) -> None:
        options = self.options
        self.clock = clock
        self.progress = Progress(clock.monotonic_ns)
        envelope = Envelope(options.site, options.node, origin, self.journal.log)
        self.drafter = Drafter(envelope, clock.boot, model)
        self.writer = Writer(
            self.journal,
            commit_s=options.journal.commit_s,
            moved=lambda: self.progress.moved("writer"),
            monotonic_ns=clock.monotonic_ns,
        )
        self.desk = CommandDesk(
            self.journal,
            names,
            reply=self._reply,
            put=self.writer.put,
            flush=self.writer.flush,
            wall_ns=clock.wall_ns,
        )
        self.publisher = Publisher(self.journal, envelope, clock, self.link, on_command=self.desk.hear)
        self._health = HealthReport(
            self.drafter,
            self.journal,
            lambda: read_board(self.folder, Path(self.root)),
            started_ns=clock.monotonic_ns(),
            version=version("werkpuls"),
        )
        self._health_ns: int | None = None
        self._turns = -1

    @abstractmethod
    def begin(self) -> None:
        """Starts the sources; raises SettingsError for one that can never work as configured."""

    @abstractmethod
    def tend(self, now_ns: int) -> None:
        """Looks after the sources' threads, in every turn."""

    @abstractmethod
    def end(self) -> list[str]:
        """Stops the sources; returns the names of those that did not end in time."""

    @abstractmethod
    def sensors(self) -> list[SensorState]:
        """How the sources are doing."""

    @abstractmethod
    def sources(self) -> dict[str, dict[str, int]]:
        """Counters by source, for the summary."""

    def start(self) -> None:
        """Starts the sources, then goes online.

        Raises:
            SettingsError: a source can never work as configured; everything has been stopped again.
        """
        self.writer.start()
        self.progress.expect("writer", STALL_S)
        try:
            self.begin()
            self.publisher.start()
        except BaseException:
            self.stop()
            raise
        self.progress.expect("publisher", STALL_S)
        self._notifier.ready(self.status())

    def turn(self) -> None:
        """One round of watching over everything.

        Raises:
            DaemonError: the journal is damaged; a new process opens it anew and salvages what can be read.
        """
        now_ns = self.clock.monotonic_ns()
        if self.clock.poll():
            self.writer.put([], {"clock": self.clock.export()})
        self.desk.settle()
        self.tend(now_ns)
        if self._health_ns is None or now_ns - self._health_ns >= self.options.report.health_s * 1e9:
            self.tell_health(now_ns)
        stats = self.publisher.stats()
        if self.writer.broken is not None or not self.publisher.alive:
            raise DaemonError(self.writer.broken or f"the publisher ended: {stats.last_error}")
        if stats.turns != self._turns:
            self._turns = stats.turns
            self.progress.moved("publisher")
        stalled = self.progress.stalled()
        if stalled:
            self._notifier.status(f"stands still: {', '.join(stalled)}")
        else:
            self._notifier.status(self.status())
            self._notifier.alive()

    def tell_health(self, now_ns: int) -> None:
        """Says now how node and sensors are, `now_ns` monotonic."""
        self._health_ns = now_ns
        self.writer.put([self._health.record(now_ns, self.sensors(), self.refused())], {})

    def stop(self) -> None:
        """Ends everything in the order that loses nothing: sources, writer, publisher (goes offline), journal."""
        self._notifier.stopping()
        hanging = self.end()
        if hanging:
            self.log.warning("did not end in time: %s", ", ".join(hanging))
        if not self.writer.stop(STOP_S):
            self.log.error("not everything could be written to the journal: %s", self.writer.failing)
        self._see_off()
        self.publisher.stop()
        try:
            self.journal.close()
        except JournalError as exc:
            self.log.error("the journal's last commit failed: %s", exc)  # noqa: TRY400  # the text says it all

    def _see_off(self) -> None:
        """Waits until the gateway has everything, if it is there to take it."""
        try:
            self.journal.flush()
        except JournalError:
            return  # `close` tries once more, and says so
        deadline = time.monotonic() + FAREWELL_S
        while time.monotonic() < deadline and self.publisher.alive:
            stats = self.publisher.stats()
            if not stats.gateway_online or stats.acked >= self.journal.stats().next - 1:
                return
            time.sleep(BREATH_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def status(self) -> str:
        """One line for people."""
        stats, journal = self.publisher.stats(), self.journal.stats()
        online = "gateway online" if stats.gateway_online else "gateway offline"
        waiting = journal.next - 1 - journal.positions[PUBLISHER]
        return f"{len(self.sources())} running, {online}, {waiting} messages waiting"

    def refused(self) -> dict[str, int]:
        """What was refused or dropped since start, by kind."""
        counts = dict(self.publisher.stats().refused)
        for source in (self.desk.refused, {f"dropped_{name}": count for name, count in self.writer.dropped.items()}):
            for kind, count in source.items():
                counts[kind] = counts.get(kind, 0) + count
        return counts

    def summary(self) -> dict[str, Any]:
        """What `--json` prints at the end."""
        stats = self.publisher.stats()
        return {
            "log": self.journal.log,
            "journaled": self.journal.stats().next - 1,
            "acked": stats.acked,
            "sent": stats.sent,
            "resent": stats.resends,
            "refused": self.refused(),
            "sources": self.sources(),
        }

    def _reply(self, command: Command, outcome: Outcome) -> Record:
        return self.drafter.record(
            Reply,
            self.clock.monotonic_ns(),
            event=True,
            command=command.id,
            machine=command.machine,
            action=command.action,
            ok=outcome.ok,
            reason=outcome.reason[:500],
            code=outcome.code,
            taught=outcome.taught,
        )


def run(read: Callable[[], NodeConfig], make: Callable[[NodeConfig, Notifier], Daemon], *, json_output: bool) -> int:
    """Runs a daemon until SIGTERM or Ctrl-C.

    Args:
        read: reads and checks the configuration.
        make: makes the daemon.
        json_output: print a summary at the end.

    Returns:
        0 after a signal, 1 when it could not go on, 2 for a configuration that cannot work.
    """
    try:
        config = read()
        with StopSignals() as signals:
            daemon = make(config, Notifier.from_environment())
            with daemon:
                while not signals.stop.wait(TURN_S):
                    daemon.turn()
            summary = daemon.summary()
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        return BAD_CONFIGURATION
    except (DaemonError, JournalError, OSError) as exc:
        sys.stderr.write(f"werkpuls: {exc}\n")
        return FAILED
    if json_output:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    return 0
