"""`werkpuls demo`: the whole chain on this computer, with machines to break."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live

from gateway.wording import LANGUAGES
from werkpuls.certificates import CertificateError
from werkpuls.demo.processes import ProcessFailed
from werkpuls.demo.report import passed, print_words, result
from werkpuls.demo.run import FaultRun, Show, until
from werkpuls.demo.screen import Key, Keyboard, draw, keys_of
from werkpuls.demo.site import MACHINES, Recording, Site, SiteError

SUMMARY = "run the whole chain here: broker, two nodes, gateway, receivers; break a machine and watch the alert travel"
EXAMPLE = "werkpuls demo --for 60 --fault bearing_outer@20"
BAD_USE = 2
FOUND_PROBLEM = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument(
        "--for", dest="seconds", type=_positive, metavar="SECONDS", help="end by itself; default: until q or Ctrl-C"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME@SECONDS",
        help="break something at that second after the start (or as soon as the machine knows its normal); may be repeated. "
        f"Names: {', '.join(dict.fromkeys(name for machine in MACHINES for name in machine.faults))}",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="port of the page; default: a free one")
    parser.add_argument("--lang", choices=LANGUAGES, default="de", help="language of the screen; default: de")
    parser.add_argument(
        "--folder", type=Path, help="keep everything in this new folder; default: a temporary one, removed at the end"
    )
    parser.add_argument("--json", action="store_true", help="no screen; end with one JSON object")
    recording = parser.add_argument_group("a real recording as one more machine (see werkpuls score)")
    recording.add_argument(
        "--recording", type=Path, metavar="FILE", help="a table or waveform; 20 rows or blocks a second are played"
    )
    recording.add_argument("--separator", help="field separator of a CSV file")
    recording.add_argument("--time", metavar="COLUMN", help="time column")
    recording.add_argument("--ignore", default="", metavar="COL,COL", help="columns to leave out")
    recording.add_argument("--columns", default="", metavar="COL,COL", help="columns to use")
    recording.add_argument("--rate", type=_positive, metavar="HZ", help="sample rate of a waveform")
    recording.add_argument("--block", type=_positive, metavar="SECONDS", help="length of a waveform's blocks")
    recording.add_argument(
        "--warmup", type=int, default=400, metavar="N", help="rows or blocks known to be normal; default: 400"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the demo; 0 when nothing was lost or doubled, 1 otherwise or when a part failed, 2 for wrong use."""
    try:
        faults = [_fault(word) for word in args.fault]
        recording = _recording(args)
        _check(args)
    except (ValueError, OSError) as exc:
        sys.stderr.write(f"werkpuls demo: {exc}\n")
        return BAD_USE
    folder = Path(tempfile.mkdtemp(prefix="werkpuls-demo-")) if args.folder is None else args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(args, Site(folder, web_port=args.port, recording=recording), faults)
    except (ProcessFailed, SiteError, CertificateError) as exc:
        sys.stderr.write(f"werkpuls demo: {exc}\n")
        return FOUND_PROBLEM
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(args: argparse.Namespace, site: Site, faults: list[FaultRun]) -> int:
    site.build()
    show = Show(site, faults, args.lang)
    console = Console(stderr=args.json)
    try:
        show.begin()
        _watch(show, args, console)
        seconds = show.running_s
        proof, usage = show.end()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        site.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)
    outcome = result(show, proof, usage, seconds)
    if args.json:
        sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    else:
        print_words(console, show.wording, outcome)
    return 0 if passed(outcome) else FOUND_PROBLEM


def _watch(show: Show, args: argparse.Namespace, console: Console) -> None:
    keys = keys_of(show.site)
    stopped = False
    try:
        if args.json or not console.is_terminal:
            until(show, args.seconds, lambda: False, lambda: None)
            return
        with Keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:

            def refresh() -> None:
                nonlocal stopped
                stopped = _press(show, keys, keyboard.pressed()) or stopped
                live.update(draw(show, keys), refresh=True)

            until(show, args.seconds, lambda: stopped, refresh)
    except KeyboardInterrupt:
        pass  # enough seen: go on to the end, which stops and compares


def _press(show: Show, keys: list[Key], pressed: str) -> bool:
    """Does what the keys say; True for the end."""
    for letter in pressed.lower():
        found = next((key for key in keys if key.key == letter), None)
        if found is not None:
            show.ask(found.fault, found.machine)
        elif letter == "h":
            show.heal()
        elif letter == "a":
            show.acknowledge()
        elif letter == "q":
            return True
    return False


def _fault(word: str) -> FaultRun:
    name, _, at = word.partition("@")
    machine = next((machine for machine in MACHINES if name in machine.faults), None)
    if machine is None:
        known = ", ".join(dict.fromkeys(fault for machine in MACHINES for fault in machine.faults))
        raise ValueError(f"--fault {word}: no fault {name!r}; there are {known}")
    try:
        seconds = float(at or "0")
    except ValueError:
        raise ValueError(f"--fault {word}: {at!r} is not a number of seconds") from None
    if not 0 <= seconds < 1e6:
        raise ValueError(f"--fault {word}: seconds from 0 on")
    return FaultRun(name, machine, seconds)


def _recording(args: argparse.Namespace) -> Recording | None:
    if args.recording is None:
        return None
    if not args.recording.is_file():
        raise ValueError(f"--recording {args.recording}: no such file")
    if args.warmup < 8:
        raise ValueError(f"--warmup {args.warmup}: 8 or more")
    return Recording(
        file=args.recording,
        warmup=args.warmup,
        separator=args.separator,
        time=args.time,
        ignore=tuple(filter(None, args.ignore.split(","))),
        columns=tuple(filter(None, args.columns.split(","))),
        rate_hz=args.rate,
        block_s=args.block,
    )


def _check(args: argparse.Namespace) -> None:
    if not 0 <= args.port <= 65_535:
        raise ValueError(f"--port {args.port}: 0 to 65535")
    if args.folder is not None and args.folder.exists() and any(args.folder.iterdir()):
        raise ValueError(f"--folder {args.folder} is not empty")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _interrupt(_signal: int, _frame: Any) -> None:
    """SIGTERM ends the demo as Ctrl-C does: in order, and with the comparison."""
    raise KeyboardInterrupt
