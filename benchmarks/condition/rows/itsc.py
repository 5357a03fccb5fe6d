"""ITSC: three clamps on an induction motor at 1 kHz, healthy and with inter-turn shorts of 10 to 40 % in each phase, a second each.

Three of the five healthy recordings are known normal. Every other recording is judged by a model of its own that has learned these
three. One recording of 10 % in phase A and one of 20 % in phase B look healthy in every respect and are left aside.
"""

from __future__ import annotations

from benchmarks.condition.plots import plot
from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.condition.runs import PLAN, score
from benchmarks.condition.waves import baselines, current_table, named
from edge.recordings import Options, expand
from werkpuls.scoring import Plan

READ = Options(rate_hz=1000)
BLOCK_S = 0.25
MAINS_HZ = 60.0
KNOWN = 3
ODD = ("SC_A1_B0_C0_002", "SC_A0_B2_C0_002")
CAUSE = "winding_short"


def measure(bench: Bench) -> Row:
    """Which recordings alarm, and whether the short is named."""
    archive = require(bench.data / "current" / "itsc_motor" / "Cropped_Signals_SF.zip")
    files = {name.rsplit("/", 1)[-1][:-4]: name for name in sorted(expand(f"{archive}!Cropped_Signals_SF/*/*.csv"))}
    healthy = [name for name in files if "HLT" in name]
    known = [files[name] for name in healthy[:KNOWN]]
    plan = Plan(PLAN.setup, round(KNOWN / BLOCK_S), block_s=BLOCK_S)
    judged = {
        name: score([*known, file], READ, plan=plan)[-1] for name, file in files.items() if name not in healthy[:KNOWN]
    }
    for name in (*healthy[KNOWN:], "SC_A2_B0_C0_001", "SC_A0_B2_C0_001", "SC_A0_B0_C2_001"):
        plot(bench.plots, f"itsc-{name}", judged[name])
    short = {name: _percent(name) for name in judged if name not in healthy and name not in ODD}
    strong = [name for name, percent in short.items() if percent >= 20]
    weak = [name for name, percent in short.items() if percent < 20]
    silent = [name for name in short if not judged[name].alarm.any()]
    return Row(
        f"ITSC clamps, {KNOWN} healthy recordings known normal, blocks of {BLOCK_S:g} s",
        {
            "healthy alarmed": sum(bool(judged[name].alarm.any()) for name in healthy[KNOWN:]),
            "20 % and more alarmed": sum(bool(judged[name].alarm.any()) for name in strong),
            "of": len(strong),
            "short named first": sum(named(judged[name]) == CAUSE for name in strong),
            "10 % alarmed": sum(bool(judged[name].alarm.any()) for name in weak),
            "of 10 %": len(weak),
        },
        (
            Floor("healthy alarmed", 0, at_least=False),
            Floor("20 % and more alarmed", len(strong)),
            Floor("short named first", len(strong)),
        ),
        baselines(
            current_table(known, READ, BLOCK_S, MAINS_HZ),
            {name: current_table([files[name]], READ, BLOCK_S, MAINS_HZ) for name in (*healthy[KNOWN:], *strong)},
            healthy[KNOWN:],
        ),
        (
            "left aside: " + ", ".join(name + (" alarmed" if judged[name].alarm.any() else " quiet") for name in ODD),
            "missed: " + (", ".join(silent) or "none"),
            "not named: " + (", ".join(name for name in short if named(judged[name]) not in (CAUSE, "")) or "none"),
        ),
    )


def _percent(name: str) -> int:
    return max(int(part[1:]) for part in name.split("_")[1:4]) * 10
