"""The whole examination of a node, in the order in which a person would look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from edge.config import NodeConfig, link_of, read_node
from edge.doctor.access import User, access, interfaces, service_user
from edge.doctor.broker import broker
from edge.doctor.checks import Check, Level, check
from edge.doctor.disk import disk
from edge.doctor.files import text
from edge.doctor.i2c import Sight, held, i2c_buses, look_at_i2c
from edge.doctor.live import Outcome, watch
from edge.doctor.ports import cameras, onewire, serial
from edge.doctor.proposal import names, proposal
from edge.doctor.spi import in_use, look_at_spi, spi_selects
from edge.doctor.system import Software, clock, heat, memory, power, software
from edge.sensor_setup import SensorSetup
from edge.sensors.base import Sensor, SensorConfigError
from edge.sensors.bus.base import Buses
from edge.sensors.bus.linux import LinuxBuses
from edge.sensors.probing import Found, I2cProbe, Probe, SpiProbe, TreeProbe, probes_of
from edge.sensors.registry import SENSOR_TYPES, Surroundings, sensor_type
from wire.clock import boottime_ns
from wire.settings import SettingsError

ORIGIN = "doctor"
STATE_DIR = Path("/var/lib/werkpuls")
ROOM_MB = 300
"""Free disk that is wanted where no configuration says more."""
OFTEN_S = 0.5
"""Slow sensors are asked this often meanwhile, so that a few seconds show their noise."""


@dataclass(frozen=True, slots=True)
class World:
    """What is examined; everything in it can be replaced in a test."""

    root: Path = Path("/")
    buses: Buses = field(default_factory=LinuxBuses)
    monotonic_ns: Callable[[], int] = boottime_ns
    sleep: Callable[[float], None] = time.sleep
    user: User = field(default_factory=service_user)
    software: Software = field(default_factory=Software)


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


@dataclass(frozen=True, slots=True)
class Report:
    """All that was seen."""

    checks: tuple[Check, ...]
    devices: tuple[Device, ...]

    @property
    def good(self) -> bool:
        """Whether nothing needs to be done."""
        return all(one.level is not Level.PROBLEM for one in self.checks)


def examine(world: World, config_path: Path | None, seconds: float = 3.0) -> Report:
    """Looks at everything. Reads only, save that sensors whose kind is known are opened as the daemon would do.

    Args:
        world: the board.
        config_path: node.toml, where there is one.
        seconds: how long sensors are read.
    """
    config, said = _config(config_path)
    checks = [*software(world.software), *clock(world.root), *power(world.root), *heat(world.root)]
    checks += memory(world.root)
    checks += disk(world.root, *_disk_of(config))
    checks += access(world.root, world.user)
    probes, lacking = _probes()
    checks += interfaces(world.root, _needed(config, probes))
    sights = list(_look(world, probes))
    checks += [one for sight in sights for one in sight.checks]
    checks += [*lacking, *onewire(world.root), *serial(world.root), *cameras(world.root)]
    checks += said
    devices = _devices(config, [pair for sight in sights for pair in sight.found])
    running = _daemon(world.root)
    if running is None:
        devices = _read(world, config, devices, seconds)
    else:
        checks.append(check("service", "running", pid=running))
    checks += [one for device in devices for one in _judge(device)]
    if config is not None:
        checks += broker(link_of(config.options, ORIGIN))
    return Report(tuple(checks), tuple(devices))


def _config(path: Path | None) -> tuple[NodeConfig | None, list[Check]]:
    if path is None:
        return None, [check("config", "none")]
    try:
        config = read_node(path)
    except SettingsError as exc:
        return None, [check("config", "wrong", error=str(exc))]
    count = sum(map(len, config.sensors.values()))
    return config, [check("config", "good", file=str(path), machines=len(config.sensors), sensors=count)]


def _disk_of(config: NodeConfig | None) -> tuple[Path, int]:
    if config is None:
        return STATE_DIR, ROOM_MB
    return config.options.state.dir, max(config.options.journal.min_free_mb, ROOM_MB)


def _probes() -> tuple[dict[str, tuple[Probe, ...]], list[Check]]:
    found: dict[str, tuple[Probe, ...]] = {}
    lacking = []
    for name in SENSOR_TYPES:
        try:
            found[name] = probes_of(name)
        except ImportError as exc:
            lacking.append(check("sensor", "package", type=name, error=str(exc)))
    return found, lacking


def _needed(config: NodeConfig | None, probes: Mapping[str, Sequence[Probe]]) -> set[str]:
    """The interfaces that the configuration cannot do without: those of types that know only one."""
    if config is None:
        return set()
    kinds = {setup.type.name for setups in config.sensors.values() for setup in setups}
    used = [{probe.interface for probe in probes.get(kind, ())} for kind in kinds]
    return {name for names in used if len(names) == 1 for name in names}


def _look(world: World, probes: Mapping[str, Sequence[Probe]]) -> Iterator[Sight]:
    pairs = [(name, probe) for name, several in probes.items() for probe in several]
    on_i2c = [(name, probe) for name, probe in pairs if isinstance(probe, I2cProbe)]
    on_spi = [(name, probe) for name, probe in pairs if isinstance(probe, SpiProbe)]
    for bus in i2c_buses(world.root):
        yield look_at_i2c(bus, world.buses, on_i2c, held(world.root, bus))
    for bus, select in spi_selects(world.root):
        device = f"spidev{bus}.{select}"
        if in_use(world.root, device):
            yield Sight(checks=[check("spi", "busy", place=device)])
        else:
            yield look_at_spi(bus, select, world.buses, on_spi)
    yield Sight([(n, found) for n, probe in pairs if isinstance(probe, TreeProbe) for found in probe.find(world.root)])


def _daemon(root: Path) -> int | None:
    """Process id of a daemon that reads the sensors now."""
    for file in sorted((root / "proc").glob("[0-9]*/cmdline")):
        words = (text(file) or "").split("\0")
        named = any(Path(word).name == "werkpuls" for word in words)
        if named and any(pair == ("edge", "sense") for pair in pairwise(words)):
            return int(file.parent.name)
    return None


def _devices(config: NodeConfig | None, found: Sequence[tuple[str, Found]]) -> list[Device]:
    """What was found, with where it is configured or how it could be; then what is only configured."""
    setups = {} if config is None else {f"{m}/{s.name}": s for m, several in config.sensors.items() for s in several}
    matched = {
        place: next((label for label, setup in setups.items() if _fits(setup, kind, device)), "")
        for place, (kind, device) in enumerate(found)
    }
    new = [place for place, label in matched.items() if not label]
    taken = [label.partition("/")[2] for label in setups]
    given = dict(zip(new, names([found[place][0] for place in new], taken), strict=True))
    devices = [
        Device(
            kind=kind,
            found=device,
            configured=matched[place],
            toml="" if matched[place] else proposal(kind, device, given[place]),
        )
        for place, (kind, device) in enumerate(found)
    ]
    seen = set(matched.values())
    devices += [Device(setup.type.name, None, label) for label, setup in setups.items() if label not in seen]
    return devices


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


def _read(world: World, config: NodeConfig | None, devices: Sequence[Device], seconds: float) -> list[Device]:
    sensors: dict[int, Sensor] = {}
    failed: dict[int, Outcome] = {}
    for place, device in enumerate(devices):
        try:
            sensors[place] = _make(world, config, device)
        except (SensorConfigError, ImportError, msgspec.ValidationError) as exc:
            failed[place] = Outcome(error=str(exc))
    outcomes = {**watch(sensors, seconds, world.monotonic_ns, world.sleep), **failed}
    return [replace(device, outcome=outcomes[place]) for place, device in enumerate(devices)]


def _make(world: World, config: NodeConfig | None, device: Device) -> Sensor:
    machine, _, name = device.configured.partition("/")
    surroundings = Surroundings(
        machine=machine or ORIGIN,
        kind="generic",
        monotonic_ns=world.monotonic_ns,
        interval_s=1.0,
        root=str(world.root),
        broker=None if config is None else link_of(config.options, ORIGIN),
        buses=world.buses,
    )
    if config is not None and device.configured:
        setup = next(setup for setup in config.sensors[machine] if setup.name == name)
        return setup.make(surroundings)
    assert device.found is not None  # noqa: S101  # a device is found, configured, or both
    kind = sensor_type(device.kind)
    return kind.make(_often(kind.config, device.found.options), surroundings)


def _often(config: type[msgspec.Struct], options: Mapping[str, Any]) -> msgspec.Struct:
    """The options with readings as often as the type allows, where it has such an option."""
    quick = {**options, "every_s": OFTEN_S}
    if "every_s" in config.__struct_fields__:
        try:
            return msgspec.convert(quick, config)
        except msgspec.ValidationError:
            pass
    return msgspec.convert(options, config)


def _judge(device: Device) -> Iterator[Check]:
    """What reading a device says that a person must act on."""
    what = device.configured or device.kind
    where = "" if device.found is None else f"{device.found.chip}, {device.found.place}"
    if device.outcome is None:
        return
    if device.outcome.error:
        yield check("sensor", "failed", sensor=what, place=where, error=device.outcome.error)
    for channel in device.outcome.silent:
        yield check("sensor", "silent", sensor=what, place=where, channel=channel)
    for reading in device.outcome.readings:
        for said in reading.faults:
            yield check("sensor", "fault", sensor=what, place=where, channel=reading.channel.name, error=said)
