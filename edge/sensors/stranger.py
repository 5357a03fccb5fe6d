"""Who answers instead: names the chip at an address where a driver found another one than its own."""

from __future__ import annotations

from edge.sensors.bus.base import BusError, I2c
from edge.sensors.probing import I2cProbe, I2cReader, probes_of
from edge.sensors.registry import SENSOR_TYPES


def stranger(bus: I2c, address: int, mine: str) -> str:
    """The end of an error's sentence: `; it is an INA226, sensor type ina226`, or nothing when no driver knows it.

    Only reads, as whoever looks for sensors does. Loads every driver's module: for the way of an error only, where somebody
    does answer.

    Args:
        bus, address: where.
        mine: the sensor type that did not find its chip.
    """
    known: list[tuple[bool, str, I2cProbe]] = []
    for name in SENSOR_TYPES:
        if name == mine:
            continue
        try:
            probes = probes_of(name)
        except ImportError:
            continue
        known.extend(
            (probe.by_command, name, probe)
            for probe in probes
            if isinstance(probe, I2cProbe) and probe.certain and address in probe.addresses
        )
    for _, name, probe in sorted(known, key=lambda one: one[0]):
        try:
            chip = probe.identify(I2cReader(bus, address))
        except BusError:
            continue
        if chip is not None:
            article = "an" if chip[0] in "AEILMNS" else "a"
            return f"; it is {article} {chip}, sensor type {name}"
    return ""
