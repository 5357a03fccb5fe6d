"""Register maps of Modbus devices: what stands in which register, and how its bits are a number.

Registers have 16 bits and travel big-endian (Modbus Application Protocol V1.1b3, chapter 4.2); how a number of 32 or 64
bits is spread over several of them is each maker's own choice, hence `word_order`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from edge.sensors.base import Channel, Quantity
from wire.messages import Name

Kind = Literal["input", "holding"]
NumberType = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"]
WordOrder = Literal["high_first", "low_first"]
Address = Annotated[int, Meta(ge=0, le=0xFFFF)]

_FORMATS: Mapping[str, str] = {
    "u16": "H",
    "s16": "h",
    "u32": "I",
    "s32": "i",
    "u64": "Q",
    "s64": "q",
    "f32": "f",
    "f64": "d",
}
MOST_REGISTERS = 125
"""In one request (Modbus Application Protocol V1.1b3, chapters 6.3 and 6.4)."""


class Register(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of a device, or one value of each of several phases."""

    name: Name
    """Channel name."""
    addresses: Annotated[list[Address], Meta(min_length=1, max_length=3)]
    """Number of its first register, counted from 0 as on the wire (a manual's 30001 or 40001 is 0); with several, each is
    one phase: axes x, y, z of one channel."""
    kind: Kind = "input"
    """input (function 4) or holding (function 3)."""
    type: NumberType = "u16"
    """u unsigned, s signed, f floating point, and the number of bits: u16, s16, u32, s32, u64, s64, f32 or f64."""
    word_order: WordOrder = "high_first"
    """Which of a number's registers comes first: high_first or low_first."""
    scale: float = 1.0
    """Multiplies the number: 0.001 makes mA to A."""
    offset: float = 0.0
    """Added after scaling."""
    quantity: Quantity
    """What it measures: temperature, current, power, energy, speed, level, state or vibration."""
    unit: Annotated[str, Meta(max_length=16)] = ""
    """Unit after scaling."""
    low: float | None = None
    """A value below this (after scaling) is no reading."""
    high: float | None = None
    """A value above this (after scaling) is no reading."""
    none: int | None = None
    """The number (before scaling) by which the device says that it has no value, such as 65535."""
    steady: bool = False
    """The value may stay exactly the same for hours without the device being stuck."""


class Request(NamedTuple):
    """Registers that are read at once."""

    kind: Kind
    address: int
    size: int


def words_of(kind: NumberType) -> int:
    """How many registers a number of that type takes."""
    return struct.calcsize(_FORMATS[kind]) // 2


def number(words: Sequence[int], kind: NumberType, order: WordOrder) -> float | int:
    """The number in these registers.

    >>> number([0x4366, 0x3334], "f32", "high_first")
    230.20001220703125
    >>> number([0x0001, 0x0000], "u32", "low_first")
    1
    """
    high_first = words if order == "high_first" else words[::-1]
    raw = struct.pack(f">{len(words)}H", *high_first)
    value: float | int = struct.unpack(f">{_FORMATS[kind]}", raw)[0]
    return value


def words(value: float, kind: NumberType, order: WordOrder) -> list[int]:
    """The registers that hold this number; the other way round than `number`.

    Raises:
        struct.error: the type cannot hold it.
    """
    form = _FORMATS[kind]
    raw = struct.pack(f">{form}", value if form in "fd" else round(value))
    made = list(struct.unpack(f">{len(raw) // 2}H", raw))
    return made if order == "high_first" else made[::-1]


def value_of(register: Register, found: Sequence[int]) -> float:
    """The channel's value from the registers read; NaN where the device has none or it is no number."""
    raw = number(found, register.type, register.word_order)
    if raw == register.none or not math.isfinite(raw):
        return math.nan
    return raw * register.scale + register.offset


def within(register: Register, value: float) -> bool:
    """Whether the value is one that this register can have; NaN is none."""
    low = -math.inf if register.low is None else register.low
    return low <= value <= (math.inf if register.high is None else register.high)


def channel_of(register: Register, prefix: str, period_s: float) -> Channel:
    """The channel that this register becomes."""
    resolution = abs(register.scale) if register.type[0] != "f" else 0.0
    # A sum of energy goes on where the device's counter ends.
    endless = register.high is None or register.quantity is Quantity.ENERGY
    return Channel(
        f"{prefix}{register.name}",
        register.unit,
        register.quantity,
        low=-math.inf if register.low is None else register.low,
        high=math.inf if endless or register.high is None else register.high,
        axes=len(register.addresses),
        period_s=period_s,
        resolution=resolution,
        steady=register.steady or register.quantity is Quantity.ENERGY,
    )


def requests(registers: Sequence[Register], join_gap: int = 0) -> list[Request]:
    """The fewest requests that read all of them.

    Args:
        registers: what is wanted.
        join_gap: so many registers that nobody wants may be read along; many devices refuse those they do not have.
    """
    spans = sorted(
        {(one.kind, address, words_of(one.type)) for one in registers for address in one.addresses},
    )
    made: list[Request] = []
    for kind, address, count in spans:
        if made and made[-1].kind == kind:
            last = made[-1]
            end = max(last.address + last.size, address + count)
            if address - (last.address + last.size) <= join_gap and end - last.address <= MOST_REGISTERS:
                made[-1] = Request(kind, last.address, end - last.address)
                continue
        made.append(Request(kind, address, count))
    return made
