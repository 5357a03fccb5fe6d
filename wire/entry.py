"""What a journal holds: records going in, entries coming out, and what can go wrong.

Every entry carries a CRC-32 over all of its fields, so a bit that flipped on the card is found when it is read and
never taken for a measurement.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

_HEAD = struct.Struct("<?qHH")
_SEQ = struct.Struct("<q")


class JournalError(Exception):
    """The journal cannot do what was asked; its base class is raised for I/O errors, which may pass."""


class JournalBusy(JournalError):
    """Another process (or another `Journal` of this one) holds the journal; stop, there is nothing to retry."""


class JournalFull(JournalError):
    """No room and nothing that may be evicted; nothing of the call was kept. Try again once readers have advanced."""


class JournalCorrupt(JournalError):
    """The file is damaged; stop and open it anew, which salvages what can be read into a new journal."""


class Record(NamedTuple):
    """What is appended.

    `at_ns` and `boot` are the writer's own time, which the journal does not interpret; an `event` is never evicted
    unread.
    """

    stream: str
    payload: bytes
    at_ns: int
    boot: str = ""
    event: bool = False


class Entry(NamedTuple):
    """A committed record. `prev` is the sequence number of the entry before it that still exists, 0 for none."""

    seq: int
    prev: int
    stream: str
    payload: bytes
    at_ns: int
    boot: str
    event: bool


Row: TypeAlias = tuple[int, bool, int, int, str, str, bytes]
"""An entry as it lies in the file: seq, event, at_ns, crc, stream, boot, payload."""


@dataclass(frozen=True, slots=True)
class JournalStats:
    """What a journal holds and what it let go."""

    log: str
    oldest: int
    """Sequence number of the oldest committed entry, 0 when there is none."""
    next: int
    """Sequence number of the entry appended next."""
    bytes: int
    """Live pages of the file, without the write-ahead log."""
    dropped: int
    """Entries evicted before every reader had read them, since this log was made."""
    dropped_by_stream: Mapping[str, int]
    evicted_read: int
    """Entries evicted after every reader had read them, since this log was made."""
    quarantined: tuple[str, ...]
    """Paths of damaged files that were set aside, oldest first."""
    positions: Mapping[str, int]


def body_crc(record: Record) -> int:
    """CRC-32 of everything but the sequence number, which is not known yet.

    Raises:
        ValueError: a field that the file cannot hold.
    """
    stream, boot = record.stream.encode(), record.boot.encode()
    try:
        head = _HEAD.pack(record.event, record.at_ns, len(stream), len(boot))
    except struct.error as exc:
        raise ValueError(f"{record.stream[:80]!r} at {record.at_ns!r}: {exc}") from exc
    return zlib.crc32(record.payload, zlib.crc32(head + stream + boot))


def numbered_crc(body: int, seq: int) -> int:
    """The CRC-32 that is kept: that of the body, continued over the sequence number."""
    return zlib.crc32(_SEQ.pack(seq), body)


def is_sound(row: Row) -> bool:
    """Whether a row is what was once appended."""
    seq, event, at_ns, crc, stream, boot, payload = row
    return crc == numbered_crc(body_crc(Record(stream, payload, at_ns, boot, bool(event))), seq)
