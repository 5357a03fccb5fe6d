"""An MLX90614 looking at something (Melexis data sheet 3901090614, and application note 390119061402)."""

from __future__ import annotations

from edge.sensors.crc8 import smbus_pec

KELVIN = 273.15


class Mlx90614Chip:
    """RAM and EEPROM of 32 words each, every answer with its check code.

    Args:
        object_c, ambient_c: true temperatures of the surface and of the chip.
        emissivity: of the surface.
        address: its own, in its EEPROM.
    """

    def __init__(
        self, object_c: float = 80.0, ambient_c: float = 25.0, emissivity: float = 1.0, address: int = 0x5A
    ) -> None:
        self.object_c = object_c
        self.ambient_c = ambient_c
        self.emissivity = emissivity
        self.error = False
        """The flag in the results."""
        self.damage = 0
        """So many of the next answers have a bit turned over."""
        self.eeprom = [0] * 32
        self.eeprom[0x04] = 0xFFFF
        self.eeprom[0x05] = 0x9FB4
        self.eeprom[0x0E] = 0xBE00 | address
        self.written = 0

    def read(self, register: int, count: int) -> bytes:
        """A word, low byte first, and the check code; more bytes read as ones."""
        address = self.eeprom[0x0E] & 0x7F
        word = self._word(register)
        answer = word.to_bytes(2, "little")
        answer += bytes([smbus_pec([address << 1, register, address << 1 | 1, *answer])])
        if self.damage > 0:
            self.damage -= 1
            answer = bytes([answer[0] ^ 0x10]) + answer[1:]
        return (answer + b"\xff" * count)[:count]

    def write(self, register: int, data: bytes) -> None:
        """Takes only EEPROM words with a right check code, and counts that it was written at all."""
        self.written += 1
        address = self.eeprom[0x0E] & 0x7F
        if register & 0xE0 == 0x20 and len(data) == 3 and smbus_pec([address << 1, register, *data]) == 0:
            self.eeprom[register & 0x1F] = int.from_bytes(data[:2], "little")

    def exchange(self, out: bytes, count: int) -> bytes:
        """The same by a raw transfer."""
        if count:
            return self.read(out[0], count)
        self.write(out[0], out[1:])
        return b""

    def _word(self, register: int) -> int:
        if register & 0xE0 == 0x20:
            return self.eeprom[register & 0x1F]
        if register == 0x06:
            return self._raw(self.ambient_c + KELVIN)
        if register == 0x07:
            around = (self.ambient_c + KELVIN) ** 4
            seen = self.emissivity * ((self.object_c + KELVIN) ** 4 - around)
            return self._raw((seen / (self.eeprom[0x04] / 0xFFFF) + around) ** 0.25)
        return 0

    def _raw(self, kelvin: float) -> int:
        return min(round(kelvin / 0.02), 0x7FFF) | self.error << 15
