"""What accelerometers with a FIFO have in common: found, tested and set when opened, drained in the background, watched.

A chip's own module says by which registers. While it runs, its settings are read back every second: a chip that lost power
for a moment answers as before, but measures something else, or nothing.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, NamedTuple, Protocol

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from edge.sensors.base import Block, Channel, Quantity, SensorConfigError, SensorError
from edge.sensors.bus.base import BusError, Buses
from edge.sensors.fifo import Pace, in_time
from edge.sensors.registers import FirstByte, I2cRegisters, Registers, SpiRegisters
from edge.sensors.registry import Surroundings
from edge.sensors.sampler import Sampler
from edge.sensors.stream import Drained, Stream
from wire.messages import ChannelName

LONGEST_KEPT_S = 10.0
"""Samples that wait for the machine; of a machine that is read more rarely only the last so many seconds are seen."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 0.1
TEMPERATURE_S = 5.0
COARSE_G = 0.02
"""Noise of these chips is some 5 mg over their whole bandwidth; steps beyond four times that hide it."""
TEST_ATTEMPTS = 3
"""A self-test on a machine that runs is disturbed by it; three failures are the chip's."""


class AccelerometerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that all accelerometers on a bus have."""

    channel: Annotated[ChannelName, Meta(description="name of the channel; two sensors of a machine need two")] = (
        "vibration"
    )
    bus: (
        Annotated[int, Meta(ge=0, le=255, description="number of the bus; 1 for I²C, 0 for SPI when left out")] | None
    ) = None
    self_test: Annotated[
        bool,
        Meta(description="the chip moves its own mass at every start and must feel it; takes a quarter of a second"),
    ] = True


class EitherBusConfig(AccelerometerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of those that can be on I²C or SPI."""

    select: (
        Annotated[int, Meta(ge=0, le=7, description="chip select of the SPI bus; left out: the chip is on I²C")] | None
    ) = None


class Wiring(Protocol):
    """Options of a chip that can be on I²C or SPI."""

    @property
    def bus(self) -> int | None:
        """Number of the bus."""
        ...

    @property
    def address(self) -> int | None:
        """On I²C; None for the usual one."""
        ...

    @property
    def select(self) -> int | None:
        """Chip select on SPI; None on I²C."""
        ...

    @property
    def max_hz(self) -> int:
        """Clock on SPI."""
        ...


class Place(NamedTuple):
    """Where a chip is wired, and how it is spoken to there."""

    bus: int | None
    address: int
    select: int | None = None
    """Chip select of SPI; None: I²C."""
    max_hz: int = 1_000_000
    spi_mode: int = 3
    first_byte: FirstByte | None = None
    several: int = 0

    @classmethod
    def of(
        cls, chip: str, wiring: Wiring, usual: int, *, spi_mode: int, first_byte: FirstByte, several: int = 0
    ) -> Place:
        """Where such a chip is wired; raises SensorConfigError where it is said to be on both buses.

        Args:
            chip: its name, for the error.
            wiring: its options.
            usual: its address where none is given.
            spi_mode, first_byte, several: how it is spoken to, see `edge.sensors.registers`.
        """
        if wiring.address is not None and wiring.select is not None:
            raise SensorConfigError(f"{chip}: address is for I²C, select for SPI; give one of them")
        address = usual if wiring.address is None else wiring.address
        return cls(wiring.bus, address, wiring.select, wiring.max_hz, spi_mode, first_byte, several)


class Setting(NamedTuple):
    """A register and what it is set to; only the bits of `mask` are compared later, none where it is a command."""

    register: int
    value: int
    mask: int = 0xFF


class ChipTemperature:
    """A chip's own temperature: that of the bearing housing or motor it is screwed to, and a little of its own.

    Args:
        channel: name of the acceleration's channel.
        register: of two bytes, high byte first.
        celsius: makes °C of the unsigned number in it.
        low, high: range of the chip.
        resolution: step in °C.
    """

    def __init__(
        self, channel: str, register: int, celsius: Callable[[int], float], low: float, high: float, resolution: float
    ) -> None:
        self.channel = Channel(
            f"{channel}_temperature",
            "°C",
            Quantity.TEMPERATURE,
            low=low,
            high=high,
            period_s=TEMPERATURE_S,
            resolution=resolution,
        )
        self._register = register
        self._celsius = celsius
        self._due_ns = 0

    def read(self, registers: Registers, now_ns: int) -> list[Block]:
        """A reading every few seconds; raises BusError."""
        if now_ns < self._due_ns:
            return []
        self._due_ns = now_ns + round(TEMPERATURE_S * 1e9)
        value = self._celsius(int.from_bytes(registers.read(self._register, 2), "big"))
        return [Block(self.channel, now_ns, np.array([value]))]


class Chip(NamedTuple):
    """What it is called, how many samples its FIFO holds, and its own temperature where that is asked for."""

    name: str
    fifo_samples: int
    temperature: ChipTemperature | None = None


class FifoAccelerometer(ABC):
    """A `Sensor` with a FIFO; see the module.

    Args:
        chip: which it is.
        channel: what it delivers.
        place: where it is wired.
        surroundings: clock and buses.
        self_test: whether it is tested at every start.
        sleep: waits so many seconds; a test lets its clock go on instead.
        background: drain on a thread; a test calls `pump` instead.
    """

    def __init__(
        self,
        chip: Chip,
        channel: Channel,
        place: Place,
        surroundings: Surroundings,
        *,
        self_test: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        background: bool = True,
    ) -> None:
        self.chip = chip.name
        self.channel = channel
        self._place = place
        self._buses = surroundings.buses
        self._monotonic_ns = surroundings.monotonic_ns
        self._interval_s = surroundings.interval_s
        self._fifo_samples = chip.fifo_samples
        self._self_test = self_test
        self._temperature = chip.temperature
        self._sleep = sleep
        self._background = background
        self._registers: Registers | None = None
        self._sampler: Sampler[Drained] | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        """What it delivers."""
        return (self.channel,) if self._temperature is None else (self.channel, self._temperature.channel)

    @property
    def pause_s(self) -> float:
        """Time between two drains: a third of that in which the FIFO fills."""
        fills_s = self._fifo_samples / (self.channel.rate_hz or 1.0)
        return min(max(fills_s / 3.0, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)

    def open(self) -> None:
        """Finds the chip, tests it and starts it; raises SensorError with what was found instead."""
        self.close()
        self._registers = registers = connect(self._buses, self._place)
        try:
            self.identify(registers)
            if self._self_test:
                self._test(registers)
            self.configure(registers)
        except BaseException:
            self.close()
            raise
        rate_hz = self.channel.rate_hz or 1.0
        self._sampler = Sampler(
            partial(in_time, self.drain, registers, Pace(self._fifo_samples, rate_hz), self._monotonic_ns),
            Stream(
                self.stream_channel(), keep_s=LONGEST_KEPT_S, counts_unfetched=self._interval_s <= LONGEST_KEPT_S / 2
            ),
            self._monotonic_ns,
            every_s=self.pause_s,
            check=lambda: self.check(registers),
            name=f"fifo-{registers.place}",
        )
        if self._background:
            self._sampler.start()

    def pump(self) -> None:
        """One drain, where no thread makes them; raises SensorError."""
        if self._sampler is not None:
            self._sampler.pump()

    def read(self) -> Sequence[Block]:
        """Blocks since the last call; raises SensorError when the chip cannot be read."""
        if self._sampler is None:
            raise SensorError(f"{self.chip} is not open")
        blocks = self.deliver(self._sampler.take())
        if self._temperature is not None and self._registers is not None:
            blocks += self._temperature.read(self._registers, self._monotonic_ns())
        return sorted(blocks, key=lambda block: block.start_ns)

    def close(self) -> None:
        """Stops the thread and the chip, and releases the bus; safe to call twice."""
        sampler, self._sampler = self._sampler, None
        registers, self._registers = self._registers, None
        if sampler is not None:
            sampler.stop()
        if registers is not None:
            with suppress(BusError):
                self.rest(registers)
            registers.close()

    def stream_channel(self) -> Channel:
        """The channel of the stream that is drained; that of the sensor unless several come from one FIFO."""
        return self.channel

    def deliver(self, blocks: list[Block]) -> list[Block]:
        """What becomes of the blocks of `stream_channel`; themselves unless several channels come from one FIFO."""
        return blocks

    @abstractmethod
    def identify(self, registers: Registers) -> None:
        """Checks that the right chip is there; raises SensorError saying which is."""

    @abstractmethod
    def test(self, registers: Registers) -> str:
        """The chip's self-test; what is wrong, "" for nothing."""

    @property
    @abstractmethod
    def settings(self) -> Sequence[Setting]:
        """What is written at the start, in this order, and has to stay so."""

    @abstractmethod
    def drain(self, registers: Registers) -> Drained:
        """Empties the FIFO."""

    @abstractmethod
    def rest(self, registers: Registers) -> None:
        """Puts the chip to sleep."""

    def configure(self, registers: Registers) -> None:
        """Writes the settings and reads them back."""
        for setting in self.settings:
            registers.write(setting.register, setting.value)
        self.check(registers)

    def check(self, registers: Registers) -> None:
        """Raises SensorError when a setting is not what it was set to."""
        for register, value, mask in self.settings:
            if not mask:
                continue
            found = registers.read(register, 1)[0]
            if (found ^ value) & mask:
                raise SensorError(
                    f"{registers.place}: the {self.chip} is not set as it was (register 0x{register:02X} is "
                    f"0x{found:02X}, should be 0x{value:02X}): it lost power for a moment, or it is gone"
                )

    def _test(self, registers: Registers) -> None:
        wrong = ""
        for _ in range(TEST_ATTEMPTS):
            wrong = self.test(registers)
            if not wrong:
                return
        raise SensorError(f"{registers.place}: the {self.chip} fails its self-test: {wrong}")


def connect(buses: Buses, place: Place) -> Registers:
    """The chip's registers; raises BusError when there is no such bus."""
    if place.select is None or place.first_byte is None:
        number = 1 if place.bus is None else place.bus
        return I2cRegisters(buses.i2c(number), number, place.address, several=place.several)
    number = 0 if place.bus is None else place.bus
    spi = buses.spi(number, place.select, mode=place.spi_mode, max_hz=place.max_hz)
    return SpiRegisters(spi, number, place.select, place.first_byte)


def response(
    quiet: NDArray[np.float64],
    moved: NDArray[np.float64],
    low: Sequence[float],
    high: Sequence[float],
    *,
    signed: bool = True,
) -> str:
    """What is wrong with a self-test: the mean change per axis in g has to lie between `low` and `high`.

    Where a running machine shakes the chip meanwhile, the limits are wider by half of that shaking's RMS: a mean of a few
    samples is no better.
    """
    if not len(quiet) or not len(moved):
        return "no samples come"
    change = moved.mean(axis=0) - quiet.mean(axis=0)
    change = change if signed else np.abs(change)
    shaking = 0.5 * np.maximum(quiet.std(axis=0), moved.std(axis=0))
    for axis, value, least, most, more in zip("xyz", change.tolist(), low, high, shaking.tolist(), strict=True):
        if not least - more <= value <= most + more:
            return f"{axis} moved by {value:+.3f} g, should be {least:+.3f} to {most:+.3f} g"
    return ""


def acceleration(name: str, range_g: float, resolution_g: float, rate_hz: float, period_s: float) -> Channel:
    """The channel of such a chip: three axes in g, clipped at ± `range_g`.

    Where its steps are much larger than its noise, an axis may well stay on one of them while the machine rests.
    """
    return Channel(
        name,
        "g",
        Quantity.VIBRATION,
        low=-range_g,
        high=range_g,
        axes=3,
        rate_hz=rate_hz,
        period_s=period_s,
        resolution=resolution_g,
        steady=resolution_g > COARSE_G,
    )
