"""One machine's thread: read its sensors, step its path, say what there is to say, hear commands, keep snapshots.

Ticks lie on a grid of the monotonic clock that all machines share, so that what they say fits into one commit. A tick that
took too long skips the ones it missed and counts them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import msgspec

from edge.commands import CommandDesk, Outcome, perform
from edge.config import MachineOptions, ReportOptions
from edge.drafts import Drafter
from edge.feed import SensorFeed
from edge.machine import MachinePath
from edge.pausing import kept_pause, pause_mark
from edge.reporter import Reporter
from edge.sensors.base import Channel, Fault, Quantity, SensorConfigError
from edge.snapshots import BadSnapshot, Snapshots
from wire.clock import Clock
from wire.commands import Command
from wire.journal import Record
from wire.messages import SensorState

CHANNELS_GRACE_S = 20.0
"""A sensor that has not said by then which channels it has is left out until it does."""
LISTEN_S = 1.0
"""Commands wait at most this long, however rarely a machine is read."""
RECOVERED_S = 300.0
"""A thread that was restarted shows in the node's health until it has run this long."""
WHOLE_MACHINE = "machine"
"""Name under which a machine's own thread appears among its sensors' states."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all machines of a daemon share."""

    clock: Clock
    drafter: Drafter
    put: Callable[[Sequence[Record], Mapping[str, str]], None]
    """Takes records and marks to the journal, in one transaction."""
    mark: Callable[[str], str | None]
    """The journal's marks."""
    desk: CommandDesk
    snapshots: Snapshots
    report: ReportOptions
    snapshot_s: float
    allow_faults: bool
    moved: Callable[[str], None]
    """Told the machine's name after each tick."""


@dataclass(slots=True)
class LoopState:
    """What a restart of the thread leaves behind and the daemon shows."""

    restarts: int = 0
    died: str | None = None
    """What ended the thread last; None once its successor has run for a while."""
    skipped: int = 0
    """Ticks missed because one took too long."""
    ticks: int = 0
    faults: Mapping[str, tuple[Fault, str]] = field(default_factory=dict)
    """Sensor faults by channel, of the last step."""


class MachineLoop:
    """Runs one machine until it is stopped.

    Args:
        machine: its options.
        feeds: its sensors, unopened.
        make_path: makes the machine's path for these channels, from a snapshot's state or anew; raises ValueError for a
            state it cannot use.
        shared: what it shares with the others.
        state: kept over restarts of the thread.
    """

    def __init__(
        self,
        machine: MachineOptions,
        feeds: Sequence[SensorFeed],
        make_path: Callable[[Sequence[Channel], Mapping[str, Any] | None], MachinePath],
        shared: Shared,
        state: LoopState,
    ) -> None:
        self.machine = machine
        self.state = state
        self.opened = Event()
        """Set after the first attempt to open every sensor."""
        self.config_error: tuple[str, str] | None = None
        """Name of a sensor that can never work as configured, and why; the thread has ended."""
        self.ticks = 0
        """Of this thread."""
        self._feeds = list(feeds)
        self._make_path = make_path
        self._shared = shared
        self._reporter = Reporter(machine.name, shared.drafter, shared.report)
        self._stop = Event()
        self._path: MachinePath | None = None
        self._channels: tuple[str, ...] = ()
        self._began_ns = 0
        self._snapshot_ns = 0
        self._findings_mark = f"findings/{machine.name}"
        self._pause_mark = f"pause/{machine.name}"
        self._product_mark = f"product/{machine.name}"
        self._reporter.product = shared.mark(self._product_mark) or None
        self._thread = Thread(target=self._run, name=f"machine-{machine.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; it keeps a snapshot first. `join` waits for it."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Waits for the end; False when it did not come."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def sensors(self) -> list[SensorState]:
        """How its sensors are doing, and the thread itself where that went wrong."""
        states = [feed.state(self.state.faults) for feed in self._feeds]
        died = self.state.died
        if died is not None:
            detail = f"restarted {self.state.restarts} times: {died}"[:500]
            states.append(
                SensorState(
                    name=WHOLE_MACHINE, machine=self.machine.name, ok=False, fault="loop_restarted", detail=detail
                )
            )
        return states

    def _run(self) -> None:
        try:
            if self._open():
                self._work()
        except Exception as exc:
            # The daemon starts a successor; the trace is what an engineer needs to find the defect.
            self.state.died = f"{type(exc).__name__}: {exc}"
            logging.getLogger(__name__).exception("%s: the machine's thread ended", self.machine.name)
        finally:
            self._shared.desk.release(self.machine.name)
            for feed in self._feeds:
                feed.close()
            self.opened.set()

    def _open(self) -> bool:
        for feed in self._feeds:
            try:
                feed.open(self._now())
            except SensorConfigError as exc:
                self.config_error = (feed.name, str(exc))
                self.state.died = f"{feed.name}: {exc}"
                return False
        self.opened.set()
        return True

    def _work(self) -> None:
        interval_ns = round(self.machine.interval_s * 1e9)
        self._began_ns = self._snapshot_ns = self._now()
        while not self._stop.is_set():
            tick = self._now() // interval_ns + 1
            if not self._wait_until(tick * interval_ns):
                break
            self._tick()
            self.ticks += 1
            self.state.ticks += 1
            self.state.skipped += max(self._now() // interval_ns - tick, 0)
            self._shared.moved(self.machine.name)
            if self._now() - self._began_ns > RECOVERED_S * 1e9:
                self.state.died = None
        self._shared.put(self._reporter.rest(self._now()), {})
        self._save()

    def _wait_until(self, due_ns: int) -> bool:
        """False when asked to stop. Between rare ticks commands are heard all the same."""
        while True:
            rest_s = max(due_ns - self._now(), 0) / 1e9
            if self._stop.wait(min(rest_s, LISTEN_S)):
                return False
            if rest_s <= LISTEN_S:
                return True
            if self._path is not None:
                self._hear(self._path)
            self._shared.moved(self.machine.name)

    def _tick(self) -> None:
        readings = [feed.read(self._now()) for feed in self._feeds]
        now_ns = self._now()
        path = self._path_for(now_ns)
        if path is None:
            return
        self._hear(path)
        step = path.step(now_ns, readings)
        self.state.faults = step.sensor_faults
        # With the findings in one transaction: which of them are open must be right also after a power cut.
        marks = {self._findings_mark: _json(path.snapshot()["findings"])} if step.findings else {}
        self._shared.put(self._reporter.take(step, lambda: path.unsteady, path.unjudged), marks)
        if now_ns - self._snapshot_ns >= self._shared.snapshot_s * 1e9:
            self._save()

    def _hear(self, path: MachinePath) -> None:
        for command in self._shared.desk.take(self.machine.name):
            outcome = self._perform(command, path)
            if outcome.changed:
                # Before the answer: what was confirmed to a person must still be so after a power cut.
                self._save()
            if outcome.ok:
                logging.getLogger(__name__).info("%s: %s by %r", self.machine.name, outcome.reason, command.by)
                self._shared.desk.finish(command, outcome)
            else:
                self._shared.desk.refuse(command, "command_refused", outcome.reason, outcome.code)

    def _perform(self, command: Command, path: MachinePath) -> Outcome:
        sensors = {feed.name: feed.sensor for feed in self._feeds if feed.sensor is not None}
        ears = _Ears(path, self._keep_pause, self._keep_product)
        try:
            return perform(
                command,
                ears,
                sensors,
                now_ns=self._now(),
                allow_faults=self._shared.allow_faults,
                gateway_ns=self._shared.clock.gateway_ns(),
            )
        except Exception as exc:
            # A command that fails is answered; handing it to a successor again would end that one as well.
            logging.getLogger(__name__).exception("%s: command %s failed", self.machine.name, command.id)
            return Outcome(ok=False, reason=f"failed: {type(exc).__name__}: {exc}"[:500])

    def _path_for(self, now_ns: int) -> MachinePath | None:
        """The path for what the sensors deliver by now; None while some have not said what that is.

        A sensor that stays silent about it stands in with one channel of its own name, so that its fault is a finding.
        """
        unknown = any(not feed.channels for feed in self._feeds)
        if self._path is None and unknown and now_ns - self._began_ns < CHANNELS_GRACE_S * 1e9:
            return None
        found: dict[str, Channel] = {}
        for feed in self._feeds:
            for channel in feed.channels or (Channel(feed.name, "", Quantity.LEVEL, steady=True),):
                found.setdefault(channel.name, channel)
        if self._path is None or tuple(found) != self._channels:
            self._path = self._new_path(list(found.values()), self._path)
            self._channels = tuple(found)
        return self._path

    def _new_path(self, channels: Sequence[Channel], before: MachinePath | None) -> MachinePath:
        state = self._load() if before is None else before.snapshot()
        try:
            made = self._make_path(channels, state)
        except ValueError as exc:
            self._shared.snapshots.set_aside(self.machine.name, str(exc))
            made = self._make_path(channels, None)
        if before is None:
            made = self._with_open_findings(made, channels)
        until_ns = self._kept_pause()
        if until_ns > self._now():
            made.pause(until_ns)
        return made

    def _with_open_findings(self, path: MachinePath, channels: Sequence[Channel]) -> MachinePath:
        """With those that were open at the end of the last run, be the snapshot older, damaged or gone."""
        mark = self._shared.mark(self._findings_mark)
        if mark is None:
            return path
        try:
            return self._make_path(channels, {**path.snapshot(), "findings": msgspec.json.decode(mark)})
        except ValueError as exc:  # also msgspec's errors
            logging.getLogger(__name__).warning("%s: open findings cannot be taken up: %s", self.machine.name, exc)
            return path

    def _load(self) -> Mapping[str, Any] | None:
        try:
            return self._shared.snapshots.load(self.machine.name)
        except BadSnapshot as exc:
            self._shared.snapshots.set_aside(self.machine.name, str(exc))
            return None

    def _save(self) -> None:
        self._snapshot_ns = self._now()
        if self._path is None:
            return
        try:
            self._shared.snapshots.save(self.machine.name, self._path.snapshot())
        except OSError as exc:
            logging.getLogger(__name__).warning("%s: no snapshot: %s", self.machine.name, exc)

    def _keep_pause(self, until_ns: int) -> None:
        self._shared.put([], {self._pause_mark: pause_mark(self._shared.clock.boot, until_ns)})

    def _keep_product(self, product: str) -> None:
        self._reporter.product = product
        self._shared.put([], {self._product_mark: product})

    def _kept_pause(self) -> int:
        """Until when (monotonic) the machine is paused; 0 when it is not."""
        return kept_pause(self._shared.mark(self._pause_mark), self._shared.clock.boot)

    def _now(self) -> int:
        return self._shared.clock.monotonic_ns()


class _Ears:
    """The path as a command sees it; a pause and the product are also remembered for a successor."""

    def __init__(
        self, path: MachinePath, keep_pause: Callable[[int], None], keep_product: Callable[[str], None]
    ) -> None:
        self.hear = path.hear
        self.make = keep_product
        self._path = path
        self._keep_pause = keep_pause

    def pause(self, until_ns: int) -> None:
        self._path.pause(until_ns)
        self._keep_pause(until_ns)

    def resume(self) -> None:
        self._path.resume()
        self._keep_pause(0)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
