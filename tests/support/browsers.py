"""Debian's Chromium for tests of the pages, on a phone and on a desk, with and without scripts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MARKS = (
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"),
    pytest.mark.timeout(120),
)
PHONE, DESK = (390, 844), (1200, 900)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
)
GLOVE_PX = 44
"""Smallest height of what a gloved finger must hit."""


@contextmanager
def browser(folder: Path, *, scripts: bool = True, language: str = "de") -> Iterator[Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    preferences: dict[str, Any] = {"intl.accept_languages": language}
    if not scripts:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        driver.set_page_load_timeout(30)
        yield driver
    finally:
        driver.quit()


def size(driver: Chrome, width: int, height: int) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
    )


def errors(driver: Chrome) -> list[str]:
    return [f"{entry['level']} {entry['message']}" for entry in driver.get_log("browser") if entry["level"] != "INFO"]  # type: ignore[no-untyped-call]  # selenium's own


def save(driver: Chrome, name: str) -> None:
    """A picture for whoever wants to look: `WERKPULS_TEST_PICTURES=folder`."""
    folder = os.environ.get("WERKPULS_TEST_PICTURES")
    if folder:
        metrics = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        size(driver, driver.execute_script("return innerWidth"), min(round(metrics["height"]), 4000))
        driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def text(driver: Chrome, selector: str) -> str:
    """What is shown there; nothing while the page changes. Asked in one step: an element found may be gone when its text is asked for."""
    shown = driver.execute_script(
        "const found = document.querySelector(arguments[0]);"
        "return found && found.checkVisibility() ? found.innerText.trim() : '';",
        selector,
    )
    return str(shown or "")


def overflow(driver: Chrome) -> int:
    """Pixels that the page is wider than its window."""
    return int(
        driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


def too_small(driver: Chrome, within: str = "") -> list[str]:
    """What a gloved finger would miss."""
    parts = "button, select, summary, input:not([type=hidden])"
    found = driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        f".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < {GLOVE_PX}).map(e => e.outerHTML)",
        f"{within} :is({parts})" if within else f":is({parts})",
    )
    return [str(each) for each in found]


def broken_words(driver: Chrome) -> list[str]:
    """Words that go on in the next line, but for those longer than any that people say."""
    found = driver.execute_script("""
        const broken = [], all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
        while (all.nextNode()) {
            if (!all.currentNode.parentElement.checkVisibility()) continue;
            for (const { 0: word, index } of all.currentNode.data.matchAll(/[\\p{L}\\d]{2,24}/gu)) {
                range.setStart(all.currentNode, index);
                range.setEnd(all.currentNode, index + word.length);
                if (new Set([...range.getClientRects()].map((each) => Math.round(each.top))).size > 1) broken.push(word);
            }
        }
        return broken;""")
    return [str(each) for each in found]
