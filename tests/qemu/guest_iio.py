"""Runs in the guest, as root: an accelerometer of the kernel, read through its real buffer. Prints one JSON object."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

RATE_HZ = 80.0
SINE_HZ = 5.0
LONGEST_S = 60.0
"""The guest is slow, and shares its computer."""


def shake(chip: Any) -> None:
    """Readings at the rate, as far as the guest keeps up, a sine along x."""
    began = time.monotonic()
    number = 0
    while True:
        number += 1
        time.sleep(max(began + number / RATE_HZ - time.monotonic(), 0.0))
        chip.send(round(100.0 * math.sin(2 * math.pi * SINE_HZ * number / RATE_HZ)), -50, 10)


def main() -> dict[str, Any]:
    """What the sensor says of a real device: found, set, read, closed."""
    import msgspec  # noqa: PLC0415  # the path is set first
    from support.hid_accelerometer import HidAccelerometer  # noqa: PLC0415

    from edge.sensors.base import SensorError  # noqa: PLC0415
    from edge.sensors.iio import PROBES, Iio, IioConfig  # noqa: PLC0415
    from edge.sensors.registry import Surroundings  # noqa: PLC0415
    from wire.clock import boottime_ns  # noqa: PLC0415

    surroundings = Surroundings("mixer", "mixer", boottime_ns, 1.0)
    found: dict[str, Any] = {}
    sensor = Iio(msgspec.convert({"rate_hz": RATE_HZ}, IioConfig), surroundings)
    try:
        sensor.open()
    except SensorError as exc:
        found["before"] = str(exc)
    chip = HidAccelerometer()
    device = Path("/sys/bus/iio/devices/iio:device0")
    until = time.monotonic() + LONGEST_S
    while not (device / "name").exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1.0)
    found["probed"] = [one.place for probe in PROBES for one in probe.find(Path("/"))]
    sensor.open()
    found["reporting"] = chip.reporting
    Thread(target=shake, args=(chip,), daemon=True).start()
    blocks: list[Any] = []
    until = time.monotonic() + LONGEST_S
    while sum(len(block.values) for block in blocks) < 4 * RATE_HZ and time.monotonic() < until:
        time.sleep(0.5)
        blocks += sensor.read()
    found["channel"] = [sensor.channels[0].axes, sensor.channels[0].rate_hz, sensor.channels[0].resolution]
    found["attributes"] = {
        name: (device / name).read_text().strip(" \n\0")
        for name in ("buffer/enable", "buffer/length", "current_timestamp_clock", "scan_elements/in_timestamp_en")
    }
    found["samples"] = sum(len(block.values) for block in blocks)
    found["lost"] = sum(block.lost for block in blocks)
    found["past"] = all(block.end_ns <= boottime_ns() for block in blocks)
    found["last"] = [
        blocks[-1].rate_hz,
        *(blocks[-1].values.mean(axis=0).tolist()),
        float(blocks[-1].values[:, 0].max()),
    ]
    sensor.close()
    found["closed"] = (device / "buffer/enable").read_text().strip()
    return found


if __name__ == "__main__":
    print(json.dumps(main()))  # noqa: T201  # the result
    sys.stdout.flush()
    # A read of /dev/uhid cannot be interrupted.
    os._exit(0)
