"""`werkpuls edge`: the daemons of a node, and the check of their configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from werkpuls.words import Words

EXAMPLE = "werkpuls edge sense --config /etc/werkpuls/node.toml"
BAD_CONFIGURATION = 2


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    choices = ("sense", "watch", "check")
    # Named by its choices also where it is missing.
    parser.add_argument("what", choices=choices, metavar=f"{{{','.join(choices)}}}", help=words.say("edge.what"))
    parser.add_argument("--config", type=Path, required=True, metavar=words.say("value.file"), help="node.toml")
    parser.add_argument("--json", action="store_true", help=words.say("parser.json"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Runs until SIGTERM or Ctrl-C; `check` returns at once, 0 good, 2 not."""
    # Each daemon loads only what it needs: a camera's libraries are a third of a small board's memory.
    if args.what == "sense":
        from edge.sense import main  # noqa: PLC0415  # see above
    elif args.what == "watch":
        from edge.watch import main  # noqa: PLC0415  # see above
    else:
        return check(args.config, words, json_output=args.json)
    return main(args.config, json_output=args.json)


def check(config: Path, words: Words, *, json_output: bool = False) -> int:
    """Says what a configuration would start; returns 0, or 2 with the mistake on stderr."""
    from edge.check import plan  # noqa: PLC0415  # see above
    from edge.config import read_node  # noqa: PLC0415  # see above
    from wire.settings import SettingsError  # noqa: PLC0415  # see above

    try:
        found = plan(read_node(config))
    except SettingsError as exc:
        sys.stderr.write(f"{words.say('common.bad_settings', what=words.told(exc))}\n")
        return BAD_CONFIGURATION
    if json_output:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found, words)) + "\n")
    return 0


def _lines(found: dict[str, Any], words: Words) -> Iterator[str]:
    yield words.say("edge.node", **found)
    for machine in found["machines"]:
        yield words.say("edge.machine", **machine)
        for sensor in machine["sensors"]:
            yield words.say("edge.sensor", sensor=sensor)
        known = ", ".join(machine["channels"])
        yield words.say("edge.channels", channels=known) if known else words.say("edge.no_channels")
        if machine["left_out"]:
            yield words.say("edge.left_out", count=machine["left_out"])
    for camera in found["cameras"]:
        yield words.say("edge.camera", **camera)
    if not found["machines"] and not found["cameras"]:
        yield words.say("edge.nothing")
