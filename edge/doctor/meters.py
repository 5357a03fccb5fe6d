"""Asks a serial port for the energy meters that are known, by reading their registers; only where a person named the port.

What hangs on a serial port does not say what it is, and bytes that are a question to a meter may be an order to something
else, so nothing is sent to a port that nobody named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from edge.doctor.checks import check
from edge.doctor.i2c import Sight
from edge.doctor.world import World
from edge.sensors.base import SensorError
from edge.sensors.modbus_meters import meters
from edge.sensors.probing import Found
from edge.sensors.registry import sensor_type

UNIT = 1
"""Every meter's number when it leaves the factory."""
TIMEOUT_S = 0.3
ATTEMPTS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("pzem004t", "pzem004t", {}),
    ("modbus", "sdm630", {"baud": 9600}),
    ("modbus", "sdm120", {"baud": 2400}),
    ("modbus", "sdm120", {"baud": 9600}),
    ("modbus", "sdm630", {"baud": 2400}),
)
"""Sensor type, meter, options. A meter with three phases comes before one with one at the same speed, as it has the
other's registers, too."""


def look_at_modbus(port: str, world: World) -> Sight:
    """The first meter that answers as it should at unit 1 of that port; takes up to two seconds for each attempt."""
    said = ""
    for kind, meter, options in ATTEMPTS:
        given = {"port": port, **({} if kind == meter else {"meter": meter}), **options}
        of = sensor_type(kind)
        try:
            sensor = of.make(msgspec.convert({**given, "timeout_s": TIMEOUT_S}, of.config), world.surroundings())
            sensor.open()
        except SensorError as exc:
            # What answers, but otherwise, is more worth telling than silence.
            said = str(exc) if not said or "answers" in str(exc) else said
            continue
        sensor.close()
        found = Found(meters()[meter].title, f"{port} unit {UNIT}", given, certain=False, means=_means(port))  # type: ignore[index]  # names of ATTEMPTS
        return Sight([(kind, found)])
    return Sight(checks=[check("serial", "silent", port=port, error=said)])


def _means(port: str) -> Any:
    def means(options: Mapping[str, Any]) -> bool:
        return bool(options.get("port") == port and options.get("unit") == UNIT)

    return means
