"""Messages to JSON and back: what breaks the contract is refused with a kind for counters and a reason for people."""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
from msgspec import Struct

from wire.commands import Command
from wire.messages import EARLIEST_NS, Ack, NodeMessage, Status, Telemetry, TimeBeacon

MAX_MESSAGE_BYTES = 262_144
"""Largest payload that is decoded at all; telemetry of one machine and interval is a few kilobytes."""
MAX_AHEAD_NS = 86_400_000_000_000
"""A message may be at most one day ahead of the receiver's clock."""

StructT = TypeVar("StructT", bound=Struct)
DecodedT = TypeVar("DecodedT")


class Refused(ValueError):
    """Input that breaks the contract. `kind` is one of a small set, for counters; the text says what and where."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason


class Codec:
    """Encodes and decodes; holds msgspec's reusable coders, so make one per thread and keep it."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._encoder = msgspec.json.Encoder()
        self._node = msgspec.json.Decoder(NodeMessage)
        self._others: dict[type[Struct], msgspec.json.Decoder[Struct]] = {
            kind: msgspec.json.Decoder(kind) for kind in (Command, Status, Ack, TimeBeacon)
        }

    def encode(self, message: Struct) -> bytes:
        """JSON bytes.

        Raises:
            Refused: kind `not_finite` when a number is NaN or infinite: JSON has none, and msgspec would write
                null in its place, which a reader would take for "no value".
        """
        _require_finite(message)
        return self._encoder.encode(message)

    def decode(self, payload: bytes, *, now_ns: int) -> NodeMessage:
        """A node's message.

        Args:
            payload: JSON as received.
            now_ns: the receiver's wall time, nanoseconds; messages more than a day ahead of it are refused.

        Raises:
            Refused: kinds `too_large`, `not_json`, `version`, `unknown_kind`, `invalid`, `time`, `sequence`.
        """
        message: NodeMessage = self._load(self._node, payload)
        if not EARLIEST_NS <= message.time_ns <= now_ns + MAX_AHEAD_NS:
            raise Refused("time", f"time_ns {message.time_ns} is before 2024 or more than a day ahead")
        if message.prev >= message.seq:
            raise Refused("sequence", f"prev {message.prev} is not before seq {message.seq}")
        if isinstance(message, Telemetry):
            _check_series(message)
        return message

    def decode_as(self, kind: type[StructT], payload: bytes) -> StructT:
        """A `Command`, `Status`, `Ack` or `TimeBeacon`; raises `Refused` as `decode` does."""
        return self._load(self._others[kind], payload)  # type: ignore[return-value]  # the table maps kind to its own decoder

    def _load(self, decoder: msgspec.json.Decoder[DecodedT], payload: bytes) -> DecodedT:
        if len(payload) > self._max_bytes:
            raise Refused("too_large", f"{len(payload)} bytes, at most {self._max_bytes}")
        try:
            return decoder.decode(payload)
        except msgspec.ValidationError as exc:
            raise Refused(_validation_kind(str(exc)), str(exc)[:300]) from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Refused("not_json", str(exc)[:300]) from exc


def _validation_kind(text: str) -> str:
    if "$.v`" in text:
        return "version"
    if "$.kind`" in text or "field `kind`" in text:
        return "unknown_kind"
    return "invalid"


def _check_series(message: Telemetry) -> None:
    for name, series in message.series.items():
        if series.at_ms is not None:
            if len(series.at_ms) != len(series.values):
                raise Refused("invalid", f"series {name}: {len(series.at_ms)} times for {len(series.values)} values")
        elif series.step_ms is None and len(series.values) > 1:
            raise Refused("invalid", f"series {name}: more than one value needs step_ms or at_ms")


def _require_finite(value: object, path: str = "$") -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Refused("not_finite", f"{path} is {value}")
    elif isinstance(value, Struct):
        for field in value.__struct_fields__:
            _require_finite(getattr(value, field), f"{path}.{field}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _require_finite(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        if _all_finite(value):
            return
        for index, item in enumerate(value):
            _require_finite(item, f"{path}[{index}]")


def _all_finite(values: list[object] | tuple[object, ...]) -> bool:
    """Whether these are numbers or None with a finite sum: the quick answer for long columns."""
    try:
        return math.isfinite(sum(value for value in values if value is not None))  # type: ignore[misc]  # non-numbers raise
    except TypeError:
        return False
