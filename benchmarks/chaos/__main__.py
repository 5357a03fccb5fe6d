"""`python -m benchmarks.chaos`: kills, cuts, fills and steps at random, and proves that nothing was lost.

Exit codes: 0 the promise held, 1 it did not, 2 wrong use or a program is missing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from rich.console import Console

from benchmarks.chaos.report import as_json, show
from benchmarks.chaos.run import Run
from benchmarks.chaos.server import BINARY, Server
from werkpuls.demo.processes import ProcessFailed
from werkpuls.demo.site import SiteError


def main(arguments: list[str] | None = None) -> int:
    """One run; see the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="how long things are broken; default: 3")
    parser.add_argument("--seed", type=int, help="repeats a run's plan; default: a random one, which is printed")
    parser.add_argument("--store", choices=("victoria-metrics", "embedded"), default="victoria-metrics")
    parser.add_argument("--json", action="store_true", help="end with one JSON object; the log goes to stderr")
    parser.add_argument("--folder", type=Path, help="keep everything in this new folder; default: a temporary one")
    chosen = parser.parse_args(arguments)
    if not 0.0 < chosen.minutes <= 1440.0:
        parser.error("--minutes must be above 0 and at most 1440")
    if chosen.store != "embedded" and not Server.available():
        parser.error(f"{BINARY} is missing: sudo apt-get install {BINARY}, or --store embedded")
    seed = random.randrange(1_000_000) if chosen.seed is None else chosen.seed  # noqa: S311  # picks a plan
    console = Console(stderr=chosen.json)
    console.print(f"seed {seed}, {chosen.minutes:g} minutes, store {chosen.store}")
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="werkpuls-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    run = Run(
        folder.resolve(), minutes=chosen.minutes, seed=seed, store=chosen.store,
        tell=lambda at_s, text: console.print(f"{at_s:7.1f} s  {text}", markup=False, highlight=False),
    )  # fmt: skip
    try:
        outcome = run.go()
    except (ProcessFailed, SiteError) as exc:
        sys.stderr.write(f"chaos: {exc}\n")
        return 1
    finally:
        if chosen.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if chosen.json:
        sys.stdout.write(json.dumps(as_json(outcome)) + "\n")
    else:
        show(console, outcome)
    return 0 if outcome.holds else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
