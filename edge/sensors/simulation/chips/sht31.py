"""An SHT3x in some air (Sensirion data sheet SHT3x-DIS, version 5, pages 10 to 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.sensors.bus.base import Absent
from edge.sensors.crc8 import sensirion_crc

POWER_UP_STATUS = 0x8010
PERIODS_S: Mapping[int, float] = {0x2032: 2.0, 0x2130: 1.0, 0x2236: 0.5, 0x2334: 0.25, 0x2737: 0.1}
MEASURE_S = 0.0125


class Sht31Chip:
    """Commands of 16 bits; measures at its pace once told to.

    Args:
        monotonic_ns: the clock.
        celsius, humidity: temperature, and relative humidity in %.
        pace: its clock by the true one; real ones are some percent off.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int], celsius: float = 32.0, humidity: float = 78.0, pace: float = 1.0
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self.celsius = celsius
        self.humidity = humidity
        self.pace = pace
        self.damage = 0
        """So many of the next answers have a bit turned over."""
        self.reset()

    def reset(self) -> None:
        """As after a loss of power."""
        self.status = POWER_UP_STATUS
        self._period_s: float | None = None
        self._since_ns = self._taken = 0

    def read(self, register: int, count: int) -> bytes:
        """A command of one byte is none of this chip's."""
        return self.exchange(bytes([register]), count)

    def write(self, register: int, data: bytes) -> None:
        """A command that begins with this byte."""
        self.exchange(bytes([register]) + data, 0)

    def exchange(self, out: bytes, count: int) -> bytes:
        """A command, and its answer; without a new result the read is not acknowledged."""
        if len(out) != 2:
            raise Absent("the chip does not acknowledge")
        command = int.from_bytes(out, "big")
        answer = self._answer(command, count)
        if self.damage > 0 and answer:
            self.damage -= 1
            answer = bytes([answer[0] ^ 0x04]) + answer[1:]
        return (answer + b"\xff" * count)[:count]

    def _answer(self, command: int, count: int) -> bytes:
        if command == 0xF32D:
            return _words(self.status)
        if command == 0xE000 and count:
            return self._fetch()
        if command in PERIODS_S:
            self._period_s, self._since_ns, self._taken = PERIODS_S[command], self._monotonic_ns(), 0
        elif command == 0x30A2:
            # Not while it measures by itself: first comes the command to break that off (page 12).
            if self._period_s is None:
                self.reset()
        elif command == 0x3093:
            self._period_s = None
        elif command == 0x3041:
            self.status &= ~0x8C10
        elif command in (0x306D, 0x3066):
            self.status = self.status & ~0x2000 | (command == 0x306D) << 13
        else:
            self.status |= 0x0002
        return b""

    def _fetch(self) -> bytes:
        if self._period_s is None:
            raise Absent("the chip does not acknowledge")
        # The newest result that is over, counted from the start of measuring.
        passed_s = (self._monotonic_ns() - self._since_ns) / 1e9 * self.pace - MEASURE_S
        number = int(passed_s // self._period_s) + 1 if passed_s >= 0 else 0
        if number <= self._taken:
            raise Absent("the chip does not acknowledge")
        self._taken = number
        return _words(round((self.celsius + 45.0) / 175.0 * 65535), round(self.humidity / 100.0 * 65535))


def _words(*words: int) -> bytes:
    return b"".join(data + bytes([sensirion_crc(data)]) for data in (word.to_bytes(2, "big") for word in words))
