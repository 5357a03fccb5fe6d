"""Register maps of common energy meters, as data.

Sources: Peacefair, PZEM-004T V3.0 user manual, chapter 2.3; Eastron, SDM120-Modbus protocol implementation V2.4 and
SDM630-Modbus V2 protocol V1.8, table "Input registers" (32-bit floating point, high word first, two registers each).
The SDM230 has the SDM120's registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.sensors.base import Quantity
from edge.sensors.modbus_map import NumberType, Register

MeterName = Literal["pzem004t", "sdm120", "sdm230", "sdm630"]


@dataclass(frozen=True, slots=True)
class Meter:
    """One kind of meter.

    `sure` names channels that are within their range whenever it answers at all: what else is found there is another
    meter or another map. `baud` is how it leaves the factory.
    """

    title: str
    registers: tuple[Register, ...]
    baud: int
    sure: tuple[str, ...] = ("frequency",)
    rollover_kwh: float | None = None


def meters() -> dict[MeterName, Meter]:
    """The built-in maps by name."""
    return {
        "pzem004t": _pzem004t(),
        "sdm120": Meter("Eastron SDM120", _sdm120(45.0), baud=2400),
        "sdm230": Meter("Eastron SDM230", _sdm120(100.0), baud=2400),
        "sdm630": Meter("Eastron SDM630", _sdm630(), baud=9600),
    }


def _pzem004t() -> Meter:
    """Input registers 0 to 9; 32-bit numbers have their low word first. 100 A version with split-core clamp."""

    def one(
        address: int, name: str, kind: NumberType, scale: float, quantity: Quantity, unit: str, low: float, high: float
    ) -> Register:
        return Register(
            name=name,
            addresses=[address],
            type=kind,
            word_order="low_first",
            scale=scale,
            quantity=quantity,
            unit=unit,
            low=low,
            high=high,
            steady=name in ("frequency", "power_factor", "over_power"),
        )

    registers = (
        one(0, "voltage", "u16", 0.1, Quantity.LEVEL, "V", 0.0, 280.0),
        one(1, "current", "u32", 0.001, Quantity.CURRENT, "A", 0.0, 110.0),
        one(3, "power", "u32", 0.1, Quantity.POWER, "W", 0.0, 26_000.0),
        one(5, "energy", "u32", 0.001, Quantity.ENERGY, "kWh", 0.0, 10_000.0),
        one(7, "frequency", "u16", 0.1, Quantity.LEVEL, "Hz", 40.0, 70.0),
        one(8, "power_factor", "u16", 0.01, Quantity.LEVEL, "1", 0.0, 1.0),
        # 0xFFFF while the power is above the threshold in holding register 1, else 0.
        one(9, "over_power", "u16", 1.0 / 0xFFFF, Quantity.STATE, "", 0.0, 1.0),
    )
    return Meter("PZEM-004T v3", registers, baud=9600, sure=("frequency", "over_power"), rollover_kwh=10_000.0)


def _sdm120(amps: float) -> tuple[Register, ...]:
    watts = 300.0 * amps
    return (
        _eastron("voltage", [0x00], Quantity.LEVEL, "V", 0.0, 300.0),
        _eastron("current", [0x06], Quantity.CURRENT, "A", 0.0, 1.3 * amps),
        _eastron("power", [0x0C], Quantity.POWER, "W", -watts, watts),
        _eastron("apparent_power", [0x12], Quantity.POWER, "VA", -watts, watts),
        _eastron("reactive_power", [0x18], Quantity.POWER, "var", -watts, watts),
        _eastron("power_factor", [0x1E], Quantity.LEVEL, "1", -1.0, 1.0),
        _eastron("frequency", [0x46], Quantity.LEVEL, "Hz", 40.0, 70.0),
        _eastron("energy", [0x48], Quantity.ENERGY, "kWh", 0.0, 1e7),
        _eastron("energy_export", [0x4A], Quantity.ENERGY, "kWh", 0.0, 1e7),
    )


def _sdm630() -> tuple[Register, ...]:
    amps = 100.0
    watts = 3 * 300.0 * amps
    return (
        _eastron("voltage", [0x00, 0x02, 0x04], Quantity.LEVEL, "V", 0.0, 300.0),
        _eastron("current", [0x06, 0x08, 0x0A], Quantity.CURRENT, "A", 0.0, 1.3 * amps),
        _eastron("phase_power", [0x0C, 0x0E, 0x10], Quantity.POWER, "W", -watts, watts),
        _eastron("power", [0x34], Quantity.POWER, "W", -watts, watts),
        _eastron("apparent_power", [0x38], Quantity.POWER, "VA", -watts, watts),
        _eastron("reactive_power", [0x3C], Quantity.POWER, "var", -watts, watts),
        _eastron("power_factor", [0x3E], Quantity.LEVEL, "1", -1.0, 1.0),
        _eastron("frequency", [0x46], Quantity.LEVEL, "Hz", 40.0, 70.0),
        _eastron("energy", [0x48], Quantity.ENERGY, "kWh", 0.0, 1e7),
        _eastron("energy_export", [0x4A], Quantity.ENERGY, "kWh", 0.0, 1e7),
    )


def _eastron(name: str, addresses: list[int], quantity: Quantity, unit: str, low: float, high: float) -> Register:
    return Register(
        name=name,
        addresses=addresses,
        type="f32",
        quantity=quantity,
        unit=unit,
        low=low,
        high=high,
        steady=name in ("frequency", "power_factor"),
    )
