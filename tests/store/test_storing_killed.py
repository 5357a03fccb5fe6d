"""Journal to store while the process or the server is killed: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.messages import SECOND, T0, Node
from support.servers import InfluxDb, VictoriaMetrics
from support.storings import TEMP, append, telemetry, until

from gateway.store.base import Store
from gateway.store.config import EmbeddedConfig, InfluxConfig
from gateway.store.embedded import FILE, EmbeddedStore
from gateway.store.influx import InfluxStore
from gateway.storing import READER, Storing, StoringStats
from wire.journal import Journal

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
