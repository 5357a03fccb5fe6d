"""A simulated MPU-6050 by its register map (RM-MPU-6000A-00 rev. 4.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from edge.sensors import mpu6050 as chip
from edge.sensors.simulation.chips.accelerometer import Oscillator, Waveform, at_rest
from edge.sensors.simulation.chips.bus import RegisterChip

CODES = (16, 18, 20)
"""Factory values of the self-test."""
READ_ONLY = (chip.WHO_AM_I, chip.INT_STATUS, chip.FIFO_COUNT_H, chip.FIFO_COUNT_H + 1, chip.FIFO_R_W)


class SimulatedMpu6050(RegisterChip):
    """Understands I²C.

    Args:
        monotonic_ns: the node's clock.
        error: by which share its oscillator is too fast.
        waveform: what happens to it.
    """

    def __init__(self, monotonic_ns: Callable[[], int], error: float = 0.0, waveform: Waveform = at_rest) -> None:
        self.oscillator = Oscillator(monotonic_ns, error, waveform)
        self.force_g = tuple(chip.factory_trim_g(code) * 1.05 for code in CODES)
        self.rotation_dps = (0.0, 0.0, 0.0)
        self.celsius = 36.53
        self.fifo: deque[int] = deque(maxlen=chip.FIFO_BYTES)
        self.overflowed = False
        self.registers = bytearray(0x80)
        self.power_cycle()

    def power_cycle(self) -> None:
        """Power lost and back: asleep, every register at its reset value."""
        self.registers[:] = bytes(len(self.registers))
        self.registers[chip.PWR_MGMT_1] = chip.SLEEP
        self.registers[chip.WHO_AM_I] = chip.DEVICE
        low_bits = 0
        for place, code in enumerate(CODES):
            self.registers[chip.SELF_TEST_X + place] = code >> 2 << 5
            low_bits |= (code & 3) << (4 - 2 * place)
        self.registers[chip.SELF_TEST_A] = low_bits
        self._empty()
        self._set()

    def read(self, register: int, count: int) -> bytes:
        """A read; of the FIFO it takes bytes out and stays at the register."""
        self._advance()
        if register == chip.FIFO_R_W:
            return bytes(self.fifo.popleft() if self.fifo else 0xFF for _ in range(count))
        self.registers[chip.FIFO_COUNT_H : chip.FIFO_COUNT_H + 2] = len(self.fifo).to_bytes(2, "big")
        temperature = round((self.celsius - 36.53) * 340.0)
        self.registers[chip.TEMP_OUT_H : chip.TEMP_OUT_H + 2] = temperature.to_bytes(2, "big", signed=True)
        enabled = self.registers[chip.INT_ENABLE] & chip.FIFO_OFLOW
        self.registers[chip.INT_STATUS] = chip.FIFO_OFLOW if self.overflowed and enabled else 0
        answer = bytes(self.registers[register : register + count])
        if register <= chip.INT_STATUS < register + count:
            self.overflowed = False
        return answer

    def write(self, register: int, data: bytes) -> None:
        """A write; a reset of the device or of the FIFO takes effect and clears its own bit."""
        self._advance()
        for place, value in enumerate(data, register):
            if place == chip.PWR_MGMT_1 and value & chip.DEVICE_RESET:
                self.power_cycle()
            elif place == chip.USER_CTRL:
                if value & chip.FIFO_RESET and not value & chip.USER_FIFO_EN:
                    self._empty()
                self.registers[place] = value & ~chip.FIFO_RESET & 0xFF
            elif place not in READ_ONLY:
                self.registers[place] = value
        self._set()

    def _empty(self) -> None:
        self.fifo.clear()
        self.overflowed = False

    def _set(self) -> None:
        asleep = self.registers[chip.PWR_MGMT_1] & chip.SLEEP
        base_hz = 8000.0 if self.registers[chip.CONFIG] & 0x07 in (0, 7) else 1000.0
        self.oscillator.run(0.0 if asleep else base_hz / (1 + self.registers[chip.SMPLRT_DIV]))

    def _advance(self) -> None:
        samples = self.oscillator.samples()
        content = self.registers[chip.FIFO_EN]
        if not len(samples) or not self.registers[chip.USER_CTRL] & chip.USER_FIFO_EN or not content:
            return
        form = self.registers[chip.ACCEL_CONFIG]
        tested = np.array([form >> 7 & 1, form >> 6 & 1, form >> 5 & 1])
        range_g = 2 << (form >> 3 & 3)
        columns = []
        if content & chip.FIFO_ACCEL:
            columns.append((samples + tested * np.array(self.force_g)) * 32768.0 / range_g)
        if content & chip.FIFO_GYRO == chip.FIFO_GYRO:
            scale = 131.072 / (1 << (self.registers[chip.GYRO_CONFIG] >> 3 & 3))
            columns.append(np.tile(np.array(self.rotation_dps) * scale, (len(samples), 1)))
        frames = np.clip(np.round(np.hstack(columns)), -32768, 32767).astype(">i2").tobytes()
        if len(self.fifo) + len(frames) > chip.FIFO_BYTES:
            self.overflowed = True
        self.fifo.extend(frames)
