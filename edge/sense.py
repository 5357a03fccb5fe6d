"""The daemon that listens to machines: sensors in, messages out.

`main` reads the configuration and runs `Sense` until a signal. `Sense` puts the parts together (journal, clock,
publisher, writer, one thread per machine), watches over them, and stops them in the order that loses nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from edge.board import read_board
from edge.commands import CommandDesk, Outcome
from edge.config import MB, MachineOptions, NodeConfig, check_machines, link_config, read_node, surroundings_of
from edge.drafts import Drafter
from edge.feed import SensorFeed
from edge.health import PUBLISHER, HealthReport
from edge.loop import LoopState, MachineLoop, Shared
from edge.path_maker import PathMaker
from edge.publisher import Publisher
from edge.service import Notifier, Progress, StopSignals
from edge.snapshots import Snapshots
from edge.writer import Writer
from models.condition.model import MODEL
from wire.clock import Clock, boottime_ns
from wire.envelope import Envelope
from wire.journal import Journal, JournalError, Record
from wire.messages import Command, Reply
from wire.settings import SettingsError

ORIGIN: Final = "sense"
BAD_CONFIGURATION = 2
FAILED = 1
OPENING_S = 30.0
"""Sensors that take longer to open go on trying while the rest of the daemon starts."""
TURN_S = 0.5
SHORT_LIFE_TICKS = 10
SHORT_LIVES = 3
"""After so many threads that ended within so many ticks, the snapshot is suspected and set aside."""
LONGEST_RESTART_S = 60.0
STOP_S = 10.0
STALL_S = 30.0
"""A part that has not moved for this long stands still."""


class DaemonError(Exception):
    """The daemon cannot go on and must be started again; the text says why."""


class Sense:
    """The daemon without its signals: `start`, `turn` about twice a second, `stop`.

    Args:
        config: checked by `read_node` and `check_machines`.
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
        *,
        clock: Callable[[str], Clock] = lambda history: Clock(history=history),
        notifier: Notifier | None = None,
        root: str = "/",
    ) -> None:
        self.config = config
        self.options = options = config.options
        self._root = root
        self._notifier = notifier or Notifier()
        self._log = logging.getLogger(__name__)
        self.folder = options.state.dir / ORIGIN
        self.folder.mkdir(parents=True, exist_ok=True)
        self._link = link_config(options, ORIGIN)
        self.journal = Journal(
            self.folder / "journal.sqlite",
            readers=[PUBLISHER],
            max_bytes=options.journal.max_mb * MB,
            min_free_bytes=options.journal.min_free_mb * MB,
            commit_interval_s=options.journal.commit_s,
        )
        try:
            self._assemble(clock(self.journal.mark("clock") or ""))
        except BaseException:
            self.journal.close()
            raise

    def _assemble(self, clock: Clock) -> None:
        options, folder = self.options, self.folder
        self.clock = clock
        self.progress = Progress(clock.monotonic_ns)
        envelope = Envelope(options.site, options.node, ORIGIN, self.journal.log)
        self._drafter = Drafter(envelope, clock.boot, MODEL)
        self.writer = Writer(
            self.journal,
            commit_s=options.journal.commit_s,
            moved=lambda: self.progress.moved("writer"),
            monotonic_ns=clock.monotonic_ns,
        )
        self.desk = CommandDesk(
            self.journal,
            [machine.name for machine in options.machines],
            reply=self._reply,
            put=self.writer.put,
            wall_ns=clock.wall_ns,
        )
        self.publisher = Publisher(self.journal, envelope, clock, self._link, on_command=self.desk.hear)
        self._shared = Shared(
            clock=clock,
            drafter=self._drafter,
            put=self.writer.put,
            mark=self.journal.mark,
            desk=self.desk,
            snapshots=Snapshots(folder / "models", clock.monotonic_ns),
            report=options.report,
            snapshot_s=options.state.snapshot_minutes * 60.0,
            allow_faults=options.simulation.allow_faults,
            moved=lambda machine: self.progress.moved(f"machine {machine}"),
        )
        self._health = HealthReport(
            self._drafter,
            self.journal,
            lambda: read_board(folder, Path(self._root)),
            started_ns=clock.monotonic_ns(),
            version=version("werkpuls"),
        )
        self._health_ns: int | None = None
        self._turns = -1
        self._died_ns: dict[str, int] = {}
        states = {machine.name: LoopState() for machine in options.machines}
        self.loops = {machine.name: self._loop(machine, states[machine.name]) for machine in options.machines}

    def start(self) -> None:
        """Opens the sensors, then goes online.

        Raises:
            SettingsError: a sensor found that it can never work as configured; everything has been stopped again.
        """
        self.writer.start()
        self.progress.expect("writer", STALL_S)
        deadline_ns = self.clock.monotonic_ns() + round(OPENING_S * 1e9)
        for name, loop in self.loops.items():
            self.progress.expect(f"machine {name}", STALL_S + OPENING_S)
            loop.start()
        for name, loop in self.loops.items():
            loop.opened.wait(max(deadline_ns - self.clock.monotonic_ns(), 0) / 1e9)
            if loop.config_error is not None:
                self.stop()
                sensor, why = loop.config_error
                place = next(one.path for one in self.config.sensors[name] if one.name == sensor)
                raise SettingsError(self.config.where, place, why)
        self.publisher.start()
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
        for name in self.loops:
            self._revive(name, now_ns)
        if self._health_ns is None or now_ns - self._health_ns >= self.options.report.health_s * 1e9:
            self._health_ns = now_ns
            sensors = [state for loop in self.loops.values() for state in loop.sensors()]
            self.writer.put([self._health.record(now_ns, sensors, self.refused())], {})
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

    def stop(self) -> None:
        """Ends everything: machines (each keeps a snapshot), writer, publisher (goes offline), journal."""
        self._notifier.stopping()
        for loop in self.loops.values():
            loop.stop()
        hanging = [name for name, loop in self.loops.items() if not loop.join(STOP_S)]
        if hanging:
            self._log.warning("did not end in time: %s", ", ".join(hanging))
        if not self.writer.stop(STOP_S):
            self._log.error("not everything could be written to the journal: %s", self.writer.failing)
        self.publisher.stop()
        try:
            self.journal.close()
        except JournalError as exc:
            self._log.error("the journal's last commit failed: %s", exc)

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
        return f"{len(self.loops)} machines, {online}, {waiting} messages waiting"

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
            "machines": {
                name: {"ticks": loop.state.ticks, "skipped": loop.state.skipped, "restarts": loop.state.restarts}
                for name, loop in self.loops.items()
            },
        }

    def _loop(self, machine: MachineOptions, state: LoopState) -> MachineLoop:
        surroundings = surroundings_of(machine, self.clock.monotonic_ns, self._root, self._link)
        feeds = [
            SensorFeed(machine.name, setup.name, partial(setup.make, surroundings))
            for setup in self.config.sensors[machine.name]
        ]
        return MachineLoop(machine, feeds, PathMaker(machine, self.clock.boot), self._shared, state)

    def _revive(self, name: str, now_ns: int) -> None:
        """Starts a successor of a machine's thread that has ended, after a pause that grows with each time."""
        loop = self.loops[name]
        if loop.alive:
            return
        died_ns = self._died_ns.setdefault(name, now_ns)
        if now_ns - died_ns < min(2.0 ** min(loop.state.restarts, 10), LONGEST_RESTART_S) * 1e9:
            # It is being looked after: the watchdog is for what nobody notices.
            self.progress.moved(f"machine {name}")
            return
        del self._died_ns[name]
        loop.state.restarts += 1
        if loop.ticks < SHORT_LIFE_TICKS and loop.state.restarts % SHORT_LIVES == 0:
            self._shared.snapshots.set_aside(name, f"the machine's thread keeps ending: {loop.state.died}")
        self.loops[name] = successor = self._loop(loop.machine, loop.state)
        successor.start()

    def _reply(self, command: Command, outcome: Outcome) -> Record:
        return self._drafter.record(
            Reply,
            self.clock.monotonic_ns(),
            event=True,
            command=command.id,
            machine=command.machine,
            action=command.action,
            ok=outcome.ok,
            reason=outcome.reason[:500],
        )


def main(config_path: Path, *, json_output: bool = False) -> int:
    """Runs the daemon until SIGTERM or Ctrl-C.

    Returns:
        0 after a signal, 1 when it could not go on, 2 for a configuration that cannot work.
    """
    try:
        config = read_node(config_path)
        check_machines(config, boottime_ns, origin=ORIGIN)
        require_machines(config)
        summary = _run(config)
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        return BAD_CONFIGURATION
    except (DaemonError, JournalError, OSError) as exc:
        sys.stderr.write(f"werkpuls edge sense: {exc}\n")
        return FAILED
    if json_output:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    return 0


def require_machines(config: NodeConfig) -> None:
    """Refuses a configuration that gives this daemon nothing to do.

    Raises:
        SettingsError: there is no machine.
    """
    if not config.options.machines:
        raise SettingsError(config.where, "machine", "there is none; sense needs at least one [[machine]]")


def _run(config: NodeConfig) -> dict[str, Any]:
    with StopSignals() as signals:
        sense = Sense(config, notifier=Notifier.from_environment())
        with sense:
            while not signals.stop.wait(TURN_S):
                sense.turn()
        return sense.summary()
