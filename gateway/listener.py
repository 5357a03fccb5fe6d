"""Who hears the live view's events: a bounded queue per listener that never holds up who tells."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal, TypeAlias, get_args

import msgspec

EventType: TypeAlias = Literal["condition", "telemetry", "finding", "inspection", "health", "reply", "alert", "dropped"]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)
LISTENER_QUEUE = 1000


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One change, ready to be sent: encoded once, however many listen."""

    type: EventType
    data: bytes
    """JSON."""

    @classmethod
    def of(cls, kind: EventType, data: object) -> LiveEvent:
        """An event of anything msgspec encodes."""
        return cls(kind, msgspec.json.encode(data))


class Listener:
    """One reader of the live stream. When it is slow its oldest events are dropped, and it is told how many.

    Args:
        wanted: only these types; empty: all.
        wake: called from any thread when there is something after there was nothing, and at the end.
        limit: most events that wait.
    """

    def __init__(
        self,
        wanted: frozenset[str] = frozenset(),
        *,
        wake: Callable[[], None] = lambda: None,
        limit: int = LISTENER_QUEUE,
    ) -> None:
        self._wanted = wanted
        self._wake = wake
        self._limit = limit
        self._events: deque[LiveEvent] = deque()
        self._lock = Lock()
        self._dropped = 0
        self._closed = False

    def put(self, event: LiveEvent) -> None:
        """Adds one event, if it is wanted."""
        if self._wanted and event.type not in self._wanted:
            return
        with self._lock:
            if self._closed:
                return
            was_empty = not self._events
            if len(self._events) >= self._limit:
                self._events.popleft()
                self._dropped += 1
            self._events.append(event)
        if was_empty:
            self._wake()

    def take(self) -> list[LiveEvent]:
        """All waiting events; the first one is `dropped` where some had to go."""
        with self._lock:
            taken = list(self._events)
            self._events.clear()
            dropped, self._dropped = self._dropped, 0
        return [LiveEvent.of("dropped", {"events": dropped}), *taken] if dropped else taken

    @property
    def closed(self) -> bool:
        """Whether there will be no more."""
        return self._closed

    def close(self) -> None:
        """Ends it and wakes its reader."""
        with self._lock:
            self._closed = True
        self._wake()
