"""One run: start, break by plan while messages flow, mend, drain, stop, compare."""

from __future__ import annotations

import heapq
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.breaker import Breaker
from benchmarks.chaos.compare import Comparison, compare
from benchmarks.chaos.events import Events, check
from benchmarks.chaos.schedule import Action, plan
from benchmarks.chaos.stored import EmbeddedPoints
from benchmarks.chaos.watch import Watch
from benchmarks.chaos.world import World
from gateway.store.base import SeriesKey
from werkpuls.demo.client import GatewayClient
from werkpuls.demo.processes import ProcessFailed
from werkpuls.demo.site import RECEIVERS, SITE

LOOK_S = 0.25
STAND_S = 300.0
FLOW_S = 600.0
"""After everything was mended, until the gateway has what the nodes have."""
ALERT_S = 300.0
"""A run without a single event proves nothing about events; so long it is waited for one."""
DRAIN_S = 600.0
SETTLE_S = 300.0
STILL_S = 5.0
"""The store takes what it is given within less."""
SHORT_MINUTES = 1.0
BEHIND = 60
"""About a second of messages: as close as a look from outside comes."""


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    seed: int
    minutes: float
    store: str
    actions: list[Action] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    comparison: Comparison = field(default_factory=Comparison)
    events: Events = field(default_factory=Events)
    recovered_s: dict[str, list[float]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    disk_by: str = ""
    unasked: dict[str, int] = field(default_factory=dict)
    slowest_look_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    """What should have happened in time and did not."""

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return (
            self.comparison.holds and self.events.hold and sum(self.events.received.values()) > 0 and not self.problems
        )


class Run:
    """A site, what is done to it, and what comes of it; `go` once.

    Args:
        folder: new, for everything.
        minutes: how long things are broken.
        seed: of the plan.
        store: `victoria-metrics` or `embedded`.
        tell: is given a line for every action, with the second it happened at.
    """

    def __init__(
        self, folder: Path, *, minutes: float, seed: int, store: str, tell: Callable[[float, str], None]
    ) -> None:
        self.outcome = Outcome(seed, minutes, store)
        self._seconds = minutes * 60.0
        self._tell = tell
        self._began_s = time.monotonic()
        self._short = minutes < SHORT_MINUTES
        recorded_s = 0.0 if self._short else self._seconds + STAND_S + FLOW_S + ALERT_S
        self._world = World(folder, store=store, seed=seed, seconds=recorded_s, tell=self._say)
        self._watch = Watch(self._world.site, GatewayClient("http://127.0.0.1:1"))
        self._breaker = Breaker(self._watch, self._world.site.machines)
        self._breaking = True
        self._ended = threading.Event()
        # A look may wait for a gateway that is half dead; the plan does not wait for looks.
        self._looking = threading.Thread(target=self._look, name="watch", daemon=True)

    def go(self) -> Outcome:
        """Does all of it."""
        try:
            self._world.start()
            self._watch.client = GatewayClient(self._world.site.url)
            self._looking.start()
            self._until(self._watch.standing, STAND_S, "not every node was heard")
            self._break()
            self._mend()
            self._rest()
            self._world.stop_site()
            self._compare()
        finally:
            self._rest()
            self._world.stop()
            self._world.clean()
        return self.outcome

    def _break(self) -> None:
        world, outcome = self._world, self.outcome
        outcome.actions = plan(
            outcome.seed, self._seconds, kinds=world.kinds, nodes=world.site.nodes, receivers=RECEIVERS
        )
        self._began_s = time.monotonic()
        due: list[tuple[float, int, bool, Action]] = []
        for number, action in enumerate(outcome.actions):
            heapq.heappush(due, (action.at_s, number, True, action))
        while due or self._now_s < self._seconds:
            while due and due[0][0] <= self._now_s:
                _, number, begins, action = heapq.heappop(due)
                if begins:
                    self._say(_words(action))
                    world.begin(action)
                    outcome.done[action.kind] += 1
                    heapq.heappush(due, (action.until_s, number, False, action))
                else:
                    world.end(action)
                    self._watch.mended(action)
                    if action.hold_s:
                        self._say(f"{_words(action)}: mended")
            world.tend()
            time.sleep(0.02)

    def _mend(self) -> None:
        self._say("everything is mended")
        self._world.heal()
        self._until(self._watch.standing, FLOW_S, "not every node came back")
        self._until(self._received_any, ALERT_S, "no event reached a receiver")
        self._breaking = False
        self._until(lambda: self._breaker.settled, SETTLE_S, "a command was not answered")
        self._until(lambda: self._watch.behind() < BEHIND, FLOW_S, "the gateway does not catch up")
        self._say("nodes are stopped")
        self._world.site.stop_nodes()
        self._drain()

    def _drain(self) -> None:
        """Waits until store, alerts and receivers have everything.

        That the store's server has settled takes half a minute more, which a short run does without: what was acknowledged
        is compared all the same.
        """
        told = "store, alerts or receivers do not catch up"
        if self._world.server is None or not self._short:
            self._until(lambda: self._watch.drained(store=True), DRAIN_S, told, tend=False)
            return
        self._until(lambda: self._watch.drained(store=False) and self._watch.well, DRAIN_S, told, tend=False)
        points, since_s = -1, time.monotonic()

        def still() -> bool:
            nonlocal points, since_s
            if self._watch.stats["points"] != points:
                points, since_s = self._watch.stats["points"], time.monotonic()
            return self._watch.well and self._watch.drained(store=False) and time.monotonic() - since_s > STILL_S

        self._until(still, DRAIN_S, told, tend=False)

    def _rest(self) -> None:
        self._ended.set()
        if self._looking.is_alive():
            self._looking.join(60)

    def _received_any(self) -> bool:
        there = [self._world.site.received(name).exists() for name in RECEIVERS]
        return any(there) if self._short else all(there)

    def _compare(self) -> None:
        world, outcome = self._world, self.outcome
        site = world.site
        self._say("comparing")
        # Copies: opening a journal writes to it, and the small disk may be full.
        journals = {node: _copy(site.state(node) / "sense", world.folder / "left" / node) for node in site.nodes}
        gateway = site.state("gateway")
        journal, fills = gateway / "journal.sqlite", outcome.done["disk_full"]
        if world.server:
            if not self._short:
                # What has settled must survive this, too.
                world.server.child.kill()
                world.server.start()
            held = world.server.export()

            def read(key: SeriesKey, first_ms: int, last_ms: int) -> dict[int, float]:
                return {
                    time_ms: value for time_ms, value in held.get(key, {}).items() if first_ms <= time_ms <= last_ms
                }

            outcome.comparison = compare(journals, journal, read, SITE, settled=not self._short, fills=fills)
        else:
            store = EmbeddedPoints(gateway / "store")
            try:
                outcome.comparison = compare(journals, journal, store.of, SITE, fills=fills)
            finally:
                store.close()
        outcome.events = check(gateway / "ledger.sqlite", {name: site.received(name) for name in RECEIVERS})
        outcome.recovered_s = dict(self._watch.recovered_s)
        outcome.skipped = list(world.skipped)
        outcome.disk_by = world.disk_by
        outcome.unasked = dict(world.unasked)
        outcome.slowest_look_s = round(self._watch.slowest_s, 2)

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._watch.look()
            if self._breaking:
                self._breaker.turn()
            else:
                self._breaker.heal()

    def _until(self, reached: Callable[[], bool], timeout_s: float, otherwise: str, *, tend: bool = True) -> None:
        deadline = time.monotonic() + timeout_s
        looks = self._watch.looks
        while True:
            if tend:
                self._world.tend()
            # What is known already may be older than what it is to tell.
            if self._watch.looks >= looks + 2 and reached():
                return
            if time.monotonic() > deadline:
                self.outcome.problems.append(f"{otherwise} within {timeout_s:g} s")
                self._say(self.outcome.problems[-1])
                return
            time.sleep(LOOK_S)

    def _say(self, text: str) -> None:
        self._tell(self._now_s, text)


def _copy(folder: Path, to: Path) -> Path:
    """Copies a journal with all that lies beside it; returns the copy."""
    to.mkdir(parents=True)
    for file in folder.glob("journal.sqlite*"):
        shutil.copy(file, to / file.name)
    return to / "journal.sqlite"


def _words(action: Action) -> str:
    if action.kind == "clock_step":
        return f"clock_step: the gateway's wall clock is {action.value:+.0f} s off from now on"
    target = "" if action.target == action.kind else f" {action.target}"
    return f"{action.kind}{target} for {action.hold_s:g} s"


__all__ = ["Outcome", "ProcessFailed", "Run"]
