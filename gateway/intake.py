"""Judging what arrived: sound or refused, the next one, a duplicate or behind a gap. No I/O, no threads.

A batch of received messages becomes records to append, marks to keep with them, and answers to give once both are
durable. `gateway/ingest.py` does these three things.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.origins import Key, Origins
from gateway.sequence import Outcome
from wire import topics
from wire.codec import Codec, Refused
from wire.journal import Record
from wire.link import Inbound
from wire.messages import NodeMessage, Status
from wire.refusals import Refusals
from wire.topics import Topic

EVENTS = frozenset({"finding", "reply"})
"""Streams whose messages the journal never evicts unread."""
RESEND_PAUSE_S = 1.0
TOPICS_KEPT = 4096


class _Head(msgspec.Struct, frozen=True):
    """What can still be read of a message that is refused."""

    site: str
    node: str
    origin: str
    log: str
    seq: int
    prev: int


@dataclass(slots=True)
class Batch:
    """What a batch comes to."""

    records: list[Record] = field(default_factory=list)
    changed: dict[Key, None] = field(default_factory=dict)
    """Logs whose state changed, in order of the first change."""
    marks: dict[str, str] = field(default_factory=dict)
    """To be kept in one transaction with the records."""
    answers: dict[Key, bool] = field(default_factory=dict)
    """Logs to acknowledge after that, and whether to ask for what follows."""
    daemons: list[tuple[str, str]] = field(default_factory=list)
    """Node and origin of those that came or went."""


class Intake:
    """Judges a site's messages. Used by one thread; `origins` and the counters may be read by others between batches.

    Args:
        site: whose.
        log: for what is refused.
        monotonic_s: the clock, replaceable in tests.
    """

    def __init__(self, site: str, log: logging.Logger, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.origins = Origins(site)
        self.refusals = Refusals(log, monotonic_s=monotonic_s)
        self.received = 0
        self.duplicates = 0
        self.gaps = 0
        """Dropped because something before them was missing; asked for again."""
        self.early = 0
        """Dropped because their log was not known yet; asked for again once it was."""
        self._site = site
        self._log = log
        self._monotonic_s = monotonic_s
        self._codec = Codec()
        self._head = msgspec.json.Decoder(_Head)
        self._topics: dict[str, Topic] = {}
        self._asked: dict[Key, tuple[int, float]] = {}

    def judge(self, inbounds: Sequence[Inbound], now_ns: int) -> Batch:
        """What these messages come to, in their order; `now_ns` is the present wall time."""
        batch = Batch()
        for inbound in inbounds:
            try:
                topic = self._topic(inbound.topic)
                if topic.stream == "status":
                    self._take_status(topic, inbound, batch, now_ns)
                else:
                    self._take_data(topic, inbound, batch, now_ns)
            except Refused as exc:
                self.refusals.count(exc.kind, inbound.topic, exc.reason)
            except Exception as exc:  # noqa: BLE001  # logged below; one message must not hold up the rest
                # Nothing was accepted then: accepting is the last thing that is done with a message.
                self.refusals.count("internal", inbound.topic, repr(exc))
                self._log.exception("error over a message of %s", inbound.topic)
        if batch.changed or self.origins.unkept:
            batch.marks = self.origins.marks(batch.changed)
        return batch

    def _topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = topics.parse(name)
            if topic.site != self._site or (topic.node == topics.GATEWAY and topic.stream != "status"):
                raise Refused("topic", "of another site, or in the gateway's own name")
            if len(self._topics) >= TOPICS_KEPT:
                self._topics.clear()
            self._topics[name] = topic
        return topic

    def _take_status(self, topic: Topic, inbound: Inbound, batch: Batch, now_ns: int) -> None:
        if topic.node == topics.GATEWAY:
            return  # our own
        where = (topic.node, topic.origin)
        if not inbound.size:
            self.origins.forget_status(*where)
            return
        _require_size(inbound)
        status = self._codec.decode_as(Status, inbound.payload)
        if (status.site, status.node, status.origin) != (topic.site, *where):
            raise Refused("topic", f"status of {status.site}/{status.node}/{status.origin}")
        if self.origins.is_gone(status):
            return
        batch.daemons.append(where)
        answer = self.origins.hear_status(status, now_ns, live=not (inbound.retain or inbound.duplicate))
        if answer is not None:
            batch.answers[answer.key] = answer.resend or batch.answers.get(answer.key, False)

    def _take_data(self, topic: Topic, inbound: Inbound, batch: Batch, now_ns: int) -> None:
        self.received += 1
        _require_size(inbound)
        try:
            message: NodeMessage = self._codec.decode(inbound.payload, now_ns=now_ns)
        except Refused as exc:
            self._give_up(topic, inbound.payload, exc, batch)
            raise
        tag = message.__struct_config__.tag
        if (message.site, message.node, tag) != (topic.site, topic.node, topic.stream):
            raise Refused("topic", f"a {tag} of {message.site}/{message.node} under this topic")
        key, outcome = self.origins.offer(message, now_ns)
        if outcome is Outcome.ACCEPT:
            event = topic.stream in EVENTS
            batch.records.append(Record(stream=topic.stream, payload=inbound.payload, at_ns=now_ns, event=event))
            batch.changed[key] = None
            batch.answers.setdefault(key, False)
        elif outcome is Outcome.DUPLICATE:
            self.duplicates += 1
            batch.answers.setdefault(key, False)
        elif outcome is Outcome.GAP:
            self.gaps += 1
            batch.answers[key] = self._may_ask(key) or batch.answers.get(key, False)
        else:
            self.early += 1

    def _give_up(self, topic: Topic, payload: bytes, refused: Refused, batch: Batch) -> None:
        """A node whose next message is refused each time would be stuck: that message is given up in the end.

        Not over its time: that is put on anew each time it is sent, and either clock may be put right.
        """
        if refused.kind == "time":
            return
        try:
            head = self._head.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if (head.site, head.node) != (topic.site, topic.node) or head.prev < 0:
            return
        key = Key(head.node, head.origin, head.log)
        if self.origins.refuse(key, head.seq, head.prev):
            self._log.error("message %s of %s is given up: %s", head.seq, "/".join(key), refused.reason)
            batch.changed[key] = None
            batch.answers.setdefault(key, False)

    def _may_ask(self, key: Key) -> bool:
        """Whether to ask for what follows now: what is on its way already must not make another round each."""
        now, last = self._monotonic_s(), self.origins.last(key)
        asked = self._asked.get(key)
        if asked is not None and asked[0] == last and now - asked[1] < RESEND_PAUSE_S:
            return False
        self._asked[key] = (last, now)
        return True


def _require_size(inbound: Inbound) -> None:
    if inbound.size != len(inbound.payload):
        raise Refused("too_large", f"{inbound.size} bytes")
