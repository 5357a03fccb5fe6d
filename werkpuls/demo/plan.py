"""What the demo's site consists of: its machines and their camera, and how they stand in the nodes' and the gateway's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

LEAST_INTERVAL_S = 0.05
MOST_FALSE_ALARMS = 1000.0


@dataclass(frozen=True, slots=True)
class Recording:
    """Recordings that play one after the other as a machine of its own; see the options of `werkpuls score`."""

    file: Path
    warmup: int = 400
    """Rows or blocks in the beginning that are known normal."""
    pace_hz: float = 20.0
    """Rows or blocks a second."""
    row_s: float = 1.0
    """Time between two rows or blocks in the recording itself."""
    separator: str | None = None
    time: str | None = None
    ignore: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rate_hz: float | None = None
    block_s: float | None = None
    more: tuple[Path, ...] = ()
    """Played after `file`."""

    @property
    def sensor(self) -> dict[str, object]:
        """Options of the `replay` sensor that plays it. It begins again after its end: an end is no broken sensor."""
        options: dict[str, object] = {
            "files": [file.resolve() for file in (self.file, *self.more)],
            "speed": 0,
            "loop": True,
            "separator": self.separator,
            "time": self.time,
            "ignore": list(self.ignore) or None,
            "columns": list(self.columns) or None,
            "rate_hz": self.rate_hz,
            "block_s": self.block_s,
        }
        return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """A machine of the demo: where it runs and as what."""

    node: str
    name: str
    titles: Mapping[str, str]
    """What people call it, by language."""
    faults: tuple[str, ...] = ()
    """Simulated faults by the name that `--fault` takes, best first."""


MACHINES = (
    MachinePlan("backstube", "kneter", {"de": "Spiralkneter", "en": "Spiral mixer"}, ("bearing_outer", "bearing_inner", "bearing_ball", "imbalance",
                                                        "belt", "misalignment", "looseness")),
    MachinePlan("backstube", "ofen", {"de": "Etagenofen", "en": "Deck oven"}, ("heating_element_open", "thermostat_drift", "door_seal",
                                                    "thermocouple_drift")),
    MachinePlan("keller", "kuehlung", {"de": "Kälteverdichter", "en": "Cooling compressor"}, ("fan_blocked", "refrigerant_leak", "winding_short")),
    MachinePlan("keller", "rechner", {"de": "Messrechner", "en": "Measuring computer"}),
)  # fmt: skip
RECORDING_MACHINE = MachinePlan("keller", "aufnahme", {"de": "Aufzeichnung", "en": "Recording"})


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """The demo's camera: where it runs, whose goods it sees, and as what."""

    node: str
    name: str
    machine: str
    products: Mapping[str, str]
    """Name of what is baked, by language."""
    called: Mapping[str, str]
    """What people call it."""
    size: tuple[int, int] = (960, 720)
    """Of its picture, width and height."""


CAMERA = CameraPlan(
    "backstube", "blechkamera", "ofen", {"de": "broetchen", "en": "rolls"}, {"de": "Brötchen", "en": "Rolls"}
)
"""Sees three trays of each load that the oven bakes."""


@dataclass(frozen=True, slots=True)
class CameraFiles:
    """Files between the oven, its camera and who teaches it."""

    crust: Path
    """How brown the load is that came out last."""
    profiles: Path
    """Folder of what is taught."""


def machine_toml(machine: MachinePlan, recording: Recording | None, camera: CameraFiles | None) -> str:
    """Its table in the node's configuration.

    Args:
        machine: which.
        recording: what `RECORDING_MACHINE` plays.
        camera: who looks at the oven's goods.
    """
    if machine == RECORDING_MACHINE and recording is not None:
        return _recording_toml(recording)
    text = _MACHINE_TOML[machine.name]
    if camera is not None and machine.name == CAMERA.machine:
        text += f"crust = {toml(camera.crust)}\n"
    return text


def camera_toml(files: CameraFiles, language: str) -> str:
    """The camera's table in its node's configuration."""
    width, height = CAMERA.size
    return (
        f'[[camera]]\nname = "{CAMERA.name}"\nmachine = "{CAMERA.machine}"\ntype = "simulated"\n'
        f"browning = {toml(files.crust)}\nload_trays = 3\ntray_s = 2.5\nwidth = {width}\nheight = {height}\n"
        # A load comes after 9 to 13 s; the last of its trays is seen after five, and they follow each other within three.
        'trigger = "movement"\ninterval_s = 0.5\nload_gap_s = 3.4\nreject_above = 0.1\n'
        f'product = "{CAMERA.products[language]}"\nprofiles = {toml(files.profiles)}\n'
    )


def costs_toml(machine: MachinePlan) -> str:
    """What a failure of it costs, for the gateway's configuration."""
    return _COSTS.get(machine.name, "")


_COSTS = {
    "kneter": (
        "capacity_share = 0.5\nhourly_downtime_cost = 180.0\noutage_hours = {default = 8.0, bearing = 12.0}\n"
        "repair_cost = {default = 400.0, bearing = 900.0}\n"
    ),
    "ofen": (
        "capacity_share = 0.6\nhourly_downtime_cost = 260.0\noutage_hours = {default = 6.0}\n"
        "repair_cost = {default = 350.0, heating_element_open = 280.0}\nextra_power_kw = {door_seal = 1.5}\n"
    ),
    "aufnahme": "capacity_share = 0.3\nhourly_downtime_cost = 120.0\nrepair_cost = {default = 500.0}\n",
    "kuehlung": "capacity_share = 0.2\nhourly_downtime_cost = 90.0\nrepair_cost = {default = 700.0}\n",
}
# Machine time passes faster than real time, so that a machine shows all that it does while somebody watches;
# vibration keeps its real pace. A warm-up of half a minute is for show, at home it is a whole shift; it holds some hours of
# the mixer and the oven and most of an hour of the compressor. Within four minutes fourteen other
# mixers raised no false alarm, as many ovens two, and as many compressors none.
# A window fills nine tenths of a period at most: windows that touch look like one stretch, though the machine ran on between them.
_MACHINE_TOML = {
    "kneter": (
        '[[machine]]\nname = "kneter"\nkind = "mixer"\ninterval_s = 0.25\nrunning_speed_rpm = 1475\nwarmup_s = 15\n'
        "[machine.bearing]\nballs = 9\nball_mm = 7.94\npitch_mm = 39.04\n"
        '[[machine.sensor]]\ntype = "simulated"\nspeedup = 480\nschedule = "continuous"\nblock_s = 0.22\nfault_ramp_s = 3\n'
    ),
    "ofen": (
        '[[machine]]\nname = "ofen"\nkind = "oven"\ninterval_s = 0.4\nwarmup_s = 24\n'
        '[[machine.sensor]]\ntype = "simulated"\nspeedup = 240\nschedule = "continuous"\nblock_s = 0.35\nfault_ramp_s = 3\n'
    ),
    "kuehlung": (
        '[[machine]]\nname = "kuehlung"\nkind = "compressor"\ninterval_s = 0.4\nwarmup_s = 24\nrunning_speed_rpm = 1450\n'
        '[[machine.sensor]]\ntype = "simulated"\nspeedup = 120\nschedule = "continuous"\nblock_s = 0.35\nfault_ramp_s = 3\n'
    ),
    "rechner": '[[machine]]\nname = "rechner"\nkind = "generic"\ninterval_s = 1.0\nwarmup_s = 60\n[[machine.sensor]]\ntype = "host"\n',
}


def _recording_toml(recording: Recording) -> str:
    """One row or block a turn. The alarm budget is the one that its rows would have at their own pace."""
    interval_s = max(1.0 / recording.pace_hz, LEAST_INTERVAL_S)
    budget = min(recording.row_s / interval_s, MOST_FALSE_ALARMS)
    lines = [
        "\n[[machine]]", 'name = "aufnahme"', 'kind = "generic"', f"interval_s = {interval_s:.6g}",
        f"warmup_s = {recording.warmup * interval_s:.6g}", f"false_alarms_per_month = {budget:.6g}",
        "[[machine.sensor]]", 'type = "replay"', *(f"{name} = {toml(value)}" for name, value in recording.sensor.items()),
    ]  # fmt: skip
    return "\n".join([*lines, ""])


def toml(value: object) -> str:
    """Paths, strings, numbers and lists of strings are written alike in JSON and TOML."""
    return msgspec.json.encode(value, enc_hook=str).decode()
