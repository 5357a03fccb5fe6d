"""A simulated RS-485 line: a pseudo terminal with Modbus devices on it, which can be pulled, made slow or disturbed."""

from __future__ import annotations

import os
import select
import time
import tty
from contextlib import suppress
from threading import Thread

from edge.sensors.simulation.chips.meter import RESET_ENERGY, SimulatedMeter

REQUEST_BYTES = 8
"""Address, function, two words, check sum; resetting a PZEM's energy takes no words."""
RESET_BYTES = 4
LOOK_S = 0.05
POLYNOMIAL = 0xA001


def crc16(data: bytes) -> bytes:
    """Check sum of a frame, low byte first (Modbus over Serial Line V1.02, chapter 6.2.2).

    >>> crc16(bytes.fromhex("f8040000000a")).hex()
    '6464'
    """
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ POLYNOMIAL if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class SimulatedSerialPort:
    """Devices by unit number behind a device file, answered from a thread of its own until `close`."""

    def __init__(self) -> None:
        self.devices: dict[int, SimulatedMeter] = {}
        self.garbled = 0
        """So many of the next answers arrive with a wrong bit."""
        self.delay_s = 0.0
        """Before an answer."""
        self.requests = 0
        self.frames: list[tuple[float, bytes]] = []
        """Each whole frame heard, with the time."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        """The device file."""
        self._open = True
        self._thread = Thread(target=self._serve, name="simulated-serial", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pulls the adapter: the device file disappears."""
        if self._open:
            self._open = False
            self._thread.join(2.0)
            os.close(self._master)
            os.close(self._slave)

    def _serve(self) -> None:
        heard = b""
        while self._open:
            ready, _, _ = select.select([self._master], [], [], LOOK_S)
            if not ready:
                heard = b""  # silence ends a frame
                continue
            with suppress(OSError):
                heard += os.read(self._master, 256)
            size = RESET_BYTES if heard[1:2] == bytes([RESET_ENERGY]) else REQUEST_BYTES
            if len(heard) >= size:
                self._answer(heard[:size])
                heard = heard[size:]

    def _answer(self, frame: bytes) -> None:
        if crc16(frame[:-2]) != frame[-2:]:
            return
        self.requests += 1
        self.frames.append((time.monotonic(), frame))
        device = self.devices.get(frame[0])
        if device is None:
            return
        answer = frame[:1] + device.answer(frame[1:-2])
        answer += crc16(answer)
        if self.garbled > 0:
            self.garbled -= 1
            answer = answer[:3] + bytes([answer[3] ^ 0x10]) + answer[4:]
        time.sleep(self.delay_s)
        with suppress(OSError):
            os.write(self._master, answer)
