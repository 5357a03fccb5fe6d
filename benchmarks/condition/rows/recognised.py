"""Is a fault that a person confirmed once known by its name the next time, smaller and with other noise?

Machines are looked at as in the simulated row. Each fault happens once in full and is confirmed under a name of its own; then each happens
again at three fifths of its size. What counts is the name that is ranked first at the end.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TypedDict

from benchmarks.condition.rigs import KINDS, Rig, apart
from benchmarks.condition.row import Bench, Floor, Row
from benchmarks.condition.rows.simulated import QUIET, SCENE
from models.condition.contract import Confirmed, Word

GIVEN, RECOVERY = 120, 150
AGAIN = 0.6
SEEDS, FULL_SEEDS = 1, 5
OWN = "own-"


class Named(TypedDict):
    """What the second occurrence was called, and whether it alarmed at all."""

    alarmed: bool
    first: str
    recognised: bool


def taught(rig: Rig, fault: str) -> bool:
    """One occurrence, confirmed and repaired; False where it never alarmed."""
    rig.sensor.inject(fault)
    alarmed = [step.verdict is not None and step.verdict.alarm for step in (rig.tick() for _ in range(GIVEN))]
    kept = any(alarmed) and rig.path.hear(Word.CONFIRMED, Confirmed(f"{OWN}{fault}"))
    rig.sensor.clear()
    for _ in range(RECOVERY):
        rig.tick()
    return kept


def again(rig: Rig, fault: str) -> Named:
    """The second occurrence."""
    rig.sensor.inject(fault, severity=AGAIN)
    named: Named = {"alarmed": False, "first": "", "recognised": False}
    for _ in range(GIVEN):
        step = rig.tick()
        if step.verdict is not None and step.verdict.alarm and step.explanation is not None:
            first = step.explanation.causes[0]
            named = {"alarmed": True, "first": first.code, "recognised": first.recognised}
    return named


def measure(bench: Bench) -> Row:
    """All faults of all machines."""
    seeds = FULL_SEEDS if bench.full else SEEDS
    total, right, taken = 0, 0, Counter[str]()
    notes = []
    for kind in KINDS:
        for seed in range(1, seeds + 1):
            rig = Rig(kind, seed, SCENE)
            for _ in range(SCENE.warmup + QUIET):
                rig.tick()
            known = [fault for fault in rig.machine_faults if taught(rig, fault)]
            for fault in known:
                named = apart(partial(again, rig, fault))
                if not named["alarmed"]:
                    continue
                total += 1
                if named["first"] == f"{OWN}{fault}":
                    right += 1
                elif named["recognised"]:
                    taken[f"{kind}: {fault} taken for {named['first'].removeprefix(OWN)}"] += 1
                else:
                    taken[f"{kind}: {fault} not recognised ({named['first']})"] += 1
    notes += [f"{said}, {count} of {seeds}" for said, count in taken.most_common()]
    return Row(
        f"faults of {len(KINDS)} simulated machines, confirmed once and back at {AGAIN:.0%} of the size, {seeds} seeds",
        {"named right %": round(100 * right / max(total, 1), 1), "occurrences": total},
        (Floor("named right %", 80.0),),
        notes=tuple(notes),
    )
