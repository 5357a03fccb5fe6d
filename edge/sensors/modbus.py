"""Meters and other devices that speak Modbus, over a serial line (RTU) or TCP; the register map is configuration.

The device is asked on a thread of its own, so a slow or dead one never holds up the machine: opening waits at most twice
`timeout_s` and a second, and three more where others use the same serial line; reading does not wait at all. A device that does not answer is asked once more, then it is a fault of this
sensor, and it is tried again with growing pauses.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct, field

from edge.sensors.base import Block, Channel, Fault, Quantity, SensorConfigError, SensorError
from edge.sensors.bus.base import BusError, persistent
from edge.sensors.energy import EnergyFile, MeterEnergy, PowerEnergy
from edge.sensors.modbus_line import ModbusLine, SerialLine, TcpLine
from edge.sensors.modbus_map import Register, Request, channel_of, requests, value_of, within, words_of
from edge.sensors.modbus_meters import Meter, MeterName, meters
from edge.sensors.registry import Surroundings
from edge.sensors.sampler import Sampler

ATTEMPTS = 2
FIRST_ANSWER_S = 1.0
"""Opening waits for the first answer for `ATTEMPTS` timeouts and this, and for a line that others use."""
LOOK_S = 0.02
"""How often the thread looks whether the next reading is due."""
KEPT = 600
"""Blocks that wait for a read; the oldest give way."""
LONGEST_GAP_READINGS = 5.0
"""Power further apart than so many readings is not integrated."""
ENERGY = "energy"


class ModbusConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `modbus` sensor: either `port` (serial) or `host` (TCP), and either `meter` or registers."""

    port: Annotated[str, Meta(min_length=1)] | None = None
    """Serial device, such as /dev/ttyUSB0 or, better, its name under /dev/serial/by-id."""
    baud: Annotated[int, Meta(ge=300, le=1_000_000)] | None = None
    """Speed of the serial line; the meter's factory setting when left out, else 9600."""
    parity: Literal["N", "E", "O"] = "N"
    """N none, E even, O odd."""
    stop_bits: Literal[1, 2] = 1
    """1 or 2."""
    host: Annotated[str, Meta(min_length=1)] | None = None
    """Name or address of a device or gateway in the network."""
    tcp_port: Annotated[int, Meta(ge=1, le=65535)] = 502
    """Its port."""
    framing: Literal["tcp", "rtu"] = "tcp"
    """tcp: Modbus TCP; rtu: serial frames over TCP, for transparent serial servers."""
    unit: Annotated[int, Meta(ge=1, le=247)] = 1
    """The device's number (slave address)."""
    every_s: Annotated[float, Meta(ge=0.05, le=3600)] = 1.0
    """Seconds between readings."""
    timeout_s: Annotated[float, Meta(ge=0.05, le=3)] = 0.5
    """Longest wait for an answer."""
    meter: MeterName | None = None
    """A built-in map: pzem004t, sdm120, sdm230 or sdm630."""
    channels: list[str] = []
    """Deliver these channels of the map only; empty: all."""
    prefix: Annotated[str, Meta(pattern="^[a-z0-9_-]*$", max_length=24)] = ""
    """Put before each channel's name, where a machine has several meters."""
    integrate: str | None = None
    """Name of a channel in W that is integrated to kWh as channel energy, for a device that does not count itself."""
    join_gap: Annotated[int, Meta(ge=0, le=100)] = 0
    """So many registers that nobody wants may be read along to save requests; many devices refuse those they do not have."""
    registers: Annotated[list[Register], Meta(max_length=64)] = field(name="register", default_factory=list)
    """The map, each value a table of its own."""


class Modbus:
    """Reads a Modbus device; see the module.

    Args:
        config: which device, which registers.
        surroundings: clock, root folder of device files, folder for energy.

    Raises:
        SensorConfigError: no or two ways to reach it, no or two maps, or a channel that the map does not have.
    """

    Config = ModbusConfig

    def __init__(self, config: ModbusConfig, surroundings: Surroundings) -> None:
        self._config = config
        self._meter = meter = _meter(config)
        self._surroundings = surroundings
        self._monotonic_ns = surroundings.monotonic_ns
        self._make_line = _line_of(config, meter, surroundings)
        self._registers = _chosen(config, meter)
        self._requests = requests(self._registers, config.join_gap)
        self._channels = _channels(config, self._registers)
        self._due_ns = 0
        self._recognised = False
        self._first: list[Block] = []
        self._line: ModbusLine | None = None
        self._sampler: Sampler[list[Block]] | None = None
        self._counters: dict[str, MeterEnergy] = {}
        self._integral: PowerEnergy | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        """As the map says."""
        return self._channels

    def open(self) -> None:
        """Starts asking and waits for the first answer; raises SensorError that says who did not answer, or how."""
        self.close()
        self._take_up_energy()
        self._due_ns, self._recognised = 0, False
        self._line = line = self._make_line()
        line.prepare()
        self._sampler = Sampler(
            self._drain, _Waiting(), self._monotonic_ns, every_s=LOOK_S, name=f"modbus-{line.where}"
        )
        self._sampler.start()
        limit_s = ATTEMPTS * self._config.timeout_s + FIRST_ANSWER_S + line.wait_s
        until = time.monotonic() + limit_s
        try:
            while not self._first:
                self._first = self._sampler.take()
                if not self._first:
                    _require(time.monotonic() < until, f"{line.where}: no answer within {limit_s:g} s")
                    time.sleep(LOOK_S / 2)
        except SensorError:
            self.close()
            raise

    def read(self) -> Sequence[Block]:
        """Readings since the last call; raises SensorError when the device does not answer."""
        if self._sampler is None:
            raise SensorError("modbus sensor is not open")
        first, self._first = self._first, []
        return [*first, *self._sampler.take()]

    def close(self) -> None:
        """Stops asking and keeps the energy."""
        if self._line is not None:
            self._line.close()
        if self._sampler is not None:
            self._sampler.stop()
        for counter in (*self._counters.values(), self._integral):
            if counter is not None:
                counter.close()
        self._line = self._sampler = None
        self._counters, self._integral, self._first = {}, None, []

    def _drain(self) -> list[Block]:
        """One round of requests when it is due. On the sampler's thread."""
        now_ns = self._monotonic_ns()
        line = self._line
        if now_ns < self._due_ns or line is None:
            return []
        every_ns = round(self._config.every_s * 1e9)
        behind = self._due_ns == 0 or now_ns - self._due_ns > every_ns
        self._due_ns = (now_ns if behind else self._due_ns) + every_ns
        if not self._recognised:
            self._recognise(line)
            self._recognised = True
        return self._round(line)

    def _recognise(self, line: ModbusLine) -> None:
        """Refuses a device whose sure registers hold what this meter would never say."""
        for register in self._meter.registers:
            if register.name not in self._meter.sure:
                continue
            request = Request(register.kind, register.addresses[0], words_of(register.type))
            value = value_of(register, persistent(lambda wanted=request: line.read(wanted), ATTEMPTS))  # type: ignore[misc]  # bound now
            if not within(register, value):
                raise BusError(
                    f"{line.where} answers, but not like a {self._meter.title}: {register.name} (register "
                    f"{register.addresses[0]}) says {value:g} {register.unit}, expected {register.low:g} to {register.high:g}; "
                    "another meter, or another unit number?"
                )

    def _round(self, line: ModbusLine) -> list[Block]:
        found: dict[tuple[str, int], int] = {}
        for request in self._requests:
            words = persistent(lambda wanted=request: line.read(wanted), ATTEMPTS)  # type: ignore[misc]  # bound now
            found.update({(request.kind, request.address + k): word for k, word in enumerate(words)})
        now_ns = self._monotonic_ns()
        blocks = []
        for register, channel in zip(self._registers, self._channels, strict=False):
            count = words_of(register.type)
            values = [
                value_of(register, [found[register.kind, first + k] for k in range(count)])
                for first in register.addresses
            ]
            blocks.append(self._block(register, channel, values, now_ns))
        if self._integral is not None:
            watts = next(
                float(block.values.flat[0])
                for block, register in zip(blocks, self._registers, strict=True)
                if register.name == self._config.integrate
            )
            kwh = self._integral.take(now_ns, watts)
            blocks.append(Block(self._channels[-1], now_ns, np.array([kwh])))
        return blocks

    def _block(self, register: Register, channel: Channel, values: list[float], now_ns: int) -> Block:
        counter = self._counters.get(channel.name)
        register_at = ", ".join(map(str, register.addresses))
        faults: tuple[tuple[Fault, str], ...] = ()
        if any(math.isnan(value) for value in values):
            faults = ((Fault.NO_DATA, f"{channel.name}: register {register_at} holds no value"),)
        elif counter is not None and not within(register, values[0]):
            faults = (
                (Fault.OUT_OF_RANGE, f"{channel.name}: register {register_at} says {values[0]:g} {register.unit}"),
            )
            values = [math.nan]
        elif counter is not None:
            values = [counter.take(now_ns, values[0])]
        array = np.array(values, dtype=np.float64)
        return Block(channel, now_ns, array if channel.axes == 1 else array[None, :], faults=faults)

    def _take_up_energy(self) -> None:
        for register, channel in zip(self._registers, self._channels, strict=False):
            if register.quantity is Quantity.ENERGY and register.unit == "kWh" and channel.axes == 1:
                file = EnergyFile(self._surroundings, channel.name)
                self._counters[channel.name] = MeterEnergy(file, self._meter.rollover_kwh)
        if self._config.integrate:
            file = EnergyFile(self._surroundings, self._channels[-1].name)
            self._integral = PowerEnergy(file, LONGEST_GAP_READINGS * self._config.every_s)


class _Waiting:
    """Blocks that wait for a read."""

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque(maxlen=KEPT)

    def add(self, drained: list[Block], /) -> None:
        self._blocks.extend(drained)

    def blocks(self, _now_ns: int) -> list[Block]:
        taken = list(self._blocks)
        self._blocks.clear()
        return taken


def _require(so: bool, otherwise: str) -> None:  # noqa: FBT001  # an assertion with words
    if not so:
        raise SensorError(otherwise)


def _meter(config: ModbusConfig) -> Meter:
    if bool(config.meter) == bool(config.registers):
        raise SensorConfigError("either meter or [[machine.sensor.register]] tables, not both and not neither")
    if config.meter:
        return meters()[config.meter]
    names = [register.name for register in config.registers]
    if len(set(names)) < len(names):
        raise SensorConfigError("two registers of one name")
    return Meter("configured device", tuple(config.registers), baud=9600, sure=())


def _chosen(config: ModbusConfig, meter: Meter) -> list[Register]:
    known = [register.name for register in meter.registers]
    for name in (*config.channels, config.integrate):
        if name and name not in known:
            raise SensorConfigError(f"no channel {name!r}; this map has {', '.join(known)}")
    chosen = [one for one in meter.registers if not config.channels or one.name in config.channels]
    power = next((one for one in chosen if one.name == config.integrate), None)
    if config.integrate and (
        power is None or power.unit != "W" or len(power.addresses) > 1 or any(one.name == ENERGY for one in chosen)
    ):
        raise SensorConfigError(
            f"integrate: {config.integrate!r} must be a delivered channel in W with one register, and there must be no "
            "channel energy yet"
        )
    return chosen


def _channels(config: ModbusConfig, registers: Sequence[Register]) -> tuple[Channel, ...]:
    made = [channel_of(register, config.prefix, config.every_s) for register in registers]
    if config.integrate:
        name = f"{config.prefix}{ENERGY}"
        made.append(Channel(name, "kWh", Quantity.ENERGY, low=0.0, period_s=config.every_s, steady=True))
    return tuple(made)


def _line_of(config: ModbusConfig, meter: Meter, surroundings: Surroundings) -> Callable[[], ModbusLine]:
    if bool(config.port) == bool(config.host):
        raise SensorConfigError("either port (serial) or host (TCP), not both and not neither")
    host, port = config.host, config.port
    if host is not None:
        rtu = config.framing == "rtu"
        return lambda: TcpLine(host, config.tcp_port, config.unit, config.timeout_s, rtu=rtu)
    path = f"{surroundings.root.rstrip('/')}{port}" if (port or "").startswith("/") else str(port)
    return lambda: SerialLine(
        path,
        config.unit,
        config.timeout_s,
        baud=config.baud or meter.baud,
        parity=config.parity,
        stop_bits=config.stop_bits,
    )
