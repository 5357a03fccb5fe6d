"""Putting the envelope on a message late: number and time are known only when it is sent.

A node without a clock cannot say when something happened until it has learned the time, and a message has no
sequence number until the journal has taken it. So a daemon drafts a message with placeholders, the journal keeps
the part behind the envelope, and the publisher seals it: `seal(draft(m), …)` is the JSON of `m` with `seq`, `prev`,
`time_ns` and `trust` filled in. Everything else in a message is relative to its own time.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from wire.clock import Stamp
from wire.codec import Codec, Refused
from wire.messages import Message, Origin, Trust

MessageT = TypeVar("MessageT", bound=Message)

_TRUST = b'"trust":"'
_END_OF_ENVELOPE = b'"'


class Draft(NamedTuple):
    """A message without its envelope; `body` is what the journal keeps."""

    stream: str
    boot: str
    body: bytes


class Envelope:
    """One daemon's identity: what every message of it carries in front."""

    def __init__(self, site: str, node: str, origin: Origin, log: str) -> None:
        self.site = site
        self.node = node
        self.origin = origin
        self.log = log
        self._codec = Codec()

    def new(self, kind: type[MessageT], boot: str, **fields: Any) -> MessageT:
        """A message of this daemon with placeholders for number and time."""
        return kind(
            site=self.site,
            node=self.node,
            origin=self.origin,
            log=self.log,
            seq=1,
            prev=0,
            boot=boot,
            time_ns=0,
            trust=Trust.ESTIMATED,
            **fields,
        )

    def draft(self, message: Message) -> Draft:
        """What the journal keeps of it.

        Raises:
            Refused: kind `not_finite`.
        """
        encoded = self._codec.encode(message)
        trust = encoded.index(_TRUST) + len(_TRUST)
        return Draft(
            stream=str(message.__struct_config__.tag),
            boot=message.boot,
            body=encoded[encoded.index(_END_OF_ENVELOPE, trust) + 1 :],
        )

    def seal(self, draft: Draft, *, seq: int, prev: int, stamp: Stamp) -> bytes:
        """The message's JSON, numbered and dated.

        Raises:
            Refused: kind `sequence` when `prev` is not before `seq`.
        """
        if not 0 <= prev < seq:
            raise Refused("sequence", f"prev {prev} is not before seq {seq}")
        head = (
            f'{{"kind":"{draft.stream}","v":1,"site":"{self.site}","node":"{self.node}","origin":"{self.origin}",'
            f'"log":"{self.log}","seq":{seq},"prev":{prev},"boot":"{draft.boot}",'
            f'"time_ns":{stamp.time_ns},"trust":"{stamp.trust.value}"'
        )
        return head.encode() + draft.body
