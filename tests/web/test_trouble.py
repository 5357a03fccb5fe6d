"""What is wrong with the gateway itself is said to monitors and, with what to do, to people; nothing is called calm meanwhile."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from support.broker import until
from support.gateways import Feed, hears_its_broker

from gateway.alerts import Alert
from gateway.daemon import Gateway
from gateway.origins import OriginState
from gateway.services import Failures
from gateway.stumbles import Stumbles
from gateway.web.trouble import TEXTS, Trouble, sentences, troubles
from gateway.wording import LANGUAGES, Description, Wording
from wire.messages import Condition, Severity, Trust


@contextmanager
def writing(gateway: Gateway) -> Iterator[None]:
    """Somebody else holds the ledger."""
    gateway.ledger._file._writer.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(gateway.options.state.dir / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def health(http: httpx.Client) -> list[str]:
    return list(http.get("/health").json()["trouble"])


def test_alerts_that_cannot_be_worked_on_are_told_until_they_can(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    def failures() -> float:
        found = re.search(r'werkpuls_part_failures_total\{part="alerting"\} (\S+)', http.get("/metrics").text)
        assert found is not None
        return float(found[1])

    before = failures()
    assert TEXTS["alerting"] not in health(http)
    with writing(gateway):
        feed.finding(severity=Severity.ALARM)
        until(lambda: TEXTS["alerting"] in health(http))
        assert failures() > before
        page = http.get("/?lang=de").text
        assert "Neue Meldungen können zurzeit nicht bearbeitet werden" in page
        assert "selbst nach den Maschinen sehen" in page
        assert "please look after the machines yourself" in http.get("/?lang=en").text
    until(lambda: TEXTS["alerting"] not in health(http))
    assert "Neue Meldungen können" not in http.get("/?lang=de").text
    until(lambda: len(gateway.ledger.open_alerts()) == 1, what="it was not lost")
    gateway.ledger.resolve(gateway.ledger.open_alerts()[0].id, done="x", by="Anna")


def test_a_part_that_fails_over_and_over_is_told_though_its_thread_lives(gateway: Gateway) -> None:
    services = dataclasses.replace(
        gateway.services,
        failures={
            "notifying": lambda: Failures(3, "KeyError: 'x'"),
            "relating": lambda: Failures(1, "closed"),
        },
    )
    assert {"telling", "relating"} <= {one.code for one in troubles(services)}
    assert not {"telling", "relating"} & {one.code for one in troubles(gateway.services)}


def test_people_read_whom_an_alert_is_about_that_cannot_be_worked_on_and_monitors_do_not() -> None:
    stumbles = Stumbles()
    stumbles.stumbled("alert a1", "deck-oven", ValueError("year 33715 is out of range"), 0)
    found = [Trouble("alert", machines=tuple(one.about for one in stumbles.present().values()))]
    (said,) = sentences(found, Wording("de", titles={"deck-oven": "Etagenofen"}))
    assert "Bitte selbst nachsehen bei: Etagenofen." in said
    assert found[0].text == "an alert cannot be worked on"


def test_people_read_who_is_not_told_and_monitors_do_not(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.ledger.outbox, "unreached", lambda _kind, **_since: ["anna#1", "anna#2", "bert#1"])
    (found,) = (one for one in troubles(gateway.services) if one.code == "people")
    (said,) = sentences([found], Wording("de"))
    assert "Nachrichten an anna, bert gehen nicht hinaus." in said
    assert found.text == "people cannot be told"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trouble_has_words_in_every_language(language: str) -> None:
    texts = Wording(language).catalogue["troubles"]
    assert set(texts) == set(TEXTS)
    named = {name for text in texts.values() for _, name, _, _ in string.Formatter().parse(text) if name}
    assert named == {"machines", "people"}


def test_nothing_is_called_calm_while_no_node_can_be_heard(gateway: Gateway, http: httpx.Client) -> None:
    assert not gateway.ingest.stats().link.connected
    page = http.get("/?lang=de").text
    assert "Das Gateway hört zurzeit keine Messstelle" in page
    assert "Alles läuft wie gewohnt" not in page


def test_a_machine_is_not_called_good_by_what_was_said_ten_days_ago(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = OriginState("bakery", "oven-pi", "sense", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    hears_its_broker(gateway, monkeypatch)
    known = gateway.live.machines
    monkeypatch.setattr(gateway.live, "machines", lambda: [each for each in known() if each.machine == "press"])

    def page(age_s: float, **fields: Any) -> str:
        told = feed.condition(machine="press", time_ns=time.time_ns() - round(age_s * 1e9), **fields)

        def arrived() -> bool:
            state = gateway.live.machine("oven-pi", "press")
            return state is not None and state.condition == told

        until(arrived)
        return http.get("/?lang=de").text

    old = page(10 * 86_400)
    card = old[old.index('id="machine-oven-pi-press"') :].partition("</article>")[0]
    assert '<span class="pill new">keine Nachricht</span>' in card
    assert "Letzte Nachricht: 10 Tage her" in card
    assert "zuletzt gehört: 10 Tage her" in card
    assert "aus- und wieder einschalten" in card
    assert "Alles läuft wie gewohnt" not in old
    (seen,) = http.get("/api/v1/machines").json()
    assert (seen["stale"], seen["severity"]) == (True, None)
    assert 'werkpuls_machine_score{machine="press"' not in http.get("/metrics").text
    assert "keine Nachricht" in page(700.0, severity=Severity.ALARM), "nobody knows whether that lasts"
    fresh = page(5.0)
    assert "keine Nachricht" not in fresh
    assert "Alles läuft wie gewohnt" in fresh


def test_what_cannot_be_drawn_takes_no_other_card_with_it(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = {machine: feed.alert(id=machine, machine=machine) for machine in ("drill", "lathe")}
    for machine in alerts:
        feed.condition(machine=machine, regime=machine)

    def condition(machine: str) -> Condition | None:
        state = gateway.live.machine("oven-pi", machine)
        return None if state is None else state.condition

    until(lambda: all(condition(machine) is not None for machine in alerts))
    word, describe = Wording.word, Wording.describe

    def worded(self: Wording, section: str, code: str) -> str:
        if code == "drill":
            raise OverflowError("date value out of range")
        return word(self, section, code)

    def described(self: Wording, alert: Alert, **values: Any) -> Description:
        if alert.machine == "drill":
            raise ValueError("year 33715 is out of range")
        return describe(self, alert, **values)

    monkeypatch.setattr(Wording, "word", worded)
    monkeypatch.setattr(Wording, "describe", described)
    there = OriginState("bakery", "oven-pi", "sense", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    page = http.get("/?lang=de")
    assert page.status_code == 200

    def card(name: str) -> str:
        return page.text[page.text.index(f'id="{name}"') :].partition("</article>")[0]

    drill, lathe = (card(f"machine-oven-pi-{machine}") for machine in ("drill", "lathe"))
    assert "Diese Maschine kann hier nicht angezeigt werden" in drill
    assert '<span class="pill new">' in drill
    assert 'class="meter' in lathe
    assert "Diese Meldung kann hier nicht ausführlich angezeigt werden" in card(f"alert-{alerts['drill']}")
    assert 'value="acknowledge"' in card(f"alert-{alerts['drill']}")
    assert "ausführlich" not in card(f"alert-{alerts['lathe']}")
    for alert in alerts.values():
        gateway.ledger.resolve(alert, done="x", by="Anna")
