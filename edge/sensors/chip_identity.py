"""Is it the chip that was configured, and if not, which one is it? By the identity registers of accelerometers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from edge.sensors.base import SensorError
from edge.sensors.bus.base import BusError
from edge.sensors.registers import Registers

NAMES: Mapping[int, Mapping[int, str]] = {
    0x00: {
        0xE5: "an ADXL345",
        0xE6: "an ADXL346",
        0xAD: "a newer chip of Analog Devices (ADXL355, ADXL362, ADXL367 …)",
    },
    0x0F: {
        0x32: "a LIS331DLH",
        0x33: "a LIS3DH (or LIS2DH12)",
        0x3B: "a LIS302DL",
        0x3F: "a LIS3DSH",
        0x44: "a LIS2DW12",
        0x69: "an LSM6DS3",
        0x6A: "an LSM6DS3TR-C",
        0x6C: "an LSM6DSO",
    },
    0x75: {
        0x12: "an ICM-20602",
        0x19: "an MPU-6886",
        0x47: "an ICM-42688-P",
        0x68: "an MPU-6050",
        0x70: "an MPU-6500",
        0x71: "an MPU-9250",
        0x72: "a counterfeit MPU-6050",
        0x73: "an MPU-9255",
        0x98: "an ICM-20689 (often sold as MPU-6050)",
    },
}
"""Identity registers of accelerometers, what they hold, and what that chip is."""


def require_identity(registers: Registers, chip: str, wanted: Sequence[tuple[int, int]]) -> None:
    """Checks identity registers (number, content); raises SensorError that names what is there instead."""
    for register, expected in wanted:
        found = registers.read(register, 1)[0]
        if found != expected:
            raise SensorError(
                f"{registers.place}: no {chip}: identity register 0x{register:02X} should be 0x{expected:02X} and is "
                f"0x{found:02X}{_guess(registers, found)}"
            )


def _guess(registers: Registers, found: int) -> str:
    if registers.place.startswith("spi") and found in (0x00, 0xFF):
        return "; nothing answers: check power, MISO (SDO) and chip select"
    for register, names in NAMES.items():
        with suppress(BusError):
            name = names.get(registers.read(register, 1)[0])
            if name is not None:
                return f"; it looks like {name}"
    return "; it is a chip unknown here"
