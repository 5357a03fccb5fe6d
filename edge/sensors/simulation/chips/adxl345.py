"""A simulated ADXL345 by its register map (data sheet rev. E, table 19)."""

from __future__ import annotations

import numpy as np

from edge.sensors import adxl345 as chip
from edge.sensors.simulation.chips.accelerometer import SimulatedAccelerometer

FORCE_G = (0.9, -0.9, 1.6)
"""What the self-test adds at 3.3 V (figure 43)."""
LOW_BIT = 1600.0
READ, SEVERAL = 0x80, 0x40


class SimulatedAdxl345(SimulatedAccelerometer):
    """See `SimulatedAccelerometer`."""

    FORCE_G = FORCE_G
    DEPTH = chip.FIFO_SAMPLES

    def power_cycle(self) -> None:
        """Power lost and back: every register at its reset value."""
        self.registers[:] = bytes(len(self.registers))
        self.registers[chip.DEVID] = chip.DEVICE
        self.registers[chip.BW_RATE] = 0x0A
        self.fifo.clear()
        self._set()

    def read(self, register: int, count: int) -> bytes:
        """A read; that of the data registers takes a sample out of the FIFO."""
        self._advance()
        self.registers[chip.FIFO_STATUS] = len(self.fifo)
        self.registers[chip.INT_SOURCE] = (0x80 if len(self.fifo) else 0) | (chip.OVERRUN if self.fifo.overrun else 0)
        if chip.DATAX0 <= register < chip.DATAX0 + chip.SAMPLE_BYTES:
            sample = self.fifo.pop()
            if sample is not None:
                self.registers[chip.DATAX0 : chip.DATAX0 + chip.SAMPLE_BYTES] = sample
        return bytes(self.registers[(register + place) % len(self.registers)] for place in range(count))

    def write(self, register: int, data: bytes) -> None:
        """A write; the identity and data registers take none."""
        self._advance()
        for place, value in enumerate(data, register):
            if 0x1D <= place < chip.INT_SOURCE or place in (chip.DATA_FORMAT, chip.FIFO_CTL):
                self.registers[place] = value
        self._set()

    def transfer(self, out: bytes) -> bytes:
        """SPI: bit 7 reads, bit 6 goes on with the next register (p. 16)."""
        register, count = out[0] & 0x3F, len(out) - 1
        if not out[0] & SEVERAL and count > 1:
            raise AssertionError("several bytes without the multiple-byte bit")
        if out[0] & READ:
            return b"\xff" + self.read(register, count)
        self.write(register, out[1:])
        return b"\xff" * len(out)

    def _set(self) -> None:
        measures = self.registers[chip.POWER_CTL] & chip.MEASURE
        self.oscillator.run(3200.0 / 2 ** (15 - (self.registers[chip.BW_RATE] & 0x0F)) if measures else 0.0)
        if self.registers[chip.FIFO_CTL] >> 6 == 0:
            self.fifo.clear()

    def _advance(self) -> None:
        samples = self.oscillator.samples()
        if not len(samples):
            return
        form = self.registers[chip.DATA_FORMAT]
        if form & chip.SELF_TEST:
            samples = samples + np.array(self.force_g)
        range_g = 2 << (form & 0x03)
        per_g, limit = (256, range_g * 256) if form & chip.FULL_RES else (512 // range_g, 512)
        steps = np.clip(np.round(samples * per_g), -limit, limit - 1).astype(np.int64)
        if self.registers[chip.BW_RATE] & 0x0F >= 0x0E:
            steps &= ~1
        entries = steps.astype("<i2").tobytes()
        mode = self.registers[chip.FIFO_CTL] >> 6
        for place in range(0, len(entries), chip.SAMPLE_BYTES):
            entry = entries[place : place + chip.SAMPLE_BYTES]
            if mode == 0:
                self.registers[chip.DATAX0 : chip.DATAX0 + chip.SAMPLE_BYTES] = entry
            elif mode != 1 or len(self.fifo) < self.fifo.depth:
                self.fifo.put(entry)
