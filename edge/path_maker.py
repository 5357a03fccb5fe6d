"""From a machine's options to its path with its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.config import MachineOptions
from edge.machine import MachinePath, MachineSetup
from edge.sensors.base import Channel
from models.condition.bearing import Bearing
from models.condition.model import Condition
from models.condition.settings import Settings

MONTH_S = 30 * 86_400.0
LEAST_WARMUP = 8


class PathMaker:
    """Makes one machine's path with its model.

    Args:
        machine: its options.
        boot: id of the present boot.
    """

    def __init__(self, machine: MachineOptions, boot: str) -> None:
        self._setup = setup_of(machine, boot)
        self._settings = Settings(
            warmup=max(round(machine.warmup_s / machine.interval_s), LEAST_WARMUP),
            kind=machine.kind,
            iso_class=machine.iso_class,
            budget=min(machine.false_alarms_per_month * machine.interval_s / MONTH_S, 0.1),
        )

    def __call__(self, channels: Sequence[Channel], state: Mapping[str, Any] | None) -> MachinePath:
        """A path for these channels, with what a snapshot knows or with a model that knows nothing.

        Raises:
            ValueError: the state is no snapshot of this format.
        """
        path = MachinePath(self._setup, channels, Condition(self._settings))
        if state is not None:
            path.restore(state)
            if isinstance(path.model, Condition):
                # What was learned is the snapshot's; how to judge is the present configuration's.
                path.model.judge_by(self._settings)
        return path


def setup_of(machine: MachineOptions, boot: str = "") -> MachineSetup:
    """What a machine's options say of it; `boot` is the id of the present boot."""
    bearing, speed = machine.bearing, machine.running_speed_rpm
    return MachineSetup(
        name=machine.name,
        kind=machine.kind,
        interval_s=machine.interval_s,
        running_speed_hz=None if speed is None else speed / 60.0,
        gear_teeth=machine.gear_teeth,
        bearing=None
        if bearing is None
        else Bearing(bearing.balls, bearing.ball_mm, bearing.pitch_mm, bearing.contact_deg),
        iso_class=machine.iso_class,
        nominal_hz=float(machine.mains_hz),
        tachometer=None if machine.tachometer is None else machine.tachometer.made(),
        set_points=tuple(point.made() for point in machine.set_points),
        boot=boot,
    )
