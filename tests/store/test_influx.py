"""The server store beyond the contract: refused lines, outages, secrets, and what is in memory only."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.messages import SECOND, T0, Node
from support.servers import InfluxDb, VictoriaMetrics

from gateway.store.base import HandInAgain, Record, SeriesKey, StoreConfigError, StoreUnavailable
from gateway.store.config import InfluxConfig
from gateway.store.influx import InfluxStore
from wire.messages import Severity

Answer = tuple[int, str]


@dataclass
class Scripted:
    """An HTTP server whose answers a test writes; it keeps what it was asked."""

    answer: Callable[[str, str, list[str]], Answer] = field(default=lambda _method, _path, _lines: (204, ""))
    requests: list[tuple[str, dict[str, str], list[str]]] = field(default_factory=list)
    keep_alive: bool = True
    url: str = ""

    def lines(self) -> list[str]:
        """All lines that were ever sent to it."""
        return [line for _, _, lines in self.requests for line in lines]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines = body.decode().splitlines()
            script.requests.append((self.path, dict(self.headers), lines))
            status, text = script.answer(self.command, self.path, lines)
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(text.encode())))
            if not script.keep_alive:
                self.send_header("Connection", "close")
            self.end_headers()
            if status != 204:
                with contextlib.suppress(OSError):  # the client did not wait
                    self.wfile.write(text.encode())

        do_GET = do_POST = _serve  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield script
    server.shutdown()
    thread.join(5)
    server.server_close()


def records(node: Node, count: int, start: int = 1) -> list[Record]:
    return [
        Record(start + index, node.telemetry(T0 + (start + index) * SECOND, {"temp": [float(start + index)]}))
        for index in range(count)
    ]


def series(node: Node, channel: str) -> SeriesKey:
    return SeriesKey(node.site, node.node, "oven", channel)


def test_the_request_is_what_the_api_asks_for(scripted: Scripted, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("top-secret\n")
    store = InfluxStore(InfluxConfig(url=scripted.url, org="o 1", bucket="b/1", token_file=token, gzip=False))
    store.write([Record(1, Node().telemetry(T0, {"temp": [1.5, None, 2.0]}))])
    store.close()
    [(path, headers, lines)] = scripted.requests
    assert urlsplit(path).path == "/api/v2/write"
    assert parse_qs(urlsplit(path).query) == {"org": ["o 1"], "bucket": ["b/1"], "precision": ["ns"]}
    assert headers["Authorization"] == "Token top-secret"
    prefix = "telemetry,channel=temp,machine=oven,node=oven-pi,site=bakery,unit=°C value="
    assert lines == [f"{prefix}1.5 {T0}", f"{prefix}2.0 {T0 + 2 * SECOND}"]


def test_version_1_gets_its_own_path_and_basic_authorisation(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WERKPULS_TEST_SECRET", "pass")
    config = InfluxConfig(
        url=scripted.url,
        api="v1",
        username="me",
        token_env="WERKPULS_TEST_SECRET",  # noqa: S106 - a variable's name
        retention_policy="year",
    )
    store = InfluxStore(config)
    store.write(records(Node(), 1))
    store.close()
    [(path, headers, _)] = scripted.requests
    assert urlsplit(path).path == "/write"
    assert parse_qs(urlsplit(path).query) == {"db": ["werkpuls"], "precision": ["ns"], "rp": ["year"]}
    assert headers["Authorization"] == "Basic bWU6cGFzcw=="
    assert headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 301])
def test_what_may_heal_is_unavailable_and_tells_no_secret(
    scripted: Scripted, tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    token.write_text("top-secret")
    scripted.answer = lambda *_: (status, '{"message": "not today"}')
    store = InfluxStore(InfluxConfig(url=scripted.url, token_file=token))
    with pytest.raises(StoreUnavailable, match="not today") as caught:
        store.write(records(Node(), 3))
    store.close()
    assert "top-secret" not in str(caught.value) + caplog.text
    assert len(scripted.requests) == 1


def test_a_renewed_token_is_taken_up(scripted: Scripted, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    store = InfluxStore(InfluxConfig(url=scripted.url, token_file=token, gzip=False))
    scripted.answer = lambda *_: (401, "no")
    with pytest.raises(StoreUnavailable):
        store.write(records(Node(), 1))
    token.write_text("new")
    with pytest.raises(StoreUnavailable):
        store.write(records(Node(), 1))
    scripted.answer = lambda *_: (204, "")
    assert store.write(records(Node(), 1)).points == 1
    store.close()
    assert scripted.requests[-1][1]["Authorization"] == "Token new"


@pytest.mark.parametrize("content", [None, "", "two\nlines"])
def test_a_token_that_is_none_stops_at_once(tmp_path: Path, content: str | None) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    with pytest.raises(StoreConfigError, match="token"):
        InfluxStore(InfluxConfig(url="http://127.0.0.1:1", token_file=token))


def test_nobody_there_is_unavailable() -> None:
    store = InfluxStore(InfluxConfig(url="http://127.0.0.1:1", timeout_s=2))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store.write(records(Node(), 1))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store.read(series(Node(), "temp"), T0, T0 + SECOND)
    store.close()


def test_a_server_that_never_answers_is_unavailable(scripted: Scripted) -> None:
    release = threading.Event()
    scripted.answer = lambda *_: (204 + release.wait(5), "")
    store = InfluxStore(InfluxConfig(url=scripted.url, timeout_s=0.2))
    with pytest.raises(StoreUnavailable):
        store.write(records(Node(), 1))
    release.set()
    store.close()


def test_refused_lines_are_found_and_nothing_else_is_lost(scripted: Scripted) -> None:
    bad = {f" {T0 + index * SECOND}" for index in (1, 17, 18, 40, 64)}
    taken: set[str] = set()

    def answer(_method: str, _path: str, lines: list[str]) -> Answer:
        if any(line.endswith(ending) for line in lines for ending in bad):
            return 400, '{"code":"invalid","message":"unable to parse something"}'
        taken.update(lines)
        return 204, ""

    scripted.answer = answer
    store = InfluxStore(InfluxConfig(url=scripted.url, gzip=False, batch_lines=50))
    report = store.write(records(Node(), 64))
    store.close()
    assert report.points == 59
    assert [each.position for each in report.rejected] == [1, 17, 18, 40, 64]
    assert all("unable to parse" in each.reason for each in report.rejected)
    assert [each.line.rpartition(" ")[2] for each in report.rejected] == [
        str(T0 + n * SECOND) for n in (1, 17, 18, 40, 64)
    ]
    assert len(taken) == 59


def test_a_request_that_is_wrong_as_a_whole_sets_nothing_apart(scripted: Scripted) -> None:
    scripted.answer = lambda *_: (400, "please provide either orgID or org")
    store = InfluxStore(InfluxConfig(url=scripted.url, gzip=False))
    with pytest.raises(StoreUnavailable, match="orgID"):
        store.write(records(Node(), 4))
    store.close()


def test_an_unknown_reason_counts_when_other_lines_are_taken(scripted: Scripted) -> None:
    scripted.answer = lambda _m, _p, lines: (
        (400, "I do not like 2") if any("value=2.0" in x for x in lines) else (204, "")
    )
    store = InfluxStore(InfluxConfig(url=scripted.url, gzip=False))
    report = store.write(records(Node(), 4))
    store.close()
    assert [(each.position, each.reason) for each in report.rejected] == [(2, "HTTP 400: I do not like 2")]


def test_too_much_at_once_is_halved(scripted: Scripted) -> None:
    scripted.answer = lambda _m, _p, lines: (413, "too large") if len(lines) > 10 else (204, "")
    store = InfluxStore(InfluxConfig(url=scripted.url, gzip=False))
    report = store.write(records(Node(), 64))
    store.close()
    assert (report.points, report.rejected) == (64, ())


def test_a_unit_that_no_line_can_carry_is_set_apart(scripted: Scripted) -> None:
    node = Node()
    store = InfluxStore(InfluxConfig(url=scripted.url, gzip=False))
    report = store.write(
        [
            Record(1, node.telemetry(T0, {"temp": [1.0]}, unit="a\nb x=1")),
            Record(2, node.telemetry(T0, {"temp": [2.0]}, unit="back\\")),
            Record(3, node.telemetry(T0, {"temp": [3.0]})),
        ]
    )
    store.close()
    assert [each.position for each in report.rejected] == [1, 2]
    assert [line.split("value=")[1] for line in scripted.lines()] == [f"3.0 {T0}"]


def test_a_type_conflict_in_a_real_server(influxdb: InfluxDb) -> None:
    node = Node("conflict")
    store = InfluxStore(InfluxConfig(url=influxdb.url, api="v1"))
    # Another program wrote the severity as a float within the shard of that week.
    other = InfluxStore(InfluxConfig(url=influxdb.url, api="v1", bucket="werkpuls"))
    week = T0 - 100 * 7 * 86_400 * SECOND
    other._server.write(f"condition,site=x severity=2.5 {week}".encode())
    report = store.write(
        [
            Record(1, node.telemetry(week, {"temp": [1.0]})),
            Record(2, node.condition(week, severity=Severity.ALARM)),
            Record(3, node.telemetry(week + SECOND, {"temp": [2.0]})),
            Record(4, node.condition(week + SECOND)),
        ]
    )
    assert [each.position for each in report.rejected] == [2, 4]
    assert all("field type conflict" in each.reason for each in report.rejected)
    assert report.points == 2
    assert store.read(series(node, "temp"), week, week + 5 * SECOND).mean == [1.0, 2.0]
    store.close()
    other.close()


def test_a_missing_database_is_unavailable_and_named(influxdb: InfluxDb) -> None:
    store = InfluxStore(InfluxConfig(url=influxdb.url, api="v1", bucket="nowhere"))
    with pytest.raises(StoreUnavailable, match="nowhere"):
        store.write(records(Node(), 2))
    with pytest.raises(StoreUnavailable, match="nowhere"):
        store.read(series(Node(), "temp"), T0, T0 + SECOND)
    store.close()


def test_reading_by_influxql_where_there_is_none_says_so(victoria: VictoriaMetrics) -> None:
    store = InfluxStore(InfluxConfig(url=victoria.url))
    with pytest.raises(StoreUnavailable):
        store.read(series(Node(), "temp"), T0, T0 + SECOND)
    store.close()


def test_names_are_quoted(influxdb: InfluxDb) -> None:
    store = InfluxStore(InfluxConfig(url=influxdb.url, api="v1"))
    nasty = SeriesKey("x' OR 1=1 --", "n\\", "m", "c'; DROP DATABASE werkpuls; --")
    assert store.read(nasty, T0, T0 + SECOND).times_ns == ()
    store.close()
    assert any("werkpuls" in str(table) for table in influxdb.query("SHOW DATABASES"))


def test_export_holds_each_point_once(victoria: VictoriaMetrics) -> None:
    node = Node("export")
    store = InfluxStore(InfluxConfig(url=victoria.url, reads="metricsql"))
    batch = [Record(n, node.telemetry(T0 + n * 10 * SECOND, {"temp": [float(n)] * 10})) for n in range(1, 31)]
    for _ in range(3):
        store.write(batch)
    store.close()
    [(labels, samples)] = victoria.export('telemetry_value{site="export"}')
    assert labels["channel"] == "temp"
    assert samples == [(T0 // 10**6 + (n * 10 + i) * 1000, float(n)) for n in range(1, 31) for i in range(10)]


class Steps:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_positions_settle_later(scripted: Scripted) -> None:
    clock, node = Steps(), Node()
    store = InfluxStore(InfluxConfig(url=scripted.url, settle_s=30), monotonic_s=clock)
    assert store.write(records(node, 10)).settled == 0
    clock.now_s += 20
    assert store.write(records(node, 10, 11)).settled == 0
    clock.now_s += 11
    assert store.write(()).settled == 10
    clock.now_s += 20
    assert store.write(()).settled is None
    store.close()


def test_a_renewed_connection_asks_for_what_had_not_settled(scripted: Scripted) -> None:
    clock, node = Steps(), Node()
    store = InfluxStore(InfluxConfig(url=scripted.url, settle_s=30), monotonic_s=clock)
    store.write(records(node, 10))
    scripted.keep_alive = False
    assert store.write(records(node, 10, 11)).settled == 0
    scripted.keep_alive = True
    time.sleep(0.05)
    with pytest.raises(HandInAgain):
        store.write(records(node, 10, 21))
    # The caller starts again at its position; now the connection lives.
    assert store.write(records(Node(), 30)).settled == 0
    clock.now_s += 31
    assert store.write(()).settled is None
    store.close()


def test_a_server_that_always_hangs_up_still_makes_progress(scripted: Scripted) -> None:
    clock = Steps()
    scripted.keep_alive = False
    store = InfluxStore(InfluxConfig(url=scripted.url, settle_s=30), monotonic_s=clock)
    settled: list[int | None] = []
    again = 0
    for _ in range(40):
        clock.now_s += 10
        try:
            settled.append(store.write(records(Node(), 10)).settled)
        except HandInAgain:
            again += 1
    store.close()
    assert again == 5
    assert len(settled) == 35


def test_an_outage_forgets_what_had_not_settled(scripted: Scripted) -> None:
    clock, node = Steps(), Node()
    store = InfluxStore(InfluxConfig(url=scripted.url, settle_s=30), monotonic_s=clock)
    store.write(records(node, 10))
    scripted.answer = lambda *_: (503, "starting")
    with pytest.raises(StoreUnavailable):
        store.write(records(node, 10, 11))
    scripted.answer = lambda *_: (204, "")
    clock.now_s += 31
    assert store.write(records(Node(), 20)).settled == 0
    store.close()
