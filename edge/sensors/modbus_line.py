"""One Modbus device at the end of a serial line or of a TCP connection, and its errors in words.

Several sensors, also of several daemons, may share a serial line: each takes the device file's lock for one exchange
(flock(2), as serial tools do) and empties what came late for others.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import socket
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from edge.sensors.base import SensorError
from edge.sensors.bus.base import Absent, BusError
from edge.sensors.modbus_map import Request

EXCEPTIONS = {
    1: "illegal function: the device does not know this kind of register",
    2: "illegal data address: the device has no such register",
    3: "illegal data value: the device does not give so many registers at once",
    4: "device failure",
    5: "acknowledge: the device needs longer",
    6: "device busy",
    8: "memory parity error in the device",
    10: "gateway path unavailable: the gateway is set up wrongly or overloaded",
    11: "gateway target failed to respond: nobody answers behind the gateway",
}
"""Modbus Application Protocol V1.1b3, chapter 7."""
_HINTS = {
    errno.ENOENT: "is the adapter plugged in?",
    errno.EACCES: "the daemon's user must be in the group of that device (dialout)",
    errno.EBUSY: "another program keeps it",
    errno.ECONNREFUSED: "nothing listens there; is it the right port?",
    errno.EHOSTUNREACH: "no such device in this network",
}
LOCK_S = 3.0
"""Others on the same line may take this long: one exchange with a device that does not answer."""
SILENCE_CHARACTERS = 3.5
"""Between two frames on a serial line (Modbus over Serial Line V1.02, chapter 2.5.1.1)."""


class LineBusy(SensorError):
    """Others keep the line; asking again at once would only wait as long once more."""


class Client(Protocol):
    """A connected client of pymodbus, as far as it is used here."""

    def read_input_registers(self, address: int, *, count: int, device_id: int) -> Any:
        """Function 4."""
        ...

    def read_holding_registers(self, address: int, *, count: int, device_id: int) -> Any:
        """Function 3."""
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


class ModbusLine(ABC):
    """Reads registers of one device; connects when first asked. Used by one thread, closed by any.

    Args:
        name: of the port or host, for errors.
        unit: the device's number.
        timeout_s: longest wait for an answer.
    """

    wait_s = 0.0
    """How long it may wait for a line that others use too, before it asks."""

    def __init__(self, name: str, unit: int, timeout_s: float) -> None:
        self.where = f"{name} unit {unit}"
        self._unit = unit
        self._timeout_s = timeout_s
        self._client: Client | None = None
        self._closed = False

    @staticmethod
    def prepare() -> None:
        """Loads what connecting needs: seconds on a small board, which are no device's silence."""
        with suppress(ImportError):  # told when it is connected
            import pymodbus.client  # noqa: F401, PLC0415  # only nodes with a Modbus device need it
            import serial  # noqa: F401, PLC0415  # as above

    def read(self, request: Request) -> Sequence[int]:
        """The registers' content.

        Raises:
            Absent: no answer.
            BusError: it cannot be reached, or answers with an exception or with garbage.
            LineBusy: others keep the line for too long.
        """
        from pymodbus.exceptions import ModbusException  # noqa: PLC0415  # only nodes with a Modbus device need it

        what = f"{self.where}: {request.kind} register {request.address} (0x{request.address:04X})"
        client = self._client or self._connected()
        read = client.read_input_registers if request.kind == "input" else client.read_holding_registers
        try:
            answer = self.exchange(lambda: read(request.address, count=request.size, device_id=self._unit))
        except ModbusException as exc:
            raise self._unanswered(what, exc) from exc
        except (OSError, TimeoutError) as exc:
            self._hang_up()
            raise BusError(f"{self.where}: {_said(exc)}") from exc
        if answer.isError():
            code = int(getattr(answer, "exception_code", 0))
            raise BusError(f"{what}: exception {code}, {EXCEPTIONS.get(code, 'which no standard describes')}")
        registers: list[int] = list(answer.registers)
        if len(registers) != request.size:
            raise BusError(f"{what}: {len(registers)} registers where {request.size} were asked for")
        return registers

    def exchange(self, transfer: Callable[[], Any]) -> Any:
        """One question and its answer; a shared line is kept for it."""
        return transfer()

    @abstractmethod
    def connect(self) -> Client:
        """A connected client; raises OSError."""

    def close(self) -> None:
        """Closes the connection for good; safe to call twice."""
        self._closed = True
        self._hang_up()

    def _connected(self) -> Client:
        # Failures come as exceptions; what the library logs besides would be said twice, every few seconds.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        try:
            client = self.connect()
        except OSError as exc:
            raise BusError(f"{self.where}: {_said(exc)}") from exc
        self._client = client
        if self._closed:
            # Connecting took so long that nobody wants it any more.
            self._hang_up()
            raise BusError(f"{self.where} is closed")
        return client

    def _unanswered(self, what: str, exc: Exception) -> BusError:
        from pymodbus.exceptions import ConnectionException  # noqa: PLC0415  # as above

        self._hang_up()
        if isinstance(exc, ConnectionException):
            return BusError(f"{self.where}: the connection was closed")
        return Absent(
            f"{what}: no valid answer within {self._timeout_s:g} s; check power, wiring (A and B swapped?), speed and "
            "unit number"
        )

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class TcpLine(ModbusLine):
    """A device or gateway in the network.

    Args:
        host, port: where it listens.
        unit: the device's number behind it.
        timeout_s: longest wait for the connection and for an answer.
        rtu: serial frames inside the connection, as transparent serial servers want them.
    """

    def __init__(self, host: str, port: int, unit: int, timeout_s: float, *, rtu: bool = False) -> None:
        super().__init__(f"{host}:{port}", unit, timeout_s)
        self._host, self._port, self._rtu = host, port, rtu

    def connect(self) -> Client:
        """Connects; raises OSError with the reason, which the library's own connect does not tell."""
        from pymodbus.client import ModbusTcpClient  # noqa: PLC0415  # only nodes with a Modbus device need it
        from pymodbus.framer import FramerType  # noqa: PLC0415  # as above

        client = ModbusTcpClient(
            self._host,
            port=self._port,
            framer=FramerType.RTU if self._rtu else FramerType.SOCKET,
            timeout=self._timeout_s,
            retries=0,
        )
        client.socket = socket.create_connection((self._host, self._port), timeout=self._timeout_s)
        return client


class SerialLine(ModbusLine):
    """A device on RS-485 or a serial port.

    Args:
        port: device file.
        unit: the device's number on the line.
        timeout_s: longest wait for an answer.
        baud, parity, stop_bits: as the device is set; the same for all on one line.
    """

    wait_s = LOCK_S

    def __init__(self, port: str, unit: int, timeout_s: float, *, baud: int, parity: str, stop_bits: int) -> None:
        super().__init__(port, unit, timeout_s)
        self._port = port
        self._settings: dict[str, Any] = {"baudrate": baud, "parity": parity, "stopbits": stop_bits}
        self._silence_s = max(SILENCE_CHARACTERS * 11 / baud, 0.00175)
        self._serial: Any = None

    def connect(self) -> Client:
        """Opens the port without keeping others off it; raises OSError with the reason."""
        import serial  # noqa: PLC0415  # only nodes with a serial device need it
        from pymodbus.client import ModbusSerialClient  # noqa: PLC0415  # as above

        client = ModbusSerialClient(self._port, timeout=self._timeout_s, retries=0, **self._settings)
        self._serial = serial.Serial(
            self._port, timeout=self._timeout_s, write_timeout=self._timeout_s, bytesize=8, **self._settings
        )
        client.socket = self._serial
        return client

    def exchange(self, transfer: Callable[[], Any]) -> Any:
        """One question and its answer, with the line kept for it."""
        handle = self._serial.fileno()
        self._lock(handle)
        try:
            time.sleep(self._silence_s)
            self._serial.reset_input_buffer()
            return transfer()
        except termios.error as exc:
            # An adapter that was pulled; pyserial lets this one through.
            raise OSError(*exc.args) from exc
        finally:
            if self._serial.is_open:
                fcntl.flock(handle, fcntl.LOCK_UN)

    def _lock(self, handle: int) -> None:
        until = time.monotonic() + self.wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() > until:
                    raise LineBusy(f"{self.where}: others keep the line for more than {self.wait_s:g} s") from exc
                time.sleep(0.005)
            else:
                return


def _said(exc: OSError) -> str:
    said = exc.strerror or str(exc) or type(exc).__name__
    hint = _HINTS.get(exc.errno or 0)
    return f"{said} ({hint})" if hint else said
