"""The sensors of a configuration: each one's options by its own type, and what can be found before they are opened."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from edge.sensors.base import Channel, Quantity, Sensor, SensorConfigError, SensorError
from edge.sensors.registry import SENSOR_TYPES, SensorType, Surroundings, sensor_type
from wire.messages import ChannelName, Name
from wire.settings import SettingsError, convert, nearest, require_unique, spoken

CHANNEL_NAME = re.compile(get_args(ChannelName)[1].pattern)
"""What the wire takes as the name of a channel or feature."""
UNITS: Mapping[Quantity, tuple[str, ...]] = {
    Quantity.VIBRATION: ("g", "m/s²", "m/s2", "mg", "mm/s", "µm", "V", "mV"),
    Quantity.TEMPERATURE: ("°C",),
    Quantity.CURRENT: ("A", "mA"),
    Quantity.POWER: ("W", "kW", "VA", "kVA", "var"),
    Quantity.ENERGY: ("Wh", "kWh", "MWh", "J", "kJ", "MJ"),
    Quantity.SPEED: ("rpm", "1/min", "Hz", "1/s", "rad/s", "m/s", "m/min"),
}
"""Units that a quantity may have; none given is also right. Levels and states have any."""


@dataclass(frozen=True, slots=True)
class SensorSetup:
    """One sensor as configured: its name within the machine, its type and its checked options."""

    name: str
    type: SensorType
    config: Struct
    path: str
    """Where it stands in the file, for errors."""

    def make(self, surroundings: Surroundings) -> Sensor:
        """A new, unopened sensor; raises SensorConfigError when it can never work."""
        return self.type.make(self.config, surroundings)


def resolve(tables: Sequence[dict[str, Any]], where: str, path: str, base: Path) -> list[SensorSetup]:
    """The sensors of one machine as their types read them; imports the modules of those types.

    Args:
        tables: the `[[machine.sensor]]` tables.
        where, path: file, and where the tables stand in it.
        base: folder that relative paths start from.

    Raises:
        SettingsError: an unknown type, an option that its type does not know or take, or a name used twice.
    """
    found: list[SensorSetup] = []
    for place, table in enumerate(tables):
        here = f"{path}[{place}]"
        kind = _type_of(table, where, here)
        rest = {key: value for key, value in table.items() if key != "type"}
        name = rest.get("name", kind.name)
        if "name" not in {one.encode_name for one in msgspec.structs.fields(kind.config)}:
            rest.pop("name", None)
        named = convert({"name": name}, _Named, where=where, path=here)
        config = convert(rest, kind.config, where=where, path=here, base=base)
        found.append(SensorSetup(name=named.name, type=kind, config=config, path=here))
    require_unique((setup.name for setup in found), where=where, path=path, what="sensor")
    return found


class _Named(Struct, frozen=True, kw_only=True):
    name: Name


def _type_of(table: Mapping[str, Any], where: str, path: str) -> SensorType:
    name = table.get("type")
    if name is None:
        raise SettingsError(where, f"{path}.type", f"must be given; one of {', '.join(SENSOR_TYPES)}")
    if not isinstance(name, str) or name not in SENSOR_TYPES:
        raise SettingsError(where, f"{path}.type", f"unknown sensor type {name!r}; {nearest(str(name), SENSOR_TYPES)}")
    try:
        return sensor_type(name)
    except ImportError as exc:
        raise SettingsError(where, f"{path}.type", f"{name}: {exc}; is the extra for it installed?") from exc


def check_sensors(setups: Sequence[SensorSetup], surroundings: Surroundings, where: str) -> list[Sensor]:
    """Makes (does not open) the sensors of one machine, to find before the start what can never work.

    Returns:
        The sensors; those whose source is not there yet are left out.

    Raises:
        SettingsError: a sensor says that it cannot work, a unit does not fit its quantity, or two sensors deliver a
            channel of the same name.
    """
    made: list[Sensor] = []
    owner: dict[str, str] = {}
    for setup in setups:
        try:
            sensor = setup.make(surroundings)
            channels = list(sensor.channels)
        except SensorConfigError as exc:
            raise SettingsError(where, setup.path, str(exc)) from exc
        except SensorError:
            continue
        for channel in channels:
            if not CHANNEL_NAME.fullmatch(channel.name):
                raise SettingsError(
                    where,
                    setup.path,
                    f"channel {channel.name!r}: a name has lower-case letters, digits, _ . and -, at most 95",
                )
            _check_unit(channel, where, setup.path)
            before = owner.setdefault(channel.name, setup.path)
            if before != setup.path:
                raise SettingsError(
                    where, setup.path, f"channel {channel.name!r} is already delivered by {spoken(before)}"
                )
        made.append(sensor)
    return made


def _check_unit(channel: Channel, where: str, path: str) -> None:
    allowed = UNITS.get(channel.quantity)
    if channel.unit and allowed is not None and channel.unit not in allowed:
        hint = "; Fahrenheit becomes °C with scale and offset" if channel.unit in ("°F", "F") else ""
        raise SettingsError(
            where,
            path,
            f"channel {channel.name!r}: unit {channel.unit!r} is none of {channel.quantity.value}; "
            f"one of {', '.join(allowed)}{hint}",
        )
