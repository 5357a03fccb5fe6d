"""Thirty days of the simulated machines with nothing wrong: how often does one cry wolf?

At their own pace, with nights and mornings, looked at for 0.4 s of each minute; two days are known normal. The alarm budget is the
default of one a machine and month.
"""

from __future__ import annotations

from benchmarks.condition.rigs import KINDS, Rig, Scene
from benchmarks.condition.row import Bench, Floor, Row

DAY = 1440
SCENE = Scene(interval_s=60.0, speedup=1.0, schedule="daily", warmup=2 * DAY)
DAYS, FEW_DAYS = 30, 4
SEEDS, FEW_SEEDS = 3, 1


def measure(bench: Bench) -> Row:
    """Findings of every machine, of which none is right."""
    days, seeds = (DAYS, SEEDS) if bench.full else (FEW_DAYS, FEW_SEEDS)
    opened: dict[str, list[str]] = {kind: [] for kind in KINDS}
    sensors = 0
    for kind in KINDS:
        for seed in range(1, seeds + 1):
            rig = Rig(kind, seed, SCENE)
            for minute in range(SCENE.warmup + days * DAY):
                for finding in rig.tick().findings:
                    if finding.state == "open" and finding.type == "machine":
                        day = (minute - SCENE.warmup) / DAY
                        opened[kind].append(
                            f"{kind}, seed {seed}, day {day:.1f}: {finding.cause}, {finding.detail[:120]}"
                        )
                    sensors += finding.state == "open" and finding.type == "sensor"
    months = days / 30.0 * seeds
    rates = {f"{kind} a month": round(len(found) / months, 2) for kind, found in opened.items()}
    return Row(
        f"{len(KINDS)} simulated machines, {days} days with nothing wrong, {seeds} seeds",
        {"worst machine a month": max(rates.values()), **rates, "sensor findings": sensors},
        (Floor("worst machine a month", 1.0, at_least=False), Floor("sensor findings", 0, at_least=False)),
        notes=(
            *(() if bench.full else (f"{days} of {DAYS} days and {seeds} of {SEEDS} seeds; --full takes all",)),
            *(line for found in opened.values() for line in found),
        ),
    )
