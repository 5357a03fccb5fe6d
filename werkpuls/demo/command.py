"""`werkpuls demo`: the whole chain on this computer, with machines to break."""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live

from werkpuls.certificates import CertificateError
from werkpuls.demo.plan import MACHINES, Recording
from werkpuls.demo.processes import ProcessFailed
from werkpuls.demo.recorded import Unplayable, examine
from werkpuls.demo.report import passed, print_words, result
from werkpuls.demo.run import FaultRun, Show, until
from werkpuls.demo.screen import Key, Keyboard, draw, keys_of
from werkpuls.demo.site import Site, SiteError
from werkpuls.options import Values, names
from werkpuls.words import Words

EXAMPLE = "werkpuls demo --for 60 --fault bearing_outer@20"
BAD_USE = 2
FOUND_PROBLEM = 1


class WrongUse(Exception):
    """What was asked for cannot be done; the text says which option and why, in the person's language."""


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    values = Values(words)
    file, columns = words.say("value.file"), words.say("value.columns")
    a_name, seconds = words.say("value.name"), words.say("value.seconds")
    parser.add_argument("--for", dest="seconds", type=values.positive, metavar=seconds, help=words.say("demo.seconds"))
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar=f"{a_name}@{seconds}",
        help=words.say("demo.fault", names=", ".join(_fault_names())),
    )
    parser.add_argument("--port", type=_port(words), default=0, metavar="PORT", help=words.say("demo.port"))
    parser.add_argument("--folder", type=Path, metavar=words.say("value.dir"), help=words.say("demo.folder"))
    parser.add_argument("--json", action="store_true", help=words.say("demo.json"))
    parser.add_argument("--blind", action="store_true", help=words.say("demo.blind"))
    recording = parser.add_argument_group(words.say("demo.recording_group"))
    recording.add_argument("--recording", type=Path, nargs="+", metavar=file, help=words.say("demo.recording"))
    recording.add_argument("--pace", type=values.positive, metavar="N", help=words.say("demo.pace"))
    recording.add_argument(
        "--separator", type=values.separator, metavar=words.say("value.a_sign"), help=words.say("score.separator")
    )
    recording.add_argument("--time", metavar=words.say("value.column"), help=words.say("score.time"))
    recording.add_argument("--ignore", type=names, default=(), metavar=columns, help=words.say("score.ignore"))
    recording.add_argument("--columns", type=names, default=(), metavar=columns, help=words.say("score.columns"))
    recording.add_argument("--rate", type=values.positive, metavar="HZ", help=words.say("score.rate"))
    recording.add_argument("--block", type=values.positive, metavar=seconds, help=words.say("score.block"))
    recording.add_argument("--warmup", type=int, metavar="N", help=words.say("demo.warmup"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Runs the demo; 0 when nothing was lost or doubled, 1 otherwise or when a part failed, 2 for wrong use."""
    try:
        faults = _faults(args, words)
        recording = _recording(args)
        folder = _folder(args.folder, words)
    except (WrongUse, Unplayable, OSError) as exc:
        sys.stderr.write(f"werkpuls demo: {words.told(exc)}\n")
        return BAD_USE
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        site = Site(folder, web_port=args.port, recording=recording, language=words.language, camera=not args.blind)
        return _run(args, site, faults)
    except (ProcessFailed, SiteError, CertificateError, OSError) as exc:
        if isinstance(exc, BrokenPipeError):
            raise
        sys.stderr.write(f"werkpuls demo: {words.told(exc)}\n")
        return FOUND_PROBLEM
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def _run(args: argparse.Namespace, site: Site, faults: list[FaultRun]) -> int:
    site.build()
    show = Show(site, faults, site.language)
    console = Console(stderr=args.json)
    try:
        show.begin()
        _watch(show, args, console)
        seconds = show.running_s
        if not args.json:
            console.print(show.wording.catalogue["demo"]["comparing"])
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
            # Nothing is drawn that would show it.
            console.print(f"Werkpuls · {show.site.url}")
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


def _fault_names() -> list[str]:
    return list(dict.fromkeys(name for machine in MACHINES for name in machine.faults))


def _faults(args: argparse.Namespace, words: Words) -> list[FaultRun]:
    """What is to be broken.

    Raises:
        WrongUse: there is no such fault, or its time does not fit.
    """
    faults = [_fault(word, words) for word in args.fault]
    late = next((fault for fault in faults if args.seconds is not None and fault.due_s >= args.seconds), None)
    if late is not None:
        raise WrongUse(words.say("demo.fault_late", fault=late.name, due=f"{late.due_s:g}", end=f"{args.seconds:g}"))
    return faults


def _fault(word: str, words: Words) -> FaultRun:
    name, _, at = word.partition("@")
    machine = next((machine for machine in MACHINES if name in machine.faults), None)
    if machine is None:
        raise WrongUse(words.say("demo.no_fault", word=word, name=name, names=", ".join(_fault_names())))
    try:
        seconds = float(at or "0")
    except ValueError:
        raise WrongUse(words.say("demo.no_seconds", word=word, text=at)) from None
    if not 0 <= seconds < 1e6:
        raise WrongUse(words.say("demo.bad_seconds", word=word))
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


def _folder(given: Path | None, words: Words) -> Path:
    """An empty folder that nobody else can read: keys and secrets lie in it."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix="werkpuls-demo-"))
    folder = given.resolve()
    if folder.exists() and any(folder.iterdir()):
        raise WrongUse(words.say("demo.not_empty", folder=given))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _port(words: Words) -> Callable[[str], int]:
    """The type of a port that can be listened on."""

    def port(text: str) -> int:
        if not text.isdecimal() or not 0 <= int(text) <= 65_535:
            raise argparse.ArgumentTypeError(words.say("demo.no_port", text=text))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(text)))
            except OSError as exc:
                raise argparse.ArgumentTypeError(
                    words.say("demo.port_taken", text=text, what=words.told(exc.strerror))
                ) from exc
        return int(text)

    return port


def _interrupt(_signal: int, _frame: Any) -> None:
    """SIGTERM ends the demo as Ctrl-C does: in order, and with the comparison."""
    raise KeyboardInterrupt
