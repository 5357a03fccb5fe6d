"""Several SPI transfers in one call of the kernel: `SPI_IOC_MESSAGE(n)` of linux/spi/spidev.h.

python-periphery makes one transfer a call. A FIFO that is read sample by sample needs thirty of them every few milliseconds,
and a thread that waits for its turn after each of them is late.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

AT_ONCE = 32
"""Up to 1024 bytes of messages `fcntl.ioctl` lets other threads run meanwhile."""
PAUSE_US = 5
"""Before the chip select goes high: ADXL345 rev. E, p. 21, wants 5 µs between two reads of its FIFO."""


class SpiIocTransfer(ctypes.Structure):
    """`struct spi_ioc_transfer`: zeros keep what was set when the device was opened."""

    _fields_ = (
        ("tx_buf", ctypes.c_uint64),
        ("rx_buf", ctypes.c_uint64),
        ("len", ctypes.c_uint32),
        ("speed_hz", ctypes.c_uint32),
        ("delay_usecs", ctypes.c_uint16),
        ("bits_per_word", ctypes.c_uint8),
        ("cs_change", ctypes.c_uint8),
        ("tx_nbits", ctypes.c_uint8),
        ("rx_nbits", ctypes.c_uint8),
        ("word_delay_usecs", ctypes.c_uint8),
        ("pad", ctypes.c_uint8),
    )


SIZE = ctypes.sizeof(SpiIocTransfer)


def request(number: int) -> int:
    """SPI_IOC_MESSAGE(number), that is `_IOW('k', 0, char[number * 32])` (asm-generic/ioctl.h)."""
    return 1 << 30 | (number * SIZE) << 16 | ord("k") << 8


def transfer_each(ioctl: Callable[[int, bytearray], object], outs: Sequence[bytes]) -> list[bytes]:
    """Makes these transfers, the chip select high between them, and returns what came in.

    Args:
        ioctl: calls the kernel with a request and the messages; its OSError passes.
        outs: what goes out in each.
    """
    answers: list[bytes] = []
    for first in range(0, len(outs), AT_ONCE):
        part = outs[first : first + AT_ONCE]
        sent = [ctypes.create_string_buffer(out, len(out)) for out in part]
        received = [ctypes.create_string_buffer(len(out)) for out in part]
        messages = (SpiIocTransfer * len(part))(
            *(
                SpiIocTransfer(
                    tx_buf=ctypes.addressof(outward),
                    rx_buf=ctypes.addressof(inward),
                    len=len(out),
                    delay_usecs=PAUSE_US,
                    # On the last one it would mean the opposite: that the chip stays selected.
                    cs_change=int(place < len(part) - 1),
                )
                for place, (out, outward, inward) in enumerate(zip(part, sent, received, strict=True))
            )
        )
        ioctl(request(len(part)), bytearray(messages))
        answers += [inward.raw for inward in received]
    return answers
