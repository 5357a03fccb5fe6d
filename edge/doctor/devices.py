"""What was found and what is configured, brought together: which is which, how it reads, what to write for a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import Struct

from edge.config import NodeConfig, link_of
from edge.doctor.checks import Check, check
from edge.doctor.live import Outcome, watch
from edge.doctor.proposal import distinct, names, proposal
from edge.doctor.world import NAME, World
from edge.sensor_setup import SensorSetup
from edge.sensors.base import Sensor, SensorConfigError
from edge.sensors.probing import Found
from edge.sensors.registry import SensorType, Surroundings, sensor_type

OFTEN_S = 0.5
"""Slow sensors are asked this often meanwhile, so that a few seconds show their noise."""


@dataclass(frozen=True, slots=True)
class Device:
    """One thing that a sensor type reads: found on a bus, or named in the configuration, or both."""

    kind: str
    """Sensor type."""
    found: Found | None
    """None for one that only the configuration knows."""
    configured: str
    """`machine/sensor` in the configuration; empty where it is not there."""
    outcome: Outcome | None = None
    """What reading it gave; None when it was not read."""
    toml: str = ""
    """Proposed configuration of one that is not configured."""


def devices(world: World, config: NodeConfig | None, found: Sequence[tuple[str, Found]]) -> list[Device]:
    """What was found, with where it is configured or how it could be; then what is only configured.

    Args:
        world: the board.
        config: the configuration, if there is one.
        found: devices with the sensor type each belongs to.
    """
    setups = {} if config is None else {f"{m}/{s.name}": s for m, several in config.sensors.items() for s in several}
    matched = [
        next((label for label, setup in setups.items() if _fits(setup, kind, device)), "") for kind, device in found
    ]
    new = [pair for pair, label in zip(found, matched, strict=True) if not label]
    named = iter(names([kind for kind, _ in new], [setup.name for setup in setups.values()]))
    channels: set[str] = set()
    made = []
    for (kind, device), label in zip(found, matched, strict=True):
        if label:
            made.append(Device(kind, device, label))
            continue
        options, own = _distinct(world, kind, device.options, channels)
        channels |= own
        proposed = replace(device, options=options)
        made.append(Device(kind, proposed, "", toml=proposal(kind, proposed, next(named))))
    made += [Device(setup.type.name, None, label) for label, setup in setups.items() if label not in matched]
    return made


def read(world: World, config: NodeConfig | None, known: Sequence[Device], seconds: float) -> list[Device]:
    """The same devices with what they delivered within that time."""
    sensors: dict[int, Sensor] = {}
    failed: dict[int, Outcome] = {}
    for place, device in enumerate(known):
        try:
            sensors[place] = _make(world, config, device)
        except (SensorConfigError, ImportError, msgspec.ValidationError) as exc:
            failed[place] = Outcome(error=str(exc))
    outcomes = {**watch(sensors, seconds, world.monotonic_ns, world.sleep), **failed}
    return [replace(device, outcome=outcomes[place]) for place, device in enumerate(known)]


def judge(device: Device) -> Iterator[Check]:
    """What reading a device says that a person must act on."""
    if device.outcome is None:
        return
    what = device.configured or device.kind
    values = {
        "sensor": what,
        "place": device.kind if device.found is None else f"{device.found.chip}, {device.found.place}",
    }
    if device.outcome.error:
        yield check("sensor", "failed", **values, error=device.outcome.error)
    for channel in device.outcome.silent:
        yield check("sensor", "silent", **values, channel=channel)
    for reading in device.outcome.readings:
        if not reading.count and not reading.faults:
            yield check("sensor", "silent", **values, channel=reading.channel.name)
        for said in reading.faults:
            yield check("sensor", "fault", **values, channel=reading.channel.name, error=said)


def _fits(setup: SensorSetup, kind: str, found: Found) -> bool:
    """Whether a configured sensor means the device that was found."""
    if setup.type.name != kind:
        return False
    have = msgspec.to_builtins(setup.config)
    if found.means is not None:
        return found.means(have)
    if have.get("select") is not None and "select" not in found.options:
        return False  # on SPI, not where this one is
    return all(
        have.get(key) == value or (have.get(key) is None and key in found.implied)
        for key, value in found.options.items()
    )


def _distinct(world: World, kind: str, options: Mapping[str, Any], taken: set[str]) -> tuple[dict[str, Any], set[str]]:
    of = sensor_type(kind)

    def make(config: Struct) -> Sensor:
        return of.make(config, world.surroundings())

    return distinct(options, of.config, make, taken)


def _make(world: World, config: NodeConfig | None, device: Device) -> Sensor:
    machine, _, name = device.configured.partition("/")
    if config is not None and device.configured:
        setup = next(setup for setup in config.sensors[machine] if setup.name == name)
        return setup.make(world.surroundings(machine, link_of(config.options, NAME)))
    assert device.found is not None  # noqa: S101  # a device is found, configured, or both
    return _often(sensor_type(device.kind), device.found.options, world.surroundings())


def _often(kind: SensorType, options: Mapping[str, Any], surroundings: Surroundings) -> Sensor:
    """A sensor that reads as often as it can be told to, where it has such an option."""
    if "every_s" in kind.config.__struct_fields__:
        for every_s in (OFTEN_S, 2 * OFTEN_S):
            with suppress(msgspec.ValidationError, SensorConfigError):
                return kind.make(msgspec.convert({**options, "every_s": every_s}, kind.config), surroundings)
    return kind.make(msgspec.convert(options, kind.config), surroundings)
