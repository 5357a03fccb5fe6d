"""`werkpuls doctor`: what is wired to this node, whether it reads, and what would keep it from working."""

from __future__ import annotations

import argparse
import math
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from edge.doctor.checks import Level
from edge.doctor.devices import Device
from edge.doctor.examine import Report, examine
from edge.doctor.live import Reading
from edge.doctor.world import World
from edge.sensors.bus.linux import LinuxBuses
from gateway.wording import LANGUAGES, Wording
from werkpuls.doctor_words import DoctorWords

SUMMARY = "find what is wired to this node, show live values, propose its configuration, and check what it needs"
EXAMPLE = "werkpuls doctor --config /etc/werkpuls/node.toml --lang en"
FOUND_PROBLEM = 1
BAD_USE = 2
USUAL_CONFIG = "etc/werkpuls/node.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="node.toml; default: /etc/werkpuls/node.toml where it exists"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=3.0, metavar="N", help="how long sensors are read, 0.5 to 60; default: 3"
    )
    parser.add_argument(
        "--modbus", action="append", default=[], metavar="PORT",
        help="ask this serial port for an energy meter (PZEM-004T, Eastron SDM); may be repeated. Only name a port where "
        "nothing but a meter is connected",
    )  # fmt: skip
    parser.add_argument("--lang", choices=LANGUAGES, default="de", help="language; default: de")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="folder that stands for /, of another system; default: /"
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Looks and tells; 0 everything is in order, 1 something has to be done, 2 wrong use."""
    if not args.root.is_dir():
        sys.stderr.write(f"werkpuls doctor: --root {args.root}: no such folder\n")
        return BAD_USE
    config = args.config
    if config is None and (args.root / USUAL_CONFIG).is_file():
        config = args.root / USUAL_CONFIG
    elif config is not None and not config.is_file():
        sys.stderr.write(f"werkpuls doctor: --config {config}: no such file\n")
        return BAD_USE
    root = args.root.absolute()
    report = examine(World(root=root, buses=LinuxBuses(str(root / "dev"))), config, args.seconds, args.modbus)
    words = DoctorWords(Wording(args.lang))
    if args.json:
        sys.stdout.write(msgspec.json.encode(as_json(report, words)).decode() + "\n")
    else:
        sys.stdout.write("\n".join(words.lines(report, socket.gethostname(), config)) + "\n")
    return 0 if report.good else FOUND_PROBLEM


def as_json(report: Report, words: DoctorWords) -> dict[str, Any]:
    """The report as one JSON object; numbers that are none are null."""
    return {
        "good": report.good,
        "problems": sum(one.level is Level.PROBLEM for one in report.checks),
        "checks": [
            {
                "area": one.area,
                "code": one.code,
                "level": one.level.value,
                "values": dict(one.values),
                "text": words.says(one),
                "do": words.do(one),
            }
            for one in report.checks
        ],
        "devices": [_device(device) for device in report.devices],
    }


def _device(device: Device) -> dict[str, Any]:
    found, outcome = device.found, device.outcome
    return {
        "type": device.kind,
        "chip": None if found is None else found.chip,
        "place": None if found is None else found.place,
        "certain": None if found is None else found.certain,
        "configured": device.configured or None,
        "read": outcome is not None,
        "error": None if outcome is None else outcome.error or None,
        "readings": [] if outcome is None else [_reading(reading) for reading in outcome.readings],
        "toml": device.toml or None,
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "channel": reading.channel.name,
        "unit": reading.channel.unit,
        "value": [value if math.isfinite(value) else None for value in reading.value],
        "noise": reading.noise,
        "count": reading.count,
        "rate_hz": reading.rate_hz,
        "faults": list(reading.faults),
    }


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.5 <= value <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not 0.5 to 60 seconds")
    return value
