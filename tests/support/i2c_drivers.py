"""The I²C drivers and what each is tried with behind i2c-stub: used in the guest and by the tests that judge its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Trial(NamedTuple):
    """One driver: the chip it finds, where it finds none, and what it must read."""

    address: int
    absent: int
    """An address that the driver takes and the stub does not have."""
    expected: Mapping[str, tuple[tuple[float, float], ...]]
    """Range of each axis's mean by channel."""
    options: Mapping[str, Any] = {}
    sampled: bool = False
    """It samples on a thread of its own; here `pump` is called instead."""
    step_s: float = 0.02
    """Five of these pass between two reads."""
    reads: int = 6
    anonymous: bool = False
    """It has no identity: memory that keeps what is written passes for it."""
    exempt: str = ""
    """Why it cannot be tried there, as a part of what the kernel says."""


AT_REST = {"vibration": ((-0.05, 0.05), (-0.05, 0.05), (0.95, 1.05))}
TRIALS: Mapping[str, Trial] = {
    "adxl345": Trial(0x53, 0x1D, AT_REST, {"rate_hz": 800}, sampled=True),
    "adxl355": Trial(0x53, 0x1D, AT_REST, {"rate_hz": 1000}, sampled=True),
    "lis3dh": Trial(0x18, 0x19, AT_REST, {"rate_hz": 400}, sampled=True, step_s=0.05),
    "mpu6050": Trial(0x68, 0x69, AT_REST, sampled=True),
    "mlx90614": Trial(
        0x5A,
        0x5B,
        {"surface_temperature": ((79.9, 80.1),), "surface_temperature_ambient": ((24.9, 25.1),)},
        step_s=0.7,
        reads=2,
    ),
    "ina226": Trial(
        0x40,
        0x41,
        {"voltage": ((11.99, 12.01),), "current": ((-0.01, 0.01),), "power": ((-0.1, 0.1),)},
        step_s=0.7,
        reads=2,
    ),
    "ads1115": Trial(
        0x48,
        0x49,
        {"current": ((9.9, 10.1),)},
        {"output": "rms", "clamp": [{"input": "0", "rated_a": 100.0, "output_v": 1.0}]},
        sampled=True,
        step_s=0.7,
        reads=2,
        anonymous=True,
    ),
    "sht31": Trial(0x44, 0x45, {}, exempt="Operation not supported"),
}
STUBBED = sorted({trial.address for trial in TRIALS.values()})
IMAGES: Mapping[int, Mapping[int, bytes]] = {
    0x53: {0x00: b"\xe5"},
    0x18: {0x0F: b"\x33"},
    0x40: {0x00: b"\x41\x27", 0xFE: b"\x54\x49", 0xFF: b"\x22\x60"},
    0x48: {0x01: b"\x85\x83", 0x02: b"\x80\x00", 0x03: b"\x7f\xff"},
    0x68: {0x75: b"\x68"},
}
"""What tells an ADXL345, a LIS3DH, an INA226, an ADS1115 and an MPU-6050 after power-up, as their data sheets have it."""
