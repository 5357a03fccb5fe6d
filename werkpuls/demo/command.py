"""`werkpuls demo`: the whole chain on this computer, with machines to break."""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live

from gateway.wording import LANGUAGES
from werkpuls.certificates import CertificateError
from werkpuls.demo.plan import MACHINES, Recording
from werkpuls.demo.processes import ProcessFailed
from werkpuls.demo.recorded import examine
from werkpuls.demo.report import passed, print_words, result
from werkpuls.demo.run import FaultRun, Show, until
from werkpuls.demo.screen import Key, Keyboard, draw, keys_of
from werkpuls.demo.site import Site, SiteError
from werkpuls.options import names, separator

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
        help="break something at that second after all nodes are online, or as soon as the machine knows its normal; "
        "may be repeated. "
        f"Names: {', '.join(dict.fromkeys(name for machine in MACHINES for name in machine.faults))}",
    )  # fmt: skip
    parser.add_argument("--port", type=_port, default=0, help="port of the page; default: a free one")
    parser.add_argument("--lang", choices=LANGUAGES, default="de", help="language of the screen; default: de")
    parser.add_argument(
        "--folder", type=Path, help="keep everything in this new folder; default: a temporary one, removed at the end"
    )
    parser.add_argument("--json", action="store_true", help="no screen; end with one JSON object")
    parser.add_argument("--blind", action="store_true", help="without the camera over the oven's goods")
    recording = parser.add_argument_group("a real recording as one more machine (see werkpuls score)")
    recording.add_argument(
        "--recording",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="tables or waveforms, played one after the other; after the last it begins again",
    )
    recording.add_argument(
        "--pace", type=_positive, metavar="N", help="rows or blocks a second, at most 20; default: 20 rows or 4 blocks"
    )
    recording.add_argument("--separator", type=separator, metavar="SIGN", help="field separator of a CSV file")
    recording.add_argument("--time", metavar="COLUMN", help="time column")
    recording.add_argument("--ignore", type=names, default=(), metavar="COL,COL", help="columns to leave out")
    recording.add_argument("--columns", type=names, default=(), metavar="COL,COL", help="columns to use")
    recording.add_argument("--rate", type=_positive, metavar="HZ", help="sample rate of a waveform")
    recording.add_argument("--block", type=_positive, metavar="SECONDS", help="length of a waveform's blocks")
    recording.add_argument(
        "--warmup", type=int, metavar="N", help="rows or blocks known to be normal; default: 400 rows or 20 blocks"
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Runs the demo; 0 when nothing was lost or doubled, 1 otherwise or when a part failed, 2 for wrong use."""
    try:
        faults = [_fault(word) for word in args.fault]
        late = next((fault for fault in faults if args.seconds is not None and fault.due_s >= args.seconds), None)
        if late is not None:
            raise ValueError(f"--fault {late.name}@{late.due_s:g}: after the end, --for {args.seconds:g}")  # noqa: TRY301  # one place words every wrong use
        recording = _recording(args)
        folder = _folder(args.folder)
    except (ValueError, OSError) as exc:
        sys.stderr.write(f"werkpuls demo: {exc}\n")
        return BAD_USE
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        site = Site(folder, web_port=args.port, recording=recording, language=args.lang, camera=not args.blind)
        return _run(args, site, faults)
    except (ProcessFailed, SiteError, CertificateError, OSError) as exc:
        if isinstance(exc, BrokenPipeError):
            raise
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
        # A second Ctrl-C must not leave half of it running.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
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
                live.update(draw(show, keys, *console.size), refresh=True)

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
    wanted = Recording(
        file=args.recording[0],
        separator=args.separator,
        time=args.time,
        ignore=args.ignore,
        columns=args.columns,
        rate_hz=args.rate,
        block_s=args.block,
    )
    return examine(args.recording, wanted, warmup=args.warmup, pace_hz=args.pace)


def _folder(given: Path | None) -> Path:
    """An empty folder that nobody else can read: keys and secrets lie in it."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix="werkpuls-demo-"))
    folder = given.resolve()
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"--folder {given} is not empty")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from exc
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as exc:
            raise argparse.ArgumentTypeError(f"port {text} cannot be used: {exc.strerror}") from exc
    return int(text)


def _interrupt(_signal: int, _frame: Any) -> None:
    """SIGTERM ends the demo as Ctrl-C does: in order, and with the comparison."""
    raise KeyboardInterrupt
