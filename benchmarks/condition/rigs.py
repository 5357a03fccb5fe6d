"""A simulated machine with its path, on a clock that a benchmark turns: the same path, with the same settings, that a node makes.

A machine is warmed up once and then goes on from the same moment with each fault in turn: in a child process, whose changes nobody else sees.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.config import MachineOptions
from edge.machine import MachinePath, SensorReading, Step
from edge.path_maker import PathMaker
from edge.sensors.base import Block, SensorError
from edge.sensors.registry import Surroundings
from edge.sensors.simulated import MACHINES, Simulated, SimulatedConfig

KINDS = tuple(MACHINES)
SPEED_RPM = {"mixer": 1475.0, "compressor": 1450.0}
BEARING = {"balls": 9, "ball_mm": 7.94, "pitch_mm": 39.04}
_START_NS = 5_000_000_000_000
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Scene:
    """How a machine is looked at. `warmup` and the other counts are judgements."""

    interval_s: float
    speedup: float
    schedule: str
    warmup: int
    block_s: float = 0.4
    ramp_s: float = 0.0


class Rig:
    """One machine of one seed."""

    def __init__(self, kind: str, seed: int, scene: Scene) -> None:
        self.scene = scene
        self.now_ns = _START_NS
        options: dict[str, Any] = {
            "name": kind,
            "kind": kind,
            "interval_s": scene.interval_s,
            "warmup_s": scene.warmup * scene.interval_s,
            "sensor": [{"type": "simulated"}],
        }
        if kind in SPEED_RPM:
            options |= {"running_speed_rpm": SPEED_RPM[kind], "bearing": BEARING}
        simulated = {
            "seed": seed,
            "speedup": scene.speedup,
            "schedule": scene.schedule,
            "block_s": scene.block_s,
            "fault_ramp_s": scene.ramp_s,
        }
        self.sensor = Simulated(
            msgspec.convert(simulated, SimulatedConfig),
            Surroundings(machine=kind, kind=kind, monotonic_ns=lambda: self.now_ns, interval_s=scene.interval_s),
        )
        self.maker = PathMaker(msgspec.convert(options, MachineOptions), "benchmark")
        self.path: MachinePath = self.maker(self.sensor.channels, None)
        self.blocks: Sequence[Block] = ()
        self.sensor.open()

    def tick(self) -> Step:
        """One interval passes."""
        self.now_ns += round(self.scene.interval_s * 1e9)
        error = None
        try:
            self.blocks = self.sensor.read()
        except SensorError as exc:
            self.blocks, error = (), str(exc)
        return self.path.step(self.now_ns, [SensorReading("simulated", self.blocks, error)])

    @property
    def machine_faults(self) -> tuple[str, ...]:
        """Faults of the machine itself."""
        return tuple(name for name in self.sensor.faults if not name.startswith("sensor_"))


class Vectors:
    """The features of each judgement as rows of a table, for detectors that know nothing else."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._rows: list[dict[int, float]] = []

    def add(self, step: Step) -> None:
        """Takes a judgement's features; a tick without one repeats the last."""
        row: dict[int, float] = {}
        if step.sample is not None:
            for name, value in step.sample.values.items():
                if step.sample.info[name].scored:
                    row[self._names.setdefault(name, len(self._names))] = value
        self._rows.append(row)

    def table(self) -> NDArray[np.float64]:
        """(judgements, features), NaN where absent."""
        table = np.full((len(self._rows), len(self._names)), np.nan)
        for k, row in enumerate(self._rows):
            table[k, list(row)] = list(row.values())
        return table


def apart(work: Callable[[], Result]) -> Result:
    """What `work` returns in a child process that is a copy of this one; it must go through JSON.

    Raises:
        RuntimeError: the child failed; it has said why.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError("the child process failed")
    return cast("Result", json.loads(text))
