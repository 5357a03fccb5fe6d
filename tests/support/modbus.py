"""Modbus sensors for tests, and a TCP server of another make (pymodbus's own) on a free port of this computer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.sensors.base import Block, Sensor, SensorError
from edge.sensors.modbus import Modbus, ModbusConfig
from edge.sensors.modbus_map import Register
from edge.sensors.registry import Surroundings

SDM_VOLTS = {0: 0x4366, 1: 0x3334}
"""230.2 V, as in Eastron's protocol description."""


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


def surroundings(folder: Path | None = None) -> Surroundings:
    return Surroundings("oven", "oven", time.monotonic_ns, 1.0, state_dir=folder)


def register(name: str, address: int, **options: Any) -> Register:
    return Register(name=name, addresses=[address], quantity=options.pop("quantity", "level"), **options)


def modbus(folder: Path | None = None, **options: Any) -> Modbus:
    return Modbus(ModbusConfig(**{"every_s": 0.05, "timeout_s": 0.4, **options}), surroundings(folder))


def over_tcp(server: TcpServer, *registers: Register, **options: Any) -> Modbus:
    return modbus(host="127.0.0.1", tcp_port=server.port, registers=list(registers), **options)


def read_some(sensor: Sensor, least: int = 1, patience_s: float = 5.0) -> list[Block]:
    """Blocks, once there are some; whatever `read` raises goes through."""
    found: list[Block] = []
    until = time.monotonic() + patience_s
    while len(found) < least and time.monotonic() < until:
        found.extend(sensor.read())
        time.sleep(0.01)
    assert len(found) >= least
    return found


def values(sensor: Sensor) -> dict[str, list[float]]:
    return {block.channel.name: block.values.ravel().tolist() for block in read_some(sensor)}


def failure(sensor: Sensor, patience_s: float = 5.0) -> str:
    """What it says when it fails."""
    until = time.monotonic() + patience_s
    said = ""
    while not said and time.monotonic() < until:
        time.sleep(0.01)
        try:
            sensor.read()
        except SensorError as exc:
            said = str(exc)
    sensor.close()
    return said
