"""The time-series store's contract: durable, idempotent writes and reads for charts.

A store is fed from the gateway's journal by one thread. When `write` returns, everything in the batch is stored or set
apart with a reason, and everything up to the report's `settled` is durable; handing it the same entries again changes
nothing. So a writer may be killed anywhere and start again from its reader's position, which follows `settled`.
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
    settled: int | None = None
    """Journal position up to which everything is durable; None: the whole batch. Some servers acknowledge what
    they hold in memory only; then it trails the batch, and a write of nothing asks again."""


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

    Columns of equal length; times are the buckets' starts in nanoseconds since the epoch. The first and the last bucket
    are whole: they may reach beyond the moments asked for (`gateway/store/window.py`).
    """

    key: SeriesKey
    unit: str
    times_ns: Sequence[int]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


class StoreUnavailable(Exception):
    """The store cannot be reached or is full now; the caller keeps its position and tries again."""


class HandInAgain(StoreUnavailable):
    """The store works, but its server may have lost what it acknowledged and had not settled: start again at once."""


class StoreConfigError(StoreUnavailable):
    """The store cannot work as configured; the text says which option and why."""


class Store(Protocol):
    """Where telemetry and conditions end up.

    A condition is stored as series `condition.score`, `condition.limit`,
    `condition.severity` (0 good to 3 alarm) and `condition.regime` (text, where the store has text).
    """

    kind: Literal["embedded", "influx"]

    @property
    def resume_after(self) -> int | None:
        """Journal position behind which this store lacks entries, where it knows: 0 for one that was made anew.

        None: the journal's reader position says it. A writer starts at the smaller of the two, and asks again after
        `StoreUnavailable`.
        """
        ...

    def write(self, records: Sequence[Record]) -> WriteReport:
        """Stores every point of these messages; raises `StoreUnavailable` when none of it may count as stored.

        After `StoreUnavailable` the caller hands in again everything after its reader position.
        """
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
