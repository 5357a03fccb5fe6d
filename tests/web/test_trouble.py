"""What is wrong with the gateway itself is said to monitors and, with what to do, to people; nothing is called calm meanwhile."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import string
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from support.broker import until
from support.gateways import Feed

from gateway.daemon import Gateway
from gateway.services import Failures
from gateway.stumbles import Stumbles
from gateway.web.trouble import TEXTS, Trouble, sentences, troubles
from gateway.wording import LANGUAGES, Wording
from wire.messages import Severity


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


def test_a_part_that_fails_over_and_over_is_told_though_its_thread_lives(gateway: Gateway) -> None:
    services = dataclasses.replace(
        gateway.services,
        failures={
            "notifying": lambda: Failures(3, "json did not take the message"),
            "relating": lambda: Failures(1, "closed"),
        },
    )
    assert {"people", "relating"} <= {one.code for one in troubles(services)}
    assert not {"people", "relating"} & {one.code for one in troubles(gateway.services)}


def test_people_read_whom_an_alert_is_about_that_cannot_be_worked_on_and_monitors_do_not() -> None:
    stumbles = Stumbles()
    stumbles.stumbled("alert a1", "deck-oven", ValueError("year 33715 is out of range"), 0)
    found = [Trouble("alert", machines=tuple(one.about for one in stumbles.present().values()))]
    (said,) = sentences(found, Wording("de", titles={"deck-oven": "Etagenofen"}))
    assert "Bitte selbst nachsehen bei: Etagenofen." in said
    assert found[0].text == "an alert cannot be worked on"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trouble_has_words_in_every_language(language: str) -> None:
    texts = Wording(language).catalogue["troubles"]
    assert set(texts) == set(TEXTS)
    assert {name for text in texts.values() for _, name, _, _ in string.Formatter().parse(text) if name} == {"machines"}


def test_nothing_is_called_calm_while_no_node_can_be_heard(gateway: Gateway, http: httpx.Client) -> None:
    assert not gateway.ingest.stats().link.connected
    page = http.get("/?lang=de").text
    assert "Das Gateway hört zurzeit keine Messstelle" in page
    assert "Alles läuft wie gewohnt" not in page
