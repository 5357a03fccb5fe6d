"""Eight-bit checksums of chips: SMBus' packet error code, Sensirion's and 1-wire's."""

from __future__ import annotations

from collections.abc import Iterable


def smbus_pec(data: Iterable[int]) -> int:
    """Packet error code over all bytes of a transfer with its address bytes: x⁸+x²+x+1 from 0 (SMBus 3.2, 6.4.1.1).

    >>> hex(smbus_pec(b"123456789"))
    '0xf4'
    """
    return _msb_first(data, 0x07, 0x00)


def sensirion_crc(data: Iterable[int]) -> int:
    r"""Checksum of one word: x⁸+x⁵+x⁴+1 from 0xFF (SHT3x-DIS data sheet, version 5, table 20).

    >>> hex(sensirion_crc(b"\xbe\xef"))
    '0x92'
    """
    return _msb_first(data, 0x31, 0xFF)


def one_wire_crc(data: Iterable[int]) -> int:
    """Checksum of a scratchpad or serial number: x⁸+x⁵+x⁴+1, least significant bit first (Maxim application note 27).

    >>> hex(one_wire_crc(bytes.fromhex("50054b467fff0c10")))
    '0x1c'
    """
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def _msb_first(data: Iterable[int], polynomial: int, crc: int) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & 0x80 else 0)) & 0xFF
    return crc
