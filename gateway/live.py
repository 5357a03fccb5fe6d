"""What every machine and node is doing right now, kept in memory from the journal, and told to whoever listens.

This is a view, not a record: it is rebuilt at start from the latest entries of the gateway's journal and may be thrown away at
any time. Listeners get small events; one that is too slow loses the oldest of them, never holds up anything else.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Condition as Waiter
from threading import Event, Lock, Thread

from wire.journal import Entry, Journal
from wire.messages import Codec, Condition, Finding, Health, Inspection, Message, Refused, Reply, Telemetry

REBUILD_ENTRIES = 20_000
"""How far back the view looks at start; conditions repeat within minutes."""
KEPT_REPLIES = 500
LISTENER_QUEUE = 1000


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


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One change: `type` is condition, telemetry, finding, inspection, health, reply or alert; `data` goes out as JSON."""

    type: str
    data: object


class Listener:
    """One reader of the live stream; a bounded queue that drops its oldest event when the reader is slow."""

    def __init__(self) -> None:
        self._events: deque[LiveEvent] = deque(maxlen=LISTENER_QUEUE)
        self._waiter = Waiter()
        self._closed = False

    def put(self, event: LiveEvent) -> None:
        """Adds one event."""
        with self._waiter:
            self._events.append(event)
            self._waiter.notify_all()

    def take(self, timeout_s: float) -> list[LiveEvent]:
        """All waiting events; an empty list after `timeout_s` without any, or once closed."""
        with self._waiter:
            if not self._events and not self._closed:
                self._waiter.wait(timeout_s)
            taken = list(self._events)
            self._events.clear()
            return taken

    @property
    def closed(self) -> bool:
        """Whether there will be no more."""
        return self._closed

    def close(self) -> None:
        """Ends it and wakes its reader."""
        with self._waiter:
            self._closed = True
            self._waiter.notify_all()


class Live:
    """Follows the gateway's journal and keeps the latest state of every machine and node. Thread-safe."""

    def __init__(self, journal: Journal, *, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._journal = journal
        self._wall_ns = wall_ns
        self._codec = Codec()
        self._lock = Lock()
        self._machines: dict[tuple[str, str], MachineState] = {}
        self._nodes: dict[tuple[str, str], Health] = {}
        self._replies: dict[str, Reply] = {}
        self._listeners: set[Listener] = set()
        self._stop = Event()
        self._thread: Thread | None = None
        self.unreadable = 0
        """Entries that could not be decoded; they were validated at ingest, so this should stay 0."""
        self.position = 0

    def start(self) -> None:
        """Rebuilds the view and follows the journal in a thread of its own."""
        self._thread = Thread(target=self._follow, name="live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and every listener."""
        self._stop.set()
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.close()
        if self._thread is not None:
            self._thread.join(5)

    def alive(self) -> bool:
        """Whether the view is being kept up to date."""
        return self._thread is not None and self._thread.is_alive()

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

    def reply(self, command: str) -> Reply | None:
        """A node's answer to a command, if it has come."""
        with self._lock:
            return self._replies.get(command)

    def publish(self, event: LiveEvent) -> None:
        """Tells every listener."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.put(event)

    def listen(self) -> Listener:
        """A new listener; close it with `forget`."""
        listener = Listener()
        with self._lock:
            self._listeners.add(listener)
        return listener

    def forget(self, listener: Listener) -> None:
        """Ends a listener."""
        with self._lock:
            self._listeners.discard(listener)
        listener.close()

    def _follow(self) -> None:
        log = logging.getLogger(__name__)
        self.position = max(self._journal.stats().next - 1 - REBUILD_ENTRIES, 0)
        while not self._stop.is_set():
            try:
                if not self._journal.wait(self.position, 0.5):
                    continue
                for entry in self._journal.read(self.position, limit=500):
                    self._take(entry)
                    self.position = entry.seq
            except Exception:
                # A view must not die of one bad moment; the journal's own errors are told by those who need it.
                log.exception("the live view stumbled and goes on")
                self._stop.wait(1.0)

    def _take(self, entry: Entry) -> None:
        try:
            message = self._codec.decode(entry.payload, now_ns=self._wall_ns())
        except Refused:
            self.unreadable += 1
            return
        with self._lock:
            self._remember(message)
        for event in _events(message):
            self.publish(event)

    def _remember(self, message: Message) -> None:
        if isinstance(message, Health):
            self._nodes[message.node, message.origin] = message
        elif isinstance(message, Reply):
            self._replies[message.command] = message
            while len(self._replies) > KEPT_REPLIES:
                del self._replies[next(iter(self._replies))]
        elif isinstance(message, Condition | Telemetry | Finding | Inspection):
            key = (message.node, message.machine)
            state = self._machines.get(key) or MachineState(message.site, message.node, message.machine)
            if isinstance(message, Condition):
                state = replace(state, condition=message)
            elif isinstance(message, Telemetry):
                state = replace(state, values={**state.values, **dict(_latest(message))})
            self._machines[key] = replace(state, seen_ns=max(state.seen_ns, message.time_ns))


def _latest(message: Telemetry) -> Iterator[tuple[str, tuple[float, str]]]:
    for name, series in message.series.items():
        value = next((value for value in reversed(series.values) if value is not None), None)
        if value is not None:
            yield name, (value, series.unit)


def _events(message: Message) -> Iterator[LiveEvent]:
    if isinstance(message, Telemetry):
        values = {name: value for name, (value, _) in _latest(message)}
        yield LiveEvent(
            "telemetry",
            {"node": message.node, "machine": message.machine, "time_ns": message.time_ns, "values": values},
        )
    else:
        yield LiveEvent(str(message.__struct_config__.tag), message)
