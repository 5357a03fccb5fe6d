"""A product is taught from the page: a browser, the gateway, a broker, and a node's own daemon with a simulated camera."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from support.broker import Broker, until
from support.browsers import DESK, MARKS, PHONE, browser, errors, overflow, save, size, text, too_small
from support.gateways import running
from support.nodes import write_node

from gateway.daemon import Gateway
from gateway.ledger_lessons import Lesson
from gateway.web.lesson_api import lessons_of
from models.quality.profile import read_profile_card

pytestmark = [*MARKS, pytest.mark.timeout(240)]
CAMERA = """
[[camera]]
name = "tray"
machine = "oven"
type = "simulated"
width = 480
height = 360
tray_s = 5.0
interval_s = 0.2
browning = "browning"
load_trays = 1
"""
ON_A_TRAY = 12


class NodeProcess:
    """A node's watch daemon as a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.path = write_node(folder, port=port, more=CAMERA)
        self.start()

    def bake(self) -> None:
        """One tray of twelve comes from the oven, and is taken away again."""
        hidden = self.folder / "browning.new"
        hidden.write_text("0.5", encoding="ascii")
        hidden.replace(self.folder / "browning")

    def start(self) -> None:
        command = [sys.executable, "-m", "werkpuls", "edge", "watch", "--config", str(self.path)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """As a power cut does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    @property
    def profiles(self) -> Path:
        return self.folder / "state" / "watch" / "profiles"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, NodeProcess]]:
    folder = tmp_path_factory.mktemp("site")
    with Broker(folder / "broker") as broker, running(folder / "gateway", broker=broker.port) as gateway:
        node = NodeProcess(folder / "node", broker.port)
        try:
            until(lambda: any(health.sensors for health in gateway.live.nodes()), 60)
            node.bake()
            until(lambda: bool(gateway.goods.charts(quantity="size", since_ns=0)), 60)
            yield gateway, node
        finally:
            node.stop()


@pytest.fixture
def gateway(office: tuple[Gateway, NodeProcess]) -> Gateway:
    return office[0]


@pytest.fixture
def node(office: tuple[Gateway, NodeProcess]) -> NodeProcess:
    return office[1]


def url(gateway: Gateway, language: str = "de") -> str:
    return f"http://127.0.0.1:{gateway.options.web.port}/goods?lang={language}"


def begin(driver: Chrome, gateway: Gateway, name: str, *, by: str = "Anna", language: str = "de") -> None:
    driver.get(url(gateway, language))
    driver.find_element(By.CSS_SELECTOR, "#teaching summary").click()
    form = driver.find_element(By.CSS_SELECTOR, "#teaching form")
    form.find_element(By.NAME, "name").send_keys(name)
    field = form.find_element(By.NAME, "by")
    field.clear()
    field.send_keys(by)
    press(driver, "#teaching form button")
    until(lambda: "/goods/lessons/" in driver.current_url or bool(text(driver, ".said")))


def press(driver: Chrome, selector: str) -> None:
    button = driver.find_element(By.CSS_SELECTOR, selector)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def cards(driver: Chrome) -> int:
    return len(driver.find_elements(By.CSS_SELECTOR, ".lesson-item"))


def collected(driver: Chrome, node: NodeProcess) -> None:
    """Another tray's pictures come to the page by themselves."""
    before = cards(driver)
    until(lambda: state(driver) == "collecting", 20)
    node.bake()
    until(lambda: cards(driver) >= before + ON_A_TRAY - 2, 60, what="no further pictures come by themselves")


def tap(driver: Chrome, place: int, choice: str) -> None:
    press(driver, f".lesson-item:nth-of-type({place}) .tap .{choice}")


def state(driver: Chrome) -> str:
    return str(driver.execute_script("return document.getElementById('lesson')?.dataset.state ?? ''"))


def ended(driver: Chrome) -> None:
    press(driver, '.tapping button[value="end"]')
    until(lambda: state(driver) == "ended")


def shot(driver: Chrome, name: str) -> None:
    """What a person sees without scrolling."""
    folder = os.environ.get("WERKPULS_TEST_PICTURES")
    if folder:
        driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def lesson(gateway: Gateway) -> Lesson:
    return lessons_of(gateway.services).latest(1)[0]


def test_a_shift_lead_teaches_a_product_with_a_phone(gateway: Gateway, node: NodeProcess, chromium: Chrome) -> None:
    size(chromium, *PHONE)
    chromium.get(url(gateway))
    until(lambda: len(chromium.find_elements(By.CSS_SELECTOR, ".goods-chart")) >= 2)
    charts = [each.text for each in chromium.find_elements(By.CSS_SELECTOR, ".goods-chart .facts")]
    assert ["Farbe der Kruste" in charts[0], "Größe" in charts[1]] == [True, True], "the size stands beside the colour"
    errors(chromium)
    begin(chromium, gateway, "Laugenbrezel groß")
    until(lambda: state(chromium) == "collecting", 20)
    assert "Die Kamera sammelt." in text(chromium, "#lesson-says")
    collected(chromium, node)
    tap(chromium, 2, "reject")
    tap(chromium, 3, "out")
    collected(chromium, node)
    found = re.fullmatch(r"(\d+) gut, 1 schlecht, 1 weggelassen", text(chromium, "#chosen"))
    assert found, "what was tapped stays when pictures come"
    assert overflow(chromium) <= 0
    assert too_small(chromium) == []
    pictures = chromium.find_elements(By.CSS_SELECTOR, ".lesson-item img")
    for picture in pictures:
        chromium.execute_script("arguments[0].loading = 'eager'", picture)
    until(lambda: all(chromium.execute_script("return arguments[0].naturalWidth", each) > 0 for each in pictures))
    save(chromium, "lesson-390")
    size(chromium, *PHONE)
    shot(chromium, "lesson-phone")
    size(chromium, *DESK)
    assert overflow(chromium) <= 0
    save(chromium, "lesson-1200")
    size(chromium, *PHONE)
    chromium.execute_script("document.querySelector('.tapping [name=by]').value = ''")
    press(chromium, '.tapping button[value="teach"]')
    assert state(chromium) == "collecting", "the name is asked for first"
    chromium.find_element(By.CSS_SELECTOR, ".tapping [name=by]").send_keys("Bernd")
    press(chromium, '.tapping button[value="teach"]')
    until(lambda: state(chromium) == "taught", 30)
    said = text(chromium, "#lesson")
    for words in ("Angelernt: ", "gut, 1 schlecht.", "Probe: ", "Begonnen von Anna", "Angetippt von Bernd"):
        assert words in said
    save(chromium, "lesson-taught")
    card = read_profile_card(node.profiles / "laugenbrezel-gross.json")
    assert (card.product, card.bad) == ("Laugenbrezel groß", 1)
    assert card.good >= 7
    press(chromium, '#lesson button[value="use"]')
    until(lambda: "Ab jetzt liegt Laugenbrezel groß unter der Kamera." in text(chromium, "#lesson-says"))
    until(lambda: gateway.ledger.commands(limit=1)[0].state == "done", 20)
    node.bake()
    until(lambda: judged(gateway, "laugenbrezel-gross") > 0, 60, what="the product is not judged")
    assert errors(chromium) == []


def judged(gateway: Gateway, product: str) -> int:
    tallies = gateway.ledger.goods.tallies(0)
    return sum(each.items - each.unsure for each in tallies if each.product == product)


def test_a_name_that_is_taken_is_asked_about_and_the_old_profile_kept_till_then(
    gateway: Gateway, node: NodeProcess, chromium: Chrome
) -> None:
    size(chromium, *PHONE)
    path = node.profiles / "laugenbrezel-gross.json"
    before = path.read_bytes()
    begin(chromium, gateway, "Laugenbrezel GROSS", language="en")
    until(lambda: state(chromium) == "refused", 20)
    assert "What shall become of it?" in text(chromium, "#lesson-says")
    save(chromium, "lesson-taken")
    press(chromium, '#lesson button[value="replace"]')
    until(lambda: state(chromium) == "collecting", 20)
    assert lesson(gateway).known == "replace"
    assert path.read_bytes() == before
    ended(chromium)
    assert "Nothing was learned" in text(chromium, "#lesson-says")
    assert path.read_bytes() == before


def test_a_power_cut_at_the_node_in_mid_lesson_loses_nothing(
    gateway: Gateway, node: NodeProcess, chromium: Chrome
) -> None:
    begin(chromium, gateway, "Kaisersemmel")
    collected(chromium, node)
    held = cards(chromium)
    node.kill()
    until(lambda: "Die Kamera ist gerade nicht erreichbar." in text(chromium, "#lesson-says"), 60)
    assert cards(chromium) >= held
    press(chromium, '.tapping button[value="teach"]')
    until(lambda: state(chromium) == "teaching", 20)
    assert "Sie lernt, sobald sie es wieder ist." in text(chromium, "#lesson-says")
    save(chromium, "lesson-away")
    node.start()
    until(lambda: state(chromium) == "taught", 90)
    assert read_profile_card(node.profiles / "kaisersemmel.json").good >= held


def test_too_few_are_refused_and_what_was_tapped_is_still_there(
    gateway: Gateway, node: NodeProcess, chromium: Chrome
) -> None:
    begin(chromium, gateway, "Mohnbrötchen")
    collected(chromium, node)
    for place in range(1, cards(chromium) - 3):
        tap(chromium, place, "out")
    press(chromium, '.tapping button[value="teach"]')
    until(lambda: "zu wenige gute Stücke" in text(chromium, "#lesson-says"), 30)
    assert state(chromium) == "collecting"
    assert int(text(chromium, "#chosen").split(" ")[-2]) >= 4, "what was left out is left out still"
    save(chromium, "lesson-few")


def test_a_second_person_is_told_who_was_first(
    gateway: Gateway, node: NodeProcess, chromium: Chrome, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # The lesson of the test before is still on.
    with browser(tmp_path_factory.mktemp("other"), scripts=False) as other:
        size(other, *PHONE)
        begin(other, gateway, "Rosinenbrötchen", by="Clara")
        assert "Diese Kamera sammelt schon für Mohnbrötchen (Anna)." in text(other, ".said")
        other.find_element(By.PARTIAL_LINK_TEXT, "Mohnbrötchen").click()
        until(lambda: state(other) == "collecting")
        seen = cards(other)
        assert seen >= 8
        tap(other, 1, "reject")
        node.bake()
        until(lambda: len(gateway.goods.lesson_items("pi", lesson(gateway).id)) > seen, 60)
        press(other, "#look")
        until(lambda: cards(other) > seen)
        chosen = other.find_element(By.CSS_SELECTOR, ".lesson-item:nth-of-type(1) .reject input")
        assert chosen.is_selected(), "new pictures without a script keep what was tapped"
        ended(chromium)
        other.find_element(By.CSS_SELECTOR, ".tapping [name=by]").send_keys("Clara")
        press(other, '.tapping button[value="teach"]')
        until(lambda: "Da war jemand schneller" in text(other, ".said"))
        assert state(other) == "ended"


def test_a_lesson_that_is_none(gateway: Gateway, chromium: Chrome) -> None:
    chromium.get(url(gateway).replace("/goods?", "/goods/lessons/l-none?"))
    assert "Diese Anlernung gibt es nicht." in text(chromium, ".said")
    chromium.get(url(gateway))
    chromium.find_element(By.CSS_SELECTOR, "#teaching summary").click()
    cameras = Select(chromium.find_element(By.CSS_SELECTOR, "#teaching select"))
    assert [each.get_attribute("value") for each in cameras.options] == ["pi/tray"]
    errors(chromium)
