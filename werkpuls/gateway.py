"""`werkpuls gateway`: runs the gateway daemon, or only checks its configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from werkpuls.words import Words

EXAMPLE = "werkpuls gateway --config /etc/werkpuls/gateway.toml"
BAD_CONFIGURATION = 2


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    parser.add_argument("--config", type=Path, required=True, metavar=words.say("value.file"), help="gateway.toml")
    parser.add_argument("--check", action="store_true", help=words.say("gateway.check"))
    parser.add_argument("--json", action="store_true", help=words.say("parser.json"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Runs until SIGTERM or Ctrl-C; a check returns at once, 0 good, 2 not."""
    if args.check:
        return _check(args, words)
    from gateway.daemon import main  # noqa: PLC0415  # only this command needs the gateway's libraries

    return main(args.config, json_output=args.json)


def _check(args: argparse.Namespace, words: Words) -> int:
    from gateway.config import read_gateway  # noqa: PLC0415  # as above
    from wire.settings import SettingsError  # noqa: PLC0415  # as above

    try:
        read_gateway(args.config)
    except SettingsError as exc:
        sys.stderr.write(f"{words.say('common.bad_settings', what=words.told(exc))}\n")
        return BAD_CONFIGURATION
    sys.stdout.write('{"ok":true}\n' if args.json else words.say("gateway.good", config=args.config) + "\n")
    return 0
