"""What draining a vibration chip costs: share of one processor at each chip's rates, without the kernel's transfers.

    python -m benchmarks.sampling [--seconds 20] [--json]

The driver, the rate meter and the making of blocks run as they do on a node, against simulated chips whose own time is
taken off. What the bus's transfers cost in the kernel comes on top.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from edge.sensors.accelerometer import FifoAccelerometer
from edge.sensors.adxl345 import Adxl345, Adxl345Config
from edge.sensors.adxl355 import Adxl355, Adxl355Config
from edge.sensors.lis3dh import Lis3dh, Lis3dhConfig
from edge.sensors.mpu6050 import Mpu6050, Mpu6050Config
from edge.sensors.registry import Surroundings
from edge.sensors.simulation.chips.adxl345 import SimulatedAdxl345
from edge.sensors.simulation.chips.adxl355 import SimulatedAdxl355
from edge.sensors.simulation.chips.bus import SimulatedBuses
from edge.sensors.simulation.chips.lis3dh import SimulatedLis3dh
from edge.sensors.simulation.chips.mpu6050 import SimulatedMpu6050


class Case(NamedTuple):
    """A chip at a rate."""

    name: str
    sensor: Callable[..., FifoAccelerometer]
    config: type[msgspec.Struct]
    chip: Callable[..., Any]
    address: int
    options: dict[str, Any]


CASES = (
    Case("ADXL345, I²C, 800 Hz", Adxl345, Adxl345Config, SimulatedAdxl345, 0x53, {"rate_hz": 800}),
    Case("ADXL345, SPI, 3200 Hz", Adxl345, Adxl345Config, SimulatedAdxl345, 0, {"rate_hz": 3200, "select": 0}),
    Case("LIS3DH, I²C, 1344 Hz", Lis3dh, Lis3dhConfig, SimulatedLis3dh, 0x18, {"rate_hz": 1344}),
    Case("LIS3DH, SPI, 5376 Hz", Lis3dh, Lis3dhConfig, SimulatedLis3dh, 0, {"rate_hz": 5376, "select": 0}),
    Case("MPU-6050, I²C, 1000 Hz", Mpu6050, Mpu6050Config, SimulatedMpu6050, 0x68, {"rate_hz": 1000}),
    Case("ADXL355, SPI, 4000 Hz", Adxl355, Adxl355Config, SimulatedAdxl355, 0, {"rate_hz": 4000, "select": 0}),
)


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000

    def __call__(self) -> int:
        """Monotonic nanoseconds."""
        return self.now_ns

    def step(self, seconds: float) -> None:
        """Lets time pass."""
        self.now_ns += round(seconds * 1e9)


class Meter:
    """Adds up the processor time of calls, of the outermost where they call each other."""

    def __init__(self) -> None:
        self.used_ns = 0
        self._within = False

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with its time added."""

        def wrapped(*given: Any, **named: Any) -> Any:
            if self._within:
                return call(*given, **named)
            self._within = True
            began = time.thread_time_ns()
            try:
                return call(*given, **named)
            finally:
                self.used_ns += time.thread_time_ns() - began
                self._within = False

        return wrapped


def cost(case: Case, seconds: float) -> dict[str, Any]:
    """Processor time of `seconds` of sampling, read once a second."""
    clock, buses, chips = Clock(), SimulatedBuses(), Meter()
    chip = case.chip(clock, 0.03)
    for name in ("read", "write", "transfer"):
        if hasattr(chip, name):
            setattr(chip, name, chips.timed(getattr(chip, name)))
    if "select" in case.options:
        buses.wire_spi(0, 0).chip = chip
    else:
        buses.wire_i2c(1).plug(case.address, chip)
    surroundings = Surroundings("bench", "generic", clock, 1.0, buses=buses)
    config = msgspec.convert(case.options, case.config)
    sensor = case.sensor(config, surroundings, sleep=clock.step, background=False)
    sensor.open()
    pause_s = sensor.pause_s
    chips.used_ns = samples = lost = 0
    began = time.thread_time_ns()
    for _ in range(round(seconds)):
        for _ in range(round(1.0 / pause_s)):
            clock.step(pause_s)
            sensor.pump()
        blocks = sensor.read()
        samples += sum(len(block.values) for block in blocks)
        lost += sum(block.lost for block in blocks)
    used_s = (time.thread_time_ns() - began - chips.used_ns) / 1e9
    sensor.close()
    return {
        "chip": case.name,
        "drains_per_s": round(1.0 / pause_s),
        "processor_percent": 100.0 * used_s / seconds,
        "samples": samples,
        "lost": lost,
    }


def main() -> None:
    """Prints the table, or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sampling", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of sampling, for each chip (20)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    args = parser.parse_args()
    rows = [cost(case, args.seconds) for case in CASES]
    if args.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print(
            f"{row['chip']:24} {row['drains_per_s']:4} drains a second {row['processor_percent']:5.1f} % of a processor"
        )


if __name__ == "__main__":
    main()
