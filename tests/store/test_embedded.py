"""What the embedded store promises beyond the contract: packing, retention, damage, power cuts."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.messages import SECOND, T0, Node

from gateway.store.base import Record, SeriesKey, StoreUnavailable
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import FILE, EmbeddedStore
from gateway.store.packing import Retention

DAY = 86_400 * SECOND
HOUR = 3600 * SECOND
TEMP = SeriesKey("bakery", "oven-pi", "oven", "temp")


class Wall:
    """A wall clock that a test sets."""

    def __init__(self, now_ns: int = T0) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def made(folder: Path, wall: Wall | None = None, **options: object) -> EmbeddedStore:
    config = EmbeddedConfig(dir=folder, **options)  # type: ignore[arg-type]
    return EmbeddedStore(config, wall_ns=wall or Wall())


def fill(
    store: EmbeddedStore, node: Node, start_ns: int, seconds: int, *, wall: Wall | None = None, every: int = 60
) -> None:
    """One message a minute with a value a second: a noisy sine around 180."""
    draw = np.random.default_rng(7)
    records = []
    for second in range(0, seconds, every):
        at = start_ns + second * SECOND
        values = 180 + 20 * np.sin(np.arange(second, second + every) / 600) + draw.normal(0, 0.5, every)
        records.append(Record(node.seq + 1, node.telemetry(at, {"temp": values.tolist()})))
        if wall:
            wall.now_ns = at
        if len(records) == 60:
            store.write(records)
            records.clear()
    store.write(records)


def count(folder: Path, table: str) -> int:
    with sqlite3.connect(folder / FILE) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a test's own names
    connection.close()
    return int(found)


def test_packing_changes_no_chart(tmp_path: Path) -> None:
    store, node = made(tmp_path), Node()
    draw = np.random.default_rng(3)
    values = (5 + 0.05 * draw.standard_normal(3000)).tolist()
    for index in range(0, 3000, 10):
        store.write([Record(node.seq + 1, node.telemetry(T0 + index * SECOND, {"temp": values[index : index + 10]}))])
    spans = [(T0, T0 + 300 * SECOND, 600), (T0 + 7, T0 + 2990 * SECOND, 600), (T0, T0 + HOUR, 60), (T0, T0 + DAY, 50)]
    before = [store.read(TEMP, *span) for span in spans]
    store.pack_now()
    after = [store.read(TEMP, *span) for span in spans]
    store.close()
    assert count(tmp_path, "staging") == 0
    for old, new in zip(before, after, strict=True):
        assert old.times_ns == new.times_ns
        for one, other in ((old.mean, new.mean), (old.low, new.low), (old.high, new.high)):
            # The noise is 0.05; what packing rounds away is a fortieth of it.
            assert np.allclose(one, other, atol=0.05 / 40, rtol=0)


def test_exact_keeps_every_bit(tmp_path: Path) -> None:
    store, node = made(tmp_path, exact=True), Node()
    values = [math.sin(index) * 10 ** (index % 7 - 3) for index in range(500)]
    store.write([Record(1, node.telemetry(T0, {"temp": values}))])
    store.pack_now()
    assert store.read(TEMP, T0, T0 + 500 * SECOND).mean == values
    store.close()


def test_decimals_stay_exact(tmp_path: Path) -> None:
    store, node = made(tmp_path), Node()
    values = [round(180 + math.sin(index) * 3, 2) for index in range(500)]
    store.write([Record(1, node.telemetry(T0, {"temp": values}))])
    store.pack_now()
    assert store.read(TEMP, T0, T0 + 500 * SECOND).mean == values
    store.close()


def test_levels_of_detail_agree(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall, exact=True), Node()
    fill(store, node, T0, 86_400, wall=wall)
    seconds = store.read(TEMP, T0, T0 + DAY, 100_000)
    for points in (3000, 200, 20):
        chart = store.read(TEMP, T0, T0 + DAY, points)
        step = chart.times_ns[1] - chart.times_ns[0]
        assert len(chart.times_ns) <= points
        starts = np.array(seconds.times_ns) // step * step
        edges = np.flatnonzero(np.diff(starts, prepend=0))
        sizes = np.diff(edges, append=len(starts))
        assert chart.times_ns == starts[edges].tolist()
        assert chart.mean == pytest.approx((np.add.reduceat(seconds.mean, edges) / sizes).tolist(), rel=1e-9)
        assert chart.low == np.minimum.reduceat(seconds.low, edges).tolist()
        assert chart.high == np.maximum.reduceat(seconds.high, edges).tolist()
    store.close()


def test_what_is_old_gets_coarser_and_then_goes(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall, raw_days=1, minute_days=2, rollup_days=4), Node()
    fill(store, node, T0, 6 * 86_400, wall=wall, every=300)
    now = wall.now_ns
    steps = []
    for age in (0.5, 1.5, 3, 5):
        start = now - round(age * DAY)
        chart = store.read(TEMP, start, start + 2 * HOUR, 7200)
        steps.append({b - a for a, b in zip(chart.times_ns, chart.times_ns[1:], strict=False)})
    store.close()
    assert steps == [{SECOND}, {60 * SECOND}, {900 * SECOND}, set()]
    assert count(tmp_path, "timebase") <= 2 * 24 + 2


def test_never_more_than_max_mb(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall, max_mb=4, exact=True), Node()
    draw = np.random.default_rng(5)
    for index in range(30):
        wall.now_ns = T0 + index * HOUR
        columns = {f"c{channel}": draw.standard_normal(3000).tolist() for channel in range(8)}
        message = node.telemetry(wall.now_ns, columns)
        store.write([Record(node.seq, message)])
    store.close()
    assert (tmp_path / FILE).stat().st_size < 6_000_000
    store = made(tmp_path, wall)
    key = SeriesKey("bakery", "oven-pi", "oven", "c3")
    assert len(store.read(key, T0 + 28 * HOUR, T0 + 30 * HOUR, 8000).times_ns) >= 3000
    assert len(store.read(key, T0, T0 + 28 * HOUR, 600).times_ns) > 50
    store.close()


def test_forgetting_reads_no_table_as_a_whole_and_leaves_no_times_behind(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall, exact=True), Node()
    fill(store, node, T0, 2 * 86_400, wall=wall, every=300)
    store.pack_now()
    store.close()
    connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    (before,) = connection.execute("SELECT count(*) FROM timebase").fetchone()
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    for config in (EmbeddedConfig(raw_days=1), EmbeddedConfig(max_mb=1), EmbeddedConfig(rollup_days=1)):
        Retention(connection, config).enforce((T0 + 2 * DAY) // 1_000_000)
    connection.set_trace_callback(None)
    plans = {
        row[3]: said
        for said in statements
        if not said.startswith("PRAGMA")
        for row in connection.execute(f"EXPLAIN QUERY PLAN {said}")
    }
    (after,) = connection.execute("SELECT count(*) FROM timebase").fetchone()
    (used,) = connection.execute("SELECT count(DISTINCT timebase) FROM chunk").fetchone()
    connection.close()
    large = {"chunk", "minute", "quarter", "timebase"}
    assert any(step.startswith("SEARCH chunk") for step in plans)
    assert [(step, plans[step]) for step in plans if step.startswith("SCAN") and step.split()[1] in large] == []
    assert before > after == used


def test_a_clock_far_in_the_future_empties_nothing(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall, raw_days=30), Node()
    fill(store, node, T0, 7200, wall=wall)
    wall.now_ns = T0 + 70 * 365 * DAY
    store.write([Record(node.seq + 1, node.telemetry(T0 + 3 * HOUR, {"temp": [1.0]}))])
    assert len(store.read(TEMP, T0, T0 + 2 * HOUR, 8000).times_ns) == 7200
    store.close()


def test_messages_of_a_silent_machine_get_packed(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall), Node()
    store.write([Record(1, node.telemetry(T0, {"temp": [1.0]}, machine="mixer"))])
    wall.now_ns = T0 + 5 * HOUR
    store.write([Record(2, node.telemetry(T0 + 5 * HOUR, {"temp": [1.0]}))])
    store.close()
    assert count(tmp_path, "staging") == 1


def test_numbers_seen_before_change_nothing_even_with_other_contents(tmp_path: Path) -> None:
    store = made(tmp_path)
    store.write([Record(1, Node().telemetry(T0, {"temp": [1.0]}))])
    store.write([Record(9, Node().telemetry(T0 + SECOND, {"temp": [2.0]}))])
    assert store.read(TEMP, T0, T0 + 5 * SECOND).mean == [1.0]
    other = Node(log="log2")
    store.write([Record(10, other.telemetry(T0 + SECOND, {"temp": [3.0]}))])
    assert store.read(TEMP, T0, T0 + 5 * SECOND).mean == [1.0, 3.0]
    assert store.resume_after == 10
    store.close()


def test_only_one_writer(tmp_path: Path) -> None:
    store = made(tmp_path)
    with pytest.raises(StoreUnavailable, match="another process"):
        made(tmp_path)
    store.close()
    made(tmp_path).close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "zeroed-page"])
def test_a_broken_file_is_moved_aside(tmp_path: Path, damage: str) -> None:
    store, node = made(tmp_path), Node()
    fill(store, node, T0, 7200)
    store.close()
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = os.urandom(len(content))
    elif damage == "truncated":
        del content[5000:]
    else:
        content[4096 : 4096 * 4] = bytes(4096 * 3)
    path.write_bytes(content)
    store = made(tmp_path)
    [aside] = store.broken
    assert aside.name.startswith(f"{FILE}.broken-")
    assert aside.read_bytes() == content
    assert store.resume_after == 0
    store.write([Record(1, node.telemetry(T0, {"temp": [4.5]}))])
    assert store.read(TEMP, T0, T0 + SECOND).mean == [4.5]
    store.close()


def test_damage_found_while_running_begins_anew(tmp_path: Path) -> None:
    store, node = made(tmp_path), Node()
    fill(store, node, T0, 3 * 3600)
    store.close()
    store = made(tmp_path)
    with (tmp_path / FILE).open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        # All but the pages that are checked at opening and those in the cache.
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    for attempt in range(3):
        try:
            store.write([Record(1000 + attempt, node.telemetry(T0 + 9 * HOUR, {"temp": [4.5]}))])
            store.pack_now()
        except StoreUnavailable:
            continue
    assert len(store.broken) == 1
    assert store.resume_after is not None
    assert store.resume_after >= 1000
    assert store.read(TEMP, T0 + 9 * HOUR, T0 + 9 * HOUR + SECOND).mean == [4.5]
    store.close()


def test_a_flipped_bit_leaves_a_gap_and_nothing_else(tmp_path: Path) -> None:
    wall = Wall()
    store, node = made(tmp_path, wall), Node()
    fill(store, node, T0, 3 * 3600, wall=wall)
    store.pack_now()
    store.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE chunk SET points = zeroblob(length(points)) WHERE id = 2")
    connection.close()
    store = made(tmp_path, wall)
    got = len(store.read(TEMP, T0, T0 + 3 * HOUR, 20_000).times_ns)
    assert 3600 < got < 3 * 3600 - 3000
    store.close()


def test_a_damaged_staged_row_does_not_stop_packing(tmp_path: Path) -> None:
    store, node = made(tmp_path), Node()
    for index in range(10):
        store.write([Record(index + 1, node.telemetry(T0 + index * SECOND, {"temp": [float(index)]}))])
    store.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE staging SET points = x'ff00' WHERE id = 4")
    connection.close()
    store = made(tmp_path)
    store.pack_now()
    assert store.read(TEMP, T0, T0 + 20 * SECOND).mean == [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    store.close()


def test_another_application_s_file_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE precious (data)")
    connection.close()
    with pytest.raises(StoreUnavailable, match="not a series file"):
        made(tmp_path)
    assert count(tmp_path, "precious") == 0


def test_a_full_disk_is_unavailable_and_heals(tmp_path: Path) -> None:
    store, node = made(tmp_path), Node()
    store.write([Record(1, node.telemetry(T0, {"temp": [1.0]}))])
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = node.telemetry(T0 + SECOND, {"temp": [float(index) for index in range(20_000)]}, step_ms=10)
    with pytest.raises(StoreUnavailable, match="full"):
        store.write([Record(2, big)])
    assert store.resume_after == 1
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.write([Record(2, big)]).points == 20_000
    assert store.write([Record(2, big)]).points == 0
    store.close()


WRITER = """
import sys
from gateway.store.base import Record
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore
from support.messages import Node, T0, SECOND
store, node = EmbeddedStore(EmbeddedConfig(dir=sys.argv[1])), Node()
position = 0
while True:
    records = []
    for _ in range(20):
        position += 1
        records.append(Record(position, node.telemetry(T0 + position * 10 * SECOND, {"temp": [float(position)] * 10})))
    store.write(records)
    print(position, flush=True)
"""


def test_killed_in_the_middle_of_a_write_nothing_is_lost_or_twice(tmp_path: Path) -> None:
    script = [sys.executable, "-c", WRITER, str(tmp_path)]
    acknowledged = 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for enough in (200, 400, 600):
        # Every run writes from the start again: what the file had already must not count twice.
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=environment) as run:
            assert run.stdout is not None
            for line in run.stdout:
                acknowledged = max(acknowledged, int(line))
                if int(line) >= enough:
                    break
            run.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, run.stdout.read().split())])
    store = made(tmp_path)
    assert store.resume_after is not None
    assert store.resume_after >= acknowledged >= 300
    chart = store.read(TEMP, T0, T0 + (acknowledged + 1) * 10 * SECOND, 20 * acknowledged)
    assert list(chart.times_ns) == [T0 + 10 * SECOND + index * SECOND for index in range(10 * acknowledged)]
    buckets = store.read(TEMP, T0, T0 + 30 * DAY, 1)
    assert buckets.low == [1.0]
    store.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        packed = connection.execute("SELECT sum(number) FROM quarter").fetchone()[0] or 0
    connection.close()
    assert packed % 10 == 0
    assert packed <= 10 * (store.resume_after or 0)
