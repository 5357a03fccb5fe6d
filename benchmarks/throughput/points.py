"""Points a second from the journal into a store, beside a bare write of the same lines, made beforehand."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

from benchmarks.throughput.samples import columnar
from benchmarks.throughput.servers import BenchmarkError, until, victoria_metrics
from gateway.store.config import EmbeddedConfig, InfluxConfig, StoreConfig
from gateway.store.lines import Lines
from gateway.store.registry import open_store
from gateway.storing import READER, Storing
from wire.codec import Codec
from wire.journal import Journal, Record
from wire.messages import Telemetry

BATCH_LINES = 5000
LIMIT_S = 180.0


def bare_rate(url: str, messages: Sequence[Telemetry]) -> float:
    """influxdb-client, synchronous, bodies made beforehand, no compression."""
    maker = Lines()
    lines = [line for message in messages for line in maker.of(message).lines]
    bodies = ["\n".join(lines[at : at + BATCH_LINES]).encode() for at in range(0, len(lines), BATCH_LINES)]
    with InfluxDBClient(url, token="", org="-") as client, client.write_api(write_options=SYNCHRONOUS) as api:
        began = time.perf_counter()
        for body in bodies:
            api.write("bench", "-", body)
        elapsed = time.perf_counter() - began
    return len(lines) / elapsed


def stored_rate(config: StoreConfig, messages: Sequence[Telemetry], folder: Path) -> float:
    """A journal that holds the messages already, storing, and the store."""
    codec = Codec()
    journal = Journal(folder / "journal.db", readers=[READER], max_bytes=2 << 30)
    for at in range(0, len(messages), 500):
        journal.append(
            [Record("telemetry", codec.encode(message), 0) for message in messages[at : at + 500]], commit=True
        )
    store = open_store(config)
    storing = Storing(journal, store, apart=folder / "apart.db")
    try:
        began = time.perf_counter()
        storing.start()
        until(lambda: storing.stats().stored >= len(messages), "storing", LIMIT_S)
        elapsed = time.perf_counter() - began
        stats = storing.stats()
        if stats.rejected or stats.failures:
            raise BenchmarkError(f"storing was disturbed: {stats}")
    finally:
        storing.stop()
        store.close()
        journal.close()
    return stats.points / elapsed


def count_in(url: str, site: str) -> int:
    """Points of a site that VictoriaMetrics gives back."""
    with urlopen(f"{url}/internal/force_flush", timeout=30) as answer:  # noqa: S310 - loopback
        answer.read()
    query = urlencode({"query": f'sum(count_over_time(telemetry_value{{site="{site}"}}[10d]))', "nocache": "1"})
    with urlopen(f"{url}/api/v1/query?{query}", timeout=60) as answer:  # noqa: S310 - loopback
        result = json.load(answer)["data"]["result"]
    return int(float(result[0]["value"][1])) if result else 0


def measure(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """All rates, in turns; medians. Every point sent through storing is asked for afterwards."""
    rates: dict[str, list[float]] = {"bare": [], "victoria": [], "victoria_gzip": [], "embedded": []}
    for number in range(rounds):
        place = folder / f"points-{number}"
        place.mkdir()
        with victoria_metrics(place) as url:
            rates["bare"].append(bare_rate(url, columnar(count, site=f"bare{number}")))
            for name, gzip in (("victoria", False), ("victoria_gzip", True)):
                site = f"{name}{number}".replace("_", "-")
                part = place / f"to-{name}"
                part.mkdir()
                config = InfluxConfig(url=url, bucket="bench", reads="metricsql", gzip=gzip)
                rates[name].append(stored_rate(config, columnar(count, site=site), part))
                found = count_in(url, site)
                if found != count * 300:
                    raise BenchmarkError(f"{name}: {found} of {count * 300} points arrived")
        part = place / "embedded"
        part.mkdir()
        messages = columnar(count, site="embedded")
        rates["embedded"].append(stored_rate(EmbeddedConfig(dir=part), messages, part))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "points": float(count * 300),
        "bare_write_per_s": middle["bare"],
        "victoria_per_s": middle["victoria"],
        "victoria_gzip_per_s": middle["victoria_gzip"],
        "embedded_per_s": middle["embedded"],
        "share": middle["victoria"] / middle["bare"],
    }
