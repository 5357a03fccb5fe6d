"""The picture in the README: `python -m werkpuls.demo.picture docs/images/demo.svg` runs the demo and keeps its screen.

The screen is the one that a person sees once a heating element was broken and the crust has shown it; nothing in it is drawn by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from gateway.wording import LANGUAGES
from werkpuls.demo.plan import CAMERA, MACHINES
from werkpuls.demo.run import FaultRun, Show, until
from werkpuls.demo.screen import draw, keys_of
from werkpuls.demo.site import Site

WIDTH = 118
AFTER_ALERT_S = 3.0
LONGEST_S = 120.0


@contextmanager
def broken_oven(language: str, breaks_s: float) -> Iterator[tuple[Show, FaultRun]]:
    """A demo that runs in a folder of its own, whose oven's heating element breaks at that second."""
    with tempfile.TemporaryDirectory(prefix="werkpuls-picture-", ignore_cleanup_errors=True) as folder:
        site = Site(Path(folder), web_port=8077, language=language, camera=True)
        oven = next(machine for machine in MACHINES if machine.name == CAMERA.machine)
        fault = FaultRun("heating_element_open", oven, breaks_s)
        try:
            site.build()
            show = Show(site, [fault], language)
            show.begin()
            yield show, fault
        finally:
            site.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo until the alert has reached both receivers and the goods have shown it; 1 when there was no alert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--lang", choices=LANGUAGES, default="de")
    args = parser.parse_args(argv)
    console = Console(record=True, width=WIDTH, file=sys.stderr)
    with broken_oven(args.lang, 20.0) as (show, fault):
        told = len(show.site.receiver_ports)
        until(
            show,
            LONGEST_S,
            lambda: len(fault.receivers_after_s) == told and fault.goods_after_s is not None,
            lambda: None,
        )
        until(show, show.running_s + AFTER_ALERT_S, lambda: False, lambda: None)
        console.print(draw(show, keys_of(show.site)))
    # Without rich's web fonts: a picture must not make a reader's browser ask somebody else for them.
    svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="werkpuls demo"), flags=re.DOTALL)
    args.file.write_text(svg, encoding="utf-8")
    return 0 if fault.alert is not None else 1


if __name__ == "__main__":
    sys.exit(main())
