"""The command line: `werkpuls COMMAND …`.

Each command is one module with `EXAMPLE`, `add_arguments(parser, words)` and `run(args, words)`, and its texts in a section of the
catalogue's `commands`; only the one that is called is loaded, so that a daemon carries nothing of the others. Exit codes: 0 done,
1 found a problem, 2 wrong use.
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

from gateway.catalogue import LANGUAGES
from werkpuls.parser import WRONG_USE, Parser
from werkpuls.words import Words, language_of

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

    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser, words: Words) -> None:
        """Declares the command's options."""

    def run(self, args: argparse.Namespace, words: Words) -> int:
        """Does it; returns the exit code."""


class NotInstalled(Exception):
    """A command's packages are not here: each kind of computer installs only what it needs. `package` is the first of them."""

    def __init__(self, package: str) -> None:
        super().__init__(f"needs the package {package}")
        self.package = package


def load(name: str) -> Command:
    """The module behind a command's name.

    Raises:
        NotInstalled: it needs a package that is not here.
    """
    try:
        return cast("Command", import_module(COMMANDS[name]))
    except ModuleNotFoundError as exc:
        raise NotInstalled(str(exc.name)) from exc


def build_parser(only: str | None = None, words: Words | None = None) -> argparse.ArgumentParser:
    """The parser; with `only`, just that command's module is imported.

    Args:
        only: a command.
        words: the language; None: what the environment says.

    Raises:
        NotInstalled: the command `only` cannot be used here; among all of them such a one is just named.
    """
    words = words or Words(language_of((), os.environ))
    parser = Parser(
        words=words,
        prog="werkpuls",
        description=words.say("parser.about"),
        epilog=words.say("parser.example", example="werkpuls demo --for 60 --fault bearing_outer@20"),
    )
    parser.add_argument(
        "--version", action="version", version=f"werkpuls {version('werkpuls')}", help=words.say("parser.version")
    )
    parser.add_argument(
        "--log-level",
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        help=words.say("parser.log_level"),
    )
    _add_language(parser, words)
    commands = parser.add_subparsers(
        dest="command", metavar=words.say("value.a_command"), required=True, parser_class=Parser
    )
    for name in COMMANDS if only is None else (only,):
        try:
            module = load(name)
        except NotInstalled as exc:
            if only is not None:
                raise
            commands.add_parser(name, help=words.say("parser.not_installed", package=exc.package), words=words)
            continue
        summary = words.say(f"{name}.summary")
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=words.say("parser.example", example=module.EXAMPLE),
            words=words,
        )
        module.add_arguments(sub, words)
        _add_language(sub, words)
        sub.set_defaults(run=module.run)
    return parser


def _add_language(parser: argparse.ArgumentParser, words: Words) -> None:
    parser.add_argument("--lang", choices=LANGUAGES, default=words.language, help=words.say("parser.language"))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    words = Words(language_of(given, os.environ))
    named = next((word for word in given if word in COMMANDS), None)
    try:
        args = build_parser(named, words).parse_args(given)
    except NotInstalled as exc:
        sys.stderr.write(f"werkpuls {named}: {words.say('parser.not_installed', package=exc.package)}\n")
        return WRONG_USE
    logging.basicConfig(
        level=args.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request's address, which may hold a token
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Scripts start background jobs with SIGINT ignored, and Python then keeps it so; whoever sends it to us means it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return int(args.run(args, words))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone (`… | head`); nothing is left to say, also not while Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
