"""What to write into node.toml for a device that was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import fields

from edge.sensors.base import Sensor, SensorError
from edge.sensors.probing import Found

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def proposal(kind: str, found: Found, name: str) -> str:
    """A `[[machine.sensor]]` table, ready to paste.

    Args:
        kind: sensor type.
        found: the device.
        name: the sensor's name on its machine; left out where it is the type's.

    >>> print(proposal("host", Found("board", "here", {"every_s": 5.0}), "host"))
    # board, here
    [[machine.sensor]]
    type = "host"
    every_s = 5.0
    """
    options: dict[str, Any] = {"type": kind, **({} if name == kind else {"name": name}), **found.options}
    return table("machine.sensor", f"{found.chip}, {found.place}", options)


def table(name: str, what: str, options: Mapping[str, Any]) -> str:
    """One table of an array of them, with a line above it that says what it is.

    >>> print(table("camera", "Webcam, /dev/video0", {"name": "camera", "source": "/dev/video0"}))
    # Webcam, /dev/video0
    [[camera]]
    name = "camera"
    source = "/dev/video0"
    """
    said = "".join(sign if sign.isprintable() else " " for sign in what)
    lines = [f"# {said}", f"[[{name}]]"]
    lines += [f"{_key(key)} = {_value(value, hexadecimal=key == 'address')}" for key, value in options.items()]
    return "\n".join(lines)


def names(kinds: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """A name for each: its type's, numbered where that is taken.

    >>> names(["adxl345", "ds18b20", "adxl345"])
    ['adxl345', 'ds18b20', 'adxl345-2']
    """
    used = set(taken)
    made = []
    for kind in kinds:
        name, number = kind, 2
        while name in used:
            name, number = f"{kind}-{number}", number + 1
        used.add(name)
        made.append(name)
    return made


def distinct(
    options: Mapping[str, Any], config: type[Struct], make: Callable[[Struct], Sensor], taken: Iterable[str]
) -> tuple[dict[str, Any], set[str]]:
    """Options under which a sensor's channels have names that no other sensor's have, and those names.

    Where the type lets its channels be named (`channel`, `…_channel`, `prefix`), the usual names get a number.

    Args:
        options: those that say where it is.
        config: the type's.
        make: makes a sensor, unopened.
        taken: names of channels.
    """
    used = set(taken)
    usual = {
        one.encode_name: one.default
        for one in fields(config)
        if one.encode_name.endswith(("channel", "prefix"))
        and isinstance(one.default, str)
        and one.encode_name not in options
    }
    first = ""
    for number in range(1, len(used) + 2):
        tried = dict(options) if number == 1 else _numbered(options, usual, first, number)
        try:
            channels = [channel.name for channel in make(convert(tried, config)).channels]
        except SensorError:
            break  # known only once opened
        if used.isdisjoint(channels):
            return tried, set(channels)
        first = first or channels[0]
    return dict(options), set()


def _numbered(options: Mapping[str, Any], usual: Mapping[str, str], first: str, number: int) -> dict[str, Any]:
    """The options with a number behind every channel's name, also in tables within them, whose usual name is `first`."""
    named: dict[str, Any] = {key: f"{name}_{number}" if name else f"nr{number}_" for key, name in usual.items()}
    for key, value in options.items():
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            named[key] = [{**item, "channel": f"{item.get('channel', first)}_{number}"} for item in value]
    return {**options, **named}


def _key(key: str) -> str:
    return key if key and _PLAIN.issuperset(key) else _text(key)


def _value(value: Any, *, hexadecimal: bool = False) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"0x{value:02X}" if hexadecimal else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, Path | str):
        return _text(str(value))
    return "[" + ", ".join(_value(one) for one in value) + "]"


def _text(text: str) -> str:
    """A basic string (toml.io, v1.0.0, String)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in escaped) + '"'
