"""ADI motor rig: a MEMS accelerometer at 20 kHz on a motor at 1800 rpm, healthy and in twelve faulty states, two seconds each.

The first half of the healthy recording is normal, in blocks of a tenth of a second: ten of them. Neither speed nor bearing are given.
Every state is judged by a model of its own that has learned that one second and judged the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.condition.plots import plot
from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.condition.runs import PLAN, Run, score
from benchmarks.condition.waves import baselines, named, vibration_table
from edge.recordings import Options
from werkpuls.scoring import Plan

READ = Options(rate_hz=20_000, columns=("1", "2", "3"))
BLOCK_S = 0.1
KNOWN = 10
SOON = 5
"""Blocks until half a second of a state has been seen."""
HEALTHY = "GoB_GS_BaLo_WA"
CAUSES: Mapping[str, str] = {
    "GoB_GS_VLIL_WA": "imbalance",
    "GoB_GS_LImL_WA": "imbalance",
    "GoB_GS_HImL_WA": "imbalance",
    "GoB_GS_VHIL_WA": "imbalance",
    "HIR_GS_BaLo_WA": "bearing_inner",
    "HOR_GS_BaLo_WA": "bearing_outer",
}
"""The states whose cause shows as in the textbook."""


def measure(bench: Bench) -> Row:
    """How soon each state alarms, whether it stays alarmed, and what is named first."""
    folder = require(bench.data / "vibration" / "adi_motor")
    files = {file.name[5:19]: file for file in sorted(folder.glob("1800_*.csv"))}
    healthy = require(folder / f"1800_{HEALTHY}_00lb.Wfm.csv")
    plan = Plan(PLAN.setup, KNOWN, block_s=BLOCK_S)
    states = {name: score([healthy, file], READ, plan=plan) for name, file in files.items() if name != HEALTHY}
    normal = next(iter(states.values()))[0]
    plot(bench.plots, "adi-healthy", normal)
    for name, (_, run) in states.items():
        plot(bench.plots, f"adi-{name}", run)
    first = {name: _first(run) for name, (_, run) in states.items()}
    causes = {name: named(run) for name, (_, run) in states.items()}
    whole = vibration_table([str(healthy)], READ, BLOCK_S)
    tables = {name: vibration_table([str(files[name])], READ, BLOCK_S) for name in states}
    return Row(
        f"ADI motor, {KNOWN} blocks of {BLOCK_S:g} s known normal, {len(states)} faulty states",
        {
            "healthy alarms": int(normal.alarm.sum()),
            "alarmed within 0.5 s": sum(at is not None and at < SOON for at in first.values()),
            "stay alarmed": sum(at is not None and bool(states[n][1].alarm[at:].all()) for n, at in first.items()),
            "cause named first": sum(causes[name] == cause for name, cause in CAUSES.items()),
            "slowest s": max(BLOCK_S * (at + 1) if at is not None else float("inf") for at in first.values()),
        },
        (
            Floor("healthy alarms", 0, at_least=False),
            Floor("alarmed within 0.5 s", len(states)),
            Floor("stay alarmed", len(states)),
            Floor("cause named first", len(CAUSES)),
        ),
        baselines(whole[:KNOWN], {HEALTHY: whole[KNOWN:], **tables}, [HEALTHY]),
        tuple(f"{name}: from block {first[name]}, {causes[name] or 'no cause'}" for name in states),
    )


def _first(run: Run) -> int | None:
    return int(run.alarm.argmax()) if run.alarm.any() else None
