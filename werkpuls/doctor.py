"""`werkpuls doctor`: what is wired to this node, whether it reads, and what would keep it from working."""

from __future__ import annotations

import argparse
import math
import os
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from edge.doctor.cameras import Camera
from edge.doctor.checks import Level
from edge.doctor.devices import Device
from edge.doctor.examine import Report, examine
from edge.doctor.live import Reading
from edge.doctor.world import World
from edge.sensors.bus.linux import LinuxBuses
from gateway.wording import Wording
from werkpuls.doctor_words import DoctorWords
from werkpuls.options import Values
from werkpuls.words import Words

EXAMPLE = "werkpuls doctor --config /etc/werkpuls/node.toml --lang en"
FOUND_PROBLEM = 1
BAD_USE = 2
USUAL_CONFIG = "etc/werkpuls/node.toml"


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    seconds, folder = Values(words).within(0.5, 60, "doctor.bad_seconds"), words.say("value.dir")
    parser.add_argument("--config", type=Path, metavar=words.say("value.file"), help=words.say("doctor.config"))
    parser.add_argument("--seconds", type=seconds, default=3.0, metavar="N", help=words.say("doctor.seconds"))
    parser.add_argument(
        "--modbus", action="append", default=[], metavar=words.say("value.port"), help=words.say("doctor.modbus")
    )
    parser.add_argument("--pictures", type=Path, metavar=folder, help=words.say("doctor.pictures"))
    parser.add_argument("--json", action="store_true", help=words.say("parser.json"))
    parser.add_argument("--root", type=Path, default=Path("/"), metavar=folder, help=words.say("doctor.root"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Looks and tells; 0 everything is in order, 1 something has to be done, 2 wrong use."""
    if not args.root.is_dir():
        return _refuse(words.say("doctor.no_folder", root=args.root))
    config = args.config
    try:
        if config is None and (args.root / USUAL_CONFIG).is_file():
            config = args.root / USUAL_CONFIG
        elif config is not None and not config.is_file():
            return _refuse(words.say("doctor.no_file", config=config))
    except PermissionError:  # of a folder above it
        return _refuse(words.say("doctor.not_allowed", config=config or args.root / USUAL_CONFIG))
    # OpenCV's own complaints about a camera would stand between the lines that say the same in words.
    for name, level in (("OPENCV_LOG_LEVEL", "OFF"), ("OPENCV_FFMPEG_LOGLEVEL", "-8")):
        os.environ.setdefault(name, level)
    root = args.root.absolute()
    world = World(root=root, buses=LinuxBuses(str(root / "dev")))
    if root != Path("/"):
        world = replace(world, picamera="")
    report = examine(world, config, args.seconds, args.modbus)
    try:
        kept = [] if args.pictures is None else keep(report.cameras, args.pictures)
    except OSError as exc:
        return _refuse(f"--pictures {args.pictures}: {words.told(exc)}")
    told = DoctorWords(Wording(words.language))
    if args.json:
        sys.stdout.write(msgspec.json.encode(as_json(report, told)).decode() + "\n")
    else:
        sys.stdout.write("\n".join(told.lines(report, socket.gethostname(), config)) + "\n")
        sys.stdout.writelines(f"{path}\n" for path in kept)
    return 0 if report.good else FOUND_PROBLEM


def keep(cameras: Sequence[Camera], folder: Path) -> list[Path]:
    """Writes each camera's picture as JPEG, named after the camera, and says where.

    Raises:
        OSError: it cannot be written.
    """
    made = []
    for number, camera in enumerate(cameras, 1):
        if camera.look is None or camera.look.image is None:
            continue
        from edge.vision.decode import encode  # noqa: PLC0415  # needs OpenCV

        folder.mkdir(parents=True, exist_ok=True)
        name = camera.configured.rpartition("/")[2] or f"{camera.type}-{number}"
        path = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)}.jpg"
        path.write_bytes(encode(camera.look.image, 92))
        made.append(path)
    return made


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
        "cameras": [_camera(camera) for camera in report.cameras],
    }


def _camera(camera: Camera) -> dict[str, Any]:
    found, look = camera.found, camera.look
    picture = None if look is None or look.image is None else look
    return {
        "type": camera.type,
        "what": None if found is None else found.what,
        "place": None if found is None else found.place,
        "configured": camera.configured or None,
        "read": look is not None,
        "error": None if look is None else look.error or None,
        "width": None if picture is None else picture.width,
        "height": None if picture is None else picture.height,
        "brightness": None if picture is None else picture.brightness,
        "sharpness": None if picture is None else picture.sharpness,
        "fault": None if picture is None else picture.fault or None,
        "toml": camera.toml or None,
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


def _refuse(problem: str) -> int:
    sys.stderr.write(f"werkpuls doctor: {problem}\n")
    return BAD_USE
