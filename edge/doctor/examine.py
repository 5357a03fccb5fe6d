"""The whole examination of a node, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from edge.config import NodeConfig, link_of, read_node
from edge.doctor.access import access, interfaces
from edge.doctor.broker import broker
from edge.doctor.checks import Check, Level, check
from edge.doctor.devices import Device, devices, judge, read
from edge.doctor.disk import disk
from edge.doctor.files import text
from edge.doctor.i2c import Sight, clock_khz, held, i2c_buses, look_at_i2c, pace
from edge.doctor.meters import look_at_modbus
from edge.doctor.ports import cameras, onewire, serial
from edge.doctor.spi import in_use, look_at_spi, spi_selects
from edge.doctor.system import clock, heat, memory, power, software
from edge.doctor.world import NAME, World
from edge.sensors.probing import I2cProbe, Probe, SpiProbe, TreeProbe, probes_of
from edge.sensors.registry import SENSOR_TYPES
from wire.settings import SettingsError

STATE_DIR = Path("/var/lib/werkpuls")
ROOM_MB = 300
"""Free disk that is wanted where no configuration says more."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was seen."""

    checks: tuple[Check, ...]
    devices: tuple[Device, ...]

    @property
    def good(self) -> bool:
        """Whether nothing needs to be done."""
        return all(one.level is not Level.PROBLEM for one in self.checks)


def examine(world: World, config_path: Path | None, seconds: float = 3.0, modbus: Sequence[str] = ()) -> Report:
    """Looks at everything. Reads only, save that sensors whose kind is known are opened as the daemon would do.

    Args:
        world: the board.
        config_path: node.toml, where there is one.
        seconds: how long sensors are read.
        modbus: serial ports that may be asked for energy meters.
    """
    config, said = _config(config_path)
    checks = [*software(world.software), *clock(world.root), *power(world.root), *heat(world.root)]
    checks += memory(world.root)
    checks += disk(world.root, *_disk_of(config))
    checks += access(world.root, world.user)
    probes, lacking = _probes()
    checks += interfaces(world.root, _needed(config, probes))
    running = _daemon(world.root)
    sights = list(_look(world, probes))
    if running is None:
        sights += [look_at_modbus(port, world) for port in modbus]
    checks += [one for sight in sights for one in sight.checks]
    checks += [*lacking, *onewire(world.root), *serial(world.root), *cameras(world.root)]
    checks += said
    known = devices(world, config, [pair for sight in sights for pair in sight.found])
    if running is None:
        known = read(world, config, known, seconds)
    else:
        checks.append(check("service", "running", pid=running))
    checks += [one for device in known for one in judge(device)]
    if config is not None:
        checks += broker(link_of(config.options, NAME))
    return Report(tuple(checks), tuple(known))


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
    return {name for several in used if len(several) == 1 for name in several}


def _look(world: World, probes: Mapping[str, Sequence[Probe]]) -> Iterator[Sight]:
    pairs = [(name, probe) for name, several in probes.items() for probe in several]
    on_i2c = [(name, probe) for name, probe in pairs if isinstance(probe, I2cProbe)]
    on_spi = [(name, probe) for name, probe in pairs if isinstance(probe, SpiProbe)]
    for bus in i2c_buses(world.root):
        sight = look_at_i2c(bus, world.buses, on_i2c, held(world.root, bus))
        sight.checks += pace(sight, bus, clock_khz(world.root, bus), on_i2c)
        yield sight
    for bus, select in spi_selects(world.root):
        device = f"spidev{bus}.{select}"
        if in_use(world.root, device):
            yield Sight(checks=[check("spi", "busy", place=device)])
        else:
            yield look_at_spi(bus, select, world.buses, on_spi)
    trees = [(name, probe) for name, probe in pairs if isinstance(probe, TreeProbe)]
    yield Sight([(name, found) for name, probe in trees for found in probe.find(world.root)])


def _daemon(root: Path) -> int | None:
    """Process id of a daemon that reads the sensors now."""
    for file in sorted((root / "proc").glob("[0-9]*/cmdline")):
        words = (text(file) or "").split("\0")
        named = any(Path(word).name == "werkpuls" for word in words)
        if named and ("edge", "sense") in pairwise(words):
            return int(file.parent.name)
    return None
