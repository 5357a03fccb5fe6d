"""The time-series store's contract: durable, idempotent writes and reads for charts.

A store is fed from the gateway's journal by one thread. `write` returns only when everything in the batch is durable
or set apart with a reason; handing it the same entries again changes nothing. So a writer may be killed anywhere and
start again from its reader's position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from wire.messages import NodeMessage


class Record(NamedTuple):
    """One message of the gateway's journal: its position there, and what it says."""

    position: int
    message: NodeMessage


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line or message the store will never take, kept apart with its reason so that it blocks nothing else."""

    position: int
    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of one batch."""

    points: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Names one series: a channel or feature of one machine."""

    site: str
    node: str
    machine: str
    channel: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One series between two moments in at most `max_points` buckets, oldest first; buckets without data are absent.

    Columns of equal length; times are the buckets' starts in nanoseconds since the epoch.
    """

    key: SeriesKey
    unit: str
    times_ns: Sequence[int]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


class StoreUnavailable(Exception):
    """The store cannot be reached or is full now; the caller keeps its position and tries again."""


class Store(Protocol):
    """Where telemetry and conditions end up.

    A condition is stored as series `condition.score`, `condition.limit`,
    `condition.severity` (0 good to 3 alarm) and `condition.regime` (text, where the store has text).
    """

    kind: Literal["embedded", "influx"]

    def write(self, records: Sequence[Record]) -> WriteReport:
        """Stores every point of these messages; raises `StoreUnavailable` when none of it may count as stored."""
        ...

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int = 600) -> Chart:
        """One series for a chart; raises `StoreUnavailable`. An unknown series gives an empty chart."""
        ...

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        """Every series known with its unit."""
        ...

    def close(self) -> None:
        """Releases files and connections."""
        ...
