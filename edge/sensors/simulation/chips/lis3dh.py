"""A simulated LIS3DH by its register map (data sheet DocID17530 rev. 2, section 7)."""

from __future__ import annotations

import numpy as np

from edge.sensors import lis3dh as chip
from edge.sensors.simulation.chips.accelerometer import SimulatedAccelerometer

FORCE_G = (0.4, 0.4, 0.5)
RATES = {0x1: 1.0, 0x2: 10.0, 0x3: 25.0, 0x4: 50.0, 0x5: 100.0, 0x6: 200.0, 0x7: 400.0, 0x8: 1600.0, 0x9: 1344.0}
LOW_POWER_FACTOR = 4.0
READ, SEVERAL = 0x80, 0x40


class SimulatedLis3dh(SimulatedAccelerometer):
    """See `SimulatedAccelerometer`."""

    FORCE_G = FORCE_G
    DEPTH = chip.FIFO_SAMPLES

    def power_cycle(self) -> None:
        """Power lost and back: every register at its reset value."""
        self.registers[:] = bytes(len(self.registers))
        self.registers[chip.WHO_AM_I] = chip.DEVICE
        self.registers[chip.CTRL_REG1] = chip.ALL_AXES
        self.fifo.clear()
        self._set()

    def read(self, register: int, count: int) -> bytes:
        """A read on I²C; bit 7 goes on with the next register, else the same one is read again."""
        if register & chip.SEVERAL:
            return self._read(register & 0x7F, count)
        return b"".join(self._read(register, 1) for _ in range(count))

    def write(self, register: int, data: bytes) -> None:
        """A write; what is not to be written takes none."""
        self._advance()
        for place, value in enumerate(data, register & 0x7F):
            if 0x1E <= place <= 0x25 or place in (chip.FIFO_CTRL_REG, 0x2E):
                self.registers[place] = value
        self._set()

    def transfer(self, out: bytes) -> bytes:
        """SPI: bit 7 reads, bit 6 goes on with the next register (section 6.2)."""
        register, count = out[0] & 0x3F, len(out) - 1
        if not out[0] & READ:
            self.write(register, out[1:])
            return b"\xff" * len(out)
        if out[0] & SEVERAL:
            return b"\xff" + self._read(register, count)
        return b"\xff" + b"".join(self._read(register, 1) for _ in range(count))

    def _read(self, register: int, count: int) -> bytes:
        self._advance()
        answer = bytearray()
        for _ in range(count):
            if register == chip.OUT_X_L:
                sample = self.fifo.pop()
                if sample is not None:
                    self.registers[register : register + chip.SAMPLE_BYTES] = sample
            stored = len(self.fifo)
            self.registers[chip.FIFO_SRC_REG] = (
                (chip.OVRN_FIFO if self.fifo.overrun else 0) | (0 if stored else chip.EMPTY) | min(stored, chip.STORED)
            )
            answer.append(self.registers[register])
            # After OUT_Z_H the address goes back while the FIFO is in use.
            register = chip.OUT_X_L if register == chip.OUT_X_L + 5 else (register + 1) % len(self.registers)
        return bytes(answer)

    def _set(self) -> None:
        control = self.registers[chip.CTRL_REG1]
        rate_hz = RATES.get(control >> 4, 0.0)
        if control & chip.LOW_POWER and control >> 4 == 0x9:
            rate_hz *= LOW_POWER_FACTOR
        self.oscillator.run(rate_hz)
        if self.registers[chip.FIFO_CTRL_REG] >> 6 == 0:
            self.fifo.clear()

    def _advance(self) -> None:
        samples = self.oscillator.samples()
        if not len(samples):
            return
        form = self.registers[chip.CTRL_REG4]
        if form & 0x06:
            samples = samples + np.array(self.force_g) * (1.0 if form & chip.SELF_TEST_0 else -1.0)
        step_g = list(chip.MG_PER_STEP.values())[form >> 4 & 0x03] / 16e3
        step = chip.LOW_POWER_STEP if self.registers[chip.CTRL_REG1] & chip.LOW_POWER else chip.FIFO_STEP
        most = 32768 // step
        steps = np.clip(np.round(samples / step_g / step), -most, most - 1).astype(np.int64) * step
        entries = steps.astype("<i2").tobytes()
        buffered = self.registers[chip.CTRL_REG5] & chip.FIFO_EN and self.registers[chip.FIFO_CTRL_REG] >> 6
        for place in range(0, len(entries), chip.SAMPLE_BYTES):
            entry = entries[place : place + chip.SAMPLE_BYTES]
            if buffered:
                self.fifo.put(entry)
            else:
                self.registers[chip.OUT_X_L : chip.OUT_X_L + chip.SAMPLE_BYTES] = entry
