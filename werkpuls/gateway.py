"""`werkpuls gateway`: runs the gateway daemon, or only checks its configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "run the gateway: MQTT in; store, alerts, events and the page out"
EXAMPLE = "werkpuls gateway --config /etc/werkpuls/gateway.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="gateway.toml")
    parser.add_argument("--check", action="store_true", help="only check the configuration; 0 good, 2 not")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(args: argparse.Namespace) -> int:
    """Runs until SIGTERM or Ctrl-C."""
    from gateway.daemon import main  # noqa: PLC0415  # only this command needs the gateway's libraries

    return main(args.config, check=args.check, json_output=args.json)
