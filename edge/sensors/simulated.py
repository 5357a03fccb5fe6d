"""Simulated machines as a sensor: physical models of an oven, a mixer, a compressor, looked at as real ones are.

Time is cut into periods. At the start of each the machine is looked at for one window (`block_s`, at its real pace);
then it runs on unseen until the next. With `speedup` 60, a minute of the machine's life passes in each second, and what
is seen is the first second of each minute: temperatures and cycles pass quickly, vibration keeps its frequencies.

A run is determined by the seed, the machine's name, the options, and the faults: not by when or how often it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from edge.sensors.base import Block, Channel, Fault, SensorConfigError, SensorError, UnknownFault
from edge.sensors.registry import Surroundings
from edge.sensors.simulation.bearing import BearingGeometry
from edge.sensors.simulation.compressor import Compressor
from edge.sensors.simulation.fault_plan import FaultAt, FaultPlan
from edge.sensors.simulation.gauges import read
from edge.sensors.simulation.mixer import Mixer
from edge.sensors.simulation.oven import Load, Oven
from edge.sensors.simulation.plant import Machine, Plant, Severities
from edge.sensors.simulation.schedule import SHIFTS, ScheduleName
from edge.sensors.simulation.sensor_faults import BUS, CHANNEL_FAULTS, BrokenSensor
from edge.sensors.simulation.streams import Streams

MACHINES: dict[str, Callable[[Plant], Machine]] = {"oven": Oven, "mixer": Mixer, "compressor": Compressor}
KEPT_PERIODS = 120
"""Blocks of at most this many periods wait for a read; earlier ones are lost and counted."""
LONGEST_SLEEP_PERIODS = 3_600
"""After a longer pause (a board that was suspended) the machine goes on as if the rest of it had not been."""
BEFORE_S = 9_000.0
"""A machine has been running for this long (machine time) when it is first looked at."""


class BearingSize(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Geometry of the machine's bearing; the default is a 6205."""

    balls: Annotated[int, Meta(ge=3, le=60, description="number of rolling elements")] = 9
    ball_mm: Annotated[float, Meta(gt=0.0, description="diameter of a rolling element, mm")] = 7.94
    pitch_mm: Annotated[float, Meta(gt=0.0, description="pitch diameter, mm")] = 39.04
    contact_deg: Annotated[float, Meta(ge=0.0, lt=90.0, description="contact angle, degrees")] = 0.0


class SimulatedConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a simulated machine."""

    kind: Annotated[str, Meta(description="oven, mixer or compressor; without it, the machine's own kind")] = ""
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1, description="same seed and machine name, same run")] = 1
    speedup: Annotated[
        float, Meta(ge=1.0, le=3_600.0, description="machine time over real time; vibration keeps its real pace")
    ] = 1.0
    schedule: Annotated[
        ScheduleName,
        Meta(description="daily: 03:00 to 11:00; short_day: 2 h on, 0.5 h off; continuous: never off"),
    ] = "daily"
    start_hour: Annotated[
        float, Meta(ge=0.0, lt=24.0, description="machine's time of day at the start, hours; for the daily schedule")
    ] = 3.0
    period_s: (
        Annotated[
            float,
            Meta(ge=0.05, le=3_600.0, description="seconds between readings; without it, the machine's interval_s"),
        ]
        | None
    ) = None
    block_s: Annotated[
        float, Meta(gt=0.0, le=10.0, description="length of a vibration block, seconds; at most one period")
    ] = 1.0
    rate_hz: Annotated[
        float, Meta(ge=2_000.0, le=25_600.0, description="vibration sample rate, Hz; it has to pass 900 Hz")
    ] = 3_200.0
    axes: Annotated[int, Meta(ge=1, le=3, description="vibration axes: x, y (upright), z (along the shaft)")] = 3
    running_speed_rpm: (
        Annotated[
            float, Meta(gt=0.0, le=3_600.0, description="motor speed under its usual load; mixer 1475, compressor 1450")
        ]
        | None
    ) = None
    bearing: BearingSize = BearingSize()
    mains_hz: Annotated[float, Meta(ge=45.0, le=65.0, description="mains frequency, Hz")] = 50.0
    ambient_c: Annotated[float, Meta(ge=-20.0, le=50.0, description="mean temperature of the room, °C")] = 24.0
    channels: Annotated[list[str], Meta(description="deliver these channels only; empty: all")] = []
    fault_ramp_s: Annotated[
        float,
        Meta(
            ge=0.0,
            le=31_536_000.0,
            description="seconds until an injected fault has its full extent, unless it says otherwise",
        ),
    ] = 10.0
    faults: Annotated[list[FaultAt], Meta(description="faults that happen during the run")] = []
    crust: (
        Annotated[
            Path,
            Meta(
                description="oven: file that says how brown the load is that came out last, 0 dough to 1 char, written anew "
                "for each; for a simulated camera's browning"
            ),
        ]
        | None
    ) = None


class Simulated:
    """One simulated machine with its sensors. `inject` and `clear` may be called from another thread."""

    Config = SimulatedConfig

    def __init__(self, config: SimulatedConfig, surroundings: Surroundings) -> None:
        self._config = config
        self._name = surroundings.machine
        self._now_ns = surroundings.monotonic_ns
        period_s = config.period_s if config.period_s is not None else surroundings.interval_s
        self._period_ns = round(period_s * 1e9)
        self._kind = config.kind or surroundings.kind
        if self._kind not in MACHINES:
            raise SensorConfigError(f"no simulated machine of kind {self._kind!r}; there are {', '.join(MACHINES)}")
        self._streams = Streams(config.seed, self._name)
        self._plant = _plant(config, self._streams, period_s)
        try:
            self._machine = MACHINES[self._kind](self._plant)
        except ValueError as exc:
            raise SensorConfigError(f"simulated {self._kind}: {exc}") from exc
        if config.crust is not None:
            if not isinstance(self._machine, Oven):
                raise SensorConfigError(f"simulated {self._kind}: crust is for an oven")
            self._machine = Oven(self._plant, crusts=True)
        self._told: Load | None = None
        self._channels = self._chosen()
        self._has_waves = any(channel in self._machine.waves for channel in self._channels)
        by_channel = [f"{fault}.{channel.name}" for channel in self._channels for fault in CHANNEL_FAULTS]
        try:
            self._plan = FaultPlan(self.faults, config.faults, by_channel=by_channel)
        except UnknownFault as exc:
            raise SensorConfigError(f"simulated {self._kind}: {exc}") from exc
        self._broken = {channel.name: BrokenSensor() for channel in self._channels}
        self._base_ns: int | None = None
        self._opened_ns: int | None = None
        self._tick = 0

    @property
    def channels(self) -> Sequence[Channel]:
        """Waveforms first, then the slow ones."""
        return self._channels

    @property
    def faults(self) -> Sequence[str]:
        """The machine's own faults, then those of sensors, which concern the first channel unless `.<channel>` follows."""
        return (*self._machine.faults, *CHANNEL_FAULTS, BUS)

    def inject(self, fault: str, *, ramp_s: float | None = None, severity: float = 1.0) -> None:
        """Starts a fault with the next period; see `FaultInjectable.inject`.

        A command's fault name has no dot, so `sensor_stuck-power` says the same as `sensor_stuck.power`.
        """
        ramp_s = self._config.fault_ramp_s if ramp_s is None else ramp_s
        if not (0.0 < severity <= 1.0 and 0.0 <= ramp_s < float("inf")):
            raise ValueError(f"severity {severity:g} is to be above 0 and at most 1, ramp_s {ramp_s:g} at least 0")
        self._plan.inject(
            FaultAt(name=fault.replace("-", "."), at_s=self._running_s(), ramp_s=ramp_s, severity=severity)
        )

    def clear(self, fault: str | None = None) -> None:
        """Ends a fault or all of them with the next period; see `FaultInjectable.clear`."""
        self._plan.clear(fault.replace("-", ".") if fault is not None else None)

    def open(self) -> None:
        """Starts looking at the machine. It does not stop when the sensor is closed."""
        if self._base_ns is None:
            self._machine.lapse(BEFORE_S, {})
            self._base_ns = self._now_ns()
        self._check_bus()
        self._opened_ns = self._now_ns()

    def read(self) -> Sequence[Block]:
        """Blocks of the periods that have passed since the last call."""
        if self._base_ns is None or self._opened_ns is None:
            raise SensorError(f"simulated {self._name}: read while closed")
        self._check_bus()
        due = (self._now_ns() - self._base_ns) // self._period_ns - self._tick
        if due > LONGEST_SLEEP_PERIODS:
            self._base_ns += (due - LONGEST_SLEEP_PERIODS) * self._period_ns
            due = LONGEST_SLEEP_PERIODS
        blocks: list[Block] = []
        overwritten = 0
        for left in range(due, 0, -1):
            start_ns = self._base_ns + self._tick * self._period_ns
            sampling = start_ns >= self._opened_ns
            kept = left <= KEPT_PERIODS
            overwritten += sampling and not kept
            arrived = self._period(start_ns, seen=sampling and kept)
            if arrived and overwritten:
                arrived = [_overrun(block, overwritten) for block in arrived]
                overwritten = 0
            blocks.extend(arrived)
        self._tell_crust()
        blocks.sort(key=lambda block: block.start_ns)
        return blocks

    def close(self) -> None:
        """Stops looking."""
        self._opened_ns = None

    def _running_s(self) -> float:
        return (self._now_ns() - self._base_ns) / 1e9 if self._base_ns is not None else 0.0

    def _check_bus(self) -> None:
        if BUS in self._plan.severities(self._running_s()):
            raise SensorError(f"simulated {self._name}: the bus does not answer")

    def _tell_crust(self) -> None:
        """Writes of the last load, whole or not at all: somebody may be reading."""
        load = self._machine.load if isinstance(self._machine, Oven) else None
        path = self._config.crust
        if path is None or load is None or load == self._told:
            return
        hidden = path.with_name(f".{path.name}.new")
        try:
            hidden.write_text(f"{load.browning:.4f}\n", encoding="ascii")
            hidden.replace(path)
        except OSError as exc:
            raise SensorError(f"simulated {self._name}: crust: {exc}") from exc
        self._told = load

    def _period(self, start_ns: int, *, seen: bool) -> list[Block]:
        """One period of the machine; its blocks, none where nobody saw it."""
        tick, plant = self._tick, self._plant
        severities = self._plan.severities(tick * self._period_ns / 1e9)
        truth = self._machine.window(plant.window_s, severities)
        blocks: list[Block] = []
        if seen and BUS not in severities:
            waves = self._machine.waveforms(severities, self._streams.at("wave", tick)) if self._has_waves else {}
            readings = read(self._machine.gauges, truth, self._streams.at("gauge", tick))
            read_ns = start_ns + min(round(plant.window_s * 1e9), self._period_ns)
            blocks = self._through_sensors(
                [
                    Block(channel, start_ns, waves[channel.name], rate_hz=plant.rate_hz)
                    if channel.name in waves
                    else Block(channel, read_ns, np.array([readings[channel.name]]))
                    for channel in self._channels
                ],
                severities,
            )
        unseen_s = self._period_ns / 1e9 * self._config.speedup - plant.window_s
        if unseen_s > 1e-9:
            self._machine.lapse(unseen_s, severities)
        self._tick = tick + 1
        return blocks

    def _through_sensors(self, blocks: Sequence[Block], severities: Severities) -> list[Block]:
        """The blocks as their sensors, some of them broken, deliver them."""
        delivered: list[Block] = []
        for number, block in enumerate(blocks):
            name = block.channel.name
            own = {}
            for fault in CHANNEL_FAULTS:
                bare = severities.get(fault, 0.0) if number == 0 else 0.0
                severity = max(bare, severities.get(f"{fault}.{name}", 0.0))
                if severity > 0.0:
                    own[fault] = severity
            arrived = self._broken[name].deliver(block, own, self._streams.at("broken", self._tick, number))
            if arrived is not None:
                delivered.append(arrived)
        return delivered

    def _chosen(self) -> tuple[Channel, ...]:
        every = (*self._machine.waves, *(gauge.channel for gauge in self._machine.gauges))
        names = [channel.name for channel in every]
        unknown = [name for name in self._config.channels if name not in names]
        if unknown:
            raise SensorConfigError(f"simulated {self._kind} has no channel {unknown[0]!r}; it has {', '.join(names)}")
        return tuple(channel for channel in every if channel.name in (self._config.channels or names))


def _plant(config: SimulatedConfig, streams: Streams, period_s: float) -> Plant:
    shift = SHIFTS[config.schedule]
    begin = config.start_hour * 3600.0 if config.schedule == "daily" else 0.0
    bearing = config.bearing
    if bearing.ball_mm >= bearing.pitch_mm:
        raise SensorConfigError(
            f"bearing: a ball of {bearing.ball_mm:g} mm does not fit a pitch of {bearing.pitch_mm:g} mm"
        )
    return Plant(
        streams=streams,
        shift=shift,
        # One period in, so that what was before the start has a time as well.
        start_s=begin + (shift.period_s if config.schedule != "continuous" else BEFORE_S) - BEFORE_S,
        ambient_c=config.ambient_c,
        mains_hz=config.mains_hz,
        period_s=period_s,
        rate_hz=config.rate_hz,
        samples=max(2, int(min(config.block_s, period_s) * config.rate_hz + 1e-6)),
        axes=config.axes,
        running_rpm=config.running_speed_rpm,
        bearing=BearingGeometry(bearing.balls, bearing.ball_mm, bearing.pitch_mm, bearing.contact_deg),
    )


def _overrun(block: Block, periods: int) -> Block:
    """The first block after some that nobody fetched."""
    fault = (Fault.OVERRUN, f"{block.channel.name}: {periods} blocks were overwritten before they were read")
    return replace(block, lost=block.lost + periods * len(block.values), faults=(*block.faults, fault))
