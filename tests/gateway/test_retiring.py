"""A node that is no longer in use: gone from every part of the gateway, over restarts too, and new when it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.alerts import SECOND, MemoryBook, seen
from support.broker import Broker, until
from support.gateways import client, running
from support.openapi import check
from support.raw import RawNode

from gateway.alerts import Policy, State
from gateway.daemon import Gateway
from gateway.lifecycle import retire
from gateway.triage import Triage
from wire.messages import Severity

URL = "/api/v1/nodes/oven-pi/sense/retire"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


def at(folder: Path, broker: Broker) -> Any:
    return running(folder, broker=broker.port)


def connected(gateway: Gateway) -> None:
    until(lambda: gateway.ingest.stats().link.connected)


def speak(gateway: Gateway, node: RawNode, *, first: int, acked: int = 0) -> None:
    """Comes online, reports a reading and a fault."""
    assert node.status(oldest=first, acked=acked, next=first + 2).wait(10)
    assert node.say(node.message(first, prev=first - 1, machine="mixer")).wait(10)
    fault = node.message(first + 1, kind="finding", id="f1", type="machine", state="open", cause="looseness",
                         severity="alarm", since_ms=-1000.0, machine="mixer")  # fmt: skip
    del fault["series"]
    assert node.say(fault, stream="finding").wait(10)
    until(lambda: bool(gateway.ledger.open_alerts()))
    until(lambda: gateway.live.machine("oven-pi", "mixer") is not None)


def go(gateway: Gateway, node: RawNode) -> None:
    """Says goodbye."""
    assert node.status(online=False).wait(10)
    until(lambda: not gateway.ingest.nodes()[0].online)


def say_so(http: httpx.Client, url: str = URL) -> httpx.Response:
    return http.post(url, json={"by": "Anna"})


def test_it_is_gone_from_every_part_over_a_restart_and_new_when_it_comes_back(tmp_path: Path, broker: Broker) -> None:
    with RawNode(broker.port) as node:
        node.up()
        with at(tmp_path / "gateway", broker) as gateway, client(gateway) as http:
            connected(gateway)
            speak(gateway, node, first=1)
            assert check(say_so(http))["status"] == 409, "what is connected is in use"
            go(gateway, node)
            queued = check(
                http.post("/api/v1/machines/oven-pi/mixer/commands", json={"action": "relearn", "by": "Anna"})
            )
            assert check(say_so(http, "/api/v1/nodes/other/sense/retire"))["status"] == 404
            assert say_so(http).status_code == 200
            assert (check(http.get("/api/v1/nodes")), check(http.get("/api/v1/machines"))) == ([], [])
            (alert,) = (one["alert"] for one in check(http.get("/api/v1/alerts", params={"state": "all"})))
            assert (alert["state"], alert["resolution"], alert["resolved_by"]) == ("resolved", "retired", "Anna")
            assert check(http.get(f"/api/v1/commands/{queued['id']}"))["state"] == "expired"
            told = check(http.get("/api/v1/audit"))[0]
            assert (told["by"], told["what"], told["object"]) == ("Anna", "retire", "oven-pi/sense")
            assert check(say_so(http))["status"] == 404
        # The broker says the goodbye again, the journal and the store still hold its readings.
        with at(tmp_path / "gateway", broker) as gateway, client(gateway) as http:
            connected(gateway)
            other = RawNode(broker.port, name="new-pi")
            with other:
                other.up()
                assert other.status().wait(10)
                until(lambda: [one["node"] for one in check(http.get("/api/v1/nodes"))] == ["new-pi"])
            assert check(http.get("/api/v1/machines")) == []
            assert gateway.ingest.retired() == {("oven-pi", "sense")}
            # It comes back, and goes on in its journal.
            speak(gateway, node, first=3, acked=2)
            until(
                lambda: (
                    ("oven-pi", True, 4)
                    in [(one["node"], one["online"], one["last"]) for one in check(http.get("/api/v1/nodes"))]
                )
            )
            assert [one["machine"] for one in check(http.get("/api/v1/machines"))] == ["mixer"]
            alerts = check(http.get("/api/v1/alerts", params={"state": "all"}))
            assert sorted(one["alert"]["state"] for one in alerts) == ["open", "resolved"], (
                "the old alert is not opened again"
            )
        with at(tmp_path / "gateway", broker) as gateway:
            assert gateway.ingest.retired() == frozenset()
            assert [one.last for one in gateway.ingest.nodes() if one.node == "oven-pi"] == [4]


@pytest.mark.parametrize(
    ("language", "button"), [("de", "Ist nicht mehr im Einsatz"), ("en", "It is no longer in use")]
)
def test_the_page_offers_it_for_a_node_that_is_away(tmp_path: Path, broker: Broker, language: str, button: str) -> None:
    with RawNode(broker.port) as node, at(tmp_path / "gateway", broker) as gateway, client(gateway) as http:
        node.up()
        connected(gateway)
        speak(gateway, node, first=1)
        assert button not in http.get("/", params={"lang": language}).text
        go(gateway, node)
        assert button in http.get("/", params={"lang": language}).text
        done = http.post("/nodes/oven-pi/sense", data={"lang": language, "by": "Anna"})
        assert (done.status_code, done.headers["location"]) == (303, f"/?lang={language}#nodes")
        page = http.get("/", params={"lang": language}).text
        assert button not in page
        assert "oven-pi" not in page
        assert http.post("/nodes/oven-pi/sense", data={"lang": language}).status_code == 303, "pressed twice"
        assert gateway.ledger.audit()[0].by == "Anna"


def test_an_alert_that_others_report_too_stays_and_one_that_was_called_done_does_not_come_back() -> None:
    policy = Policy()
    book = MemoryBook(policy)
    triage = Triage(book, policy)
    triage.observe(seen(0, severity=Severity.ALARM))
    triage.observe(seen(1, node="pi-2", severity=Severity.WARNING))
    (alert,) = book.alerts.values()
    mine = {source for source in alert.active if source.startswith("pi-1/")}
    book.put(retire(alert, mine, seen(2).at_ns, policy, by="Anna"))
    (left,) = book.alerts.values()
    assert (left.state, [*left.active]) == (State.OPEN, ["pi-2/sense/mixer/f1"])
    triage.resolve(left.id, done="greased", by="Anna", at_ns=seen(3).at_ns)
    book.put(retire(book.alerts[left.id], {"pi-2/sense/mixer/f1"}, seen(4).at_ns, policy, by="Anna"))
    triage.tick(seen(4).at_ns + round(2 * policy.reopen_s * SECOND))
    assert book.alerts[left.id].state is State.RESOLVED
    assert book.alerts[left.id].settled == {}
