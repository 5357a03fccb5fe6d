"""What a column is called and what that says of it: quantity and unit, in German and English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from edge.sensors.base import Quantity

_FOLD = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "°": "deg", "²": "2", "³": "3", "µ": "u", "%": "percent"}
)
_LONGEST = 60


class Meaning(NamedTuple):
    """What a column's name says."""

    quantity: Quantity
    unit: str
    low: float = -float("inf")
    high: float = float("inf")


_ABSOLUTE_ZERO_C = -273.15
_TEMPERATURE = Meaning(Quantity.TEMPERATURE, "°C", _ABSOLUTE_ZERO_C)

# First match wins: `volumenstrom` is a flow before `strom` is a current.
_PATTERNS: tuple[tuple[str, Meaning], ...] = (
    (r"flow|durchfluss|volumenstrom", Meaning(Quantity.LEVEL, "l/min")),
    (r"humid|feucht|\brh\b", Meaning(Quantity.LEVEL, "%", 0.0, 100.0)),
    (r"press(ure)?\b|pressure|druck", Meaning(Quantity.LEVEL, "bar")),
    (r"thermo|temp(?!o)", _TEMPERATURE),
    (r"accel|\bacc|beschleunig|vibrat|schwing|\ba_?[xyz]\b|\b[xyz]_?acc|_acc\b", Meaning(Quantity.VIBRATION, "g")),
    (r"gyro|drehrate|\bg_?[xyz]\b", Meaning(Quantity.LEVEL, "°/s")),
    (r"rpm|drehzahl|speed|geschwindigkeit", Meaning(Quantity.SPEED, "rpm")),
    (r"energ|\bkwh\b|\bwh\b|verbrauch", Meaning(Quantity.ENERGY, "kWh")),
    (r"power|leistung|\bwatt", Meaning(Quantity.POWER, "W")),
    (r"volt|spannung", Meaning(Quantity.LEVEL, "V")),
    (r"current|strom|\bamp(ere)?s?\b|\bi_?(l?[123]|[abcuvw])\b", Meaning(Quantity.CURRENT, "A")),
)
_UNITS: dict[str, Meaning] = {
    "degc": _TEMPERATURE,
    "c": _TEMPERATURE,
    "celsius": _TEMPERATURE,
    "degf": Meaning(Quantity.TEMPERATURE, "°F", -459.67),
    "f": Meaning(Quantity.TEMPERATURE, "°F", -459.67),
    "k": Meaning(Quantity.TEMPERATURE, "K", 0.0),
    "a": Meaning(Quantity.CURRENT, "A"),
    "ma": Meaning(Quantity.CURRENT, "mA"),
    "w": Meaning(Quantity.POWER, "W"),
    "kw": Meaning(Quantity.POWER, "kW"),
    "kwh": Meaning(Quantity.ENERGY, "kWh"),
    "wh": Meaning(Quantity.ENERGY, "Wh"),
    "rpm": Meaning(Quantity.SPEED, "rpm"),
    "1/min": Meaning(Quantity.SPEED, "rpm"),
    "g": Meaning(Quantity.VIBRATION, "g"),
    "mg": Meaning(Quantity.VIBRATION, "mg"),
    "m/s2": Meaning(Quantity.VIBRATION, "m/s²"),
    "m/s^2": Meaning(Quantity.VIBRATION, "m/s²"),
    "mm/s": Meaning(Quantity.VIBRATION, "mm/s"),
    "v": Meaning(Quantity.LEVEL, "V"),
    "mv": Meaning(Quantity.LEVEL, "mV"),
    "bar": Meaning(Quantity.LEVEL, "bar"),
    "mbar": Meaning(Quantity.LEVEL, "mbar"),
    "kpa": Meaning(Quantity.LEVEL, "kPa"),
    "pa": Meaning(Quantity.LEVEL, "Pa"),
    "hz": Meaning(Quantity.LEVEL, "Hz"),
    "percent": Meaning(Quantity.LEVEL, "%"),
    "l/min": Meaning(Quantity.LEVEL, "l/min"),
    "deg/s": Meaning(Quantity.LEVEL, "°/s"),
}
_OTHER_UNITS = frozenset(
    {
        "ampere", "amps", "cel", "count", "counts", "db", "dba", "dd.mm.yyyy", "deg", "digits", "g_rms", "h",
        "hh:mm:ss", "hpa", "j", "kelvin", "kg", "khz", "kj", "kn", "kohm", "kva", "l", "l/h", "l/s", "lsb", "lx", "m",
        "m/s", "m3/h", "min", "mm", "mm/s2", "ms", "n", "nm", "ns", "ohm", "ppm", "psi", "rad", "raw", "rpm", "s",
        "sec", "u/min", "um", "us", "va", "var", "volt", "volts", "watt", "watts", "°",
    }
)  # fmt: skip
_BRACKETED = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$|\s+in\s+(\S+)$")
_SUFFIX = re.compile(r"_(degc|degf|ma|a|kwh|wh|kw|w|rpm|mbar|bar|kpa|pa|mv|v|hz|percent|c|g|mg)$")


def meaning(column: str) -> Meaning:
    """Quantity and unit that a column's name suggests; a level without unit where it suggests nothing.

    A unit that is written (`Strom [mA]`, `oven_degc`) counts more than the word before it.

    >>> meaning("Thermocouple").quantity.value, meaning("Volume Flow RateRMS").unit, meaning("Leistung in kW").unit
    ('temperature', 'l/min', 'kW')
    """
    folded = fold(column)
    bracketed = _BRACKETED.search(folded)
    suffix = None if bracketed else _SUFFIX.search(re.sub(r"[\s.-]+", "_", folded))
    unit = _UNITS.get((bracketed[1] or bracketed[2]) if bracketed else suffix[1] if suffix else "")
    word = folded[: bracketed.start()] if bracketed else folded
    word = re.sub(r"[\s_.-]+", " ", word)
    spoken = next((found for pattern, found in _PATTERNS if re.search(pattern, word)), None)
    if unit is None or (suffix and len(suffix[1]) == 1 and (spoken is None or spoken.quantity is not unit.quantity)):
        # A single letter behind a name (`phase_a`) is a unit only where the name agrees (`strom_a`).
        return spoken or Meaning(Quantity.LEVEL, "")
    if spoken is None or spoken.quantity is unit.quantity:
        return unit
    if unit.quantity is Quantity.LEVEL or spoken.quantity is Quantity.VIBRATION:
        # An accelerometer's volts, a current's percent: the word says what it is, the unit how it is counted.
        return Meaning(spoken.quantity, unit.unit)
    return unit


def is_unit(text: str) -> bool:
    """Whether a cell is the unit of a column, also in brackets, as in a line below the names.

    >>> is_unit("[°C]"), is_unit("m/s²"), is_unit("ms"), is_unit("oven")
    (True, True, True, False)
    """
    bare = fold(text.strip("[]() "))
    return bare in _UNITS or bare in _OTHER_UNITS


def channel_name(column: str) -> str:
    """A name that can travel: lower-case letters, digits, - and _, beginning with a letter or digit.

    >>> channel_name("Volume Flow RateRMS"), channel_name("Ölstand (%)"), channel_name("3")
    ('volume_flow_raterms', 'oelstand_percent', 'column_3')
    """
    name = re.sub(r"[^a-z0-9-]+", "_", fold(column)).strip("_-")[:_LONGEST]
    if name.isdecimal() or not name:
        name = f"column_{name}" if name else "column"
    return name


def unique(names: Iterable[str]) -> list[str]:
    """The same names, each once: a second `power` becomes `power_2`."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 1
        while candidate in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate)
        result.append(candidate)
    return result


def fold(text: str) -> str:
    """A name in small letters without signs that few can type.

    >>> fold(" Öltemperatur [°C]")
    'oeltemperatur [degc]'
    """
    return text.strip().lower().translate(_FOLD)
