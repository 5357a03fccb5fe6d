"""The simulated oven as seen by its two thermocouples alone: a machine that learns its regimes from temperatures.

At its own pace, a bakery's nights, two of them known normal; then days with nothing wrong, and from five in the morning of the last one
each fault for eight hours. Two heating elements of three keep the deck's temperature as well: that one is broken is next to invisible here.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from benchmarks.condition.rigs import Rig, Scene, apart
from benchmarks.condition.row import Bench, Floor, Row
from edge.machine import SensorReading, Step

HOUR, DAY = 60, 1440
SCENE = Scene(interval_s=60.0, speedup=1.0, schedule="daily", warmup=2 * DAY)
DAYS, FEW_DAYS = 5, 2
SEEDS, FEW_SEEDS = 4, 1
GIVEN = 8 * HOUR
INVISIBLE = "heating_element_open"


class Thermocouples(Rig):
    """An oven without its current clamps, power meter and door contact."""

    def __init__(self, seed: int) -> None:
        super().__init__("oven", seed, SCENE)
        self.path = self.maker([channel for channel in self.sensor.channels if channel.quantity == "temperature"], None)

    def tick(self) -> Step:
        """One interval passes."""
        self.now_ns += round(self.scene.interval_s * 1e9)
        self.blocks = [block for block in self.sensor.read() if block.channel.quantity == "temperature"]
        return self.path.step(self.now_ns, [SensorReading("simulated", self.blocks)])


def minutes(rig: Thermocouples, fault: str) -> int | None:
    """Lets a fault happen; after how many minutes there was an alarm."""
    rig.sensor.inject(fault)
    for k in range(GIVEN):
        step = rig.tick()
        if step.verdict is not None and step.verdict.alarm:
            return k + 1
    return None


def measure(bench: Bench) -> Row:
    """Alarms of a healthy oven, and faults found."""
    days, seeds = (DAYS, SEEDS) if bench.full else (FEW_DAYS, FEW_SEEDS)
    found: Counter[str] = Counter()
    alarmed, lines = 0, []
    for seed in range(1, seeds + 1):
        rig = Thermocouples(seed)
        for _ in range(SCENE.warmup + days * DAY + 5 * HOUR):
            alarmed += sum(finding.state == "open" and finding.type == "machine" for finding in rig.tick().findings)
        after = {fault: apart(partial(minutes, rig, fault)) for fault in rig.machine_faults}
        found.update(fault for fault, minute in after.items() if minute is not None)
        lines.append(f"seed {seed}, minutes until found: {after}")
    visible = [fault for fault in found if fault != INVISIBLE]
    return Row(
        f"an oven with two thermocouples only, {days} days with nothing wrong, {seeds} seeds",
        {
            "found %": round(100.0 * sum(found[fault] for fault in visible) / (3 * seeds), 1),
            "found of a broken element %": round(100.0 * found[INVISIBLE] / seeds, 1),
            "false alarms": alarmed,
        },
        (Floor("found %", 95.0), Floor("false alarms", 0, at_least=False)),
        notes=(
            *(() if bench.full else (f"{seeds} of {SEEDS} seeds, {days} of {DAYS} days; --full takes all",)),
            *lines,
        ),
    )
