"""Broken sensors of the simulated machines: is each called what it is, within ten seconds, and never a fault of the machine?

A machine is known normal for 400 seconds (each the first 0.4 s of a minute), watched for 200, then a sensor breaks for 30 and is well
again for 60. The ten seconds begin with the first reading that differs from what a sound sensor would have delivered: a plug that
is loose now and then is not loose before it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypedDict

import numpy as np

from benchmarks.condition.rigs import KINDS, Rig, Scene, apart
from benchmarks.condition.row import Bench, Figures, Floor, Row
from edge.sensors.base import Block, Fault
from edge.sensors.simulation.sensor_faults import BUS, CHANNEL_FAULTS

SCENE = Scene(interval_s=1.0, speedup=60.0, schedule="continuous", warmup=400)
QUIET, BROKEN, AFTER = 200, 30, 60
WITHIN = 10
SEEDS, FEW_SEEDS = 20, 2
INVISIBLE = {
    "sensor_stuck.door": "a door that stays as it is",
    "sensor_clipped.door": "an open door",
}
"""What looks like a sound sensor, and why."""


class Seen(TypedDict):
    """What came of one broken sensor."""

    after: int | None
    """Readings from the first odd one to the finding; None where there was none."""
    machine: list[str]
    """Findings about the machine meanwhile."""


def broken(rig: Rig, fault: str) -> Seen:
    """Breaks a sensor for a while."""
    sound = apart(lambda: [_deliveries(rig) for _ in range(BROKEN)])
    rig.sensor.inject(fault)
    odd: int | None = None
    after: int | None = None
    machine: list[str] = []
    for k in range(BROKEN + AFTER):
        if k == BROKEN:
            rig.sensor.clear(fault)
        step = rig.tick()
        if odd is None and k < BROKEN and _print(rig.blocks) != sound[k]:
            odd = k
        for finding in step.findings:
            if finding.type == "machine" and finding.state != "cleared":
                machine.append(f"{finding.cause} ({finding.detail[:80]})")
            if finding.type == "sensor" and finding.state == "open" and after is None and odd is not None:
                after = k - odd + 1
    return {"after": 0 if odd is None else after, "machine": machine}


def _deliveries(rig: Rig) -> dict[str, float]:
    rig.tick()
    return _print(rig.blocks)


def _print(blocks: Sequence[Block]) -> dict[str, float]:
    """Enough of what arrived to see a difference."""
    return {b.channel.name: float(np.where(np.isfinite(b.values), b.values, -1e9).sum()) for b in blocks}


def measure(bench: Bench) -> Row:
    """Every fault as its bare name says it (the first channel), and, beside it, every fault of every channel."""
    seeds = SEEDS if bench.full else FEW_SEEDS
    bare: list[Seen] = []
    each: list[Seen] = []
    notes: list[str] = [] if bench.full else [f"{seeds} of {SEEDS} seeds, channels with one of 3; --full takes all"]
    for kind in KINDS:
        for seed in range(1, seeds + 1):
            rig = Rig(kind, seed, SCENE)
            for _ in range(SCENE.warmup + QUIET):
                rig.tick()
            channels = [f"{fault}.{c.name}" for c in rig.sensor.channels[1:] for fault in CHANNEL_FAULTS]
            for fault in (*CHANNEL_FAULTS, BUS, *(channels if seed <= (3 if bench.full else 1) else ())):
                if fault in INVISIBLE:
                    continue
                seen = apart(partial(broken, rig, fault))
                (each if "." in fault else bare).append(seen)
                if not _held(seen):
                    notes.append(
                        f"{kind}, seed {seed}, {fault}: after {seen['after']}; {'; '.join(seen['machine'][:1])}"
                    )
    return Row(
        f"{len(CHANNEL_FAULTS) + 1} ways in which a sensor breaks, {len(KINDS)} simulated machines, {seeds} seeds",
        {**_figures("", bare), **_figures("any channel: ", each)},
        (Floor("told within 10 s %", 100.0), Floor("taken for the machine %", 0.0, at_least=False)),
        notes=(
            *notes,
            *(f"not counted: {name}, {why}" for name, why in INVISIBLE.items()),
            f"a reading a second; spikes and gaps are told with the second one, {Fault.SPIKE.value} of a temperature with the first",
        ),
    )


def _held(seen: Seen) -> bool:
    return seen["after"] is not None and seen["after"] <= WITHIN and not seen["machine"]


def _figures(prefix: str, seen: list[Seen]) -> Figures:
    told = [run["after"] for run in seen if run["after"] is not None]
    share = 100.0 / max(len(seen), 1)
    return {
        f"{prefix}told within 10 s %": round(share * sum(after <= WITHIN for after in told), 1),
        f"{prefix}told %": round(share * len(told), 1),
        f"{prefix}taken for the machine %": round(share * sum(bool(run["machine"]) for run in seen), 1),
    }
