"""The buttons of a machine's card as HTML: what they ask of the node, and what the card says of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from support.broker import until
from support.gateways import Feed, hears_its_broker, running
from support.goods import cameras, inspect, tray

from gateway.daemon import Gateway
from gateway.ledger_file import LedgerUnavailable
from gateway.origins import OriginState
from gateway.web.goods_state import camera_nodes
from wire.commands import EXPIRED, NO_ALARM
from wire.messages import Origin, Reply, SensorState, Severity, Trust

MIXER = "/machines/oven-pi/mixer"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


def there(origin: Origin) -> OriginState:
    return OriginState("bakery", "oven-pi", origin, "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)


@pytest.fixture(autouse=True)
def machines(gateway: Gateway, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there("sense")])
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


def test_a_word_about_an_alarm_is_told_where_the_node_could_learn_nothing_of_it(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    def says(*, ok: bool) -> str:
        alert = feed.alert(id=f"word-{ok}", machine="mixer")
        said = {"action": "false_alarm", "by": "Berta", "note": "", "cause": "", "lang": "de"}
        assert http.post(f"/alerts/{alert}", data=said).status_code == 303
        until(lambda: gateway.ledger.commands(limit=1)[0].action == "false_alarm")
        answer(gateway, feed, ok=ok, reason="no alarm is remembered that could be meant", code=None if ok else NO_ALARM)
        return card(http)

    assert "Fehlalarm" not in says(ok=True)
    told = says(ok=False)
    assert "Das war Fehlalarm (Berta, " in told
    assert "hat nichts daraus gelernt" in told
    assert "no alarm is remembered" not in told


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
    assert "Die Messstelle hat es übernommen" in card(http)
    until(lambda: gateway.ledger.commands(limit=1)[0].state == "done")
    assert "(Anna, " in card(http)
    assert "the node has taken it on" in card(http, language="en")


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


def test_a_pause_is_of_the_machine_and_of_every_camera_at_it(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there("sense"), there("watch")])
    feed.condition(machine="deck")
    cameras(feed, SensorState(name="tray", machine="deck", ok=True))
    until(lambda: camera_nodes(gateway.services, "deck") == ["oven-pi"])
    http.post("/machines/oven-pi/deck", data={"action": "pause_30", "by": "Eva", "lang": "de"})
    asked = gateway.ledger.commands(machine="deck")
    assert {(each.origin, each.action) for each in asked} == {("sense", "pause"), ("watch", "pause")}
    assert card(http, "deck").count("Pause für Reinigung (Eva, ") == 1, "one button, one sentence"
    for each in asked:
        feed.tell(Reply(command=each.id, machine="deck", action="pause", ok=True, **feed.node.envelope(time.time_ns())))
        until(lambda each=each: gateway.live.reply(each.id) is not None)  # type: ignore[misc]  # bound at once
    cameras(feed, SensorState(name="tray", machine="deck", ok=False, fault="camera_dark", paused_left_s=1800.0))
    until(lambda: "Ware und Kamera werden bis " in card(http, "deck"))
    assert 'value="resume"' in card(http, "deck")
    assert "Auch die Ware unter der Kamera" in card(http, "deck")
    goods = http.get("/goods?lang=de").text
    shown = goods[goods.index('id="cameras"') :]
    assert "Pause bis " in shown
    assert "Licht" not in shown, "what is wrong under a cloth is nobody's business"
    http.post("/machines/oven-pi/deck", data={"action": "resume", "by": "Eva", "lang": "de"})
    latest = gateway.ledger.commands(machine="deck", limit=2)
    assert {(each.origin, each.action) for each in latest} == {("sense", "resume"), ("watch", "resume")}
    http.post("/machines/oven-pi/deck", data={"action": "goods_normal", "by": "Eva", "lang": "de"})
    (goods_asked,) = gateway.ledger.commands(machine="deck", limit=1)
    assert (goods_asked.origin, goods_asked.action) == ("watch", "confirm_normal")
    assert "Ware: So ist es jetzt gewollt (Eva, " in card(http, "deck")


def test_a_machine_with_nothing_but_a_camera_has_a_card_of_its_own_kind(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there("watch")])
    inspect(feed, tray(8), name="i-belt", machine="belt", camera="above")
    cameras(feed, SensorState(name="above", machine="belt", ok=True))
    until(lambda: gateway.live.machine("oven-pi", "belt") is not None)
    until(lambda: "In Ordnung" in card(http, "belt"))
    shown = card(http, "belt")
    assert "Kamera above: in Ordnung" in shown
    assert 'href="/goods?lang=de"' in shown
    assert "Noch kein Urteil" not in shown
    assert "noch unbekannt" not in shown
    assert 'value="relearn"' not in shown
    assert 'value="goods_normal"' in shown
    http.post("/machines/oven-pi/belt", data={"action": "pause_120", "by": "Eva", "lang": "de"})
    (asked,) = gateway.ledger.commands(machine="belt")
    assert (asked.origin, asked.action) == ("watch", "pause")
    alert = feed.alert(id="dark-belt", machine="belt", type="quality", cause="too_dark", severity=Severity.WARNING)
    gateway.turn()
    until(lambda: '<span class="pill warning">' in card(http, "belt"))
    gateway.ledger.resolve(alert, done="nichts", by="Anna")
    cameras(feed, SensorState(name="above", machine="belt", ok=True, paused_left_s=60.0))
    until(lambda: '<span class="pill new">Pause<' in card(http, "belt"))
    monkeypatch.setattr(gateway.ingest, "nodes", list)
    assert "Kamera above: keine Verbindung" in card(http, "belt")
    http.post("/machines/oven-pi/belt", data={"action": "pause_30", "by": "Eva", "lang": "de"})
    assert "Die Kamera ist gerade nicht da. Kommt sie vor " in card(http, "belt")


def test_what_the_node_refuses_is_said_but_not_in_its_own_words(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    press(http, "relearn")
    answer(gateway, feed, ok=False, reason="<b>no</b>")
    assert "Die Messstelle hat es nicht getan. Warum, steht in ihrem Protokoll." in card(http)
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
    hears_its_broker(gateway, monkeypatch)
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
