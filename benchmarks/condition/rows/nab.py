"""NAB: 79 days of an industrial machine's temperature at 5 minutes, up to its failure (Lavin and Ahmad 2015).

Of the four labelled windows the first is a planned shutdown, the third the early sign and the last the failure.
"""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np

from benchmarks.condition.baselines import alarmed_percent
from benchmarks.condition.measures import episodes
from benchmarks.condition.plots import plot
from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.condition.runs import PLAN, score, table
from edge.recordings import Options
from werkpuls.scoring import Plan

FILE = "machine_temperature_system_failure.csv"
WARMUP = 2016
"""A week, which ends eleven hours before the first window begins."""
NEEDED = {0: "shutdown", 2: "early sign", 3: "failure"}
READ = Options(time="timestamp")


def measure(bench: Bench) -> Row:
    """Windows with an alarm in them, and alarms outside of any."""
    file = require(bench.data / "nab" / FILE)
    windows = json.loads(require(bench.data / "nab" / "windows.json").read_text(encoding="utf-8"))[FILE]
    run = score([file], READ, plan=Plan(PLAN.setup, WARMUP))[0]
    times = [datetime.fromisoformat(time) for time in run.times]
    label = np.zeros((len(windows), len(run)), dtype=bool)
    for k, (first, last) in enumerate(windows):
        begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
        label[k] = [begin <= time <= end for time in times]
    labelled = np.logical_or.reduce(label, axis=0)
    plot(bench.plots, "nab", run, labelled)
    alarm = run.alarm.copy()
    alarm[:WARMUP] = False
    found = [bool((alarm & inside).any()) for inside in label]
    false = [(first, end) for first, end in episodes(alarm) if not labelled[first:end].any()]
    return Row(
        "NAB machine temperature, 79 days at 5 min, a week known normal",
        {
            "windows found": sum(found),
            "needed found": sum(found[k] for k in NEEDED),
            "false alarms": len(false),
            "alarmed %": round(100 * float(alarm[WARMUP:].mean()), 2),
        },
        (Floor("needed found", len(NEEDED)), Floor("false alarms", 3, at_least=False)),
        alarmed_percent(table(file, READ)[1], WARMUP),
        (
            "found: " + ", ".join(NEEDED.get(k, f"window {k + 1}") for k, each in enumerate(found) if each),
            "false alarms: " + ", ".join(f"{times[first]} for {end - first} rows" for first, end in false),
        ),
    )
