"""Many transfers in one call of the kernel, against kernels that take their messages apart."""

from __future__ import annotations

import ctypes
import errno
from typing import Any

import pytest

from edge.sensors.bus.base import Absent, BusError
from edge.sensors.bus.linux import LinuxI2c, LinuxSpi
from edge.sensors.bus.spi_messages import SIZE, SpiIocTransfer, request, transfer_each


class SpiKernel:
    """Takes SPI_IOC_MESSAGE apart and answers each byte with its complement."""

    def __init__(self) -> None:
        self.calls: list[list[SpiIocTransfer]] = []

    def ioctl(self, code: int, messages: bytearray) -> None:
        number = len(messages) // SIZE
        assert code == request(number)
        taken = [SpiIocTransfer.from_buffer_copy(messages, place * SIZE) for place in range(number)]
        self.calls.append(taken)
        for one in taken:
            out = ctypes.string_at(one.tx_buf, one.len)
            ctypes.memmove(one.rx_buf, bytes(byte ^ 0xFF for byte in out), one.len)


def test_the_request_is_that_of_the_kernels_header() -> None:
    # SPI_IOC_MESSAGE(1) and (2) as a C compiler evaluates linux/spi/spidev.h.
    assert SIZE == 32
    assert (request(1), request(2)) == (0x40206B00, 0x40406B00)


def test_each_transfer_goes_out_and_comes_back_on_its_own() -> None:
    kernel = SpiKernel()
    outs = [bytes([0xF2, number, 0]) for number in range(40)]
    answers = transfer_each(kernel.ioctl, outs)
    assert answers == [bytes(byte ^ 0xFF for byte in out) for out in outs]
    assert [len(call) for call in kernel.calls] == [32, 8], "what fits into one call"
    for call in kernel.calls:
        assert [one.cs_change for one in call] == [1] * (len(call) - 1) + [0]
        assert {one.delay_usecs for one in call} == {5}
        assert {(one.speed_hz, one.bits_per_word) for one in call} == {(0, 0)}, "as opened"


def test_no_transfer_is_no_call() -> None:
    kernel = SpiKernel()
    assert transfer_each(kernel.ioctl, []) == []
    assert kernel.calls == []


def test_a_closed_spi_bus_is_a_bus_error(tmp_path: Any) -> None:
    with pytest.raises(BusError, match=r"spidev0\.1: .*raspi-config"):
        LinuxSpi(0, 1, 3, 1_000_000, str(tmp_path))


class I2cKernel:
    """A bus with one chip, whose register counts up; `combines` as an adapter does, `fails` as a chip that is gone."""

    def __init__(self, *, combines: bool = True, fails: int = 0) -> None:
        self.combines, self.fails = combines, fails
        self.calls: list[int] = []
        self.value = 0

    def i2c_rdwr(self, *messages: Any) -> None:
        if self.fails:
            raise OSError(self.fails, "no")
        if not self.combines:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        self.calls.append(len(messages))
        for write, read in zip(messages[::2], messages[1::2], strict=True):
            assert (write.addr, write.flags, bytes(write)) == (0x53, 0, b"\x32")
            assert read.flags == 1
            for place in range(read.len):
                read.buf[place] = self._next()

    def read_i2c_block_data(self, address: int, register: int, count: int) -> list[int]:
        assert (address, register) == (0x53, 0x32)
        self.calls.append(0)
        return [self._next() for _ in range(count)]

    def _next(self) -> int:
        self.value = (self.value + 1) % 256
        return self.value


def i2c(kernel: I2cKernel) -> LinuxI2c:
    bus = LinuxI2c.__new__(LinuxI2c)
    bus._name, bus._bus, bus._combines = "i2c-1", kernel, True
    return bus


@pytest.mark.parametrize(("combines", "calls"), [(True, [42, 22]), (False, [0] * 32)])
def test_reads_of_a_fifo_are_combined_where_the_adapter_can(*, combines: bool, calls: list[int]) -> None:
    kernel = I2cKernel(combines=combines)
    bus = i2c(kernel)
    assert bus.read_each(0x53, 0x32, 6, 32) == bytes((number + 1) % 256 for number in range(192))
    assert kernel.calls == calls
    assert len(bus.read_each(0x53, 0x32, 6, 2)) == 12
    assert bus.read_each(0x53, 0x32, 6, 0) == b""


@pytest.mark.parametrize(("code", "error"), [(errno.EREMOTEIO, Absent), (errno.EIO, BusError)])
def test_combined_reads_that_fail_say_what_the_kernel_said(code: int, error: type[BusError]) -> None:
    with pytest.raises(error, match="i2c-1 address 0x53"):
        i2c(I2cKernel(fails=code)).read_each(0x53, 0x32, 6, 4)
