"""FEMTO bearing 3_1: a bearing run to failure, every tenth snapshot of a tenth of a second at 25.6 kHz (Nectoux et al. 2012).

The snapshots of the first half of its life are known normal; a second model knows only the first fifth, so that the rest of the first
half is judged. Neither speed nor bearing are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.plots import plot
from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.condition.runs import PLAN, score
from benchmarks.condition.waves import joined
from edge.recordings import Options
from werkpuls.scoring import Plan

READ = Options(rate_hz=25_600, columns=("4", "5"))
APART_S = 100
"""Between two snapshots here."""


def measure(bench: Bench) -> Row:
    """When it is warned, counted in snapshots from the last one, and whether anything was said in the first half."""
    folder = require(bench.data / "vibration" / "femto_bearing3_1")
    files = sorted(folder.glob("acc_*.csv"))
    half, fifth = len(files) // 2, len(files) // 5
    late = joined("late", score(files, READ, plan=Plan(PLAN.setup, half)))
    early = joined("early", score(files, READ, plan=Plan(PLAN.setup, fifth)))
    plot(bench.plots, "femto", late)
    plot(bench.plots, "femto-early", early)
    watch = np.array([severity != "good" for severity in late.severity])
    return Row(
        f"FEMTO bearing 3_1, {len(files)} snapshots, {APART_S} s apart; the first half known normal",
        {
            "alarms in the first half": int(early.alarm[:half].sum()),
            "warned snapshots before the end": _before(late.alarm),
            "worth a look before the end": _before(watch),
            "warned before the end, a fifth known": _before(early.alarm),
        },
        (Floor("alarms in the first half", 0, at_least=False), Floor("warned snapshots before the end", 1)),
    )


def _before(said: NDArray[np.bool_]) -> int:
    """Snapshots from the first of these to the last, both counted."""
    return len(said) - int(said.argmax()) if said.any() else 0
