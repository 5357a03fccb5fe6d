"""The page's words and forms as HTML, without a browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.broker import until
from support.gateways import Feed, client, running

from gateway.daemon import Gateway
from gateway.ledger_file import LedgerUnavailable
from gateway.origins import OriginState
from wire.messages import Cause, Evidence, Prognosis, Severity, Trust

SUBSCRIBER = '[[subscriber]]\nname = "forecast"\nurl = "http://127.0.0.1:1/"\nsecret_file = "secret"\n'


@pytest.mark.parametrize(
    ("accepted", "query", "language"),
    [("de-DE,de;q=0.9", "", "de"), ("fr,en;q=0.5", "", "en"), ("fr", "", "de"), ("de", "?lang=en", "en"), ("en", "?lang=xx", "en")],
)  # fmt: skip
def test_the_language_is_the_asked_one(http: httpx.Client, accepted: str, query: str, language: str) -> None:
    page = http.get(f"/{query}", headers={"accept-language": accepted}).text
    assert f'<html lang="{language}">' in page


def test_an_unclear_cause_is_not_called_sure(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    alert = feed.alert(id="odd", cause="unknown", causes=[Cause(code="unknown", confidence=1.0)])
    page = http.get("/?lang=de").text
    assert "100 %" not in page
    assert "woran es liegt, ist unklar" in page
    gateway.ledger.resolve(alert, done="nichts", by="Anna")


def test_while_it_learns_nothing_is_called_good(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    feed.condition(machine="young", learned=0.999, limit=None, severity=Severity.GOOD)
    until(lambda: gateway.live.machine("oven-pi", "young") is not None)
    page = http.get("/?lang=de").text
    assert "In Ordnung" not in page
    assert "99 %" in page, "not done before it is done"


def test_the_page_says_what_is_coming_what_moved_and_how_sure_it_is(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = OriginState("bakery", "oven-pi", "sense", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    feed.condition(
        machine="press",
        severity=Severity.WATCH,
        certainty=0.6,
        evidence=[
            Evidence(feature="vibration.x.rms", value=3.0, expected=1.0, unit="g", deviation=9.0, since_ms=-3_600_000.0)
        ],
        prognosis=Prognosis(low_s=2.9 * 86_400, high_s=9 * 86_400, confidence=0.8, reaches=Severity.WARNING),
    )
    feed.condition(machine="young", learned=0.4, limit=None, learning_left_s=1500.0, unjudged=95)
    feed.condition(machine="other", certainty=0.0, limit=None, unsteady=["deck_temperature", "vibration.x.rms"])
    feed.telemetry({"power": 1.0}, machine="silent")
    until(lambda: gateway.live.machine("oven-pi", "silent") is not None)
    page = http.get("/?lang=de").text
    assert "Alarmgrenze voraussichtlich in 3 bis 9 Tagen erreicht (80 % sicher)" in page
    assert "sonst 1 g (deutlich höher, seit " in page
    assert "Kennt diesen Betrieb erst zu 60 %" in page
    assert "Lernt noch, was normal ist: 40 %, noch etwa 25 min" in page
    assert "als beurteilt werden kann: 95 Messgrößen bleiben außen vor" in page, "also while it learns"
    assert "Dieser Betrieb ist neu: noch kein Urteil" in page
    assert "Beim Einlernen nicht gleichmäßig: " in page
    assert "Noch kein Urteil über diese Maschine" in page
    english = http.get("/?lang=en").text
    assert "Alarm limit probably reached in 3 to 9 days (80 % sure)" in english
    assert "Still learning what is normal: 40 %, about 25 min to go" in english


def test_a_person_says_on_the_page_what_it_was(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    alert = feed.alert(id="found", causes=[Cause(code="bearing_outer", confidence=0.9)])
    page = http.get("/?lang=de").text
    card = page[page.index(f'id="alert-{alert}"') :].partition("</article>")[0]
    assert "Ursache gefunden?" in card
    assert card.index('value="bearing_outer"') < card.index('value="belt"'), "what is suspected comes first"
    assert 'value="node_offline"' not in card
    nothing = http.post(f"/alerts/{alert}", data={"action": "confirm", "by": "Anna", "cause": "", "lang": "de"})
    assert nothing.status_code == 422
    assert (
        http.post(
            f"/alerts/{alert}", data={"action": "confirm", "by": "Anna", "cause": "belt", "lang": "de"}
        ).status_code
        == 303
    )
    assert "Bestätigt: Riemen rutscht oder ist verschlissen (Anna)" in http.get("/?lang=de").text
    said = {"action": "resolve", "by": "Anna", "note": "neu", "cause": "", "label": "<b>Splint</b>", "lang": "en"}
    assert http.post(f"/alerts/{alert}", data=said).status_code == 303
    page = http.get("/?lang=en").text
    assert "Confirmed: &lt;b&gt;Splint&lt;/b&gt; (Anna)" in page
    asked = [(one.action, one.by) for one in gateway.ledger.commands(machine="mixer")]
    assert asked.count(("confirm_fault", "Anna")) == 2
    sensor = feed.alert(id="wire", type="sensor", cause="sensor_stuck", channel="power")
    page = http.get("/?lang=de").text
    card = page[page.index(f'id="alert-{sensor}"') :].partition("</article>")[0]
    assert "Ursache gefunden?" not in card
    gateway.ledger.resolve(sensor, done="x", by="Anna")


def test_a_machine_in_trouble_says_why_while_its_score_is_low(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = OriginState("bakery", "oven-pi", "sense", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    alert = feed.alert(id="spite", machine="lathe")
    (since_ns,) = (each.since_ns for each in gateway.ledger.open_alerts() if each.id == alert)
    since = gateway.services.wording("de").clock(since_ns)[:5]

    def card(**fields: Any) -> str:
        told = feed.condition(machine="lathe", **fields)

        def arrived() -> bool:
            state = gateway.live.machine("oven-pi", "lathe")
            return state is not None and state.condition == told

        until(arrived)
        page = http.get("/?lang=de").text
        return page[page.index('id="machine-oven-pi-lathe"') :].partition("</article>")[0]

    why = f"Offene Meldung seit {since}; im Augenblick unter der Grenze"
    low = card(regime="off", severity=Severity.ALARM)
    assert why in low
    assert "aus oder Leerlauf" in low, "all that is known is that little of it runs"
    unmet = card(regime="off", severity=Severity.ALARM, limit=None, score=0.0)
    assert f"Offene Meldung seit {since}<" in unmet
    assert "noch kein Urteil" in unmet
    for fields in ({"severity": Severity.ALARM, "score": 9.0}, {}, {"severity": Severity.ALARM, "paused": True}):
        assert "Offene Meldung" not in card(**fields)
    gateway.ledger.resolve(alert, done="x", by="Anna")
    over = card(severity=Severity.ALARM)
    assert "Offene Meldung" not in over, "nothing is open"
    assert "behoben laut Anna um " in over
    assert "der Zustand besteht noch" in over
    top = http.get("/?lang=de").text
    assert 'class="calm"' not in top
    assert '<p class="note">Keine offenen Meldungen.</p>' in top
    for fields in ({}, {"severity": Severity.ALARM, "paused": True}):
        assert "besteht noch" not in card(**fields)
    feed.finding(id="spite", machine="lathe", state="cleared")
    until(lambda: (known := gateway.ledger.alert(alert)) is not None and not known.settled)
    assert "besteht noch" not in card(severity=Severity.ALARM, score=1.5), "another trouble"


def test_what_people_wrote_with_an_action_is_read_again_on_the_card_and_when_it_is_over(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    alert = feed.alert(id="written", machine="slicer")
    for action, by, note in (
        ("acknowledge", "Jonas", "Lager <b>heiss</b> {by}"),
        ("snooze", "Anna", ""),
        ("snooze", "Anna", "x" * 500),
    ):
        said = {"action": action, "by": by, "note": note, "lang": "de"}
        assert http.post(f"/alerts/{alert}", data=said).status_code == 303
    gateway.ledger.note(alert, text="y" * 900, by="Max")
    page = http.get("/?lang=de").text
    card = page[page.index(f'id="alert-{alert}"') :].partition("</article>")[0]
    assert "Notiz von Jonas: Lager &lt;b&gt;heiss&lt;/b&gt; {by}<" in card
    assert f"Notiz von Anna: {'x' * 500}<" in card
    assert f"Notiz von Max: {'y' * 499}…<" in card
    assert card.count("Notiz von ") == 3, "who wrote nothing has no line"
    gateway.ledger.resolve(alert, done="Fett neu", by="Anna")
    page = http.get("/?lang=en").text
    over = page[page.index('id="resolved"') :].partition("</details>")[0]
    (line,) = [each for each in over.split("<li>") if "Fett neu" in each]
    assert "Note by Jonas: Lager &lt;b&gt;heiss&lt;/b&gt;" in line
    assert line.count("Fett neu") == 1


def test_names_from_outside_are_text(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    alert = feed.alert(id="text")
    evil = "<script>alert(1)</script>\"'"
    answer = http.post(f"/alerts/{alert}", data={"action": "acknowledge", "by": evil, "note": evil, "lang": "en"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?lang=en")
    page = http.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    gateway.ledger.resolve(alert, done=evil, by=evil)
    assert "<script>alert" not in http.get("/").text


def test_what_is_not_taken_is_said_in_plain_words(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    alert = feed.alert(id="plain")
    nameless = http.post(
        f"/alerts/{alert}", data={"action": "acknowledge", "by": " ", "note": "meine Notiz", "lang": "de"}
    )
    assert nameless.status_code == 422
    assert "Bitte den Namen eintragen" in nameless.text
    assert 'value="meine Notiz"' in nameless.text
    stale = http.post(f"/alerts/{alert}", data={"action": "resolve", "by": "Anna", "version": "0", "lang": "en"})
    assert stale.status_code == 409
    assert "changed in the meantime" in stale.text
    gone = http.post("/alerts/none", data={"action": "resolve", "by": "Anna"}, headers={"accept-language": "en"})
    assert gone.status_code == 404
    assert "does not exist any more" in gone.text
    gateway.ledger.resolve(alert, done="x", by="Anna")


def test_a_ledger_that_cannot_write_now_is_said_in_plain_words(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_values: object) -> None:
        raise LedgerUnavailable("disk full")

    alert = feed.alert(id="full")
    monkeypatch.setattr(gateway.ledger, "acknowledge", full)
    answer = http.post(f"/alerts/{alert}", data={"action": "acknowledge", "by": "Anna", "lang": "en"})
    assert answer.status_code == 503
    assert "cannot save anything just now" in answer.text
    assert 'value="Anna"' in answer.text
    gateway.ledger.resolve(alert, done="x", by="Anna")


def test_what_was_given_up_is_sent_again_by_a_button(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("k" * 40)
    (tmp_path / "secret").chmod(0o600)
    with running(tmp_path, more=SUBSCRIBER) as gateway, client(gateway) as http:
        Feed(gateway).alert()
        ledger, now = gateway.ledger, time.time_ns()
        until(lambda: ledger.deliveries()[0].pending > 0)
        gateway.forwarder.stop()  # it would try at once what is sent again
        for item in ledger.outbox.due("subscriber", "forecast", now_ns=2**62, limit=100):
            ledger.outbox.give_up(item.delivery, error="404 Not Found", now_ns=now)
        ledger.outbox.disable("subscriber", "forecast", reason="410 Gone")
        dead = ledger.deliveries()[0].dead
        assert dead > 0
        page = http.get("/?lang=de").text
        assert "Abgeschaltet, weil die Gegenstelle nichts mehr annehmen will. Was länger als 30 Tage" in page
        assert 'action="/deliveries/subscriber/forecast"' in page
        assert "Wieder einschalten" in page
        answer = http.post("/deliveries/subscriber/forecast", data={"lang": "de", "by": "Anna"})
        assert answer.status_code == 303
        found = ledger.deliveries()[0]
        assert (found.dead, found.disabled) == (0, "")
        assert found.pending >= dead
        assert [line.what for line in ledger.audit(limit=dead + 1)] == ["resend"] * dead + ["enable"]
        assert {line.by for line in ledger.audit(limit=dead + 1)} == {"Anna"}


def test_alerts_that_began_together_name_each_other(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    oven = feed.alert(id="element", machine="kiln", cause="heating_element_open", severity=Severity.ALARM)
    crust = feed.alert(
        id="dark", type="quality", cause="too_dark", severity=Severity.ALARM, machine="kiln", product="roll"
    )
    broken_sensor = feed.alert(
        id="wire", type="sensor", cause="sensor_no_data", machine="saw", severity=Severity.WARNING, channel="power"
    )
    page = http.get("/?lang=en").text
    lines = [line for line in page.splitlines() if "Began at about the same time: " in line]
    assert sum("kiln: " in line.casefold() for line in lines) == 2, "of a machine and of goods"
    assert not any("saw: " in line.casefold() for line in lines), "not of a sensor"
    card = page[page.index(f'id="alert-{crust}"') :].partition("</article>")[0]
    assert "Check first: the alert “Heating element failed” (kiln)." in card, "what the machine has comes first"
    assert "Lower the temperature" not in card
    assert page.count("Check first: the alert") == 1, "the machine's own is checked as ever"
    gateway.ledger.resolve(oven, done="replaced", by="Anna")
    lines = [line for line in http.get("/?lang=en").text.splitlines() if "Began at about the same time: " in line]
    assert not any("heating element" in line for line in lines)
    assert "Lower the temperature" in http.get("/?lang=en").text
    for left in (crust, broken_sensor):
        gateway.ledger.resolve(left, done="", by="Anna")


def test_the_address_of_an_alert_that_is_over_shows_what_became_of_it_however_many_came_after(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    alerts = [feed.alert(id=f"over{number}", machine=f"m{number}") for number in range(12)]
    for alert in alerts:
        gateway.ledger.resolve(alert, done=f"greased {alert}", by="Anna")
    lately = http.get(f"/alerts/{alerts[-1]}?lang=de")
    assert (lately.status_code, lately.headers["location"]) == (303, f"/?lang=de#alert-{alerts[-1]}")
    assert f'id="alert-{alerts[-1]}"' in http.get("/?lang=de").text
    assert f'id="alert-{alerts[0]}"' not in http.get("/?lang=de").text
    past = http.get(f"/alerts/{alerts[0]}?lang=de")
    assert past.status_code == 200
    assert "Diese Meldung ist vorbei." in past.text
    assert '<details id="resolved" open>' in past.text
    shown = past.text.partition('<details id="resolved"')[2].partition("</details>")[0]
    assert f"greased {alerts[0]}" in shown
    assert "Anna" in shown
    assert alerts[1] not in shown
