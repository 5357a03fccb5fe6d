"""The whole examination of a node, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from edge.config import NodeConfig, link_of, read_node
from edge.doctor.access import access, interfaces
from edge.doctor.broker import broker
from edge.doctor.cameras import Camera, cameras
from edge.doctor.checks import Check, Level, check
from edge.doctor.devices import Device, devices, judge, read
from edge.doctor.disk import disk
from edge.doctor.files import text
from edge.doctor.grading import grading
from edge.doctor.i2c import Sight, clock_khz, held, i2c_buses, look_at_i2c, pace
from edge.doctor.meters import look_at_modbus
from edge.doctor.pictures import judge as judge_camera
from edge.doctor.pictures import look, without_corners
from edge.doctor.ports import onewire, serial
from edge.doctor.spi import in_use, look_at_spi, spi_selects
from edge.doctor.system import clock, heat, memory, power, software
from edge.doctor.world import NAME, World
from edge.identity import check_identity
from edge.sensors.probing import I2cProbe, Probe, SpiProbe, TreeProbe, probes_of
from edge.sensors.registry import SENSOR_TYPES
from wire.settings import SettingsError

STATE_DIR = Path("/var/lib/werkpuls")
USUAL_CONFIG = Path("etc/werkpuls/node.toml")
ROOM_MB = 300
"""Free disk that is wanted where no configuration says more."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was seen."""

    checks: tuple[Check, ...]
    devices: tuple[Device, ...]
    cameras: tuple[Camera, ...] = ()

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
    listens, sees = _purpose(world, config)
    checks = [
        *software(world.software, listens=listens, sees=sees),
        *clock(world.root),
        *power(world.root),
        *heat(world.root),
    ]
    checks += memory(world.root)
    checks += disk(world.root, *_disk_of(config))
    checks += access(world.root, world.user)
    probes, lacking = _probes()
    checks += interfaces(world.root, _needed(config, probes))
    running = _daemon(world.root, "sense", config_path)
    sights = list(_look(world, probes))
    if running is None:
        sights += [look_at_modbus(port, world) for port in modbus]
    checks += [one for sight in sights for one in sight.checks]
    checks += [*lacking, *onewire(world.root), *serial(world.root)]
    checks += said
    known = devices(world, config, [pair for sight in sights for pair in sight.found])
    if running is None:
        known = read(world, config, known, seconds)
    else:
        checks.append(check("service", running.code, pid=running.pid, config=running.config))
    checks += [one for device in known for one in judge(device)]
    pictured, about = _cameras(world, config, seconds, config_path)
    checks += about
    if config is not None:
        checks += broker(link_of(config.options, NAME))
    return Report(tuple(checks), tuple(known), tuple(pictured))


def _config(path: Path | None) -> tuple[NodeConfig | None, list[Check]]:
    if path is None:
        return None, [check("config", "none")]
    try:
        config = read_node(path)
    except SettingsError as exc:
        return None, [check("config", "wrong", error=str(exc))]
    count = sum(map(len, config.sensors.values()))
    counts = {"machines": len(config.sensors), "sensors": count, "cameras": len(config.options.cameras)}
    try:
        check_identity(config)
    except SettingsError as exc:
        return config, [check("config", "wrong", error=str(exc))]
    return config, [check("config", "good", file=str(path), **counts)]


def _purpose(world: World, config: NodeConfig | None) -> tuple[bool, bool]:
    """Whether the node listens to machines, and whether it looks at goods; without settings, what it was installed for."""
    if config is not None:
        sees = bool(config.options.cameras)
        return bool(config.sensors) or not sees, sees
    seeing, listening = (
        bool(packages) and None not in packages.values()
        for packages in (world.software.seeing, world.software.packages)
    )
    return listening or not seeing, seeing and not listening


def _cameras(
    world: World, config: NodeConfig | None, seconds: float, config_path: Path | None
) -> tuple[list[Camera], list[Check]]:
    """Cameras with what they show, and what grades the goods, where there are cameras at all."""
    known = cameras(world.root, config)
    if not known:
        return [], []
    if find_spec("cv2") is None:
        return known, [check("camera", "no_opencv")]
    running = _daemon(world.root, "watch", config_path)
    checks = [] if running is None else [check("camera", running.code, pid=running.pid, config=running.config)]
    if running is None:
        known = look(world, config, known, seconds)
    checks += [one for camera in known for one in judge_camera(camera)]
    checks += without_corners(known)
    if config is None:
        return known, [*checks, *grading(())]
    return known, [*checks, *grading(config.options.cameras, config.options.state.dir / "watch" / "profiles")]


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


class _Running(NamedTuple):
    code: str
    """`running` for the service, `other` for a process with other settings, such as a demo's."""
    pid: int
    config: str


def _daemon(root: Path, role: str, config_path: Path | None) -> _Running | None:
    """A daemon that reads the sensors, or the cameras, now; the service before any other."""
    usual = {str(path.absolute()) for path in (config_path, root / USUAL_CONFIG, Path("/") / USUAL_CONFIG) if path}
    found: list[_Running] = []
    for file in sorted((root / "proc").glob("[0-9]*/cmdline")):
        words = (text(file) or "").split("\0")
        named = any(Path(word).name == "werkpuls" for word in words)
        if named and ("edge", role) in pairwise(words):
            config = next((after for word, after in pairwise(words) if word == "--config"), "")
            code = "running" if not config or config in usual else "other"
            found.append(_Running(code, int(file.parent.name), config))
    return min(found, key=lambda one: one.code == "other", default=None)
