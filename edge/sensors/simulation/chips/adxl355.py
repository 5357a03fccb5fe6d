"""A simulated ADXL355 by its register map (data sheet, p. 31)."""

from __future__ import annotations

import numpy as np

from edge.sensors import adxl355 as chip
from edge.sensors.simulation.chips.accelerometer import SimulatedAccelerometer

FORCE_G = (0.3, 0.3, 1.5)
EMPTY_WORD = bytes([0x00, 0x00, chip.NO_WORD])


class SimulatedAdxl355(SimulatedAccelerometer):
    """See `SimulatedAccelerometer`; its FIFO holds words, three to a sample."""

    FORCE_G = FORCE_G
    DEPTH = chip.FIFO_WORDS
    celsius = 25.0
    overrun = False
    _word = b""

    def power_cycle(self) -> None:
        """Power lost and back, or a reset: standby, every register at its reset value."""
        self.registers[:] = bytes(len(self.registers))
        for register, value in chip.IDENTITY:
            self.registers[register] = value
        self.registers[chip.RANGE] = chip.RANGE_CODES[2]
        self.registers[chip.POWER_CTL] = chip.STANDBY
        self.fifo.clear()
        self.overrun = False
        self._word = b""
        self._set()

    def read(self, register: int, count: int) -> bytes:
        """A read; of FIFO_DATA it takes words out and stays at the register."""
        self._advance()
        if register == chip.FIFO_DATA:
            return bytes(self._fifo_byte() for _ in range(count))
        self.registers[chip.STATUS] = (1 if len(self.fifo) else 0) | (chip.FIFO_OVR if self.overrun else 0)
        self.registers[chip.FIFO_ENTRIES] = len(self.fifo)
        raw = round(1885 - (self.celsius - 25.0) * 9.05)
        self.registers[chip.TEMP2 : chip.TEMP2 + 2] = raw.to_bytes(2, "big")
        if register <= chip.STATUS < register + count:
            self.overrun = False
        return bytes(self.registers[(register + place) % len(self.registers)] for place in range(count))

    def write(self, register: int, data: bytes) -> None:
        """A write; filter and range take one in standby only."""
        self._advance()
        for place, value in enumerate(data, register):
            standby = self.registers[chip.POWER_CTL] & chip.STANDBY
            if place == chip.RESET and value == chip.RESET_CODE:
                self.power_cycle()
            elif 0x1E <= place < chip.RESET and (standby or place not in (chip.FILTER, chip.RANGE)):
                self.registers[place] = value
        self._set()

    def transfer(self, out: bytes) -> bytes:
        """SPI: the register's number, and below it the bit that reads."""
        if out[0] & 1:
            return b"\xff" + self.read(out[0] >> 1, len(out) - 1)
        self.write(out[0] >> 1, out[1:])
        return b"\xff" * len(out)

    def _fifo_byte(self) -> int:
        if not self._word:
            self._word = self.fifo.pop() or EMPTY_WORD
        first, self._word = self._word[0], self._word[1:]
        return first

    def _set(self) -> None:
        standby = self.registers[chip.POWER_CTL] & chip.STANDBY
        self.oscillator.run(0.0 if standby else 4000.0 / 2 ** (self.registers[chip.FILTER] & 0x0F))

    def _advance(self) -> None:
        samples = self.oscillator.samples()
        if not len(samples):
            return
        if self.registers[chip.SELF_TEST] == chip.ST1 | chip.ST2:
            samples = samples + np.array(self.force_g)
        per_g = 512_000 >> (self.registers[chip.RANGE] & 0x03)
        steps = np.clip(np.round(samples * per_g), -chip.FULL_SCALE, chip.FULL_SCALE - 1).astype(np.int64)
        for row in steps[-2 * chip.FIFO_SAMPLES :].tolist():
            for axis, value in enumerate(row):
                self.fifo.put(((value & 0xFFFFF) << 4 | (chip.X_WORD if axis == 0 else 0)).to_bytes(3, "big"))
                self.overrun = self.overrun or self.fifo.overrun
