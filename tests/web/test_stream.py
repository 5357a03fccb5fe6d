"""The live stream over a real socket: what arrives, what keeps it alive, how it ends, and that it starves nobody."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from support.broker import free_port, until
from support.gateways import Feed, client
from support.openapi import problem

from gateway.daemon import Gateway
from gateway.listener import Listener, LiveEvent
from gateway.live import Live
from gateway.web.stream import MAX_LISTENERS, Stream

URL = "/api/v1/stream"


@contextmanager
def listening(http: httpx.Client, types: str = "") -> Iterator[Iterator[tuple[str, dict[str, object]]]]:
    """Events as they come, once the stream is open."""
    with http.stream("GET", URL, params={"types": types} if types else {}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "retry: 3000"
        yield events(lines)


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, object]]]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def test_events_arrive_as_they_happen(gateway: Gateway, http: httpx.Client, feed: Feed) -> None:
    with listening(http) as heard:
        feed.telemetry({"power": 3.0, "motor_current": 1.0})
        kind, data = next(heard)
        assert (kind, data["machine"], data["values"]) == ("telemetry", "mixer", {"power": 3.0, "motor_current": 1.0})
        feed.condition(score=2.5)
        kind, data = next(heard)
        assert (kind, data["kind"], data["score"]) == ("condition", "condition", 2.5)
        alert = feed.alert()
        gateway.turn()
        kinds = [next(heard), next(heard)]
        assert [kind for kind, _ in kinds] == ["finding", "alert"]
        assert kinds[1][1]["id"] == alert
        gateway.ledger.resolve(alert, done="x", by="Anna")
        gateway.turn()
        kind, data = next(heard)
        assert (kind, data["state"]) == ("alert", "resolved")


def test_only_what_is_wanted(http: httpx.Client, feed: Feed) -> None:
    with listening(http, "condition,health") as heard:
        feed.telemetry({"power": 3.0})
        feed.condition(score=3.5)
        assert next(heard)[1]["score"] == 3.5
    problem(http.get(URL, params={"types": "weather"}), 400, "weather", "condition")
    problem(http.get(URL, params={"kinds": "alert"}), 400, "kinds")


def test_what_was_before_is_not_told_again(gateway: Gateway, http: httpx.Client, feed: Feed) -> None:
    feed.condition(score=1.25)
    until(lambda: gateway.live.position == gateway.journal.stats().next - 1)
    with listening(http, "condition") as heard:
        feed.condition(score=9.5)
        assert next(heard)[1]["score"] == 9.5


def test_many_streams_leave_room_for_requests_and_the_last_one_is_refused(gateway: Gateway, feed: Feed) -> None:
    with ExitStack() as stack:
        heard = [
            stack.enter_context(listening(stack.enter_context(client(gateway)), "condition"))
            for _ in range(MAX_LISTENERS)
        ]
        http = stack.enter_context(client(gateway))
        refused = http.get(URL)
        problem(refused, 503, str(MAX_LISTENERS))
        assert refused.headers["retry-after"] == "30"
        assert http.get("/api/v1/stats").status_code == 200
        feed.condition(score=7.0)
        assert {next(one)[1]["score"] for one in heard} == {7.0}
    with client(gateway) as http:
        until(lambda: http.head(URL).status_code == 200, what="the streams' places were not given back")


@pytest.fixture
def live(gateway: Gateway) -> Live:
    return Live(gateway.journal)


@contextmanager
def served(stream: Stream) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=[Route(URL, stream.serve)]),
            port=port,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def test_silence_is_broken_by_comments_and_the_view_s_end_ends_it(live: Live) -> None:
    stream = Stream(live, keep_alive_s=0.02)
    with served(stream) as url, httpx.stream("GET", url + URL, trust_env=False, timeout=5) as answer:
        lines = filter(None, answer.iter_lines())
        assert [next(lines) for _ in range(3)] == ["retry: 3000", ": alive", ": alive"]
        live.stop()
        assert set(lines) <= {": alive"}
        until(lambda: stream.open == 0)


def test_a_client_that_goes_is_forgotten(live: Live) -> None:
    stream = Stream(live, keep_alive_s=5.0)
    with served(stream) as url:
        with httpx.stream("GET", url + URL, trust_env=False, timeout=5) as answer:
            lines = answer.iter_lines()  # kept: one that is dropped closes the stream
            assert next(lines) == "retry: 3000"
            assert stream.open == 1
        until(lambda: stream.open == 0)


def test_a_client_that_takes_nothing_holds_up_nobody_and_is_told_what_it_missed(live: Live) -> None:
    stream = Stream(live, keep_alive_s=5.0)
    with served(stream) as url:
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(f"GET {URL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            until(lambda: stream.open == 1)
            until(lambda: len(live._listeners) == 1)
            large = LiveEvent.of("health", "x" * 20_000)
            for _ in range(3000):  # 60 MB: more than sockets and buffers take
                live.publish(large)
            live.publish(LiveEvent.of("alert", "the last one"))
            taken = b""
            while b"the last one" not in taken:
                taken += raw.recv(1_000_000)
            assert b"event: dropped" in taken


def test_a_slow_listener_loses_the_oldest_and_hears_how_many() -> None:
    woken: list[bool] = []
    listener = Listener(frozenset({"reply", "dropped"}), wake=lambda: woken.append(True), limit=3)
    for number in range(5):
        listener.put(LiveEvent.of("reply", number))
        listener.put(LiveEvent.of("telemetry", number))
    taken = listener.take()
    assert [(event.type, event.data) for event in taken] == [
        ("dropped", b'{"events":2}'), ("reply", b"2"), ("reply", b"3"), ("reply", b"4")
    ]  # fmt: skip
    assert len(woken) == 1
    assert listener.take() == []
    listener.close()
    listener.put(LiveEvent.of("reply", 9))
    assert listener.take() == []
    assert len(woken) == 2
