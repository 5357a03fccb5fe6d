"""The buttons of a machine's card as HTML: what they ask of the node, and what the card says of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from support.broker import until
from support.gateways import Feed, running

from gateway.daemon import Gateway
from gateway.ledger_file import LedgerUnavailable
from gateway.origins import OriginState
from wire.commands import EXPIRED
from wire.messages import Reply, Trust

MIXER = "/machines/oven-pi/mixer"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def machines(gateway: Gateway, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    there = OriginState("bakery", "oven-pi", "sense", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    feed.condition()
    feed.telemetry({"power": 1.0}, machine="silent")
    until(lambda: gateway.live.machine("oven-pi", "silent") is not None)


def card(http: httpx.Client, machine: str = "mixer", language: str = "de") -> str:
    page = http.get(f"/?lang={language}").text
    return page[page.index(f'id="machine-oven-pi-{machine}"') :].partition("</article>")[0]


def press(http: httpx.Client, button: str, by: str = "Anna") -> httpx.Response:
    return http.post(MIXER, data={"action": button, "by": by, "lang": "de"})


def answer(gateway: Gateway, feed: Feed, *, ok: bool = True, reason: str = "", code: str | None = None) -> None:
    command = gateway.ledger.commands(limit=1)[0]
    envelope = feed.node.envelope(time.time_ns())
    feed.tell(
        Reply(command=command.id, machine="mixer", action=command.action, ok=ok, reason=reason, code=code, **envelope)
    )
    until(lambda: gateway.live.reply(command.id) is not None)


@pytest.mark.parametrize(
    ("button", "action", "said"),
    [("pause_30", "pause", "1800 s"), ("pause_120", "pause", "7200 s"), ("resume", "resume", ""),
     ("confirm_normal", "confirm_normal", ""), ("relearn", "relearn", "")],
)  # fmt: skip
def test_a_button_asks_the_node_and_is_in_the_audit_trail(
    gateway: Gateway, feed: Feed, http: httpx.Client, button: str, action: str, said: str
) -> None:
    pressed = press(http, button)
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/?lang=de#machine-oven-pi-mixer")
    asked = gateway.ledger.commands(limit=1)[0]
    assert (asked.node, asked.machine, asked.origin, asked.action, asked.by) == (
        "oven-pi",
        "mixer",
        "sense",
        action,
        "Anna",
    )
    line = gateway.ledger.audit(limit=1)[0]
    assert (line.by, line.what, line.object, line.text) == ("Anna", action, "oven-pi/mixer", said)
    assert "die Antwort steht noch aus" in card(http)
    answer(gateway, feed)
    assert "Die Messstelle macht es" in card(http)
    until(lambda: gateway.ledger.commands(limit=1)[0].state == "done")
    assert "(Anna, " in card(http)
    assert "the node does it" in card(http, language="en")


def test_a_paused_machine_says_until_when_and_is_not_called_good(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    assert "In Ordnung" in card(http)
    assert 'value="resume"' not in card(http)
    told = feed.condition(paused=True, paused_left_s=1800.0)
    until(lambda: (state := gateway.live.machine("oven-pi", "mixer")) is not None and state.condition == told)
    words = gateway.services.wording("de")
    ends = {words.clock(told.time_ns + round((1800 + late) * 1e9))[:5] for late in (-1, 0, 1)}
    paused = card(http)
    assert any(f"Überwachung macht Pause bis {moment}<" in paused for moment in ends)
    assert "In Ordnung" not in paused
    assert 'value="resume"' in paused
    told = feed.condition(paused=True)
    until(lambda: (state := gateway.live.machine("oven-pi", "mixer")) is not None and state.condition == told)
    assert "Überwachung macht Pause<" in card(http), "one without end"


def test_a_node_that_is_away_gets_it_when_it_is_back_and_no_pause_that_would_be_over(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.ingest, "nodes", list)
    press(http, "relearn")
    learn = gateway.ledger.commands(limit=1)[0]
    assert round((learn.expires_ns - learn.at_ns) / 1e9) == 24 * 3600
    until_then = gateway.services.wording("de").when(learn.expires_ns)
    assert f"Die Messstelle ist gerade nicht da. Kommt sie bis {until_then} wieder, macht sie es dann." in card(http)
    press(http, "pause_30")
    pause = gateway.ledger.commands(limit=1)[0]
    assert round((pause.expires_ns - pause.at_ns) / 1e9) == 1800
    assert 'value="resume"' in card(http), "a pause that is on its way can be taken back"
    with gateway.ledger.transaction() as work:
        work.execute("UPDATE commands SET expires_ns = at_ns WHERE id = ?", (pause.id,))
    assert "war nicht rechtzeitig da, es ist nichts geschehen" in card(http)


def test_what_the_node_refuses_is_said_with_its_reason(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    press(http, "relearn")
    answer(gateway, feed, ok=False, reason="<b>no</b>")
    assert "Die Messstelle hat es nicht getan (&lt;b&gt;no&lt;/b&gt;)" in card(http)
    press(http, "pause_30")
    answer(gateway, feed, ok=False, reason="the hour is late", code=EXPIRED)
    assert "war nicht rechtzeitig da" in card(http)
    until(lambda: gateway.ledger.commands(limit=1)[0].state == "expired")
    assert "war nicht rechtzeitig da" in card(http)


def test_what_is_not_taken_is_said_in_plain_words_and_the_menu_stays_open(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(gateway.ledger.commands(limit=1000))
    nameless = press(http, "relearn", by=" ")
    assert nameless.status_code == 422
    assert "Bitte den Namen eintragen" in nameless.text
    assert nameless.text.count("<details open>") == 1
    gone = http.post("/machines/oven-pi/lathe", data={"action": "relearn", "by": "Anna", "lang": "de"})
    assert (gone.status_code, "Diese Maschine ist hier nicht bekannt" in gone.text) == (404, True)
    assert press(http, "set_product").status_code == 400
    forged = http.post(MIXER, data={"action": "relearn", "by": "Anna"}, headers={"origin": "http://elsewhere"})
    assert forged.status_code == 403
    assert len(gateway.ledger.commands(limit=1000)) == before

    def full(*_args: object, **_values: object) -> None:
        raise LedgerUnavailable("disk full")

    monkeypatch.setattr(gateway.ledger, "command", full)
    busy = press(http, "pause_30", by="Anna B")
    assert (busy.status_code, 'value="Anna B"' in busy.text) == (503, True)
    assert "kann gerade nichts speichern" in busy.text


def test_a_machine_that_nobody_judges_has_no_buttons(http: httpx.Client) -> None:
    assert "<button" in card(http)
    assert "<button" not in card(http, "silent")


def test_nothing_is_said_to_run_as_usual_that_nobody_watches(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = "Alles läuft wie gewohnt"
    known = gateway.live.machines
    monkeypatch.setattr(gateway.live, "machines", lambda: [each for each in known() if each.machine == "mixer"])
    until(lambda: usual in http.get("/?lang=de").text)
    feed.condition(paused=True)
    until(lambda: usual not in http.get("/?lang=de").text)
    feed.condition()
    until(lambda: usual in http.get("/?lang=de").text)
    monkeypatch.setattr(gateway.ingest, "nodes", list)
    assert usual not in http.get("/?lang=de").text
    monkeypatch.setattr(gateway.live, "machines", list)
    empty = http.get("/?lang=de").text
    assert "Keine offenen Meldungen." in empty
    assert usual not in empty
