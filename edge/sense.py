"""The daemon that listens to machines: sensors in, messages out. One thread per machine."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from edge.config import MachineOptions, NodeConfig, check_machines, read_node, surroundings_of
from edge.daemon import SOURCES_S, STALL_S, Daemon, run
from edge.feed import SensorFeed
from edge.loop import LoopState, MachineLoop, Shared
from edge.path_maker import PathMaker
from edge.snapshots import Snapshots
from models.condition.model import MODEL
from wire.clock import boottime_ns
from wire.messages import SensorState
from wire.service import join_all
from wire.settings import SettingsError

ORIGIN: Final = "sense"
OPENING_S = 30.0
"""Sensors that take longer to open go on trying while the rest of the daemon starts."""
SHORT_LIFE_TICKS = 10
SHORT_LIVES = 3
"""After so many threads that ended within so many ticks, the snapshot is suspected and set aside."""
LONGEST_RESTART_S = 60.0
SWITCH_S = 0.0005
"""Turn of a thread that computes while others wait. With Python's own 5 ms a FIFO that is full after 10 ms overflows while a
machine is judged, because its thread waits for a turn after each call of the kernel."""


class Sense(Daemon):
    """Runs every machine of a configuration; see `Daemon`, also for the arguments.

    Args:
        config: checked by `read_node` and `check_machines`.
        **given: `clock`, `notifier`, `root`.
    """

    def __init__(self, config: NodeConfig, **given: Any) -> None:
        machines = config.options.machines
        super().__init__(config, ORIGIN, [machine.name for machine in machines], model=MODEL, **given)
        self._shared = Shared(
            clock=self.clock,
            drafter=self.drafter,
            put=self.writer.put,
            mark=self.journal.mark,
            desk=self.desk,
            snapshots=Snapshots(self.folder / "models", self.clock.monotonic_ns),
            report=self.options.report,
            snapshot_s=self.options.state.snapshot_minutes * 60.0,
            allow_faults=self.options.simulation.allow_faults,
            moved=lambda machine: self.progress.moved(f"machine {machine}"),
        )
        self._died_ns: dict[str, int] = {}
        self.loops = {machine.name: self._loop(machine, LoopState()) for machine in machines}

    def begin(self) -> None:
        """Opens the sensors; raises SettingsError for one that can never work as configured."""
        deadline_ns = self.clock.monotonic_ns() + round(OPENING_S * 1e9)
        for name, loop in self.loops.items():
            self.progress.expect(f"machine {name}", STALL_S + OPENING_S)
            loop.start()
        for name, loop in self.loops.items():
            loop.opened.wait(max(deadline_ns - self.clock.monotonic_ns(), 0) / 1e9)
            if loop.config_error is not None:
                sensor, why = loop.config_error
                place = next(one.path for one in self.config.sensors[name] if one.name == sensor)
                raise SettingsError(self.config.where, place, why)

    def tend(self, now_ns: int) -> None:
        """Starts a successor of every machine's thread that has ended, after a pause that grows with each time."""
        for name, loop in list(self.loops.items()):
            if loop.alive:
                continue
            died_ns = self._died_ns.setdefault(name, now_ns)
            if now_ns - died_ns < min(2.0 ** min(loop.state.restarts, 10), LONGEST_RESTART_S) * 1e9:
                # It is being looked after: the watchdog is for what nobody notices.
                self.progress.moved(f"machine {name}")
                continue
            del self._died_ns[name]
            loop.state.restarts += 1
            if loop.ticks < SHORT_LIFE_TICKS and loop.state.restarts % SHORT_LIVES == 0:
                self._shared.snapshots.set_aside(name, f"the machine's thread keeps ending: {loop.state.died}")
            self.loops[name] = successor = self._loop(loop.machine, loop.state)
            successor.start()

    def end(self) -> list[str]:
        """Ends the machines' threads; each keeps a snapshot."""
        for loop in self.loops.values():
            loop.stop()
        return join_all({name: loop.join for name, loop in self.loops.items()}, SOURCES_S)

    def sensors(self) -> list[SensorState]:
        """Of all machines."""
        return [state for loop in self.loops.values() for state in loop.sensors()]

    def sources(self) -> dict[str, dict[str, int]]:
        """Ticks by machine."""
        return {
            name: {"ticks": loop.state.ticks, "skipped": loop.state.skipped, "restarts": loop.state.restarts}
            for name, loop in self.loops.items()
        }

    def _loop(self, machine: MachineOptions, state: LoopState) -> MachineLoop:
        surroundings = surroundings_of(machine, self.clock.monotonic_ns, self.root, self.link, self.folder)
        feeds = [
            SensorFeed(machine.name, setup.name, partial(setup.make, surroundings))
            for setup in self.config.sensors[machine.name]
        ]
        return MachineLoop(machine, feeds, PathMaker(machine, self.clock.boot), self._shared, state)


def main(config_path: Path, *, json_output: bool = False) -> int:
    """Runs the daemon until SIGTERM or Ctrl-C; returns the exit code, see `edge.daemon.run`."""

    def read() -> NodeConfig:
        config = read_node(config_path)
        if not config.options.machines:
            raise SettingsError(config.where, "machine", "there is none; sense needs at least one [[machine]]")
        check_machines(config, boottime_ns, origin=ORIGIN)
        return config

    sys.setswitchinterval(SWITCH_S)
    return run(read, lambda config, notifier: Sense(config, notifier=notifier), json_output=json_output)
