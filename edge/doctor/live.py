"""Reads sensors for a few seconds: what they deliver now, and how much it trembles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block, Channel, Sensor, SensorError

K = TypeVar("K", bound=Hashable)

STEP_S = 0.05
SILENT_AFTER = 1.5
"""A channel that should have delivered this many times and has not, is silent."""
PATIENCE_S = 5.0
"""Some chips need seconds for their first reading; they are waited for so much longer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one channel delivered."""

    channel: Channel
    value: tuple[float, ...]
    """Mean, one for each axis."""
    noise: tuple[float, ...] | None
    """Standard deviation, one for each axis; None for a single reading."""
    count: int
    rate_hz: float | None
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reading a sensor: its channels, or why there are none."""

    readings: tuple[Reading, ...] = ()
    silent: tuple[str, ...] = ()
    """Names of channels that were due and delivered nothing."""
    error: str = ""


@dataclass(slots=True)
class _Watched:
    sensor: Sensor
    blocks: list[Block] = field(default_factory=list)
    error: str = ""

    def take(self) -> None:
        """Adds what has arrived."""
        self.blocks.extend(self.sensor.read())

    def waiting(self, seconds: float) -> bool:
        """Whether something that was due within that time has not come."""
        return not self.error and bool(self.silent(seconds))

    def silent(self, seconds: float) -> tuple[str, ...]:
        """Names of the channels that should have delivered by then."""
        delivered = {block.channel.name for block in self.blocks}
        return tuple(
            channel.name
            for channel in self.sensor.channels
            if channel.name not in delivered and channel.period_s * SILENT_AFTER < seconds
        )


def watch(
    sensors: Mapping[K, Sensor],
    seconds: float,
    monotonic_ns: Callable[[], int],
    sleep: Callable[[float], None],
) -> dict[K, Outcome]:
    """Opens all of them, reads them side by side, closes them.

    Args:
        sensors: unopened.
        seconds: how long; longer while a sensor is due and has not delivered anything yet.
        monotonic_ns, sleep: the clock they run by.
    """
    watched = {key: _Watched(sensor) for key, sensor in sensors.items()}
    for one in watched.values():
        _guard(one, one.sensor.open)
    end_ns = monotonic_ns() + round(seconds * 1e9)
    last_ns = end_ns + round(PATIENCE_S * 1e9)
    try:
        while (now_ns := monotonic_ns()) < last_ns and any(not one.error for one in watched.values()):
            if now_ns >= end_ns and not any(one.waiting(seconds) for one in watched.values()):
                break
            sleep(STEP_S)
            for one in watched.values():
                if not one.error:
                    _guard(one, one.take)
    finally:
        for one in watched.values():
            with suppress(Exception):
                one.sensor.close()
    return {key: _outcome(one, seconds) for key, one in watched.items()}


def _guard(one: _Watched, call: Callable[[], object]) -> None:
    try:
        call()
    except SensorError as exc:
        one.error = str(exc)
    except Exception as exc:  # noqa: BLE001  # a driver's mistake is told like any other failure
        one.error = f"{type(exc).__name__}: {exc}"


def _outcome(one: _Watched, seconds: float) -> Outcome:
    if one.error:
        return Outcome(error=one.error)
    channels = one.sensor.channels
    readings = tuple(reading for channel in channels if (reading := _reading(channel, one.blocks)) is not None)
    return Outcome(readings, one.silent(seconds))


def _reading(channel: Channel, blocks: Sequence[Block]) -> Reading | None:
    mine = [block for block in blocks if block.channel.name == channel.name]
    if not mine:
        return None
    values = np.concatenate([block.values.reshape(len(block.values), -1) for block in mine])
    good = values[np.isfinite(values).all(axis=1)]
    return Reading(
        channel=channel,
        value=_numbers(good.mean(axis=0)) if len(good) else (),
        noise=_numbers(good.std(axis=0, ddof=1)) if len(good) > 1 else None,
        count=len(good),
        rate_hz=mine[-1].rate_hz,
        faults=tuple(dict.fromkeys(said for block in mine for _, said in block.faults)),
    )


def _numbers(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
