"""The goods page as a shift lead meets it: a phone and a desk, many rejects, long names, with and without scripts."""

from __future__ import annotations

import time

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from support.broker import until
from support.browsers import DESK, MARKS, PHONE, broken_words, browser, errors, overflow, save, size, text, too_small
from support.gateways import Feed, running
from support.goods import cameras, inspect, item, learning, point, settled, tray

from gateway.daemon import Gateway
from wire.messages import Reply, SensorState, Severity

pytestmark = list(MARKS)
LONG = "roggenmischbrot-mit-kuerbiskernen-und-einem-sehr-langen-namen-1"


@pytest.fixture(scope="module", autouse=True)
def bakery(gateway: Gateway, feed: Feed) -> None:
    for number in range(30):
        value = 55.0 - max(number - 15, 0) * 0.2 + 0.3 * (number % 3)
        charts = {
            "lightness": point(value, rule="drift" if number > 24 else ""),
            "size": point(82.0 + 0.3 * (number % 3), expected=82.3, unit="mm"),
        }
        inspect(feed, tray(10), name=f"i-{number}", ago_s=3600 - 100 * number, charts=charts)
    for number, told in enumerate(learning([54.0, 56.0, 55.0])):
        inspect(feed, tray(9), name=f"l-{number}", ago_s=60, camera="belt", product=LONG, charts={"lightness": told})
    for number in range(14):
        inspect(feed, tray(2, 2, 1), name=f"r-{number}", ago_s=50 - number, product=LONG if number % 2 else "roll")
    inspect(feed, [item("reject", why=["darker", "look"])], name="r-last", camera="rack")
    cameras(feed, *(SensorState(name=name, machine="oven", ok=True) for name in ("tray", "belt", "rack")))
    feed.alert(id="q", machine="oven", type="quality", cause="colour_drift", severity=Severity.ALARM)
    settled(gateway)


def url(gateway: Gateway, language: str = "de") -> str:
    return f"http://127.0.0.1:{gateway.options.web.port}/goods?lang={language}"


def card(driver: Chrome, inspection: str, number: int) -> WebElement:
    return driver.find_element(By.ID, f"item-oven-pi-{inspection}-{number}")


def press(driver: Chrome, inspection: str, number: int, verdict: str) -> None:
    button = card(driver, inspection, number).find_element(By.CSS_SELECTOR, f'button[value="{verdict}"]')
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def look_again(driver: Chrome) -> None:
    """What the page does every few seconds, now."""
    driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(("width", "height"), [PHONE, DESK])
def test_the_page_fits_and_nothing_is_wrong_with_it(
    gateway: Gateway, chromium: Chrome, width: int, height: int, language: str
) -> None:
    size(chromium, width, height)
    errors(chromium)
    chromium.get(url(gateway, language))
    until(lambda: ":" in text(chromium, "#connection"))
    chromium.execute_script("document.querySelector('#teaching').open = true")
    assert overflow(chromium) <= 0
    assert too_small(chromium) == []
    assert broken_words(chromium) == []
    shown = text(chromium, "main")
    said = {
        "de": ("Anteil Ausschuss", "Wird nach und nach dunkler", "Lernt noch, welche Farbe", "dunkler als angelernt"),
        "en": ("Share of rejects", "Slowly getting darker", "Still learning which colour", "darker than taught"),
    }
    for words in (*said[language], LONG):
        assert words in shown
    for jargon in ("None", "{", "looked", "colour_drift", "lightness"):
        assert jargon not in shown
    pictures = chromium.find_elements(By.CSS_SELECTOR, ".picture img")
    assert len(chromium.find_elements(By.CSS_SELECTOR, ".item")) == 24
    for picture in pictures:
        chromium.execute_script("arguments[0].loading = 'eager'", picture)
    until(lambda: all(chromium.execute_script("return arguments[0].naturalWidth", each) > 0 for each in pictures))
    save(chromium, f"goods-{width}-{language}")
    assert errors(chromium) == []


def test_the_box_lies_where_the_item_is_in_its_picture(gateway: Gateway, chromium: Chrome) -> None:
    size(chromium, *DESK)
    chromium.get(url(gateway))
    picture = card(chromium, "r-last", 0).find_element(By.CSS_SELECTOR, ".picture")
    shown = {
        name: chromium.execute_script("return arguments[0].getBoundingClientRect().toJSON()", part)
        for name, part in (
            ("image", picture.find_element(By.CSS_SELECTOR, "img")),
            ("box", picture.find_element(By.CSS_SELECTOR, "rect")),
        )
    }
    image, box = shown["image"], shown["box"]
    assert image["width"] / image["height"] == pytest.approx(160 / 120, abs=0.05)
    for side, length in (("left", "width"), ("top", "height")):
        assert (box[side] - image[side]) / image[length] == pytest.approx(0.15, abs=0.02)
        assert box[length] / image[length] == pytest.approx(0.7, abs=0.03)


def test_limits_average_and_warnings_are_drawn(gateway: Gateway, chromium: Chrome) -> None:
    chromium.get(url(gateway))
    charts = chromium.find_elements(By.CSS_SELECTOR, ".goods-chart")
    assert [each.find_element(By.CSS_SELECTOR, "h3").text for each in charts] == [LONG, "roll", "roll"]
    young, known, sizes = charts
    assert "Größe · oven · tray" in sizes.text
    assert "Wie gewohnt: zuletzt 82,6 mm, sonst 82,3 mm" in sizes.text
    assert sizes.find_elements(By.CSS_SELECTOR, "figcaption span")[1].text.endswith(" mm")
    assert len(sizes.find_elements(By.CSS_SELECTOR, "circle.dot")) == 30
    assert len(young.find_elements(By.CSS_SELECTOR, "circle")) == 3
    assert young.find_elements(By.CSS_SELECTOR, "polygon") == []
    assert len(known.find_elements(By.CSS_SELECTOR, "circle.dot")) == 25
    assert len(known.find_elements(By.CSS_SELECTOR, "circle.warned")) == 5
    band = known.find_element(By.CSS_SELECTOR, "polygon.drift").rect
    lines = known.find_elements(By.CSS_SELECTOR, "polyline.jump")
    tops = sorted(each.rect["y"] for each in lines)
    assert tops[0] < band["y"] < band["y"] + band["height"] < tops[1]


def test_a_verdict_is_given_with_one_press_and_the_camera_learns_it(
    gateway: Gateway, feed: Feed, chromium: Chrome
) -> None:
    size(chromium, *PHONE)
    chromium.get(url(gateway))
    chromium.execute_script("localStorage.clear()")
    chromium.refresh()
    press(chromium, "r-13", 2, "good")
    assert gateway.ledger.audit(limit=1) == [], "the name is asked for first"
    chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]").send_keys("Anna")
    chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]").send_keys(Keys.ENTER)
    assert gateway.ledger.audit(limit=1) == [], "Enter is no verdict about the first picture"
    press(chromium, "r-13", 2, "good")
    until(lambda: "Laut Anna: gut" in text(chromium, "#item-oven-pi-r-13-2"))
    assert chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]").get_attribute("value") == "Anna", (
        "the name is not asked for twice"
    )
    top = "return document.getElementById('item-oven-pi-r-13-2').getBoundingClientRect().top"
    until(lambda: 0 <= chromium.execute_script(top) < PHONE[1], what="not back at the picture")
    (command, *_) = gateway.ledger.commands(limit=1)
    reply = {**feed.node.envelope(time.time_ns()), "origin": "watch"}
    feed.tell(Reply(command=command.id, machine="oven", action="correct_verdict", ok=True, **reply))
    settled(gateway)
    look_again(chromium)
    until(lambda: "Die Kamera hat es übernommen." in text(chromium, "#item-oven-pi-r-13-2"))
    save(chromium, "judged")
    assert errors(chromium) == []


def test_new_pictures_come_by_themselves_and_take_nothing_away(gateway: Gateway, feed: Feed, chromium: Chrome) -> None:
    chromium.get(url(gateway))
    name = chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]")
    name.clear()
    name.send_keys("Ber")
    inspect(feed, tray(0, 1), name="new-1")
    settled(gateway)
    look_again(chromium)
    until(lambda: bool(chromium.find_elements(By.ID, "item-oven-pi-new-1-0")))
    name.send_keys("nd")
    assert name.get_attribute("value") == "Bernd"


def test_a_refused_verdict_is_said_and_the_page_goes_on(gateway: Gateway, feed: Feed, chromium: Chrome) -> None:
    chromium.get(url(gateway))
    name = chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]")
    name.clear()
    name.send_keys("Anna")
    button = card(chromium, "r-last", 0).find_element(By.CSS_SELECTOR, 'button[value="good"]')
    chromium.execute_script("arguments[0].setAttribute('formaction', '/goods/oven-pi/i-tidied/0')", button)
    press(chromium, "r-last", 0, "good")
    until(lambda: "Dieses Bild gibt es nicht mehr." in text(chromium, ".said"))
    inspect(feed, tray(0, 1), name="after-1")
    settled(gateway)
    look_again(chromium)
    until(lambda: bool(chromium.find_elements(By.ID, "item-oven-pi-after-1-0")))
    assert "lost" not in str(chromium.find_element(By.ID, "connection").get_attribute("class"))
    assert "Verbindung verloren" not in text(chromium, "#connection")
    assert "lang=de" in str(chromium.execute_script("return location.href"))
    errors(chromium)  # Chromium counts the 404 of the page itself as one


def test_older_pictures_are_a_press_away(gateway: Gateway, chromium: Chrome) -> None:
    chromium.get(url(gateway))
    chromium.find_element(By.LINK_TEXT, "Ältere Bilder").click()
    until(lambda: bool(chromium.find_elements(By.LINK_TEXT, "Zurück zu den neuesten")))
    assert not chromium.find_elements(By.ID, "item-oven-pi-r-last-0")
    (first,) = chromium.find_elements(By.CSS_SELECTOR, ".item:first-child")
    inspection, number = str(first.get_attribute("id")).removeprefix("item-oven-pi-").rsplit("-", 1)
    if not chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]").get_attribute("value"):
        chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]").send_keys("Anna")
    press(chromium, inspection, int(number), "reject")
    until(lambda: ": Ausschuss" in text(chromium, f"#item-oven-pi-{inspection}-{number} .owner"))
    assert "before=" in chromium.current_url


def test_without_scripts(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> None:
    with browser(tmp_path_factory.mktemp("plain"), scripts=False, language="en") as plain:
        size(plain, *PHONE)
        plain.get(url(gateway).partition("?")[0])
        plain.find_element(By.CSS_SELECTOR, ".judge [name=by]").send_keys("Anna")
        press(plain, "r-12", 3, "reject")
        until(lambda: "Anna says: a reject" in text(plain, "#item-oven-pi-r-12-3"))


def test_a_gateway_that_has_seen_no_goods(chromium: Chrome, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("empty")) as empty:
        chromium.get(url(empty))
        shown = text(chromium, "main")
        assert "Heute hat noch keine Kamera Ware gesehen." in shown
        assert "Noch keine Kamera hat sich gemeldet." in shown
        assert "None" not in shown
        assert overflow(chromium) <= 0
        save(chromium, "no-goods")
        # What comes first brings the field for the name.
        feed = Feed(empty)
        inspect(feed, tray(0, 1), name="first")
        settled(empty)
        look_again(chromium)
        until(lambda: bool(chromium.find_elements(By.ID, "item-oven-pi-first-0")))
        assert chromium.find_element(By.CSS_SELECTOR, ".judge [name=by]").is_displayed()
        chromium.get("about:blank")
