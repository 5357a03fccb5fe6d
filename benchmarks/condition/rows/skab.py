"""SKAB: a pump test bed at 1 Hz (Katser and Kozitsin 2020). The first 400 rows of each file are known normal.

Rows after them are judged; F1, false-alarm rate and missed-alarm rate are pooled over the files. Always to alarm scores F1 0.698 on valve1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.baselines import alarmed_percent, judged
from benchmarks.condition.measures import auc, confusion, delay, episodes
from benchmarks.condition.plots import plot
from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.condition.runs import PLAN, score, table
from edge.recordings import Options
from werkpuls.scoring import Plan

WARMUP = 400
LABELS = ("anomaly", "changepoint")
READ = Options(separator=";", time="datetime", ignore=LABELS)
UNLABELLED = Options(separator=";", time="datetime")
KNOWN = Plan(PLAN.setup, WARMUP)


def labels(file: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Anomaly and changepoint of each row."""
    _, values = table(file, Options(separator=";", time="datetime", columns=LABELS))
    return values[:, 0] > 0.5, values[:, 1] > 0.5


def folder(bench: Bench, name: str) -> Row:
    """All files of a folder of runs with a fault in each, pooled."""
    place = require(bench.data / "skab" / name)
    files = sorted(place.glob("*.csv"), key=lambda file: (len(file.stem), file.stem))
    alarms, truths, ratios, tables, marks, delays = [], [], [], [], [], []
    lines = []
    for file in files:
        run = score([file], READ, plan=KNOWN)[0]
        truth, _ = labels(file)
        plot(bench.plots, f"skab-{name}-{file.stem}", run, truth)
        alarms.append(run.alarm[WARMUP:])
        truths.append(truth[WARMUP:])
        ratios.append(run.ratio[WARMUP:])
        tables.append(table(file, READ)[1])
        marks.append(truth)
        after = delay(run.alarm[WARMUP:], truth[WARMUP:])
        delays.append(after)
        figures = confusion(run.alarm[WARMUP:], truth[WARMUP:])
        lines.append(
            f"{file.name}: F1 {figures['F1']:.2f}, FAR {figures['FAR %']} %, MAR {figures['MAR %']} %, found after {after}"
        )
    truth = np.concatenate(truths)
    found = [after for after in delays if after is not None]
    figures = {
        **confusion(np.concatenate(alarms), truth),
        "AUC": auc(np.concatenate(ratios), truth),
        "found": len(found),
        "files": len(files),
        "delay median": float(np.median(found)) if found else float("nan"),
        "delay worst": max(found, default=-1),
    }
    return Row(
        f"SKAB {name}, {len(files)} files, {WARMUP} rows known normal in each",
        figures,
        beside={**judged(tables, marks, WARMUP), "always alarm": confusion(np.ones_like(truth), truth)},
        notes=tuple(lines),
    )


def valve1(bench: Bench) -> Row:
    """A valve at the pump's outlet is half closed."""
    row = folder(bench, "valve1")
    return Row(
        row.recording,
        row.figures,
        (Floor("F1", 0.90), Floor("FAR %", 3.0, at_least=False), Floor("MAR %", 16.0, at_least=False)),
        # The leaderboard's figures are over all of SKAB's folders; https://github.com/waico/SKAB, outlier detection.
        {**row.beside, "published best (batch convolutional auto-encoder)": {"F1": 0.78, "FAR %": 13.6, "MAR %": 28.0}},
        row.notes,
    )


def anomaly_free(bench: Bench) -> Row:
    """The same bed, 2.6 hours with nothing wrong."""
    file = require(bench.data / "skab" / "anomaly-free" / "anomaly-free.csv")
    run = score([file], UNLABELLED, plan=KNOWN)[0]
    plot(bench.plots, "skab-anomaly-free", run)
    alarm = run.alarm[WARMUP:]
    return Row(
        f"SKAB anomaly-free, {len(run)} rows, {WARMUP} known normal",
        {"alarmed %": round(100 * float(alarm.mean()), 2), "alarms": len(episodes(alarm))},
        (Floor("alarmed %", 2.0, at_least=False),),
        alarmed_percent(table(file, UNLABELLED)[1], WARMUP),
    )
