"""Journal to store: nothing lost, nothing twice, whatever dies in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from support.messages import SECOND, T0, Node
from support.servers import InfluxDb, VictoriaMetrics

from gateway.store.apart import Apart
from gateway.store.base import Chart, HandInAgain, Record, Rejected, SeriesKey, Store, StoreUnavailable, WriteReport
from gateway.store.config import EmbeddedConfig, InfluxConfig
from gateway.store.embedded import FILE, EmbeddedStore
from gateway.store.influx import InfluxStore
from gateway.storing import READER, Storing, StoringStats
from wire import journal as wire_journal
from wire.backoff import Backoff
from wire.codec import Codec
from wire.journal import Journal
from wire.messages import NodeMessage

TEMP = SeriesKey("bakery", "oven-pi", "oven", "temp")


def until(true: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.db", readers=[READER], max_bytes=50_000_000, commit_interval_s=0.02)
    yield opened
    opened.close()


def append(journal: Journal, messages: Sequence[NodeMessage], codec: Codec | None = None) -> None:
    codec = codec or Codec()
    journal.append(
        [wire_journal.Record("telemetry", codec.encode(message), time.time_ns()) for message in messages], commit=True
    )


def telemetry(node: Node, count: int) -> list[NodeMessage]:
    """One value a second from T0 on, numbered like the messages."""
    first = node.seq + 1
    return [node.telemetry(T0 + n * SECOND, {"temp": [float(n)]}) for n in range(first, first + count)]


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


@pytest.fixture
def run(journal: Journal, tmp_path: Path) -> Iterator[Callable[..., Storing]]:
    started: list[Storing] = []

    def begin(store: object, **options: object) -> Storing:
        storing = Storing(
            journal,
            store,  # type: ignore[arg-type]
            apart=tmp_path / "apart.db",
            backoff=Backoff(0.01, 0.05),
            **options,  # type: ignore[arg-type]
        )
        started.append(storing)
        storing.start()
        return storing

    yield begin
    for storing in started:
        storing.stop()


def settled(storing: Storing) -> Callable[[], bool]:
    return lambda: storing.stats().backlog == 0


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


CHILD = """
import json, sys
from pathlib import Path
from gateway.store.config import StoreConfig
from gateway.store.registry import open_store
from gateway.storing import READER, Storing
from wire.backoff import Backoff
from wire.journal import Journal
import msgspec, time
config = msgspec.json.decode(sys.argv[2], type=StoreConfig, dec_hook=lambda _kind, text: Path(text))
folder = Path(sys.argv[1])
journal = Journal(folder / "journal.db", readers=[READER], max_bytes=50_000_000, commit_interval_s=0.02)
storing = Storing(journal, open_store(config), apart=folder / "apart.db", backoff=Backoff(0.01, 0.1))
storing.start()
while True:
    stats = storing.stats()
    print(stats.position, stats.stored, flush=True)
    time.sleep(0.002)
"""


def _kill_midway(folder: Path, config: str, enough: int) -> None:
    """Stores from another process until `enough` entries are durable, and kills it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = [sys.executable, "-c", CHILD, str(folder), config]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line.split()[0]) >= enough:
                break
        child.send_signal(signal.SIGKILL)
        child.stdout.read()


def _store_the_rest(folder: Path, store: Store) -> None:
    """Goes on where the killed process was."""
    journal = Journal(folder / "journal.db", readers=[READER], max_bytes=50_000_000)
    storing = Storing(journal, store, apart=folder / "apart.db")
    storing.start()
    until(lambda: storing.stats().position == MESSAGES)
    storing.stop()
    journal.close()


MESSAGES = 1500


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    journal = Journal(tmp_path / "journal.db", readers=[READER], max_bytes=50_000_000)
    append(journal, telemetry(Node(), MESSAGES))
    journal.close()
    return tmp_path


def test_killed_while_storing_embedded(filled: Path) -> None:
    config = f'{{"type": "embedded", "dir": "{filled}", "commit_s": 0.0}}'
    _kill_midway(filled, config, 400)
    store = EmbeddedStore(EmbeddedConfig(dir=filled))
    _store_the_rest(filled, store)
    chart = store.read(TEMP, T0, T0 + 2 * MESSAGES * SECOND, 20_000)
    store.close()
    assert chart.mean == [float(n) for n in range(1, MESSAGES + 1)]
    with sqlite3.connect(filled / FILE) as connection:
        seqs = connection.execute("SELECT value FROM mark WHERE site != ''").fetchall()
    connection.close()
    assert seqs == [(MESSAGES,)]


def test_killed_while_storing_to_a_server(filled: Path, influxdb: InfluxDb) -> None:
    _kill_midway(filled, f'{{"type": "influx", "url": "{influxdb.url}", "api": "v1"}}', 400)
    store = InfluxStore(InfluxConfig(url=influxdb.url, api="v1"))
    _store_the_rest(filled, store)
    store.close()
    rows = influxdb.query("SELECT value FROM telemetry WHERE site = 'bakery' AND channel = 'temp'")[0]["values"]
    assert rows == [[T0 + n * SECOND, float(n)] for n in range(1, MESSAGES + 1)]


def _stats(storing: Storing, **wanted: int) -> Callable[[], bool]:
    return lambda: all(getattr(storing.stats(), name) >= value for name, value in wanted.items())


def test_influxdb_killed_and_started_again(journal: Journal, run: Callable[..., Storing], tmp_path: Path) -> None:
    server = InfluxDb(tmp_path / "influx")
    node = Node()
    with server:
        store = InfluxStore(InfluxConfig(url=server.url, api="v1", timeout_s=5))
        storing = run(store)
        for round_ in range(1, 4):
            append(journal, telemetry(node, 200))
            until(_stats(storing, stored=200 * round_ - 100))
            server.kill()
            append(journal, telemetry(node, 200))
            failures = storing.stats().failures
            until(_stats(storing, failures=failures + 1))
            server.start()
            append(journal, telemetry(node, 200))
            node_total = node.seq
            until(_stats(storing, position=node_total))
        rows = server.query("SELECT value FROM telemetry WHERE channel = 'temp'")[0]["values"]
        store.close()
    assert rows == [[T0 + n * SECOND, float(n)] for n in range(1, node.seq + 1)]


def test_victoria_metrics_loses_its_memory_and_gets_it_again(
    journal: Journal, run: Callable[..., Storing], tmp_path: Path
) -> None:
    server = VictoriaMetrics(tmp_path / "vm")
    node = Node()
    with server:
        store = InfluxStore(InfluxConfig(url=server.url, reads="metricsql", settle_s=600, timeout_s=5))
        storing = run(store)
        append(journal, telemetry(node, 300))
        until(_stats(storing, stored=300))
        assert storing.stats().position == 0
        server.kill()
        server.start()
        assert server.export("telemetry_value") == []
        append(journal, telemetry(node, 100))
        until(_stats(storing, stored=400))
        until(lambda: sum(len(samples) for _, samples in server.export("telemetry_value")) >= 400)
        [(_, samples)] = server.export("telemetry_value")
        store_stats: StoringStats = storing.stats()
        storing.stop()
        store.close()
    assert samples == [((T0 + n * SECOND) // 10**6, float(n)) for n in range(1, 401)]
    assert store_stats.position == 0
