"""Journal to store: nothing lost, nothing twice, whatever dies in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest
from support.messages import SECOND, T0, Node
from support.storings import TEMP, append, settled, telemetry, until

from gateway.store.apart import Apart
from gateway.store.base import Chart, HandInAgain, Record, Rejected, SeriesKey, StoreUnavailable, WriteReport
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import FILE, EmbeddedStore
from gateway.storing import READER, Storing
from wire import journal as wire_journal
from wire.journal import Journal


class MemoryStore:
    """A store in a dictionary, with troubles that a test switches on."""

    kind: Literal["embedded", "influx"] = "embedded"

    def __init__(self) -> None:
        self.points: dict[tuple[str, int], float] = {}
        self.writes: list[list[int]] = []
        self.resume_after: int | None = None
        self.trouble: Callable[[Sequence[Record]], WriteReport | None] = lambda _records: None

    def write(self, records: Sequence[Record]) -> WriteReport:
        special = self.trouble(records)
        if special:
            return special
        self.writes.append([record.position for record in records])
        for _, message in records:
            self.points[message.log, message.seq] = message.time_ns
        return WriteReport(len(records))

    def read(self, key: SeriesKey, start_ns: int, end_ns: int, max_points: int = 600) -> Chart:
        raise StoreUnavailable(f"{key} {start_ns} {end_ns} {max_points}")

    def series(self) -> Sequence[tuple[SeriesKey, str]]:
        return ()

    def close(self) -> None:
        """Nothing to release."""


def test_everything_arrives_and_the_position_follows(journal: Journal, run: Callable[..., Storing]) -> None:
    store = MemoryStore()
    append(journal, telemetry(Node(), 1200))
    storing = run(store)
    until(settled(storing))
    stats = storing.stats()
    assert (stats.stored, stats.points, stats.rejected, stats.position) == (1200, 1200, 0, 1200)
    assert (stats.available, stats.running, stats.last_error, stats.failures) == (True, True, "", 0)
    assert stats.latency_p50_s is not None
    assert all(len(positions) <= 500 for positions in store.writes)
    assert journal.position(READER) == 1200


def test_latency_is_from_sample_to_stored(journal: Journal, run: Callable[..., Storing]) -> None:
    storing = run(MemoryStore(), wall_ns=lambda: T0 + 90 * SECOND)
    node = Node()
    append(journal, [node.telemetry(T0 + 88 * SECOND, {"temp": [1.0]}) for _ in range(50)])
    until(settled(storing))
    stats = storing.stats()
    assert stats.latency_p50_s == pytest.approx(2.0, rel=0.2)
    assert stats.latency_p99_s == pytest.approx(2.0, rel=0.2)


def test_an_outage_costs_nothing_but_time(journal: Journal, run: Callable[..., Storing]) -> None:
    store = MemoryStore()
    down = threading.Event()
    down.set()

    def trouble(_records: Sequence[Record]) -> None:
        if down.is_set():
            raise StoreUnavailable("the cable is out")

    store.trouble = trouble  # type: ignore[assignment]
    storing = run(store)
    append(journal, telemetry(Node(), 10))
    until(lambda: storing.stats().failures > 3)
    stats = storing.stats()
    assert (stats.available, stats.last_error, stats.position, stats.backlog) == (False, "the cable is out", 0, 10)
    down.clear()
    until(settled(storing))
    assert storing.stats().available
    assert len(store.points) == 10


def test_rubbish_is_set_apart_with_its_reason(journal: Journal, run: Callable[..., Storing], tmp_path: Path) -> None:
    node = Node()
    append(journal, telemetry(node, 2))
    journal.append([wire_journal.Record("telemetry", b'{"kind":"telemetry"', 0)], commit=True)
    append(journal, telemetry(node, 2))
    store = MemoryStore()
    storing = run(store)
    until(settled(storing))
    [apart] = storing.rejected()
    assert (apart.position, apart.line) == (3, '{"kind":"telemetry"')
    assert apart.reason.startswith("not_json")
    assert len(store.points) == 4
    assert storing.stats().rejected == 1
    assert (tmp_path / "apart.db").exists()


def test_what_the_store_refuses_is_set_apart_once(journal: Journal, run: Callable[..., Storing]) -> None:
    store = MemoryStore()
    calls = 0

    def trouble(records: Sequence[Record]) -> WriteReport | None:
        nonlocal calls
        calls += 1
        refused = tuple(Rejected(record.position, "line", "no") for record in records if record.position == 2)
        if calls < 3:
            return WriteReport(0, refused, settled=0)
        if calls == 3:
            raise HandInAgain("again")
        return WriteReport(len(records), refused)

    store.trouble = trouble
    append(journal, telemetry(Node(), 3))
    storing = run(store)
    until(settled(storing))
    assert storing.stats().rejected == 1
    assert storing.stats().failures == 0
    assert storing.stats().stored == 3


def test_one_message_that_breaks_the_store_blocks_no_other(journal: Journal, run: Callable[..., Storing]) -> None:
    store = MemoryStore()

    def trouble(records: Sequence[Record]) -> None:
        if any(record.message.seq == 7 for record in records):
            raise KeyError("a mistake of ours")

    store.trouble = trouble  # type: ignore[assignment]
    append(journal, telemetry(Node(), 20))
    storing = run(store)
    until(settled(storing))
    assert sorted(seq for _, seq in store.points) == [n for n in range(1, 21) if n != 7]
    [apart] = storing.rejected()
    assert apart.position == 7
    assert "KeyError" in apart.reason


@pytest.mark.parametrize("error", [OSError("read-only file system"), MemoryError("none left")])
def test_the_computers_own_trouble_sets_nothing_apart(
    journal: Journal, run: Callable[..., Storing], error: Exception
) -> None:
    store = MemoryStore()
    failing = threading.Event()
    failing.set()

    def trouble(_records: Sequence[Record]) -> None:
        if failing.is_set():
            raise error

    store.trouble = trouble  # type: ignore[assignment]
    append(journal, telemetry(Node(), 1))
    storing = run(store)
    until(lambda: storing.stats().failures > 2)
    assert storing.stats().position == 0
    failing.clear()
    until(settled(storing))
    assert len(store.points) == 1
    assert storing.stats().rejected == 0


def test_whatever_is_raised_the_thread_lives_on(journal: Journal, run: Callable[..., Storing]) -> None:
    store = MemoryStore()
    storing = run(store)
    storing._keep = _raises_memory_error  # type: ignore[method-assign]
    append(journal, telemetry(Node(), 3))
    until(lambda: storing.stats().failures > 2)
    assert storing.stats().running
    assert "none left" in storing.stats().last_error
    del storing._keep
    until(settled(storing))
    assert len(store.points) == 3


def _raises_memory_error(_rejected: Sequence[Rejected]) -> None:
    raise MemoryError("none left")


def test_positions_follow_what_is_settled(journal: Journal, run: Callable[..., Storing]) -> None:
    store = MemoryStore()
    durable = 0
    store.trouble = lambda records: WriteReport(len(records), settled=durable)
    append(journal, telemetry(Node(), 30))
    storing = run(store)
    until(lambda: storing.stats().stored == 30)
    assert storing.stats().position == 0
    durable = 20
    until(lambda: storing.stats().position == 20)
    durable = 99
    until(lambda: storing.stats().position == 30)


def test_a_store_made_anew_gets_what_the_journal_still_holds(
    journal: Journal, run: Callable[..., Storing], tmp_path: Path
) -> None:
    config = EmbeddedConfig(dir=tmp_path / "store")
    store = EmbeddedStore(config)
    append(journal, telemetry(Node(), 100))
    storing = run(store)
    until(settled(storing))
    storing.stop()
    store.close()
    (tmp_path / "store" / FILE).write_bytes(b"not a database at all" * 1000)
    store = EmbeddedStore(config)
    assert store.resume_after == 0
    storing = run(store)
    until(lambda: store.resume_after == 100)
    chart = store.read(TEMP, T0, T0 + 200 * SECOND)
    storing.stop()
    store.close()
    assert chart.mean == [float(n) for n in range(1, 101)]


def test_stopping_is_quick_and_safe_at_any_moment(
    journal: Journal, run: Callable[..., Storing], tmp_path: Path
) -> None:
    never = Storing(journal, MemoryStore(), apart=tmp_path / "other.db")
    never.stop()
    storing = run(MemoryStore(), pause_s=3600)
    append(journal, telemetry(Node(), 3))
    until(settled(storing))
    storing.stop()
    storing.stop()
    assert not storing.stats().running
    assert (storing.stats().stored, storing.stats().rejected) == (3, 0)


def test_apart_is_bounded_and_counts_on(tmp_path: Path) -> None:
    apart = Apart(tmp_path / "apart.db", most=10)
    for start in range(0, 50, 5):
        batch = [Rejected(start + n, f"line {start + n}", "no") for n in range(5)]
        assert apart.keep(batch) == 5
        assert apart.keep(batch) == 0
    assert apart.total == 50
    assert [each.position for each in apart.latest()] == list(range(49, 39, -1))
    apart.close()
    (tmp_path / "apart.db").write_bytes(b"x" * 5000)
    apart = Apart(tmp_path / "apart.db")
    assert apart.total == 0
    apart.close()
