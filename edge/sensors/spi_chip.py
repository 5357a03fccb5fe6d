"""What Maxim's temperature chips on SPI have in common: options, opening and closing, channels, fault bits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edge.sensors.base import Channel, Fault, Quantity
from edge.sensors.bus.base import BusError, Spi
from edge.sensors.polled import Polled, Reading
from edge.sensors.registry import Surroundings
from edge.sensors.spi_registers import SpiRegisters
from wire.messages import Name

JUNCTION_LOW_C, JUNCTION_HIGH_C = -55.0, 125.0
"""Where the converters of thermocouples themselves work."""


class SpiConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a chip is."""

    bus: Annotated[int, Meta(ge=0, le=9)] = 0
    """Number of the SPI bus."""
    select: Annotated[int, Meta(ge=0, le=9)] = 0
    """Number of its chip select."""
    max_hz: Annotated[int, Meta(ge=10_000, le=5_000_000)] = 500_000
    """Clock of the bus; slower stands longer wires."""
    channel: Name = "temperature"
    """Name of the channel."""


class ThermocoupleConfig(SpiConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a thermocouple's converter is, and what it delivers."""

    junction: bool = False
    """Also deliver the chip's own temperature, as <channel>_junction."""


class SpiChip(Polled):
    """A chip at one chip select.

    Args:
        chip: its name, for errors.
        mode: its SPI mode.
        config: where it is.
        channels: what it delivers.
        every_s: seconds between readings.
        surroundings: buses and clock.
    """

    def __init__(
        self,
        chip: str,
        mode: int,
        config: SpiConfig,
        channels: Sequence[Channel],
        every_s: float,
        surroundings: Surroundings,
    ) -> None:
        super().__init__(channels, every_s, surroundings.monotonic_ns)
        self._chip = chip
        self._mode = mode
        self._where = config
        self._buses = surroundings.buses
        self._spi: Spi | None = None

    def start(self) -> None:
        """Opens the bus, then see `set_up`."""
        where = self._where
        self._spi = self._buses.spi(where.bus, where.select, mode=self._mode, max_hz=where.max_hz)
        self.set_up()

    @abstractmethod
    def set_up(self) -> None:
        """Checks that the right chip is there and sets it up; raises BusError with what was found instead."""

    def stop(self) -> None:
        """Releases the bus; the chip goes on as it is."""
        if self._spi is not None:
            self._spi.close()
            self._spi = None

    @property
    def registers(self) -> SpiRegisters:
        """The chip's registers; raises BusError when the bus is closed."""
        place = f"spidev{self._where.bus}.{self._where.select}"
        if self._spi is None:
            raise BusError(f"{place} is closed")
        return SpiRegisters(self._spi, place, self._chip)


class ThermocoupleChip(SpiChip):
    """A thermocouple's converter, which knows its own temperature too.

    Args:
        chip: its name, for errors.
        mode: its SPI mode.
        config: where it is, and whether its own temperature is wanted.
        every_s: seconds between readings.
        range_c: of the thermocouple.
        steps_c: of the thermocouple's temperature and of its own.
        surroundings: buses and clock.
    """

    def __init__(
        self,
        chip: str,
        mode: int,
        config: ThermocoupleConfig,
        every_s: float,
        range_c: tuple[float, float],
        steps_c: tuple[float, float],
        surroundings: Surroundings,
    ) -> None:
        self._probe = temperature_channel(config.channel, *range_c, every_s, steps_c[0])
        own = f"{config.channel}_junction"
        self._junction = temperature_channel(own, JUNCTION_LOW_C, JUNCTION_HIGH_C, every_s, steps_c[1])
        self._both = config.junction
        channels = [self._probe, self._junction] if self._both else [self._probe]
        super().__init__(chip, mode, config, channels, every_s, surroundings)

    def wanted(self, probe: Reading, junction: Reading) -> list[Reading]:
        """What is delivered of a measurement."""
        return [probe, junction] if self._both else [probe]


def temperature_channel(name: str, low_c: float, high_c: float, period_s: float, step_c: float) -> Channel:
    """A channel in °C."""
    return Channel(name, "°C", Quantity.TEMPERATURE, low_c, high_c, period_s=period_s, resolution=step_c)


def judged(channel: Channel, value: float, status: int, bits: Sequence[tuple[int, Fault, str]]) -> Reading:
    """The value, or the faults whose bits are set in `status`, each with its sentence."""
    faults = tuple((fault, f"{channel.name}: {sentence}") for bit, fault, sentence in bits if status & bit)
    return Reading(channel, faults=faults) if faults else Reading(channel, value)
