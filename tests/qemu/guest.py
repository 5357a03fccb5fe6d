"""Runs in the guest, as root, with i2c-stub as /dev/i2c-0: tries the bus and every I²C driver on it, prints one JSON object."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

SCRATCH = 0x77
"""Memory without a chip behind it."""
ABSENT = 0x76
"""An address that the stub does not have."""


class Clock:
    """Time of the chips and drivers; the guest itself is too slow for theirs."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def step(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def told(action: Callable[[], object]) -> str:
    """The error an action ends with, as `Class: text`; empty when there is none."""
    try:
        action()
    except Exception as exc:  # noqa: BLE001  # whatever it was is the result
        return f"{type(exc).__name__}: {exc}"
    return ""


def transport() -> dict[str, Any]:
    """Bytes, words and blocks there and back, and what the kernel says where there is nothing."""
    from edge.sensors.bus.linux import LinuxBuses  # noqa: PLC0415  # the path is set first

    bus = LinuxBuses().i2c(0)
    found: dict[str, Any] = {"echo": {}}
    for count in (1, 2, 3, 6, 31):
        data = bytes((37 * place + count) & 0xFF for place in range(count))
        bus.write(SCRATCH, 0x20, data)
        found["echo"][count] = [data.hex(), bus.read(SCRATCH, 0x20, count).hex()]
    # i2c-stub keeps a word in one register and a block in consecutive ones: the low bytes tell which it was.
    bus.write(SCRATCH, 0x10, b"\x00\x00\x00")
    bus.write(SCRATCH, 0x10, b"\x12\x34")
    found["word"] = [bus.read(SCRATCH, at, count).hex() for at, count in ((0x10, 1), (0x11, 1), (0x10, 2))]
    bus.write(SCRATCH, 0x11, b"\x99")
    bus.write(SCRATCH, 0x11, b"")
    found["receive_byte"] = bus.exchange(SCRATCH, b"", 1).hex()
    found["block_of_32"] = len(bus.read(SCRATCH, 0x00, 32))
    found["absent"] = told(lambda: bus.read(ABSENT, 0, 1))
    found["absent_receive_byte"] = told(lambda: bus.exchange(ABSENT, b"", 1))
    found["raw"] = told(lambda: bus.exchange(SCRATCH, b"\xf3\x2d", 3))
    found["no_bus"] = told(lambda: LinuxBuses().i2c(7))
    bus.close()
    bus.close()
    found["closed"] = told(lambda: bus.read(SCRATCH, 0, 1))
    return found


def driver(name: str) -> dict[str, Any]:
    """One driver: at its chip, at memory that holds zeros, and where nobody answers."""
    import msgspec  # noqa: PLC0415  # the path is set first
    from support.i2c_drivers import TRIALS  # noqa: PLC0415
    from support.i2c_stub import StubbedBuses, StubbedI2c  # noqa: PLC0415
    from support.pi import ON_I2C  # noqa: PLC0415

    from edge.sensors.registry import Surroundings, sensor_type  # noqa: PLC0415

    trial, clock = TRIALS[name], Clock()
    bus = StubbedI2c(0)
    surroundings = Surroundings("oven", "oven", clock, 1.0, buses=StubbedBuses(bus))
    kind = sensor_type(name)
    more = {"sleep": clock.step, "background": False} if trial.sampled else {}

    def made(address: int) -> Any:
        config = msgspec.convert({"bus": 0, "address": address, **trial.options}, kind.config)
        return kind.make(config, surroundings, **more)  # what tests may replace

    found: dict[str, Any] = {"wrong": told(made(trial.address).open), "absent": told(made(trial.absent).open)}
    chip = ON_I2C[name].make(clock)
    if name == "ads1115":
        chip.volts = [lambda time_s: 1.65 + math.sqrt(0.02) * math.sin(100 * math.pi * time_s)] * 4
    bus.chips[trial.address] = chip
    sensor = made(trial.address)
    found["open"] = told(sensor.open)
    if not found["open"]:
        found["values"] = means(sensor, clock, trial)
    return found


def means(sensor: Any, clock: Clock, trial: Any) -> dict[str, list[float]]:
    """Mean of each channel's axes over some reads; also the faults, under their own name."""
    import numpy as np  # noqa: PLC0415  # the path is set first

    blocks = []
    for _ in range(trial.reads):
        for _ in range(5):
            clock.step(trial.step_s)
            if trial.sampled:
                sensor.pump()
        blocks += sensor.read()
    sensor.close()
    values: dict[str, Any] = {"faults": [said for block in blocks for _, said in block.faults]}
    for channel in sensor.channels:
        mine = [block.values.reshape(len(block.values), -1) for block in blocks if block.channel.name == channel.name]
        if mine:
            values[channel.name] = [float(value) for value in np.concatenate(mine).mean(axis=0)]
    return values


def doctor() -> list[list[str]]:
    """What the doctor recognises with a chip of every kind behind the stub, two kinds at an address one after the other."""
    from support.i2c_drivers import TRIALS  # noqa: PLC0415  # the path is set first
    from support.i2c_stub import StubbedBuses, StubbedI2c  # noqa: PLC0415
    from support.pi import ON_I2C  # noqa: PLC0415

    from edge.doctor.i2c import look_at_i2c  # noqa: PLC0415
    from edge.sensors.probing import I2cProbe, probes_of  # noqa: PLC0415

    bus = StubbedI2c(0)
    for name, trial in TRIALS.items():
        if not trial.exempt and trial.address not in bus.chips:
            bus.chips[trial.address] = ON_I2C[name].make(Clock())
    probes = [(name, probe) for name in TRIALS for probe in probes_of(name) if isinstance(probe, I2cProbe)]
    sight = look_at_i2c(0, StubbedBuses(bus), probes, {})
    return [[name, device.place] for name, device in sight.found] + [
        [one.code, str(one.values.get("place"))] for one in sight.checks
    ]


def command() -> dict[str, Any]:
    """`werkpuls doctor` itself, with nothing but register images in the stub: they have an identity, but do not move."""
    from contextlib import redirect_stdout  # noqa: PLC0415  # the path is set first
    from io import StringIO  # noqa: PLC0415

    from support.i2c_drivers import IMAGES, STUBBED  # noqa: PLC0415
    from support.i2c_stub import StubbedI2c  # noqa: PLC0415

    from werkpuls import cli  # noqa: PLC0415

    bus = StubbedI2c(0)
    for address in STUBBED:
        bus.lay(address, 0x00, bytes(256))
    for address, image in IMAGES.items():
        for register, data in image.items():
            bus.lay(address, register, data)
    printed = StringIO()
    with redirect_stdout(printed):
        code = cli.main(["doctor", "--json", "--seconds", "0.5"])
    return {"code": code, "report": json.loads(printed.getvalue())}


def main() -> None:
    """Everything, one after the other."""
    from support.i2c_drivers import TRIALS  # noqa: PLC0415  # the path is set first

    found: dict[str, Any] = {"transport": transport()}
    for name in TRIALS:
        try:
            found[name] = driver(name)
        except Exception as exc:  # noqa: BLE001  # one driver's failure is not the others'
            found[name] = {"failed": f"{type(exc).__name__}: {exc}"}
    found["doctor"] = doctor()
    found["command"] = command()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
