"""Pages that stay open while the gateway is started anew, as after an update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from support.broker import free_port, until
from support.browsers import MARKS, PHONE, errors, size, text
from support.gateways import Feed, running
from support.goods import inspect, settled, tray

pytestmark = list(MARKS)


def machines(feed: Feed) -> None:
    feed.condition()


def goods(feed: Feed) -> None:
    inspect(feed, tray(9, 1), name="i-1")
    settled(feed.gateway)


@pytest.mark.parametrize(
    ("path", "put", "words"), [("/", machines, "Spiralkneter"), ("/goods", goods, "roll")], ids=["machines", "goods"]
)
def test_a_page_says_that_the_gateway_is_away_and_finds_it_again_by_itself(
    tmp_path: Path, chromium: Chrome, path: str, put: Callable[[Feed], None], words: str
) -> None:
    port = free_port()
    size(chromium, *PHONE)
    with running(tmp_path, web=port):
        chromium.get(f"http://127.0.0.1:{port}{path}?lang=de")
        until(lambda: ":" in text(chromium, "#connection"))
        assert words not in text(chromium, "main")
    chromium.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: "Keine Verbindung" in text(chromium, "#lost"), 20)
    assert not text(chromium, "#connection"), "a time that stands still is none"
    with running(tmp_path, web=port) as gateway:
        put(Feed(gateway))
        until(lambda: words in text(chromium, "main"), 30)
        assert not text(chromium, "#lost")
    errors(chromium)  # the browser's own words about what it could not fetch
