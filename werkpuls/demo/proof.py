"""Compares what was produced with what is stored, from the files that the stopped processes left behind.

Three comparisons, none of which believes a counter of the running program: every entry of each node's journal is in the gateway's
journal exactly once and in order, with the same content; every point of every message there is in the store, with its
value; and the store holds no point that no message brought.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from gateway.alerting import READER as ALERTS_READER
from gateway.store import points
from gateway.store.base import SeriesKey
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore
from gateway.storing import READER as STORE_READER
from wire.clock import Stamp
from wire.codec import Codec
from wire.envelope import Draft, Envelope
from wire.journal import Journal
from wire.messages import NodeMessage, Origin

READ_ONLY_BYTES = 2**40
"""A bound that evicts nothing while journals are only read."""
FOREVER_NS = 2**62
SLICE_MS = 600_000
BEYOND_MS = 60_000
"""How far behind a series' last expected point the store is searched for others."""
PUBLISHER = "publisher"
SENSE: Final = "sense"
WATCH: Final = "watch"
SAME = 1e-12
"""Relative: the last bits that a mean over one value may cost."""

StoredTimes: TypeAlias = Callable[[SeriesKey, int, int], Collection[int]]
"""Times in milliseconds of every point of a series between two moments (milliseconds, the second one included).

Where it returns a mapping, its values are the points' and are compared, too.
"""
Expected: TypeAlias = dict[tuple[str, int], list[tuple[SeriesKey, int, float]]]
"""Series, milliseconds and value of every point, by the message's log and number."""


class Sent(NamedTuple):
    """One message as its node kept it."""

    stream: str
    boot: str
    body: bytes


@dataclass(slots=True)
class Proof:
    """What the comparison found. Counts are messages unless they say points."""

    published: int = 0
    """Numbered by the nodes' journals."""
    dropped: int = 0
    """Forced out of a node's journal by its disk bound before they were sent; the node counted them."""
    accepted: int = 0
    """In the gateway's journal."""
    stored: int = 0
    """All of their points are in the store, or they have none and were worked on."""
    lost: int = 0
    """Neither stored nor counted as dropped."""
    duplicates: int = 0
    """Twice in the gateway's journal, or points in the store that no message brought."""
    disordered: int = 0
    """Behind a later one of the same node in the gateway's journal."""
    altered: int = 0
    """Content in the gateway's journal that differs from the node's."""
    points: int = 0
    """Points expected in the store."""
    points_missing: int = 0
    points_extra: int = 0
    points_altered: int = 0
    """In the store with another value than any message brought for that moment."""
    details: list[str] = field(default_factory=list)
    """The first few discrepancies, in words."""

    def tell(self, text: str) -> None:
        """Keeps a discrepancy, if there are not too many already."""
        if len(self.details) < 20:
            self.details.append(text)


def prove(
    node_journals: dict[str, Path],
    gateway_journal: Path,
    stored: StoredTimes,
    site: str,
    *,
    readers: Sequence[str] = (STORE_READER, ALERTS_READER),
    watch_journals: Mapping[str, Path] | None = None,
) -> Proof:
    """Compares journals and store of stopped daemons.

    Args:
        node_journals: journal file by node (origin `sense`).
        gateway_journal: the gateway's.
        stored: reads the store.
        site: the site's name.
        readers: those that must have passed a message.
        watch_journals: journal file of the node's cameras (origin `watch`), by node.
    """
    proof = Proof()
    files: list[tuple[str, Origin, Path]] = [(node, SENSE, path) for node, path in node_journals.items()]
    files += [(node, WATCH, path) for node, path in (watch_journals or {}).items()]
    sent, logs, owed = _sent(files, site, proof)
    complete: Expected = {}
    unread: set[tuple[str, int]] = set()
    seen = _check_journal(_messages(gateway_journal, readers), sent, logs, proof, complete, unread)
    missing = _check_points(complete, stored, proof) | unread
    proof.accepted = sum(len(numbers) for numbers in seen.values())
    proof.stored = proof.accepted - len(missing)
    # Log by log: what one node dropped must not hide what another one lost.
    proof.lost = len(missing) + sum(max(number - len(seen[log]), 0) for log, number in owed.items())
    return proof


def _sent(
    journals: Sequence[tuple[str, Origin, Path]], site: str, proof: Proof
) -> tuple[dict[tuple[str, int], Sent], dict[str, Envelope], dict[str, int]]:
    """Every entry that the nodes still hold, by log and number; who sealed each log; and how many each log owes."""
    sent: dict[tuple[str, int], Sent] = {}
    logs: dict[str, Envelope] = {}
    owed: dict[str, int] = {}
    for node, origin, path in journals:
        with _opened(path, [PUBLISHER]) as journal:
            stats = journal.stats()
            logs[journal.log] = Envelope(site, node, origin, journal.log)
            owed[journal.log] = stats.next - 1 - stats.dropped
            proof.published += stats.next - 1
            proof.dropped += stats.dropped
            after = 0
            while entries := journal.read(after):
                after = entries[-1].seq
                for entry in entries:
                    sent[journal.log, entry.seq] = Sent(entry.stream, entry.boot, entry.payload)
    return sent, logs, owed


def _check_journal(
    messages: Iterator[tuple[NodeMessage, bytes, bool]],
    sent: dict[tuple[str, int], Sent],
    envelopes: dict[str, Envelope],
    proof: Proof,
    complete: Expected,
    unread: set[tuple[str, int]],
) -> dict[str, set[int]]:
    """Reads the gateway's journal; returns the numbers it has of each log.

    Fills `complete` with the points of each message, and `unread` with the messages that a reader has not passed.
    """
    seen: dict[str, set[int]] = defaultdict(set)
    highest: dict[str, int] = defaultdict(int)
    for message, payload, read in messages:
        key = (message.log, message.seq)
        if message.seq in seen[message.log]:
            proof.duplicates += 1
            proof.tell(f"{message.node} {message.seq}: twice in the gateway's journal")
            continue
        if message.seq < highest[message.log]:
            proof.disordered += 1
            proof.tell(f"{message.node} {message.seq}: after {highest[message.log]}")
        highest[message.log] = max(highest[message.log], message.seq)
        seen[message.log].add(message.seq)
        original = sent.get(key)
        if original is not None and not _same(envelopes[message.log], message, payload, original):
            proof.altered += 1
            proof.tell(f"{message.node} {message.seq}: not what the node wrote")
        complete[key] = list(_points(message))
        if not read:
            unread.add(key)
            proof.tell(f"{message.node} {message.seq}: not worked on by every reader")
    return seen


def _same(envelope: Envelope, message: NodeMessage, payload: bytes, original: Sent) -> bool:
    stamp = Stamp(message.time_ns, message.trust)
    draft = Draft(original.stream, original.boot, original.body)
    return envelope.seal(draft, seq=message.seq, prev=message.prev, stamp=stamp) == payload


def _messages(path: Path, readers: Sequence[str]) -> Iterator[tuple[NodeMessage, bytes, bool]]:
    """Every message of the gateway's journal, its bytes, and whether all these readers have passed it."""
    codec = Codec()
    with _opened(path, readers) as journal:
        read_to = min(journal.stats().positions.values())
        after = 0
        while entries := journal.read(after):
            after = entries[-1].seq
            for entry in entries:
                yield codec.decode(entry.payload, now_ns=FOREVER_NS), entry.payload, entry.seq <= read_to


def messages(gateway_journal: Path) -> Iterator[NodeMessage]:
    """Every message that the journal of a stopped gateway still holds, in order."""
    for message, _, _ in _messages(gateway_journal, (STORE_READER, ALERTS_READER)):
        yield message


def _points(message: NodeMessage) -> Iterator[tuple[SeriesKey, int, float]]:
    for column in points.of(message).columns:
        key = SeriesKey(message.site, message.node, column.machine, column.channel)
        for time_ns, value in zip(column.times_ns, column.values, strict=True):
            yield key, time_ns // 1_000_000, value


def _check_points(complete: Expected, stored: StoredTimes, proof: Proof) -> set[tuple[str, int]]:
    """Compares series by series; returns the messages of which a point is missing."""
    wanted: dict[SeriesKey, dict[int, list[tuple[tuple[str, int], float]]]] = defaultdict(lambda: defaultdict(list))
    missing: set[tuple[str, int]] = set()
    for message, expected in complete.items():
        for key, time_ms, value in expected:
            wanted[key][time_ms].append((message, value))
    for key, times in wanted.items():
        # Not before the first: an entry of the gateway's journal may be evicted once every reader has passed it.
        found = stored(key, min(times), max(times) + BEYOND_MS)
        there = set(found)
        proof.points += len(times)
        for time_ms in times.keys() - there:
            proof.points_missing += 1
            missing.update(message for message, _ in times[time_ms])
            proof.tell(f"{key.machine}/{key.channel} at {time_ms} ms: not stored")
        extra = there - times.keys()
        proof.points_extra += len(extra)
        proof.duplicates += len(extra)
        for time_ms in sorted(extra)[:2]:
            proof.tell(f"{key.machine}/{key.channel} at {time_ms} ms: stored, but no message brought it")
        if isinstance(found, Mapping):
            _check_values(key, times, found, proof)
    return missing


def _check_values(
    key: SeriesKey, times: dict[int, list[tuple[tuple[str, int], float]]], found: Mapping[int, float], proof: Proof
) -> None:
    for time_ms in sorted(times.keys() & found.keys()):
        # Two values of one millisecond (after a step of the clock) are one point: either of them is right.
        if not any(math.isclose(found[time_ms], value, rel_tol=SAME, abs_tol=0.0) for _, value in times[time_ms]):
            proof.points_altered += 1
            sent = ", ".join(str(value) for _, value in times[time_ms])
            proof.tell(f"{key.machine}/{key.channel} at {time_ms} ms: {found[time_ms]} stored, {sent} sent")


class EmbeddedTimes:
    """Reads the embedded store's points; it must have been told to keep every bit (`exact`)."""

    def __init__(self, folder: Path) -> None:
        self._store = EmbeddedStore(EmbeddedConfig(dir=folder))

    def __call__(self, key: SeriesKey, first_ms: int, last_ms: int) -> dict[int, float]:
        """See `StoredTimes`; asks in slices fine enough that each millisecond is a bucket of its own."""
        found: dict[int, float] = {}
        for start in range(first_ms, last_ms + 1, SLICE_MS):
            end = min(start + SLICE_MS, last_ms + 1)
            chart = self._store.read(key, start * 1_000_000, end * 1_000_000, end - start)
            for time_ns, mean in zip(chart.times_ns, chart.mean, strict=True):
                found[int(time_ns) // 1_000_000] = float(mean)
        return found

    def close(self) -> None:
        """Closes the store."""
        self._store.close()


class _opened:  # noqa: N801  # reads as the `with` statement's verb
    """A journal of a stopped daemon; it must exist."""

    def __init__(self, path: Path, readers: Sequence[str]) -> None:
        if not path.exists():
            raise FileNotFoundError(path)
        self._journal = Journal(path, readers=readers, max_bytes=READ_ONLY_BYTES)

    def __enter__(self) -> Journal:
        return self._journal

    def __exit__(self, *_: object) -> None:
        self._journal.close()


def as_json(proof: Proof) -> dict[str, object]:
    """Its counts and details as JSON-compatible values."""
    return {str(key): value for key, value in msgspec.to_builtins(proof).items()}
