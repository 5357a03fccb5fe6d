"""Every store that can be had here, for the contract suite."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.servers import InfluxDb, VictoriaMetrics
from support.stores import Place

from gateway.store.config import EmbeddedConfig, InfluxConfig, StoreConfig
from gateway.store.registry import open_store
from gateway.storing import READER, Storing
from wire.backoff import Backoff
from wire.journal import Journal


@pytest.fixture(scope="session")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path_factory.mktemp("victoria")) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDb]:
    with InfluxDb(tmp_path_factory.mktemp("influxdb")) as server:
        yield server


def _given_server() -> InfluxConfig:
    url = os.environ.get("WERKPULS_TEST_INFLUX_URL")
    if not url:
        pytest.skip("WERKPULS_TEST_INFLUX_URL names no server")
    return InfluxConfig(
        url=url,
        org=os.environ.get("WERKPULS_TEST_INFLUX_ORG", "-"),
        bucket=os.environ.get("WERKPULS_TEST_INFLUX_BUCKET", "werkpuls"),
        token_env="WERKPULS_TEST_INFLUX_TOKEN" if os.environ.get("WERKPULS_TEST_INFLUX_TOKEN") else None,
    )


@pytest.fixture(params=["embedded", "embedded-exact", "victoria-metrics", "influxdb-1", "given-server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A store of each kind, empty of this test's site."""
    name = request.param
    config: StoreConfig
    settle = _nothing
    if name.startswith("embedded"):
        config = EmbeddedConfig(dir=tmp_path / "store", exact=name.endswith("exact"))
    elif name == "victoria-metrics":
        server = request.getfixturevalue("victoria")
        config = InfluxConfig(url=server.url, reads="metricsql")
        settle = lambda: server.get("/internal/force_flush")  # noqa: E731 - one expression
    elif name == "influxdb-1":
        config = InfluxConfig(url=request.getfixturevalue("influxdb").url, api="v1")
    else:
        config = _given_server()
    store = open_store(config)
    yield Place(name, config, store, f"site-{uuid.uuid4().hex[:8]}", name != "victoria-metrics", settle)
    store.close()


def _nothing() -> None:
    """A store whose writes are visible at once."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.db", readers=[READER], max_bytes=50_000_000, commit_interval_s=0.02)
    yield opened
    opened.close()


@pytest.fixture
def run(journal: Journal, tmp_path: Path) -> Iterator[Callable[..., Storing]]:
    started: list[Storing] = []

    def begin(store: object, **options: object) -> Storing:
        storing = Storing(
            journal,
            store,  # type: ignore[arg-type]  # tests give doubles that keep to the protocol only in part
            apart=tmp_path / "apart.db",
            backoff=Backoff(0.01, 0.05),
            **options,  # type: ignore[arg-type]  # any of its options, by name
        )
        started.append(storing)
        storing.start()
        return storing

    yield begin
    for storing in started:
        storing.stop()
