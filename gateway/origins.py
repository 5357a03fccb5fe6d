"""What the gateway knows of each daemon of each node: is it online, which log does it write, how far is that durable.

Pure state without threads or I/O; `gateway/ingest.py` feeds it and keeps it in the journal's marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from gateway.sequence import LogState, Outcome, Sequence
from wire.codec import Refused
from wire.messages import Message, Status, Trust

MAX_ORIGINS = 1000
MAX_LOGS = 4000
MAX_LOGS_OF_A_NODE = 200
INDEX_MARK = "ingest:logs"
RETIRED_MARK = "ingest:retired"


class StillOnline(Exception):
    """It is connected: what works is in use."""


class Key(NamedTuple):
    """Names a log within the site."""

    node: str
    origin: str
    log: str

    @property
    def mark(self) -> str:
        """Under which its state is kept."""
        return f"ingest:{self.node}/{self.origin}/{self.log}"


@dataclass(frozen=True, slots=True)
class OriginState:
    """One daemon of one node, as others see it."""

    site: str
    node: str
    origin: str
    log: str
    """The log it writes now; `none` before its first status."""
    last: int
    """Everything up to here was accepted by the gateway."""
    online: bool
    evicted: int
    """Messages that the node's disk bound forced out before they could be sent."""
    duplicates: int
    skipped: int
    """Messages given up because they could never be read."""
    seen_ns: int
    """When something was last heard of it (wall time), 0: never."""
    trust: Trust | None
    """How far the node's time was trusted in its last message."""


@dataclass(slots=True)
class _Origin:
    online: bool = False
    log: str = "none"
    seen_ns: int = 0
    trust: Trust | None = None


@dataclass(slots=True)
class Answer:
    """What a status asks for: telling the daemon how far its log is durable, and whether to send what follows."""

    key: Key
    resend: bool


@dataclass(slots=True)
class Origins:
    """All daemons of one site."""

    site: str
    _origins: dict[tuple[str, str], _Origin] = field(default_factory=dict)
    _logs: dict[Key, Sequence] = field(default_factory=dict)
    _early: set[Key] = field(default_factory=set)
    _indexed: set[Key] = field(default_factory=set)
    _retired: frozenset[tuple[str, str]] = frozenset()
    _retired_kept: frozenset[tuple[str, str]] = frozenset()

    @property
    def retired(self) -> frozenset[tuple[str, str]]:
        """Node and origin of those that are no longer in use, until they come back."""
        return self._retired

    @property
    def unkept(self) -> bool:
        """Whether one came back, which `marks` have not told yet."""
        return self._retired != self._retired_kept

    def restore(self, mark: Callable[[str], str | None]) -> None:
        """Takes up what an earlier run kept; `mark` reads the journal's marks."""
        gone = mark(RETIRED_MARK)
        self._retired = (
            frozenset() if gone is None else frozenset(msgspec.json.decode(gone, type=list[tuple[str, str]]))
        )
        self._retired_kept = self._retired
        index = mark(INDEX_MARK)
        for node, origin, log in [] if index is None else msgspec.json.decode(index, type=list[tuple[str, str, str]]):
            key = Key(node, origin, log)
            kept = mark(key.mark)
            if kept is not None:
                self._logs[key] = Sequence(msgspec.json.decode(kept, type=LogState), begun=True)
                if (node, origin) not in self._retired:
                    self._origins.setdefault((node, origin), _Origin()).log = log
        self._indexed = set(self._logs)

    def marks(self, changed: Mapping[Key, object]) -> dict[str, str]:
        """What to keep together with the messages just accepted."""
        kept = {key.mark: msgspec.json.encode(self._logs[key].state).decode() for key in changed}
        begun = {key for key, sequence in self._logs.items() if sequence.begun}
        if begun != self._indexed:
            self._indexed = begun
            kept[INDEX_MARK] = msgspec.json.encode(sorted(begun)).decode()
        if self.unkept:
            self._retired_kept = self._retired
            kept[RETIRED_MARK] = msgspec.json.encode(sorted(self._retired)).decode()
        return kept

    def leaving(self, node: str, origin: str) -> dict[str, str]:
        """What to keep before a daemon is retired.

        Raises:
            KeyError: it is not known.
            StillOnline: it is connected.
        """
        if self._origins[(node, origin)].online:
            raise StillOnline(f"{node}/{origin}")
        return {RETIRED_MARK: msgspec.json.encode(sorted({*self._retired, (node, origin)})).decode()}

    def retire(self, node: str, origin: str) -> None:
        """Forgets a daemon, but not how far its logs are here: one that comes back sends what it still has.

        That it is gone is remembered: the broker keeps its goodbye, and says it whenever the gateway connects.
        """
        del self._origins[(node, origin)]
        self._retired = self._retired_kept = self._retired | {(node, origin)}

    def is_gone(self, status: Status) -> bool:
        """Whether it is the goodbye of one that is no longer in use, and nothing new."""
        return not status.online and (status.node, status.origin) in self._retired

    def hear_status(self, status: Status, now_ns: int, *, live: bool) -> Answer | None:
        """A daemon came or went.

        Args:
            status: what it, or its last will, says.
            now_ns: present wall time.
            live: said just now; not retained, where it may have been said weeks ago.

        Returns:
            What to answer; nothing to one that is offline.

        Raises:
            Refused: kind `too_many` when the site has more daemons or logs than can be true; `sequence` when the
                daemon's journal ends before what it once sent.
        """
        where = (status.node, status.origin)
        self._retired -= {where}
        known = self._origins.get(where)
        if known is None:
            if len(self._origins) >= MAX_ORIGINS:
                raise Refused("too_many", f"more than {MAX_ORIGINS} daemons")
            known = self._origins[where] = _Origin()
        known.online, known.seen_ns = status.online, now_ns
        if not status.online:
            return None
        known.log = status.log
        key = Key(status.node, status.origin, status.log)
        sequence = self._logs.get(key)
        if sequence is None:
            if len(self._logs) >= MAX_LOGS:
                self._logs = {each: kept for each, kept in self._logs.items() if each[:2] not in self._retired}
            if len(self._logs) >= MAX_LOGS:
                raise Refused("too_many", f"more than {MAX_LOGS} logs")
            if sum(one.node == status.node for one in self._logs) >= MAX_LOGS_OF_A_NODE:
                # One node that invents journals must not shut out the others.
                raise Refused("too_many", f"more than {MAX_LOGS_OF_A_NODE} logs of {status.node}")
            sequence = self._logs[key] = Sequence(LogState(0), begun=False)
        sequence.begin(status.acked, status.oldest)
        if live and status.next <= sequence.state.last:
            raise Refused(
                "sequence",
                f"log {status.log} of {status.node} goes on at {status.next}, but {sequence.state.last} is here already: "
                "was an older copy of its card put in?",
            )
        early = key in self._early
        self._early.discard(key)
        # By itself the daemon goes on behind what it knows to be acknowledged; what is missing before that is asked for.
        behind = not sequence.begun and sequence.state.last < status.acked
        return Answer(key, resend=(behind or early) and sequence.state.last + 1 < status.next)

    def forget_status(self, node: str, origin: str) -> None:
        """Somebody removed a daemon's retained status."""
        known = self._origins.get((node, origin))
        if known is not None:
            known.online = False

    def offer(self, message: Message, now_ns: int) -> tuple[Key, Outcome | None]:
        """A sound message; None when its log or its daemon is not known yet (its status will come)."""
        key = Key(message.node, message.origin, message.log)
        sequence, known = self._logs.get(key), self._origins.get(key[:2])
        if sequence is None or known is None:
            if len(self._early) < MAX_LOGS:
                self._early.add(key)
            return key, None
        known.seen_ns, known.trust = now_ns, message.trust
        return key, sequence.offer(message.seq, message.prev)

    def refuse(self, key: Key, seq: int, prev: int) -> bool:
        """One that can never be taken; True when it is given up, so that `marks` change."""
        sequence = self._logs.get(key)
        return sequence is not None and key[:2] in self._origins and sequence.refuse(seq, prev)

    def last(self, key: Key) -> int:
        """Everything up to here is durable once the accepted messages are."""
        return self._logs[key].state.last

    def present(self) -> list[Key]:
        """The log that each daemon writes now, of those that are known."""
        keys = [Key(node, origin, known.log) for (node, origin), known in self._origins.items()]
        return [key for key in keys if key in self._logs]

    def states(self) -> list[OriginState]:
        """Every daemon, by node and origin."""
        return [self.state(node, origin) for node, origin in sorted(self._origins)]

    def state(self, node: str, origin: str) -> OriginState:
        """One daemon; KeyError when it is not known."""
        known = self._origins[(node, origin)]
        sequence = self._logs.get(Key(node, origin, known.log))
        logs = [other.state for key, other in self._logs.items() if key[:2] == (node, origin)]
        return OriginState(
            site=self.site,
            node=node,
            origin=origin,
            log=known.log,
            last=0 if sequence is None else sequence.state.last,
            online=known.online,
            evicted=sum(log.evicted for log in logs),
            duplicates=sum(log.duplicates for log in logs),
            skipped=sum(log.skipped for log in logs),
            seen_ns=known.seen_ns,
            trust=known.trust,
        )
