"""Compares what was produced with what is stored, number by number and value by value, after everything has stopped.

Produced is what a node's journal has numbered: the promise begins there. The numbers that are missing at the gateway must be
exactly those that the node's disk bound forced out, and both sides must have counted them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import msgspec

from gateway.alerting import READER as ALERTS_READER
from gateway.sequence import LogState
from gateway.store import points
from gateway.store.base import SeriesKey
from gateway.storing import READER as STORE_READER
from werkpuls.demo.proof import FOREVER_NS, PUBLISHER, READ_ONLY_BYTES, prove
from wire.codec import Codec
from wire.journal import Journal

ReadPoints: TypeAlias = Callable[[SeriesKey, int, int], dict[int, float]]
"""Values by milliseconds of one series between two moments (milliseconds, the second one included)."""
WINDOW = 500
"""How far a node runs ahead of the gateway's acknowledgements (`edge.publisher.Publisher`)."""
CLOSE = 1e-6
"""Stores round: relative to the largest value of the series."""


@dataclass(slots=True)
class Comparison:
    """Messages, unless it says points."""

    produced: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    altered: int = 0
    """Messages that are not what the node wrote."""
    points: int = 0
    """Moments of a series that must hold a value."""
    points_missing: int = 0
    points_extra: int = 0
    points_altered: int = 0
    """Values that no message brought for that moment."""
    collisions: int = 0
    """Values of one series that fell on a millisecond which another message had taken: after a step of the clock."""
    waiting: int = 0
    """Still in a node's journal when it was stopped: sent when it starts again."""
    missing: int = 0
    """Numbers below the gateway's last that it never got."""
    dropped_counted_by_node: int = 0
    dropped_seen_by_gateway: int = 0
    dropped_but_arrived: int = 0
    """Of those that the node counted: had been sent and arrived, but their acknowledgement had not."""
    dropped_at_end: int = 0
    """Of those that the node counted: above the gateway's last, which will count them with the next that arrives."""
    most_on_their_way: int = 0
    """More than these cannot have been sent and not acknowledged when the disk was full."""
    details: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        wrong = (self.lost, self.duplicated, self.disordered, self.altered, self.points_missing, self.points_altered)
        counted = (
            self.missing == self.dropped_seen_by_gateway == self.dropped_counted_by_node - self.dropped_but_arrived
        )
        return not any(wrong) and counted and self.produced > 0


def compare(
    node_journals: dict[str, Path],
    gateway_journal: Path,
    read: ReadPoints,
    site: str,
    *,
    settled: bool = True,
    fills: int = 0,
) -> Comparison:
    """Compares journals and store of stopped daemons; see `werkpuls.demo.proof.prove`, which this builds upon.

    Args:
        node_journals, gateway_journal, site: as there.
        read: reads the store.
        settled: the store's position in the gateway's journal must have reached the end, too.
        fills: how often the disk was full. Each time a node may have counted a window of messages that were on their way.
    """
    proof = prove(
        node_journals,
        gateway_journal,
        lambda key, first, last: set(read(key, first, last)),
        site,
        readers=(STORE_READER, ALERTS_READER) if settled else (ALERTS_READER,),
    )
    found = Comparison(
        produced=proof.published,
        stored=proof.stored,
        duplicated=proof.duplicates,
        disordered=proof.disordered,
        altered=proof.altered,
        points=proof.points,
        points_missing=proof.points_missing,
        points_extra=proof.points_extra,
        dropped_counted_by_node=proof.dropped,
        most_on_their_way=WINDOW * fills,
        details=proof.details,
    )
    numbers, evicted, values = _received(gateway_journal)
    unexplained = 0
    for node, path in node_journals.items():
        log, following, dropped, held = _journal_of(path)
        got = numbers.pop(log, set())
        last = max(got, default=0)
        missing = set(range(1, last)) - got
        waiting = set(range(last + 1, following))
        found.waiting += len(waiting & held)
        forced_out = (missing | waiting) - held
        found.missing += len(missing)
        found.dropped_seen_by_gateway += evicted.get(log, 0)
        unexplained += len(missing & held) + max(len(forced_out) - dropped, 0)
        found.dropped_at_end += len(waiting - held)
        found.dropped_but_arrived += max(dropped - len(forced_out), 0)
        if missing or dropped:
            found.details.append(
                f"{node}: {len(missing)} of {following - 1} numbers never arrived ({_ranges(missing)}), the node "
                f"counted {dropped} as dropped, the gateway {evicted.get(log, 0)}"
            )
    found.details.extend(f"log {log}: {len(got)} messages of no journal that is left" for log, got in numbers.items())
    found.lost = unexplained + (proof.accepted - proof.stored)
    _check_values(values, read, found)
    return found


def _received(path: Path) -> tuple[dict[str, set[int]], dict[str, int], dict[SeriesKey, dict[int, list[float]]]]:
    """Numbers by log, what the gateway counts as evicted by log, and every value by series and millisecond."""
    codec = Codec()
    numbers: dict[str, set[int]] = defaultdict(set)
    evicted: dict[str, int] = {}
    values: dict[SeriesKey, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    journal = Journal(path, readers=[STORE_READER, ALERTS_READER], max_bytes=READ_ONLY_BYTES)
    try:
        after = 0
        while entries := journal.read(after):
            after = entries[-1].seq
            for entry in entries:
                message = codec.decode(entry.payload, now_ns=FOREVER_NS)
                if message.log not in numbers:
                    mark = journal.mark(f"ingest:{message.node}/{message.origin}/{message.log}")
                    if mark is not None:
                        evicted[message.log] = msgspec.json.decode(mark, type=LogState).evicted
                numbers[message.log].add(message.seq)
                for column in points.of(message).columns:
                    series = values[SeriesKey(message.site, message.node, column.machine, column.channel)]
                    for time_ns, value in zip(column.times_ns, column.values, strict=True):
                        series[time_ns // 1_000_000].append(value)
    finally:
        journal.close()
    return numbers, evicted, values


def _journal_of(path: Path) -> tuple[str, int, int, set[int]]:
    """A node's log, the number after its last, what it counted as dropped, and the numbers it still holds."""
    journal = Journal(path, readers=[PUBLISHER], max_bytes=READ_ONLY_BYTES)
    try:
        held: set[int] = set()
        after = 0
        while entries := journal.read(after):
            after = entries[-1].seq
            held.update(entry.seq for entry in entries)
        stats = journal.stats()
        return journal.log, stats.next, stats.dropped, held
    finally:
        journal.close()


def _check_values(values: dict[SeriesKey, dict[int, list[float]]], read: ReadPoints, found: Comparison) -> None:
    for key, series in values.items():
        found.collisions += sum(len(candidates) - 1 for candidates in series.values())
        largest = max(abs(value) for candidates in series.values() for value in candidates)
        for time_ms, stored in read(key, min(series), max(series)).items():
            candidates = series.get(time_ms, [])
            if candidates and not any(_close(stored, value, largest) for value in candidates):
                found.points_altered += 1
                if found.points_altered <= 3:
                    found.details.append(f"{key.machine}/{key.channel} at {time_ms} ms: {stored}, sent {candidates}")


def _close(one: float, other: float, largest: float) -> bool:
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE * largest)


def _ranges(numbers: set[int]) -> str:
    """`3-5, 9`; the first few.

    >>> _ranges({3, 4, 5, 9})
    '3-5, 9'
    """
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    return ", ".join(words[:5]) + (" …" if len(words) > 5 else "")
