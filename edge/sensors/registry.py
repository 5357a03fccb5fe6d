"""Which sensor types there are. Adding one is a new file and one line here.

A sensor module holds its configuration (a strict msgspec Struct with every option documented) and its class side by
side. Modules are imported when a configuration names them, so a node loads only what it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct

from edge.sensors.base import Sensor
from edge.sensors.bus.base import Buses
from edge.sensors.bus.linux import LinuxBuses

SENSOR_TYPES = {
    "simulated": "edge.sensors.simulated:Simulated",
    "replay": "edge.sensors.replay:Replay",
    "host": "edge.sensors.host:Host",
    "mqtt": "edge.sensors.mqtt:Mqtt",
    "adxl345": "edge.sensors.adxl345:Adxl345",
    "lis3dh": "edge.sensors.lis3dh:Lis3dh",
    "mpu6050": "edge.sensors.mpu6050:Mpu6050",
    "adxl355": "edge.sensors.adxl355:Adxl355",
    "iio": "edge.sensors.iio:Iio",
    "modbus": "edge.sensors.modbus:Modbus",
    "pzem004t": "edge.sensors.pzem004t:Pzem004t",
    "ds18b20": "edge.sensors.ds18b20:Ds18b20",
    "max31855": "edge.sensors.max31855:Max31855",
    "max31856": "edge.sensors.max31856:Max31856",
    "max31865": "edge.sensors.max31865:Max31865",
    "mlx90614": "edge.sensors.mlx90614:Mlx90614",
    "sht31": "edge.sensors.sht31:Sht31",
    "ina226": "edge.sensors.ina226:Ina226",
    "ads1115": "edge.sensors.ads1115:Ads1115",
    "mcp3008": "edge.sensors.mcp3008:Mcp3008",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sensor may use of the world; everything in it can be replaced in a test."""

    machine: str
    kind: str
    """Kind of machine: oven, mixer, compressor, lathe, generic."""
    monotonic_ns: Callable[[], int]
    interval_s: float
    """How often the machine is read."""
    root: str = "/"
    """Root of /sys, /proc and /dev; tests point it at a folder."""
    broker: Any = None
    """The node's own `wire.link.LinkConfig`, for sensors that listen to MQTT."""
    buses: Buses = field(default_factory=LinuxBuses)
    """The I²C and SPI buses of the board."""
    state_dir: Path | None = None
    """Folder for what a sensor must remember over a restart; None: nothing is kept."""


@dataclass(frozen=True, slots=True)
class SensorType:
    """One entry of the registry: how to read its options and how to make it."""

    name: str
    config: type[Struct]
    make: Callable[[Any, Surroundings], Sensor]


def sensor_type(name: str) -> SensorType:
    """Loads one sensor type; raises KeyError for an unknown name.

    The class in the registry has a `Config` attribute (a msgspec Struct) and is called with `(config, surroundings)`.
    """
    module, _, attribute = SENSOR_TYPES[name].partition(":")
    made = getattr(import_module(module), attribute)
    return SensorType(name=name, config=made.Config, make=made)
