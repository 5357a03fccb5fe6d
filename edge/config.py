"""The node's configuration: node.toml as types, checked as a whole before anything starts.

`read_node` checks what the types cannot say alone: names used twice, options of each sensor by its own type, certificates
and passwords that are not there, TLS switched off towards another computer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from edge.camera_options import CameraOptions, check_camera
from edge.reference_options import SetPointOptions, TachometerOptions, check_references
from edge.sensor_setup import SensorSetup, check_sensors, resolve
from edge.sensors.base import Sensor
from edge.sensors.registry import Surroundings
from wire.broker import MqttOptions, check_mqtt, link_config
from wire.link import LinkConfig
from wire.messages import Name
from wire.settings import SettingsError, load, require_unique
from wire.topics import GATEWAY

MB = 1_000_000


class StateOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node keeps what must survive a restart."""

    dir: Annotated[Path, Meta(description="folder for the journal and the learned models")] = Path("/var/lib/werkpuls")
    snapshot_minutes: Annotated[
        float, Meta(ge=0.01, le=1440, description="how often the learned models are written to disk")
    ] = 15.0


class JournalOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the node remembers while the gateway cannot be reached."""

    max_mb: Annotated[int, Meta(ge=8, le=1_000_000, description="largest size of the journal, megabytes")] = 1024
    min_free_mb: Annotated[int, Meta(ge=0, le=1_000_000, description="disk space that is always left free")] = 200
    commit_s: Annotated[
        float, Meta(ge=0.05, le=60, description="telemetry is written to disk at most this often; events at once")
    ] = 1.0


class ReportOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the node says something when nothing happens."""

    telemetry_s: Annotated[
        float, Meta(ge=0, le=600, description="measured values are sent this often; 0: with every reading")
    ] = 0.0
    condition_s: Annotated[
        float, Meta(ge=0.1, le=3600, description="a machine's condition at least this often, and at every change")
    ] = 15.0
    health_s: Annotated[float, Meta(ge=0.5, le=3600, description="the node's own health")] = 60.0


class SimulationOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For demonstrations."""

    allow_faults: Annotated[bool, Meta(description="let commands inject faults into simulated machines")] = False


class BearingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Geometry of the bearing to listen to, from its data sheet."""

    balls: Annotated[int, Meta(ge=3, le=100, description="number of balls or rollers")]
    ball_mm: Annotated[float, Meta(gt=0, le=1000, description="diameter of one ball")]
    pitch_mm: Annotated[float, Meta(gt=0, le=5000, description="diameter of the circle of the balls' centres")]
    contact_deg: Annotated[float, Meta(ge=0, lt=90, description="contact angle; 0 for deep-groove bearings")] = 0.0

    def __post_init__(self) -> None:
        """Refuses a ball as large as its circle."""
        if self.ball_mm >= self.pitch_mm:
            raise ValueError(f"ball_mm {self.ball_mm:g} must be smaller than pitch_mm {self.pitch_mm:g}")


class MachineOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One machine and what listens to it."""

    name: Annotated[Name, Meta(description="unique on this node: lower-case letters, digits, - and _")]
    kind: Annotated[
        Literal["oven", "mixer", "compressor", "lathe", "generic"],
        Meta(description="decides which causes are looked for"),
    ] = "generic"
    interval_s: Annotated[float, Meta(ge=0.05, le=600, description="how often it is read and judged")] = 1.0
    running_speed_rpm: Annotated[float, Meta(gt=0, le=120_000, description="nominal speed of the shaft")] | None = None
    gear_teeth: (
        Annotated[int, Meta(ge=4, le=1000, description="teeth of the gear wheel on that shaft, to listen to its mesh")]
        | None
    ) = None
    iso_class: (
        Annotated[
            Literal["I", "II", "III", "IV"],
            Meta(
                description="vibration limits of ISO 10816-1: I up to 15 kW, II up to 75 kW, III large rigid, IV large flexible"
            ),
        ]
        | None
    ) = None
    warmup_s: Annotated[
        float, Meta(ge=1, le=2_592_000, description="the first so many seconds of readings are taken as normal")
    ] = 90.0
    false_alarms_per_month: Annotated[
        float, Meta(gt=0, le=1000, description="alarm budget: how many false excesses a month are accepted")
    ] = 1.0
    mains_hz: Annotated[Literal[50, 60], Meta(description="frequency of the mains")] = 50
    bearing: BearingOptions | None = None
    tachometer: TachometerOptions | None = None
    set_points: Annotated[list[SetPointOptions], Meta(max_length=8)] = field(name="set_point", default_factory=list)
    sensors: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=32)] = field(name="sensor")


class NodeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """node.toml."""

    site: Annotated[Name, Meta(description="name of the site; the same for its gateway and all of its nodes")]
    node: Annotated[Name, Meta(description="name of this node, unique on the site")]
    state: StateOptions = StateOptions()
    mqtt: MqttOptions = MqttOptions()
    journal: JournalOptions = JournalOptions()
    report: ReportOptions = ReportOptions()
    simulation: SimulationOptions = SimulationOptions()
    machines: Annotated[list[MachineOptions], Meta(max_length=32)] = field(name="machine", default_factory=list)
    cameras: Annotated[list[CameraOptions], Meta(max_length=8)] = field(name="camera", default_factory=list)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """A checked configuration: the options, and each machine's sensors by the machine's name."""

    where: str
    options: NodeOptions
    sensors: Mapping[str, Sequence[SensorSetup]]


def read_node(path: Path) -> NodeConfig:
    """Reads and checks node.toml; starts and opens nothing.

    Raises:
        SettingsError: with file, path within it, and what is allowed.
    """
    options = load(path, NodeOptions)
    where = str(path)
    if options.node == GATEWAY:
        raise SettingsError(where, "node", f'"{GATEWAY}" is the gateway\'s own name; choose another one')
    require_unique((machine.name for machine in options.machines), where=where, path="machine", what="machine")
    require_unique((camera.name for camera in options.cameras), where=where, path="camera", what="camera")
    for place, camera in enumerate(options.cameras):
        check_camera(camera, where, f"camera[{place}]")
    base = path.absolute().parent
    sensors = {
        machine.name: resolve(machine.sensors, where, f"machine[{place}].sensor", base)
        for place, machine in enumerate(options.machines)
    }
    # Last, so that a certificate that is not there yet hides no mistake in the file.
    check_mqtt(options.mqtt, where)
    return NodeConfig(where=where, options=options, sensors=sensors)


def link_of(options: NodeOptions, origin: str) -> LinkConfig:
    """How one daemon of this node reaches the broker."""
    return link_config(options.mqtt, f"{options.site}-{options.node}-{origin}")


def surroundings_of(
    machine: MachineOptions, monotonic_ns: Callable[[], int], root: str, broker: LinkConfig, state_dir: Path
) -> Surroundings:
    """What the sensors of that machine may use of the world."""
    return Surroundings(
        machine=machine.name,
        kind=machine.kind,
        monotonic_ns=monotonic_ns,
        interval_s=machine.interval_s,
        root=root,
        broker=broker,
        state_dir=state_dir / "sensors",
    )


def check_machines(
    config: NodeConfig, monotonic_ns: Callable[[], int], *, origin: str, root: str = "/"
) -> dict[str, list[Sensor]]:
    """Makes (does not open) every sensor of every machine; returns them by machine.

    Raises:
        SettingsError: see `edge.sensor_setup.check_sensors` and `edge.reference_options.check_references`.
    """
    broker, folder = link_of(config.options, origin), config.options.state.dir / origin
    made: dict[str, list[Sensor]] = {}
    for place, machine in enumerate(config.options.machines):
        setups = config.sensors[machine.name]
        surroundings = surroundings_of(machine, monotonic_ns, root, broker, folder)
        sensors = made[machine.name] = check_sensors(setups, surroundings, config.where)
        if len(sensors) == len(setups):  # otherwise not all channels are known yet
            channels = {channel.name: channel for sensor in sensors for channel in sensor.channels}
            check_references(machine.tachometer, machine.set_points, channels, config.where, f"machine[{place}]")
    return made
