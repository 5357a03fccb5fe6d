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


def retired(gateway: Gateway, node: RawNode, http: httpx.Client) -> None:
    """It has come, found something, gone, and a person has said that it is no longer in use."""
    connected(gateway)
    speak(gateway, node, first=1)
    go(gateway, node)
    assert say_so(http).status_code == 200


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
            assert [(one["alert"]["state"], one["alert"]["count"]) for one in alerts] == [("open", alert["count"] + 1)]
        with at(tmp_path / "gateway", broker) as gateway:
            assert gateway.ingest.retired() == frozenset()
            assert [one.last for one in gateway.ingest.nodes() if one.node == "oven-pi"] == [4]


def test_what_a_daemon_had_found_is_there_again_when_it_comes_back_and_says_nothing_new(
    tmp_path: Path, broker: Broker
) -> None:
    with RawNode(broker.port) as node:
        node.up()
        with at(tmp_path / "gateway", broker) as gateway, client(gateway) as http:
            retired(gateway, node, http)
            assert not gateway.ledger.open_alerts()
            assert not gateway.ingest._durable, "nothing of it is kept"
        with at(tmp_path / "gateway", broker) as gateway:
            connected(gateway)
            assert node.status(oldest=3, acked=2, next=3).wait(10)
            until(lambda: bool(gateway.ledger.open_alerts()))
            (alert,) = gateway.ledger.open_alerts()
            assert (alert.machine, alert.severity, alert.reopened) == ("mixer", Severity.ALARM, 1)
            assert [entry.what for entry in gateway.ledger.history(alert.id)] == ["opened", "resolved", "still_there"]


def test_what_it_sends_again_when_it_comes_back_is_not_taken_twice(tmp_path: Path, broker: Broker) -> None:
    with RawNode(broker.port) as node:
        node.up()
        with at(tmp_path / "gateway", broker) as gateway, client(gateway) as http:
            retired(gateway, node, http)
        with at(tmp_path / "gateway", broker) as gateway:
            connected(gateway)
            kept = gateway.journal.stats().next
            # All of it is still in its journal, and it was away when it was acknowledged.
            assert node.status(oldest=1, acked=0, next=4).wait(10)
            for number in (1, 2, 3):
                assert node.say(node.message(number, prev=number - 1, machine="mixer")).wait(10)
            until(lambda: [one.last for one in gateway.ingest.nodes()] == [3])
            assert gateway.ingest.stats().duplicates == 2
            assert gateway.journal.stats().next == kept + 1
            until(lambda: node.acks()[-1].seq == 3)


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
        for nobody in ("", " ", "x" * 81):
            sorry = http.post("/nodes/oven-pi/sense", data={"lang": language, "by": nobody})
            assert sorry.status_code == 422
            assert gateway.services.wording(language).word("page", "nameless") in sorry.text
            assert '<details id="retire-oven-pi-sense" open>' in sorry.text
        assert not gateway.ingest.retired()
        done = http.post("/nodes/oven-pi/sense", data={"lang": language, "by": "Anna"})
        assert (done.status_code, done.headers["location"]) == (303, f"/?lang={language}#nodes")
        page = http.get("/", params={"lang": language}).text
        assert button not in page
        assert "oven-pi" not in page
        again = http.post("/nodes/oven-pi/sense", data={"lang": language, "by": "Bert"})
        assert again.status_code == 303, "pressed twice"
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


class Desk:
    """Alerts of one book, and a daemon that is retired and comes back."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.book = MemoryBook(self.policy)
        self.triage = Triage(self.book, self.policy)

    def gone(self, at_s: float, node: str = "pi-1") -> None:
        for alert in list(self.book.alerts.values()):
            mine = {source for source in alert.held if source.startswith(f"{node}/")}
            self.book.put(retire(alert, mine, seen(at_s).at_ns, self.policy, by="Anna"))

    def back(self, at_s: float, node: str = "pi-1") -> None:
        for alert in list(self.book.alerts.values()):
            mine = {source for source in alert.held if source.startswith(f"{node}/")}
            self.triage.come_back(alert, mine, seen(at_s).at_ns)

    def states(self) -> list[State]:
        return [alert.state for alert in self.book.alerts.values()]


def test_an_alert_that_another_node_opened_meanwhile_takes_up_what_is_there_again() -> None:
    desk = Desk()
    desk.triage.observe(seen(0, severity=Severity.ALARM))
    desk.gone(1)
    desk.triage.observe(seen(2, node="pi-2", severity=Severity.ALARM))
    assert desk.states() == [State.RESOLVED, State.OPEN]
    desk.back(3)
    assert desk.states() == [State.RESOLVED, State.OPEN]
    old, new = desk.book.alerts.values()
    assert (old.held, sorted(new.active)) == ({}, ["pi-1/sense/mixer/f1", "pi-2/sense/mixer/f1"])
    desk.back(4)
    assert list(desk.book.alerts.values()) == [old, new], "nothing is there twice"


def test_what_was_called_done_is_there_again_too_and_what_is_cleared_is_not() -> None:
    desk = Desk()
    desk.triage.observe(seen(0, severity=Severity.ALARM))
    desk.triage.observe(seen(0, id="f2", machine="oven", severity=Severity.ALARM))
    mixer, oven = desk.book.alerts
    desk.triage.resolve(mixer, done="greased", by="Anna", at_ns=seen(1).at_ns)
    desk.gone(2)
    desk.triage.observe(seen(3, id="f2", machine="oven", state="cleared"))
    desk.back(4)
    assert [desk.book.alerts[each].state for each in (mixer, oven)] == [State.OPEN, State.RESOLVED]


def test_what_was_not_an_alert_yet_waits_to_become_one_and_a_nodes_own_trouble_is_seen_anew() -> None:
    desk = Desk()
    desk.triage.observe(seen(0, severity=Severity.WARNING))
    desk.triage.observe(seen(0, id="node_hot", machine="pi-1", kind="node", cause="node_hot", severity=Severity.ALARM))
    desk.gone(1)
    assert desk.states() == [State.PASSED, State.RESOLVED]
    desk.back(2)
    assert desk.states() == [State.PENDING, State.RESOLVED]
    desk.triage.tick(seen(2 + desk.policy.min_open_s).at_ns)
    assert desk.states() == [State.OPEN, State.RESOLVED]
