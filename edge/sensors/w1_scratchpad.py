"""What a DS18B20 says: its scratchpad, and which of its answers are no temperatures (Maxim data sheet 19-7487, revision 6).

    0 1   temperature, signed, low byte first, 1/16 °C      5  reserved, FF
    2 3   alarm limits                                       6  reserved: 0C at power-up
    4     resolution: 0 R1 R0 1 1 1 1 1                      7  reserved, 10
                                                             8  checksum of bytes 0 to 7

At power-up the temperature is 85 °C (table 1), which is also a temperature that an oven can have. Chips by Maxim give
the two away: after a conversion byte 6 is 16 less the low four bits of byte 0, so that a measured 85 °C has 10 there and never
0C (Linux, Documentation/w1/slaves/w1_therm.rst, `features`; github.com/cpetrich/counterfeit_DS18B20). Clones keep 0C all
the time; of them 85 °C is believed when the readings before led there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.sensors.crc8 import one_wire_crc

SIZE = 9
LOW_C, HIGH_C = -55.0, 125.0
STEP_C = 0.0625
POWER_UP = 0x0550
"""85 °C."""
POWER_UP_BYTE_6 = 0x0C
UNPOWERED = 0x07FF
"""127.94 °C: a conversion failed for want of power (w1_therm.rst)."""
RESOLUTION_FIXED = 0x9F, 0x1F
"""Mask and value of the bits of byte 4 that never change ("Configuration Register")."""

PLAUSIBLE_C = 1.5
PLAUSIBLE_C_S = 0.5
"""A probe in its steel sleeve does not change faster than some ten kelvin in twenty seconds."""
PLAUSIBLE_S = 120.0
"""An 85 °C that cannot be told from power-up is believed for so long after the last other reading."""

_FIRST_LINE = re.compile(r"^(?P<bytes>(?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (?P<verdict>YES|NO)$")


class NoReading(ValueError):
    """An answer that is no temperature; the text says what it is."""


def scratchpad(text: str) -> bytes:
    r"""The nine bytes in what `w1_slave` of the kernel's driver says; only its first line is this reading.

    Raises:
        NoReading: an empty or odd answer, a wrong checksum, or what no DS18B20 can hold.

    >>> scratchpad("50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n").hex()
    '50054b467fff0c101c'
    """
    if not text.strip():
        raise NoReading("no answer: the probe is not there, or has no power")
    first = _FIRST_LINE.match(text.splitlines()[0])
    if first is None:
        raise NoReading(f"an answer that is none of a DS18B20: {text.splitlines()[0][:60]!r}")
    data = bytes.fromhex(first["bytes"])
    if set(data) == {0xFF}:
        raise NoReading("no answer: nobody pulls the line low, the probe is not there")
    # Nine zeros have a right checksum and would be 0 °C.
    if not any(data):
        raise NoReading("only zeros: the line is shorted to ground, or the probe has no power")
    if one_wire_crc(data[:-1]) != data[-1] or first["verdict"] == "NO":
        raise NoReading(f"checksum {data[-1]:02X} instead of {one_wire_crc(data[:-1]):02X}: the line is disturbed")
    mask, fixed = RESOLUTION_FIXED
    if data[4] & mask != fixed:
        raise NoReading(f"resolution register {data[4]:02X}, which no DS18B20 has")
    return data


def raw_temperature(data: bytes) -> int:
    """The temperature in 1/16 °C; bits that a lower resolution leaves undefined are zero ("Temperature Register Format")."""
    undefined = 3 - (data[4] >> 5 & 3)
    return int.from_bytes(data[:2], "little", signed=True) >> undefined << undefined


@dataclass
class PowerUpWatch:
    """Tells a probe's temperatures from what it shows without having measured; one for each probe."""

    counts: bool = False
    """Byte 6 has been seen to follow byte 0: 0C at 85 °C is then power-up for certain."""
    _last_c: float | None = None
    _last_ns: int = 0

    def temperature_c(self, data: bytes, now_ns: int) -> float:
        """The temperature in a checked scratchpad, in °C.

        Raises:
            NoReading: the value of power-up, of a conversion without enough power, or out of the chip's range.
        """
        raw = raw_temperature(data)
        celsius = raw * STEP_C
        if int.from_bytes(data[:2], "little") == UNPOWERED:
            raise NoReading("the conversion failed: the probe gets too little power (127.94 °C)")
        if not LOW_C <= celsius <= HIGH_C:
            raise NoReading(f"{celsius:.2f} °C, which is outside of {LOW_C:g} to {HIGH_C:g}")
        if raw == POWER_UP and data[6] == POWER_UP_BYTE_6:
            if self.counts or not self._leads_to(celsius, now_ns):
                raise NoReading("85 °C as at power-up: the probe lost its power and has not measured")
            # Not kept: what may be no reading must not make the next one plausible.
            return celsius
        twelve_bits = data[4] & 0x60 == 0x60
        if twelve_bits and data[6] == 0x10 - (data[0] & 0x0F) and data[6] != POWER_UP_BYTE_6:
            self.counts = True
        self._last_c, self._last_ns = celsius, now_ns
        return celsius

    def _leads_to(self, celsius: float, now_ns: int) -> bool:
        if self._last_c is None:
            return False
        passed_s = (now_ns - self._last_ns) / 1e9
        near = abs(celsius - self._last_c) <= PLAUSIBLE_C + PLAUSIBLE_C_S * passed_s
        return passed_s <= PLAUSIBLE_S and near
