"""What is refused gets a problem document that says what was wrong, and the gateway goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.gateways import Feed
from support.openapi import check, problem

from gateway.daemon import Gateway
from gateway.ledger_file import LedgerUnavailable
from gateway.store.base import StoreUnavailable
from gateway.web.endpoint import MAX_BODY_BYTES
from wire.journal import JournalError

MIXER = "/api/v1/machines/oven-pi/mixer"
NOTE = "/api/v1/alerts/a-1/note"


@pytest.fixture(scope="module", autouse=True)
def machine(feed: Feed) -> None:
    feed.condition()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=shut", ("state",)),
        ("limit=0", ("limit",)),
        ("limit=lots", ("limit",)),
        ("limit=99999999999999999999999", ("limit",)),
        ("lang=fr", ("lang",)),
        ("wide=1", ("unknown parameter 'wide'", "state")),
        ("limit=1&limit=2", ("twice",)),
    ],
)
def test_parameters(http: httpx.Client, query: str, words: tuple[str, ...]) -> None:
    answer = http.get(f"/api/v1/alerts?{query}")
    problem(answer, 400, *words)
    check(answer)


@pytest.mark.parametrize(
    "query",
    ["", "channel=", "channel=a&minutes=nan", "channel=a&minutes=inf", "channel=a&minutes=-1", "channel=a&minutes=1e-9",
     "channel=a&points=1", "channel=a&points=1.5", "channel=a&until_ms=0", "channel=a&until_ms=99999999999999999"],
)  # fmt: skip
def test_charts_that_make_no_sense(http: httpx.Client, query: str) -> None:
    problem(http.get(f"{MIXER}/chart?{query}"), 400, "parameter")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["channel", "minutes", "until_ms", "points"]), st.text(max_size=12) | st.floats().map(str)
    )
)
def test_whatever_is_asked_of_a_chart_is_answered(http: httpx.Client, query: dict[str, str]) -> None:
    assert http.get(f"{MIXER}/chart", params=query).status_code in {200, 400}


@pytest.mark.parametrize("path", ["/api/v1/machines/oven-pi/no-such", "/api/v1/alerts/a-1", "/api/v1/commands/c-1",
                                  "/api/v2/machines", "/static/../api.py", "/static/none.js"])  # fmt: skip
def test_what_is_not_there(http: httpx.Client, path: str) -> None:
    problem(http.get(path), 404)


def test_names_that_are_none(http: httpx.Client) -> None:
    problem(http.get("/api/v1/machines/Oven%20Pi/mixer"), 400, "node")
    problem(http.post("/api/v1/deliveries/nobody/x/enable", json={"by": "Anna"}), 400, "kind")
    problem(http.post("/api/v1/deliveries/person/x/enable", json={"by": "Anna"}), 404, "person x")
    problem(http.post("/api/v1/dead-letters/7/resend", json={"by": "Anna"}), 404, "7")
    problem(http.post(f"/api/v1/dead-letters/{2**64}/resend", json={"by": "Anna"}), 400, "letter")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/v1/machines"), ("POST", "/api/v1/alerts"), ("GET", NOTE),
                                              ("PUT", "/"), ("POST", "/health"), ("POST", "/api/v1/stream")])  # fmt: skip
def test_wrong_method(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    problem(answer, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"by": "Anna", "text": "x"}', "text/plain", 415),
        (b'{"by": "Anna", "text": "x"}', "", 415),
        (b'{"by": "Anna", "text": ', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"by": 7, "text": "x"}', "application/json", 422),
        (b'{"by": "", "text": "x"}', "application/json", 422),
        (b'{"by": "Anna"}', "application/json", 422),
        (b'{"by": "Anna", "text": "x", "extra": 1}', "application/json", 422),
        (b'{"by": "Anna", "text": "x", "version": -1}', "application/json", 422),
        (b'{"by": "Anna", "text": "x"}', "application/json; charset=utf-8", 404),
        (b'{"by": "' + b"a" * 81 + b'", "text": "x"}', "application/json", 422),
    ],
)
def test_bodies(http: httpx.Client, content: bytes, kind: str, status: int) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = http.post(NOTE, content=content, headers=headers)
    if content.startswith(b"[["):
        assert answer.status_code in {400, 422}
        return
    problem(answer, status)
    check(answer)


def chunks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * 8192


def test_a_body_that_is_too_large(http: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    limit = str(MAX_BODY_BYTES)
    problem(http.post(NOTE, content=b" " * (MAX_BODY_BYTES + 1), headers=headers), 413, limit)
    # Without a length given beforehand.
    problem(http.post(NOTE, content=chunks(9), headers=headers), 413, limit)
    form = {"content-type": "application/x-www-form-urlencoded"}
    problem(http.post("/alerts/a-1", content=b"a" * 20_000, headers=form), 413)
    problem(http.post("/alerts/a-1", content=chunks(2), headers=form), 413)


def test_forms_that_no_page_of_ours_sends(http: httpx.Client) -> None:
    problem(http.post("/alerts/a-1", json={}), 415)
    problem(http.post("/alerts/a-1", data={"action": "explode"}), 400, "explode")
    problem(http.post("/alerts/a-1", data={f"f{n}": "x" for n in range(30)}), 400, "form")
    problem(http.post("/deliveries/nothing/x", data={"by": "a"}), 404)


def test_what_is_not_http_is_answered_and_does_no_harm(gateway: Gateway, http: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", gateway.options.web.port), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    with socket.create_connection(("127.0.0.1", gateway.options.web.port), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000)
        assert raw.recv(100).startswith(b"HTTP/1.1 4")
    assert http.get("/").status_code == 200


class Broken:
    """Stands in for a part whose disk or server is gone: whatever is asked of it raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Any:
        def refuse(*_args: object, **_values: object) -> None:
            raise self._error

        return refuse


@pytest.mark.parametrize(
    ("part", "error", "path"),
    [
        ("ledger", LedgerUnavailable("disk full"), "/api/v1/alerts"),
        ("ledger", LedgerUnavailable("disk full"), "/api/v1/audit"),
        ("ledger", LedgerUnavailable("disk full"), "/"),
        ("store", StoreUnavailable("away"), f"{MIXER}/channels"),
        ("store", StoreUnavailable("away"), f"{MIXER}/chart?channel=a"),
        ("journal", JournalError("closed"), "/api/v1/stats"),
    ],
)
def test_a_part_that_cannot_answer_now(
    gateway: Gateway, http: httpx.Client, part: str, error: Exception, path: str
) -> None:
    sound = getattr(gateway.services, part)
    object.__setattr__(gateway.services, part, Broken(error))
    try:
        answer = http.get(path)
    finally:
        object.__setattr__(gateway.services, part, sound)
    problem(answer, 503, str(error))
    assert answer.headers["retry-after"] == "5"
    assert http.get(path).status_code == 200


def test_the_page_stands_while_the_store_is_away(gateway: Gateway, http: httpx.Client, feed: Feed) -> None:
    feed.telemetry({"power": 3.0})
    sound = gateway.services.store
    object.__setattr__(gateway.services, "store", Broken(StoreUnavailable("away")))
    try:
        answer = http.get("/")
    finally:
        object.__setattr__(gateway.services, "store", sound)
    assert answer.status_code == 200
    assert "Spiralkneter" in answer.text


def test_an_error_of_our_own_is_a_problem_document_without_its_insides(gateway: Gateway, http: httpx.Client) -> None:
    sound = gateway.services.ledger
    object.__setattr__(gateway.services, "ledger", Broken(RuntimeError("secret insides")))
    try:
        answer = http.get("/api/v1/audit")
    finally:
        object.__setattr__(gateway.services, "ledger", sound)
    assert "secret" not in str(problem(answer, 500))


def test_health_tells_a_ledger_and_a_journal_that_cannot_be_read(gateway: Gateway, http: httpx.Client) -> None:
    sound = gateway.services.ledger
    object.__setattr__(gateway.services, "ledger", Broken(LedgerUnavailable("locked")))
    try:
        answer = http.get("/health")
    finally:
        object.__setattr__(gateway.services, "ledger", sound)
    assert answer.status_code == 503
    assert "the ledger cannot be read" in check(answer)["trouble"]
