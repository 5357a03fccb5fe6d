"""What every machine and node is doing right now, kept in memory from the journal, and told to whoever listens.

This is a view, not a record: it is rebuilt at start from the latest entries of the gateway's journal (and, for machines
that have been silent for longer, from what the store knows of them) and may be thrown away at any time. It is bounded: of
more machines than `MAX_MACHINES` those heard last stay.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread
from typing import TypeVar

from gateway.listener import EventType, Listener, LiveEvent
from wire.codec import Codec, Refused
from wire.journal import Entry, Journal
from wire.messages import Condition, Finding, Health, Inspection, Message, Reply, Telemetry

REBUILD_ENTRIES = 20_000
"""How far back the view looks at start; conditions repeat within minutes."""
BATCH = 500
KEPT_REPLIES = 500
LISTENS = "sense"
"""The daemon that tells of machines' conditions and readings."""
MAX_MACHINES = 2000
MAX_NODES = 2000
MAX_VALUES = 512
"""Channels and features per machine; one message has at most 256."""
STALE_NS = 600_000_000_000
"""No condition is too old before that, however often they usually come."""
LONGEST_APART_NS = 7_200_000_000_000
"""A longer silence was one, and no habit: a node says how a machine is once an hour at least."""
_FADING = 0.98
_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


@dataclass(frozen=True, slots=True)
class MachineState:
    """The latest known of one machine."""

    site: str
    node: str
    machine: str
    condition: Condition | None = None
    values: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    """Latest value and unit by channel or feature."""
    seen_ns: int = 0
    """Time of the latest message about it."""
    apart_ns: float = 0.0
    """How far apart its conditions usually are, by their own times: the longest lately, which counts for less with every one after it
    that tells nothing new. What is new is told at once, and says nothing of how often the rest is told."""

    def told(self, condition: Condition) -> MachineState:
        """With its next condition."""
        before = self.condition
        if before is None:
            return replace(self, condition=condition)
        apart_ns = condition.time_ns - before.time_ns
        usual_ns = apart_ns if 0 <= apart_ns <= LONGEST_APART_NS else 0
        fading = _FADING if _told_of(before) == _told_of(condition) else 1.0
        return replace(self, condition=condition, apart_ns=max(fading * self.apart_ns, usual_ns))

    def stale(self, now_ns: int) -> bool:
        """Whether nobody has said for so long how it is that what was said last no longer counts."""
        if self.condition is None:
            return False
        return now_ns - self.condition.time_ns > max(STALE_NS, 3 * self.apart_ns)


def _told_of(condition: Condition) -> tuple[object, ...]:
    """What a node tells at once when it changes."""
    faulty = frozenset(condition.sensor_faults)
    foreseen = condition.prognosis is not None
    return condition.regime, condition.severity, condition.paused, faulty, condition.product, foreseen


class Live:
    """Follows the gateway's journal and keeps the latest state of every machine and node. Thread-safe.

    Args:
        journal: the gateway's; it needs no reader for this.
        wall_ns: the wall clock.
        known: machines to show although the journal has nothing of them any more; asked once, on the view's own thread.
        retired: node and origin of daemons that are no longer in use; what the journal still holds of them is not shown.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        known: Callable[[frozenset[tuple[str, str]]], Iterable[MachineState]] = lambda _found: (),
        retired: Callable[[], Collection[tuple[str, str]]] = frozenset,
    ) -> None:
        self._journal = journal
        self._retired = retired
        self._wall_ns = wall_ns
        self._known = known
        self._codec = Codec()
        self._lock = Lock()
        self._machines: OrderedDict[tuple[str, str], MachineState] = OrderedDict()
        self._nodes: OrderedDict[tuple[str, str], Health] = OrderedDict()
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._listeners: set[Listener] = set()
        self._stop = Event()
        self._thread = Thread(target=self._follow, name="live", daemon=True)
        self.unreadable = 0
        """Entries that could not be decoded; they were validated at ingest, so this should stay 0."""
        self.position = 0

    def start(self) -> None:
        """Rebuilds the view and follows the journal in a thread of its own; call once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and every listener; safe to call twice, and without `start`."""
        self._stop.set()
        with self._lock:
            listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            listener.close()
        if self._thread.is_alive():
            self._thread.join(5)

    def alive(self) -> bool:
        """Whether the view is being kept up to date."""
        return self._thread.is_alive()

    def machines(self) -> list[MachineState]:
        """Every machine by node and name."""
        with self._lock:
            return [self._machines[key] for key in sorted(self._machines)]

    def machine(self, node: str, machine: str) -> MachineState | None:
        """One machine, if it has ever said anything."""
        with self._lock:
            return self._machines.get((node, machine))

    def nodes(self) -> list[Health]:
        """Latest health of every daemon of every node."""
        with self._lock:
            return [self._nodes[key] for key in sorted(self._nodes)]

    def drop(self, node: str, origin: str) -> None:
        """Forgets a daemon and its machines; a machine that another daemon of the node tells of comes back with its next message."""
        with self._lock:
            self._nodes.pop((node, origin), None)
            for key, state in list(self._machines.items()):
                listened_to = state.condition is not None or bool(state.values)
                if key[0] == node and listened_to is (origin == LISTENS):
                    del self._machines[key]

    def reply(self, command: str) -> Reply | None:
        """A node's answer to a command, if it came lately."""
        with self._lock:
            return self._replies.get(command)

    def publish(self, event: LiveEvent) -> None:
        """Tells every listener."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.put(event)

    def listen(self, listener: Listener) -> None:
        """Tells it from now on; it is closed at once when the view has been stopped. End it with `forget`."""
        with self._lock:
            stopped = self._stop.is_set()
            if not stopped:
                self._listeners.add(listener)
        if stopped:
            listener.close()

    def forget(self, listener: Listener) -> None:
        """Ends a listener."""
        with self._lock:
            self._listeners.discard(listener)
        listener.close()

    def _follow(self) -> None:
        log = logging.getLogger(__name__)
        # One loop from the past into the present, so that nothing falls between; what is old is remembered, not told.
        news_after = self._journal.stats().next - 1
        self.position = max(news_after - REBUILD_ENTRIES, 0)
        rebuilt = False
        while not self._stop.is_set():
            try:
                if not rebuilt and self.position >= news_after:
                    rebuilt = True
                    self._fill_up(log)
                if not self._journal.wait(self.position, 0.5):
                    continue
                entries = self._journal.read(self.position, limit=BATCH)
                for entry in entries:
                    self._take(entry, told=entry.seq > news_after)
                    self.position = entry.seq
                if not entries:
                    self._stop.wait(0.05)  # evicted between waiting and reading
            except Exception:
                # A view must not die of one bad moment; the journal's own errors are told by those who need it.
                log.exception("the live view stumbled and goes on")
                self._stop.wait(1.0)

    def _fill_up(self, log: logging.Logger) -> None:
        try:
            silent = list(self._known(frozenset(self._machines)))
        except Exception as exc:  # noqa: BLE001  # a store that cannot be read now; those that speak are shown anyway
            log.warning("machines that have been silent for long are not shown: %s", exc)
            return
        gone = self._retired()
        with self._lock:
            for state in silent[:MAX_MACHINES]:
                if (state.node, LISTENS) in gone:
                    continue
                self._machines.setdefault((state.node, state.machine), state)

    def _take(self, entry: Entry, *, told: bool) -> None:
        try:
            # A clock set back must not make the gateway refuse what it took in before.
            message = self._codec.decode(entry.payload, now_ns=max(self._wall_ns(), entry.at_ns))
        except Refused:
            self.unreadable += 1
            return
        if (message.node, message.origin) in self._retired():
            return
        with self._lock:
            self._remember(message)
            listened = bool(self._listeners)
        if told and listened:
            self.publish(_event(message))

    def _remember(self, message: Message) -> None:
        if isinstance(message, Health):
            _keep(self._nodes, (message.node, str(message.origin)), message, MAX_NODES)
        elif isinstance(message, Reply):
            _keep(self._replies, message.command, message, KEPT_REPLIES)
        elif isinstance(message, Condition | Telemetry | Finding | Inspection):
            key = (message.node, message.machine)
            state = self._machines.get(key) or MachineState(message.site, message.node, message.machine)
            if isinstance(message, Condition):
                state = state.told(message)
            elif isinstance(message, Telemetry):
                state = replace(state, values=_newest({**state.values, **dict(_latest(message))}, message))
            _keep(self._machines, key, replace(state, seen_ns=max(state.seen_ns, message.time_ns)), MAX_MACHINES)


def _keep(kept: OrderedDict[_KeyT, _ValueT], key: _KeyT, value: _ValueT, limit: int) -> None:
    """Remembers a value; the one told longest ago goes where there are too many."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)


def _newest(values: dict[str, tuple[float, str]], message: Telemetry) -> dict[str, tuple[float, str]]:
    """Only this message's own where a node keeps inventing names."""
    return values if len(values) <= MAX_VALUES else dict(_latest(message))


def _latest(message: Telemetry) -> Iterator[tuple[str, tuple[float, str]]]:
    for name, series in message.series.items():
        value = next((value for value in reversed(series.values) if value is not None), None)
        if value is not None:
            yield name, (value, series.unit)


def _event(message: Message) -> LiveEvent:
    if isinstance(message, Telemetry):
        values = {name: value for name, (value, _) in _latest(message)}
        told = {"node": message.node, "machine": message.machine, "time_ns": message.time_ns, "values": values}
        return LiveEvent.of("telemetry", told)
    kind: EventType = message.__struct_config__.tag  # type: ignore[assignment]  # a node message's tag is its stream
    return LiveEvent.of(kind, message)
