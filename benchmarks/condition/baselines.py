"""What a plain detector makes of the same rows: River's half-space trees as they come, and summed z-scores.

Both learn from the warm-up and are frozen then: what goes on learning during a fault learns the fault. They have no limit of their own, so
they are given one that a user could set: the largest score of the warm-up's second half, which the trees needed a window to
score. Beside it stands the best that any limit could do, chosen by the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.measures import auc, best_f1, confusion
from benchmarks.condition.row import Figures

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

Baseline = Callable[[Floats, int], Floats]


def half_space_trees(table: Floats, warmup: int) -> Floats:
    """Scores of `river.anomaly.HalfSpaceTrees` with its defaults, inputs scaled to [0, 1] on the warm-up.

    Args:
        table: (rows, features), finite.
        warmup: rows to learn from.
    """
    from river.anomaly import HalfSpaceTrees  # noqa: PLC0415  # 80 MB and a second

    low, high = table[:warmup].min(axis=0), table[:warmup].max(axis=0)
    scaled = np.clip((table - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    names = [str(k) for k in range(table.shape[1])]
    trees: Any = HalfSpaceTrees(seed=0)
    scores = np.zeros(len(table))
    for k, row in enumerate(scaled.tolist()):
        x = dict(zip(names, row, strict=True))
        scores[k] = trees.score_one(x)
        if k < warmup:
            trees.learn_one(x)
    return scores


def summed_z(table: Floats, warmup: int) -> Floats:
    """Summed squared z-scores, mean and deviation of the warm-up."""
    mean, deviation = table[:warmup].mean(axis=0), table[:warmup].std(axis=0)
    scores: Floats = (((table - mean) / np.where(deviation > 0, deviation, 1.0)) ** 2).sum(axis=1)
    return scores


BASELINES: dict[str, Baseline] = {"HalfSpaceTrees": half_space_trees, "summed z": summed_z}


def filled(table: Floats) -> Floats:
    """Missing values held from the row before, and 0 before the first: the baselines know no gaps."""
    held = table.copy()
    for column in held.T:
        known = np.isfinite(column)
        last = np.maximum.accumulate(np.where(known, np.arange(len(column)), -1))
        column[:] = np.where(last >= 0, column[np.maximum(last, 0)], 0.0)
    return held


def judged(tables: Sequence[Floats], labels: Sequence[Bools], warmup: int) -> dict[str, Figures]:
    """Pooled figures of each baseline, a new one for each table, over the rows after the warm-up."""
    result: dict[str, Figures] = {}
    truth = np.concatenate([label[warmup:] for label in labels])
    for name, baseline in BASELINES.items():
        scores, alarms = [], []
        for table in tables:
            every = baseline(filled(table), warmup)
            limit = float(every[warmup // 2 : warmup].max())
            scores.append(every[warmup:])
            alarms.append(every[warmup:] > limit)
        pooled = np.concatenate(scores)
        result[name] = {
            **confusion(np.concatenate(alarms), truth),
            "AUC": auc(pooled, truth),
            "best F1": best_f1(pooled, truth),
        }
    return result


def alarmed_percent(table: Floats, warmup: int) -> dict[str, Figures]:
    """Rows in alarm of each baseline after the warm-up, in percent, by the limit described above."""
    held = filled(table)
    result: dict[str, Figures] = {}
    for name, baseline in BASELINES.items():
        scores = baseline(held, warmup)
        limit = float(scores[warmup // 2 : warmup].max())
        result[name] = {"alarmed %": round(100 * float((scores[warmup:] > limit).mean()), 2)}
    return result
