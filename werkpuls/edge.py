"""`werkpuls edge`: the daemons of a node, and the check of their configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "run a node's daemon (sense, watch), or check its configuration"
EXAMPLE = "werkpuls edge sense --config /etc/werkpuls/node.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument(
        "what",
        choices=("sense", "watch", "check"),
        help="sense: listen to machines; watch: look through cameras; check: say what would start, or what is wrong",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="node.toml")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(args: argparse.Namespace) -> int:
    """Runs until SIGTERM or Ctrl-C; `check` returns at once, 0 good, 2 not."""
    # Each daemon loads only what it needs: a camera's libraries are a third of a small board's memory.
    if args.what == "sense":
        from edge.sense import main  # noqa: PLC0415  # see above
    elif args.what == "watch":
        from edge.watch import main  # noqa: PLC0415  # see above
    else:
        from edge.check import main  # noqa: PLC0415  # see above
    return main(args.config, json_output=args.json)
