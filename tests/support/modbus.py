"""A Modbus TCP server of another make (pymodbus's own) on a free port of this computer, for tests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from threading import Event, Thread

from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TcpServer:
    """Serves fixed registers until `stop`.

    Args:
        inputs, holding: registers by number.
        unit: the device's number.
        port: where; a free one when left out.
    """

    def __init__(
        self,
        inputs: Mapping[int, int],
        holding: Mapping[int, int] | None = None,
        *,
        unit: int = 1,
        port: int = 0,
        rtu: bool = False,
    ) -> None:
        self.port = port or free_port()
        self._device = SimDevice(
            id=unit,
            simdata=([_off()], [_off()], _table(holding or {0: 0}), _table(inputs)),
        )
        self._framer = FramerType.RTU if rtu else FramerType.SOCKET
        self._ready = Event()
        self._loop = asyncio.new_event_loop()
        self._server: ModbusTcpServer | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Closes it with all connections."""
        if self._server is not None:
            asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(10)  # type: ignore[no-untyped-call]  # theirs
            self._server = None
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._server = ModbusTcpServer(self._device, address=("127.0.0.1", self.port), framer=self._framer)
        await self._server.serve_forever(background=True)
        self._ready.set()
        await self._server.serving


def _off() -> SimData:
    return SimData(0, values=False, datatype=DataType.BITS)


def _table(registers: Mapping[int, int]) -> list[SimData]:
    return [SimData(address, values=value, datatype=DataType.REGISTERS) for address, value in sorted(registers.items())]
