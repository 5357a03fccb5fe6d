"""Current clamps on an ADC without a FIFO: bursts of samples in the background, as waveforms or as true RMS.

Once every `every_s` the inputs are sampled for `burst_s`, ten periods of 50 Hz mains, at `rate_hz` by the node's clock.
Each sample's time is measured, and the burst is put onto an even grid by these times, so neither the operating system's
jitter nor the skew between inputs that are asked one after the other is left in it. Where the computer was held up for some
milliseconds, the hole is filled from the other mains periods of the burst; a burst with many holes is taken again. Between
bursts nobody looks: a start that is shorter than `every_s` may be missed.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from edge.sensors.base import Block, Channel, Fault, Quantity, SensorConfigError, SensorError
from edge.sensors.burst import MARGIN, Recorder, Recording, on_grid
from edge.sensors.clamp import (
    ClampConfig,
    Limits,
    amperes_per_volt,
    fault_of,
    periods_in,
    true_rms,
    whole_periods,
)
from edge.sensors.registry import Surroundings
from edge.sensors.sampler import Sampler

LOOK_S = 0.02
KEPT = 600
"""RMS readings that wait for a read; the oldest give way."""
MOST_MISSING = 0.6
"""Share of a burst that may be filled from its other periods."""
LONGEST_BUSY = 0.8
"""Share of the time that may be spent on sampling."""


class ClampedConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of all sensors with clamps."""

    output: Literal["waveform", "rms"] = "waveform"
    """waveform: samples, for harmonics and unbalance; rms: one true RMS reading per burst."""
    rate_hz: Annotated[float, Meta(ge=100, le=20_000)] = 2000.0
    """Samples a second of each clamp within a burst."""
    burst_s: Annotated[float, Meta(ge=0.04, le=2)] = 0.2
    """Length of a burst; 0.2 is ten periods of 50 Hz and twelve of 60 Hz, as IEC 61000-4-7 wants it."""
    every_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0
    """Seconds between bursts."""
    mains_hz: Literal[50, 60] = 50
    """Frequency of the mains."""
    supply_v: Annotated[float, Meta(ge=2.7, le=5.5)] = 3.3
    """Supply of the ADC and of the bias divider, and the reference where the ADC takes it from there."""
    bias_v: Annotated[float, Meta(ge=0, le=5.5)] | None = None
    """Voltage the inputs rest at; half of supply_v when left out, 0 for a difference of two inputs."""


@dataclass(frozen=True, slots=True)
class Wired:
    """One clamp and where it is wired."""

    clamp: ClampConfig
    place: str
    limits: Limits
    resolution_v: float
    correction: float = 1.0
    """Makes up for what the ADC takes off a wave of mains frequency."""


class Clamped(ABC):
    """A `Sensor` of clamps on one ADC; a subclass finds the chip and asks it.

    Args:
        config: how it is sampled.
        wired: the clamps in order.
        surroundings: clock.
        together: whether all clamps are sampled in turn within one burst; otherwise each has a burst of its own, one after
            the other, and phases of one channel can only be given as RMS.
        sleep: waits so many seconds; a test lets its clock go on instead.
        background: sample on a thread; a test calls `pump` instead.

    Raises:
        SensorConfigError: a ratio is missing, sampling would leave no time, or phases are wanted as waveforms that are not
            sampled together.
    """

    def __init__(
        self,
        config: ClampedConfig,
        wired: Sequence[Wired],
        surroundings: Surroundings,
        *,
        together: bool,
        sleep: Callable[[float], None] = time.sleep,
        background: bool = True,
    ) -> None:
        self._config = config
        self._wired = tuple(wired)
        self._gains = [amperes_per_volt(one.clamp) * one.correction for one in wired]
        self._together = together
        self._monotonic_ns = surroundings.monotonic_ns
        self._recorder = Recorder(self.sample, config.rate_hz, surroundings.monotonic_ns, sleep)
        self._background = background
        self._groups: dict[str, list[int]] = {}
        for index, one in enumerate(wired):
            self._groups.setdefault(one.clamp.channel, []).append(index)
        self._samples = round(periods_in_burst(config) / config.mains_hz * config.rate_hz)
        self._require_sense()
        self._channels = {name: self._channel(name, group) for name, group in self._groups.items()}
        self._due_ns = 0
        self._sampler: Sampler[list[Block]] | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        """One for each name among the clamps."""
        return tuple(self._channels.values())

    def open(self) -> None:
        """Finds the chip, tests it, measures how fast it can be asked, and starts; raises SensorError."""
        self.close()
        try:
            self.start()
            self._require_speed()
        except BaseException:
            self.stop()
            raise
        self._due_ns = 0
        keep_all = self._config.output == "rms"
        self._sampler = Sampler(
            self._drain, _Latest(keep_all=keep_all), self._monotonic_ns, every_s=LOOK_S, name="clamps"
        )
        if self._background:
            self._sampler.start()

    def pump(self) -> None:
        """One look whether a burst is due, in the place of the thread."""
        if self._sampler is None:
            raise SensorError("clamps are not open")
        self._sampler.pump()

    def read(self) -> Sequence[Block]:
        """The newest waveform of each channel, or all RMS readings, since the last call; raises SensorError."""
        if self._sampler is None:
            raise SensorError("clamps are not open")
        return self._sampler.take()

    def close(self) -> None:
        """Stops sampling and releases the bus."""
        if self._sampler is not None:
            self._sampler.stop()
        self._sampler = None
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Opens the bus, checks that the right chip is there and tests it."""

    @abstractmethod
    def sample(self, clamp: int) -> tuple[int, float]:
        """One conversion now: the time it stands for, and volts."""

    @abstractmethod
    def check(self) -> None:
        """Called after each round of bursts; raises SensorError where the chip is not as it was set."""

    @abstractmethod
    def stop(self) -> None:
        """Releases what `start` took; must not raise, and may be called without it or twice."""

    def _drain(self) -> list[Block]:
        now_ns = self._monotonic_ns()
        if now_ns < self._due_ns:
            return []
        every_ns = round(self._config.every_s * 1e9)
        behind = self._due_ns == 0 or now_ns - self._due_ns > every_ns
        self._due_ns = (now_ns if behind else self._due_ns) + every_ns
        recordings: dict[int, Recording] = {}
        for clamps in self._turns():
            recordings.update(zip(clamps, self._recorder.burst(clamps, self._samples), strict=True))
        self.check()
        made = [
            self._block(self._channels[name], [(index, recordings[index]) for index in group])
            for name, group in self._groups.items()
        ]
        return sorted(made, key=lambda block: block.start_ns)

    def _turns(self) -> list[list[int]]:
        every = list(range(len(self._wired)))
        return [every] if self._together else [[index] for index in every]

    def _block(self, channel: Channel, group: Sequence[tuple[int, Recording]]) -> Block:
        """One channel's block: its clamps on one grid, in amperes, over whole mains periods."""
        rate_hz, mains_hz = self._config.rate_hz, float(self._config.mains_hz)
        period_ns = 1e9 / rate_hz
        columns, faults = [], []
        most_missing = 0.0
        start_ns = max(int(recording.times_ns[0]) for _, recording in group)
        for index, recording in group:
            wired = self._wired[index]
            found = fault_of(recording.volts, wired.limits, wired.clamp.quiet_v, wired.place)
            if found is not None:
                faults.append(found)
            # Phases asked one after the other have no common time; each is on a grid of its own.
            own_ns = start_ns if self._together else int(recording.times_ns[0])
            grid = own_ns + period_ns * np.arange(self._samples, dtype=np.float64)
            volts, missing = on_grid(recording, grid, period_ns, 1e9 / mains_hz)
            columns.append(volts * self._gains[index])
            most_missing = max(most_missing, missing)
        wave = np.stack(columns, axis=1)
        if most_missing > MOST_MISSING or np.isnan(wave).any():
            gaps = (Fault.GAPS, f"{channel.name}: {most_missing:.0%} of a burst missed; the computer is too busy")
            return self._nothing(channel, start_ns, (gaps, *faults))
        if self._config.output == "rms":
            rms = true_rms(wave, rate_hz, mains_hz)
            at_ns = max(int(recording.times_ns[-1]) for _, recording in group)
            values = rms if channel.axes == 1 else rms[None, :]
            return Block(channel, at_ns, np.where(bool(faults), np.nan, values), faults=tuple(faults))
        wave = whole_periods(wave, rate_hz, mains_hz)
        return Block(
            channel, start_ns, wave[:, 0] if channel.axes == 1 else wave, rate_hz=rate_hz, faults=tuple(faults)
        )

    def _nothing(self, channel: Channel, at_ns: int, faults: tuple[tuple[Fault, str], ...]) -> Block:
        values = np.full(1 if channel.axes == 1 else (1, channel.axes), np.nan)
        return Block(channel, at_ns, values, faults=faults)

    def _channel(self, name: str, group: Sequence[int]) -> Channel:
        most_a = max(self._gains[k] * (self._wired[k].limits.high_v - self._wired[k].limits.low_v) for k in group)
        waveform = self._config.output == "waveform"
        return Channel(
            name,
            "A",
            Quantity.CURRENT,
            low=-most_a if waveform else 0.0,
            high=most_a,
            axes=len(group),
            rate_hz=self._config.rate_hz if waveform else None,
            period_s=self._config.every_s,
            resolution=max(self._gains[k] * self._wired[k].resolution_v for k in group),
        )

    def _require_sense(self) -> None:
        config = self._config
        turns = len(self._turns())
        busy_s = turns * (self._samples + 2 * MARGIN) / config.rate_hz
        if periods_in_burst(config) < 1:
            raise SensorConfigError(f"burst_s {config.burst_s:g} is shorter than a period of {config.mains_hz} Hz")
        if busy_s > LONGEST_BUSY * config.every_s:
            raise SensorConfigError(
                f"{turns} bursts of {config.burst_s:g} s one after the other take {busy_s:.2f} s; every_s has to be at "
                f"least {busy_s / LONGEST_BUSY:.2f}"
            )
        phases = max(len(group) for group in self._groups.values())
        if phases > 3:
            raise SensorConfigError(f"{phases} clamps of one channel; a machine has up to three phases")
        if phases > 1 and not self._together and config.output == "waveform":
            raise SensorConfigError(
                "this ADC has one converter, so phases cannot be sampled together: give each clamp a channel of its own, or "
                'output = "rms"'
            )

    def _require_speed(self) -> None:
        clamps = self._turns()[0]
        reached_hz = self._recorder.speed_hz(clamps)
        if reached_hz < self._config.rate_hz:
            raise SensorError(
                f"{self._wired[0].place}: {len(clamps)} clamps can be asked {reached_hz:.0f} times a second here, rate_hz is "
                f"{self._config.rate_hz:g}; lower it, use fewer clamps or a faster bus"
            )


class _Latest:
    """The newest block of each channel, or all of them, up to a bound."""

    def __init__(self, *, keep_all: bool) -> None:
        self._keep_all = keep_all
        self._blocks: list[Block] = []

    def add(self, drained: list[Block], /) -> None:
        if drained:
            self._blocks = [*self._blocks, *drained][-KEPT:] if self._keep_all else drained

    def blocks(self, _now_ns: int) -> list[Block]:
        taken, self._blocks = self._blocks, []
        return taken


def periods_in_burst(config: ClampedConfig) -> int:
    """Whole mains periods in a burst."""
    return periods_in(round(config.burst_s * config.rate_hz), config.rate_hz, config.mains_hz)
