"""The page as a person meets it: Debian's Chromium on a phone and on a desk, with and without scripts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from support.broker import Broker, until
from support.browsers import DESK, MARKS, PHONE, broken_words, browser, errors, overflow, save, size, text, too_small
from support.gateways import Feed, running
from support.raw import RawNode

from gateway.daemon import Gateway
from wire.messages import Cause, Evidence, Reply, Severity

pytestmark = list(MARKS)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("bakery")
    with (
        Broker(folder / "broker") as broker,
        running(folder / "gateway", broker=broker.port) as gateway,
        RawNode(broker.port) as node,
    ):
        node.up()
        assert node.status().wait(10)
        until(lambda: any(one.online for one in gateway.ingest.nodes()))
        yield gateway


@pytest.fixture(scope="module", autouse=True)
def bakery(gateway: Gateway, feed: Feed) -> Feed:
    for number in range(30):
        values = {"vibration.x.velocity_rms": 1.0 + number % 7, "motor_current_with_a_rather_long_name": 5.0}
        feed.telemetry(values, ago_s=900 - 30 * number)
    feed.condition()
    feed.condition(machine="oven", learned=0.4, limit=None, sensor_faults=["deck_temperature"])
    until(lambda: gateway.storing.stats().backlog == 0)
    until(lambda: gateway.live.position == gateway.journal.stats().next - 1)
    return feed


def url(gateway: Gateway, language: str = "de") -> str:
    return f"http://127.0.0.1:{gateway.options.web.port}/?lang={language}"


def trouble(feed: Feed, name: str, machine: str = "mixer", **fields: Any) -> str:
    return feed.alert(
        id=name,
        machine=machine,
        causes=[Cause(code="bearing_outer", confidence=0.9), Cause(code="looseness", confidence=0.3)],
        evidence=[Evidence(feature="vibration.x.band_4", value=7.2, expected=1.1, unit="g", deviation=9.0)],
        **fields,
    )


def settle(gateway: Gateway, feed: Feed, alert: str, name: str, machine: str = "mixer") -> None:
    feed.finding(id=name, machine=machine, state="cleared")
    if any(one.id == alert for one in gateway.ledger.open_alerts()):
        gateway.ledger.resolve(alert, done="test", by="test")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(("width", "height"), [PHONE, DESK])
def test_the_page_fits_and_nothing_is_wrong_with_it(
    gateway: Gateway, feed: Feed, chromium: Chrome, width: int, height: int, language: str
) -> None:
    name = f"fit-{width}-{language}"
    alert = trouble(feed, name)
    size(chromium, width, height)
    errors(chromium)
    chromium.get(url(gateway, language))
    until(lambda: ":" in text(chromium, "#connection"))
    assert overflow(chromium) <= 0
    assert too_small(chromium) == []
    assert broken_words(chromium) == []
    shown = text(chromium, "main")
    assert "Spiralkneter" in shown
    said = {
        "de": ("Lagerschaden, Außenring", "sehr hohe Töne", "Lernt noch"),
        "en": ("Bearing damage", "very high tones", "Still learning"),
    }
    for words in said[language]:
        assert words in shown
    for jargon in ("band_4", "velocity_rms", "vibration.", "bearing_outer", "None", "{"):
        assert jargon not in shown
    save(chromium, name)
    assert errors(chromium) == []
    settle(gateway, feed, alert, name)


def test_the_chart_moves_when_values_arrive(gateway: Gateway, feed: Feed, chromium: Chrome) -> None:
    chromium.get(url(gateway))
    line = chromium.find_element(By.CSS_SELECTOR, '[data-machine="mixer"] polyline')
    until(lambda: bool(line.get_attribute("points")))
    before = line.get_attribute("points")
    feed.telemetry({"vibration.x.velocity_rms": 42.5})
    feed.telemetry({"vibration.x.velocity_rms": 50.0}, ago_s=-6.0)  # opens the next bucket, which ends the first
    until(lambda: line.get_attribute("points") != before)
    assert text(chromium, '[data-machine="mixer"] [data-field="latest"]').startswith("42,5")
    meter = chromium.find_element(By.CSS_SELECTOR, '[data-machine="mixer"] .fill')
    assert meter.get_attribute("width") == "25.0"
    feed.condition(score=6.0, severity=Severity.ALARM)
    until(lambda: meter.get_attribute("width") == "150.0")
    until(lambda: bool(chromium.find_elements(By.CSS_SELECTOR, '[data-machine="mixer"] .meter.alarm')))
    feed.condition()
    assert errors(chromium) == []


def test_an_alert_appears_by_itself_and_is_acknowledged(gateway: Gateway, feed: Feed, chromium: Chrome) -> None:
    size(chromium, *PHONE)
    chromium.get(url(gateway))
    until(lambda: ":" in text(chromium, "#connection"))
    alert = trouble(feed, "by-itself")
    gateway.turn()
    # The same alert as in the test before: it is among those that are over until it is open again.
    until(lambda: bool(chromium.find_elements(By.CSS_SELECTOR, f"article#alert-{alert}")))
    card = chromium.find_element(By.ID, f"alert-{alert}")
    card.find_element(By.NAME, "by").clear()
    card.find_element(By.NAME, "by").send_keys("Anna")
    card.find_element(By.NAME, "note").send_keys("schaue nach")
    # What comes meanwhile must not take away what is being written.
    other = trouble(feed, "meanwhile", machine="oven")
    gateway.turn()
    until(lambda: chromium.find_element(By.ID, "news").is_displayed())
    assert card.find_element(By.NAME, "note").get_attribute("value") == "schaue nach"
    press(card, "acknowledge")
    until(lambda: "in Arbeit: Anna" in text(chromium, f"#alert-{alert}"))
    found = gateway.ledger.alert(alert)
    assert found is not None
    assert found.owner == "Anna"
    assert gateway.ledger.history(alert)[-1].text == "schaue nach"
    # The name is not asked for twice.
    assert chromium.find_element(By.CSS_SELECTOR, f"#alert-{other} [name=by]").get_attribute("value") == "Anna"
    save(chromium, "acknowledged")
    settle(gateway, feed, alert, "by-itself")
    settle(gateway, feed, other, "meanwhile", "oven")
    assert errors(chromium) == []


def test_what_was_found_is_confirmed_with_a_gloved_finger(gateway: Gateway, feed: Feed, chromium: Chrome) -> None:
    alert = trouble(feed, "found")
    size(chromium, *PHONE)
    chromium.get(url(gateway))
    until(lambda: ":" in text(chromium, "#connection"))
    card = chromium.find_element(By.ID, f"alert-{alert}")
    fill(card, "by", "Anna")
    chromium.execute_script("document.querySelector(arguments[0]).open = true", f"#found-{alert}")
    assert too_small(chromium, f"#found-{alert}") == []
    Select(card.find_element(By.NAME, "cause")).select_by_visible_text("Riemen rutscht oder ist verschlissen")
    # What comes meanwhile must not take away what was chosen.
    other = trouble(feed, "meanwhile-found", machine="oven")
    gateway.turn()
    until(lambda: chromium.find_element(By.ID, "news").is_displayed())
    save(chromium, "found")
    press(card, "confirm")
    until(lambda: "Bestätigt: Riemen rutscht" in text(chromium, f"#alert-{alert}"))
    found = gateway.ledger.alert(alert)
    assert found is not None
    assert (found.confirmed, found.confirmed_by) == ("belt", "Anna")
    settle(gateway, feed, alert, "found")
    settle(gateway, feed, other, "meanwhile-found", "oven")
    assert errors(chromium) == []


def fill(card: Any, name: str, words: str) -> None:
    card.find_element(By.NAME, name).clear()
    card.find_element(By.NAME, name).send_keys(words)


def press(card: Any, action: str) -> None:
    button = card.find_element(By.CSS_SELECTOR, f'button[value="{action}"]')
    button.parent.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("plain"), scripts=False, language="en") as driver:
        yield driver


def test_without_scripts(gateway: Gateway, feed: Feed, plain: Chrome) -> None:
    alert = trouble(feed, "plain")
    size(plain, *PHONE)
    plain.get(url(gateway).partition("?")[0])
    assert "Bearing damage" in text(plain, "main"), "the browser's language"
    card = plain.find_element(By.ID, f"alert-{alert}")
    assert plain.find_element(By.CSS_SELECTOR, '[data-machine="mixer"] polyline').get_attribute("points")

    # Somebody else was quicker: it is said, and what was written is still there.
    gateway.ledger.note(alert, text="quicker", by="Bernd")
    card.find_element(By.NAME, "by").send_keys("Anna")
    card.find_element(By.NAME, "note").send_keys("looking")
    press(card, "acknowledge")
    until(lambda: "changed in the meantime" in text(plain, ".said"))
    card = plain.find_element(By.ID, f"alert-{alert}")
    assert card.find_element(By.NAME, "note").get_attribute("value") == "looking"
    save(plain, "changed")
    press(card, "acknowledge")
    until(lambda: "Anna" in text(plain, f"#alert-{alert} .owner"))

    card = plain.find_element(By.ID, f"alert-{alert}")
    card.find_element(By.NAME, "by").send_keys("Anna")
    press(card, "snooze")
    until(lambda: "Snoozed (1)" in text(plain, "#snoozed"))
    assert not plain.find_element(By.ID, f"alert-{alert}").is_displayed()
    plain.find_element(By.CSS_SELECTOR, "#snoozed summary").click()
    card = plain.find_element(By.ID, f"alert-{alert}")
    card.find_element(By.NAME, "by").send_keys("Anna")
    card.find_element(By.NAME, "note").send_keys("bearing replaced")
    press(card, "resolve")
    until(lambda: bool(plain.find_elements(By.ID, "resolved")))
    plain.find_element(By.CSS_SELECTOR, "#resolved summary").click()
    assert "bearing replaced" in text(plain, "#resolved")
    assert "Anna" in text(plain, "#resolved")
    save(plain, "resolved")
    found = gateway.ledger.alert(alert)
    assert found is not None
    assert (found.resolution, found.done) == ("done", "bearing replaced")


TEND = '[data-machine="mixer"] .tend'


def test_a_machine_is_paused_and_learned_anew_with_a_gloved_finger(
    gateway: Gateway, feed: Feed, chromium: Chrome
) -> None:
    size(chromium, *PHONE)
    chromium.get(url(gateway))
    until(lambda: ":" in text(chromium, "#connection"))
    feed.condition(machine="oven", learned=0.6, limit=None)
    menu = opened(chromium)
    fill(menu, "by", "Anna")
    assert too_small(chromium, TEND) == []
    # What comes meanwhile must not close the menu, nor take away what is being written.
    feed.condition(machine="oven", learned=0.8, limit=None)
    until(lambda: "80 %" in text(chromium, '[data-machine="oven"] .status'))
    assert menu.find_element(By.NAME, "by").get_attribute("value") == "Anna"
    press(menu, "pause_30")
    until(lambda: "Pause für Reinigung (Anna, " in text(chromium, '[data-machine="mixer"] .told'))
    assert "#machine-oven-pi-mixer" in chromium.current_url
    reply(gateway, feed)
    until(
        lambda: "Die Messstelle hat es übernommen" in text(chromium, '[data-machine="mixer"] .told'),
        what="came by itself",
    )
    feed.condition(paused=True, paused_left_s=1800.0)
    until(lambda: "macht Pause bis " in text(chromium, '[data-machine="mixer"] .paused'))
    until(lambda: bool(chromium.find_elements(By.CSS_SELECTOR, f'{TEND} [value="resume"]')))
    save(chromium, "paused")
    size(chromium, *PHONE)
    press(opened(chromium), "resume")
    until(lambda: gateway.ledger.commands(limit=1)[0].action == "resume")
    feed.condition()
    until(lambda: not chromium.find_elements(By.CSS_SELECTOR, '[data-machine="mixer"] .paused'))
    menu = opened(chromium)
    assert not menu.find_element(By.CSS_SELECTOR, '[value="relearn"]').is_displayed(), "it asks once more"
    menu.find_element(By.CSS_SELECTOR, ".found summary").click()
    assert "Rückgängig machen geht nicht" in menu.text
    assert overflow(chromium) <= 0
    assert too_small(chromium, TEND) == []
    save(chromium, "learn-anew")
    size(chromium, *PHONE)
    press(menu, "relearn")
    until(lambda: "Neu lernen (Anna, " in text(chromium, '[data-machine="mixer"] .told'))
    asked = [(one.action, one.by) for one in gateway.ledger.commands(machine="mixer", limit=3)]
    assert asked == [("relearn", "Anna"), ("resume", "Anna"), ("pause", "Anna")]
    assert errors(chromium) == []


def opened(driver: Chrome) -> Any:
    """The menu on the mixer's card, opened by its line."""
    summary = driver.find_element(By.CSS_SELECTOR, f"{TEND} summary")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.click()
    return driver.find_element(By.CSS_SELECTOR, TEND)


def reply(gateway: Gateway, feed: Feed) -> None:
    """What a node says to the latest command."""
    asked = gateway.ledger.commands(limit=1)[0]
    feed.tell(
        Reply(command=asked.id, machine="mixer", action=asked.action, ok=True, **feed.node.envelope(time.time_ns()))
    )


def test_a_machine_is_paused_without_scripts(gateway: Gateway, plain: Chrome) -> None:
    size(plain, *PHONE)
    plain.get(url(gateway, "en"))
    menu = opened(plain)
    menu.find_element(By.NAME, "by").send_keys("Bernd")
    press(menu, "pause_120")
    until(lambda: "Pause for cleaning (Bernd, " in text(plain, '[data-machine="mixer"] .told'))
    assert gateway.ledger.audit(limit=1)[0].text == "7200 s"


def test_without_a_connection_the_page_says_so_and_keeps_what_was_written(
    gateway: Gateway, feed: Feed, chromium: Chrome
) -> None:
    alert = trouble(feed, "away")
    size(chromium, *PHONE)
    chromium.get(url(gateway))
    until(lambda: ":" in text(chromium, "#connection"))
    card = chromium.find_element(By.ID, f"alert-{alert}")
    fill(card, "by", "Anna")
    fill(card, "note", "Lager heiß")
    network(chromium, offline=True)
    try:
        chromium.execute_script("document.querySelector('#news').click()")
        until(lambda: "Keine Verbindung" in text(chromium, "#lost"))
        save(chromium, "lost")
        press(card, "acknowledge")
        until(lambda: "Noch nicht gesendet" in text(chromium, "#lost"))
        assert card.find_element(By.NAME, "note").get_attribute("value") == "Lager heiß"
    finally:
        network(chromium, offline=False)
    press(card, "acknowledge")
    until(lambda: "in Arbeit: Anna" in text(chromium, f"#alert-{alert}"))
    assert gateway.ledger.history(alert)[-1].text == "Lager heiß"
    assert not text(chromium, "#lost")
    errors(chromium)  # the browser's own words about what it could not fetch
    settle(gateway, feed, alert, "away")


def network(driver: Chrome, *, offline: bool) -> None:
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )


def test_the_link_of_a_message_unfolds_what_it_leads_to(gateway: Gateway, feed: Feed, chromium: Chrome) -> None:
    alert = trouble(feed, "linked")
    settle(gateway, feed, alert, "linked")
    size(chromium, *PHONE)
    chromium.get(url(gateway).replace("/?", f"/alerts/{alert}?"))
    until(lambda: "Lagerschaden" in text(chromium, f"#resolved #alert-{alert}"))
    assert chromium.current_url.endswith(f"/?lang=de#alert-{alert}")
    assert errors(chromium) == []


def test_a_keyboard_keeps_its_place_while_the_page_is_worded_anew(
    gateway: Gateway, feed: Feed, chromium: Chrome
) -> None:
    alert = trouble(feed, "keyboard")
    size(chromium, *DESK)
    chromium.get(url(gateway))
    until(lambda: ":" in text(chromium, "#connection"))
    chromium.execute_script("document.querySelector(arguments[0]).focus()", f"#alert-{alert} [value=snooze]")
    other = trouble(feed, "keyboard-meanwhile", machine="oven")
    gateway.turn()
    until(lambda: chromium.find_element(By.ID, "news").is_displayed())
    assert chromium.execute_script("return document.activeElement.value") == "snooze"
    settle(gateway, feed, alert, "keyboard")
    settle(gateway, feed, other, "keyboard-meanwhile", "oven")
