"""The pictures of the pages in the documentation: `python -m benchmarks.pages docs/images` runs the demo for five minutes.

An oven's heating element breaks, the goods page shows the crusts that it made, and once it is repaired a product is taught on a phone; nothing
in the pictures is drawn by hand. It needs Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.wording import LANGUAGES
from werkpuls.demo.picture import broken_oven
from werkpuls.demo.run import Show, until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PHONE, DESK = (390, 960), (900, 1600)
TAUGHT = {"de": "Laugenbrezel groß", "en": "Large pretzel"}
COLLECTED = 12
"""Items to wait for."""
BREAKS_S = 240.0
"""By then the charts know what is normal."""
LONGEST_S = 420.0
AFTER_S, HEALED_S = 8.0, 40.0
"""What the fault did is seen by then, and nothing of it any more."""


def main(argv: Sequence[str] | None = None) -> int:
    """Writes `lesson.png` and `goods.png`; 1 when the goods did not show the fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lang", choices=LANGUAGES, default="de")
    args = parser.parse_args(argv)
    with broken_oven(args.lang, BREAKS_S) as (show, fault):
        wait(show, lambda: fault.goods_after_s is not None)
        until(show, show.running_s + AFTER_S, lambda: False, lambda: None)
        goods = f"{show.site.url}/goods?lang={args.lang}"
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, browser(Path(profile)) as driver:
            picture(driver, goods, DESK, args.folder / "goods.png")
            show.heal()
            until(show, show.running_s + HEALED_S, lambda: False, lambda: None)
            lesson(driver, show, goods, TAUGHT[args.lang], args.folder / "lesson.png")
    return 0 if fault.goods_after_s is not None else 1


def wait(show: Show, true: Callable[[], bool]) -> None:
    """Lets the demo run until something is so, or for long enough."""
    until(show, LONGEST_S, true, lambda: None)


def lesson(driver: Chrome, show: Show, address: str, name: str, file: Path) -> None:
    """Teaches as a baker would, until there is something to see."""
    look(driver, address, PHONE)
    driver.execute_script(
        "document.querySelector('#teaching').open = true;"
        "for (const [field, text] of [['name', arguments[0]], ['by', 'Anna']]) {"
        " const input = document.querySelector(`.begin [name=${field}]`);"
        " input.value = text; input.dispatchEvent(new Event('change', { bubbles: true })); }"
        "document.querySelector('.begin').requestSubmit();",
        name,
    )
    wait(show, lambda: driver.execute_script("return document.querySelectorAll('.tap').length") >= COLLECTED)
    driver.execute_script(
        "document.querySelectorAll('.tap')[1].querySelector('[value=reject]').click(); scrollTo(0, 0)"
    )
    driver.save_screenshot(str(file))


def picture(driver: Chrome, address: str, size: tuple[int, int], file: Path) -> None:
    """Of a page as it stands."""
    look(driver, address, size)
    time.sleep(2.0)
    driver.save_screenshot(str(file))


def look(driver: Chrome, address: str, size: tuple[int, int]) -> None:
    """Opens a page in a window of that many pixels, width and height."""
    screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.get(address)


@contextmanager
def browser(folder: Path) -> Iterator[Chrome]:
    """Chromium without a screen; what it keeps goes into the folder."""
    from selenium import webdriver  # noqa: PLC0415  # an extra for development
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415  # as above

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server")
    for flag in (*flags, "--hide-scrollbars", f"--user-data-dir={folder / 'chromium'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or "chromedriver"))
    try:
        yield driver
    finally:
        driver.quit()


if __name__ == "__main__":
    raise SystemExit(main())
