"""Peacefair PZEM-004T v3: voltage, current, active power, energy and frequency of one phase, over a serial port.

Its serial side speaks Modbus RTU at 9600 8N1 (PZEM-004T V3.0 user manual, chapter 2) through optocouplers that want 5 V, as
a USB adapter has them. The measuring side is fed by the mains that it measures, so it is silent while that is off.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from edge.sensors.modbus import Modbus, ModbusConfig
from edge.sensors.registry import Surroundings


class Pzem004tConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `pzem004t` sensor."""

    port: Annotated[str, Meta(min_length=1)]
    """Serial device, such as /dev/ttyUSB0, /dev/serial0 or, better, its name under /dev/serial/by-id."""
    unit: Annotated[int, Meta(ge=1, le=247)] = 1
    """Its address; 1 from the factory."""
    every_s: Annotated[float, Meta(ge=0.2, le=3600)] = 1.0
    """Seconds between readings."""
    timeout_s: Annotated[float, Meta(ge=0.05, le=10)] = 0.5
    """Longest wait for an answer."""
    channels: list[str] = []
    """Deliver these only: voltage, current, power, energy, frequency, power_factor, over_power; empty: all."""
    prefix: Annotated[str, Meta(pattern="^[a-z0-9_-]*$", max_length=24)] = ""
    """Put before each channel's name, where a machine has several meters."""


class Pzem004t(Modbus):
    """One PZEM-004T; see `edge.sensors.modbus.Modbus`.

    Args:
        config: which port.
        surroundings: clock, root folder of device files, folder for energy.

    Raises:
        SensorConfigError: a channel that it does not have.
    """

    Config = Pzem004tConfig  # type: ignore[assignment]  # its own, shorter options

    def __init__(self, config: Pzem004tConfig, surroundings: Surroundings) -> None:
        full = ModbusConfig(
            meter="pzem004t",
            port=config.port,
            unit=config.unit,
            every_s=config.every_s,
            timeout_s=config.timeout_s,
            channels=config.channels,
            prefix=config.prefix,
        )
        super().__init__(full, surroundings)
