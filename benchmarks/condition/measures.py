"""Figures from verdicts and labels. Only the evaluation reads labels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


def confusion(alarm: Bools, label: Bools) -> dict[str, float]:
    """F1, and false-alarm and missed-alarm rate in percent, over rows.

    >>> confusion(np.array([True, True, False, False]), np.array([True, False, True, False]))
    {'F1': 0.5, 'FAR %': 50.0, 'MAR %': 50.0}
    """
    hit, false = int((alarm & label).sum()), int((alarm & ~label).sum())
    missed, quiet = int((~alarm & label).sum()), int((~alarm & ~label).sum())
    return {
        "F1": round(2 * hit / max(2 * hit + false + missed, 1), 4),
        "FAR %": round(100 * false / max(false + quiet, 1), 2),
        "MAR %": round(100 * missed / max(missed + hit, 1), 2),
    }


def best_f1(score: Floats, label: Bools) -> float:
    """The largest F1 of any one threshold on the score: what a baseline without a limit of its own could reach at best."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    last = np.append(np.diff(score[order]) != 0, True)
    f1 = 2 * hits / (np.arange(1, len(score) + 1) + max(int(label.sum()), 1))
    return round(float(f1[last].max(initial=0.0)), 4)


def auc(score: Floats, label: Bools) -> float:
    """Area under the ROC curve: how often a faulty row scores above a healthy one (Mann-Whitney, ties half).

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    faulty, healthy = int(label.sum()), int((~label).sum())
    if not faulty or not healthy:
        return float("nan")
    return round(float((ranks[label].sum() - faulty * (faulty + 1) / 2) / (faulty * healthy)), 4)


def episodes(alarm: Bools) -> list[tuple[int, int]]:
    """Stretches of alarm as (first row, row after the last).

    >>> episodes(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], alarm.astype(np.int8), [0]))))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def delay(alarm: Bools, label: Bools) -> int | None:
    """Rows from the beginning of the first labelled stretch until an alarm in it; None where there was none."""
    inside = episodes(label)
    if not inside:
        return None
    first, end = inside[0]
    at = np.flatnonzero(alarm[first:end])
    return int(at[0]) if len(at) else None
