"""An accelerometer as a HID sensor, made of /dev/uhid: the kernel's own driver makes an IIO device of it.

It answers the feature reports in which the driver sets rate and power, and sends a reading as an input report whenever it is
told to. By Documentation/hid/uhid.rst, Documentation/hid/hid-sensor.rst and the HID usage tables for sensors (HUTRR39).
"""

from __future__ import annotations

import os
import struct
from threading import Thread

REPORT = 1
DESCRIPTOR = bytes.fromhex(
    "0520 0973 a100 8501"  # sensor page, accelerometer 3D, physical collection, report 1
    "0a0e03 1500 27ffffff7f 7520 9501 5500 b102"  # feature: report interval, 32 bits, ms
    "0a1903 1500 2505 7508 9501 a102 0a5008 0a5108 0a5208 0a5308 0a5408 0a5508 b100 c0"  # feature: power state
    "0a1603 1500 2505 7508 9501 a102 0a4008 0a4108 0a4208 0a4308 0a4408 0a4508 b100 c0"  # feature: reporting state
    "0a5214 1500 27ffff0000 7510 9501 550e b102"  # feature: sensitivity
    "0a5304 160180 26ff7f 7510 9501 550e 8102"  # input: x in g, 16 bits, 10^-2
    "0a5404 160180 26ff7f 7510 9501 550e 8102"  # y
    "0a5504 160180 26ff7f 7510 9501 550e 8102 c0"  # z
)
FEATURE = struct.Struct("<BIBBH")
"""Report, interval in ms, power state, reporting state, sensitivity."""
# Kinds of `struct uhid_event` (linux/uhid.h).
GET_REPORT, GET_REPORT_REPLY, CREATE2, INPUT2, SET_REPORT, SET_REPORT_REPLY = 9, 10, 11, 12, 13, 14
BUS_USB = 3
DATA_BYTES = 4096


class HidAccelerometer:
    """One of them; steps of 0.01 g. The kernel's driver is there a moment later."""

    def __init__(self) -> None:
        self.feature = FEATURE.pack(REPORT, 10, 0, 0, 0)
        self._file = os.open("/dev/uhid", os.O_RDWR)
        create = struct.pack(
            f"<I128s64s64sHHIIII{DATA_BYTES}s",
            *(CREATE2, b"accelerometer", b"", b"", len(DESCRIPTOR), BUS_USB, 1, 1, 1, 0, DESCRIPTOR),
        )
        os.write(self._file, create)
        Thread(target=self._answer, daemon=True).start()

    @property
    def reporting(self) -> bool:
        """Whether the driver has switched it on."""
        return bool(FEATURE.unpack(self.feature)[3])

    def send(self, x: int, y: int, z: int) -> None:
        """One reading, in steps."""
        report = struct.pack("<Bhhh", REPORT, x, y, z)
        os.write(self._file, struct.pack("<IH", INPUT2, len(report)) + report.ljust(DATA_BYTES, b"\0"))

    def _answer(self) -> None:
        while True:
            event = os.read(self._file, DATA_BYTES + 512)
            (kind,) = struct.unpack_from("<I", event)
            if kind == GET_REPORT:
                (number,) = struct.unpack_from("<I", event, 4)
                reply = struct.pack("<IIHH", GET_REPORT_REPLY, number, 0, len(self.feature))
                os.write(self._file, reply + self.feature.ljust(DATA_BYTES, b"\0"))
            elif kind == SET_REPORT:
                number, _, _, size = struct.unpack_from("<IBBH", event, 4)
                self.feature = event[12 : 12 + size]
                os.write(self._file, struct.pack("<IIH", SET_REPORT_REPLY, number, 0))
