"""The command line: `werkpuls COMMAND …`.

Each command is one module with `SUMMARY`, `EXAMPLE`, `add_arguments(parser)` and `run(args)`; only the one that is called is
loaded, so that a daemon carries nothing of the others. Exit codes: 0 done, 1 found a problem, 2 wrong use.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Protocol, cast

WRONG_USE = 2
COMMANDS = {
    "demo": "werkpuls.demo.command",
    "edge": "werkpuls.edge",
    "gateway": "werkpuls.gateway",
    "score": "werkpuls.score",
    "classify": "werkpuls.classify",
    "teach": "werkpuls.teach",
    "train": "werkpuls.train",
    "calibrate": "werkpuls.calibrate",
    "certs": "werkpuls.certs",
    "doctor": "werkpuls.doctor",
}


class Command(Protocol):
    """What a command's module offers."""

    SUMMARY: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the command's options."""

    def run(self, args: argparse.Namespace) -> int:
        """Does it; returns the exit code."""


class NotInstalled(Exception):
    """A command's packages are not here: each kind of computer installs only what it needs."""


def load(name: str) -> Command:
    """The module behind a command's name.

    Raises:
        NotInstalled: it needs a package that is not here.
    """
    try:
        return cast("Command", import_module(COMMANDS[name]))
    except ModuleNotFoundError as exc:
        raise NotInstalled(f"needs the package {exc.name}, which is not installed on this computer") from exc


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser; with `only`, just that command's module is imported.

    Raises:
        NotInstalled: the command `only` cannot be used here; among all of them such a one is just named.
    """
    parser = argparse.ArgumentParser(
        prog="werkpuls",
        description="Predictive maintenance and visual inspection for bakeries and workshops.",
        epilog="example: werkpuls demo --for 60 --fault bearing_outer@20",
    )
    parser.add_argument("--version", action="version", version=f"werkpuls {version('werkpuls')}")
    parser.add_argument(
        "--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="default: INFO"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS if only is None else (only,):
        try:
            module = load(name)
        except NotInstalled as exc:
            if only is not None:
                raise
            commands.add_parser(name, help=str(exc))
            continue
        sub = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY,
            epilog=f"example: {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    named = next((word for word in words if word in COMMANDS), None)
    try:
        args = build_parser(named).parse_args(words)
    except NotInstalled as exc:
        sys.stderr.write(f"werkpuls {named}: {exc}\n")
        return WRONG_USE
    logging.basicConfig(
        level=args.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request's address, which may hold a token
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Scripts start background jobs with SIGINT ignored, and Python then keeps it so; whoever sends it to us means it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone (`… | head`); nothing is left to say, also not while Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
