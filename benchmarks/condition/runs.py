"""Recordings through the path that users have: `werkpuls.scoring`, with nothing set that a user of `werkpuls score` cannot set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.machine import MachineSetup
from edge.recordings import Options, open_recording
from werkpuls.scoring import Plan, Scored, Scorer

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

PLAN = Plan(MachineSetup(name="recording"))
"""Of every row; a protocol only says how much of the beginning is known normal, and how long a block is."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was said of one recording; every array has one entry for each of its rows or blocks."""

    name: str
    times: tuple[str, ...]
    ratio: Floats
    """Score as a multiple of the limit; 0 where nothing was judged."""
    alarm: Bools
    learning: Bools
    fault: Bools
    """A sensor fault was told."""
    regime: tuple[str, ...]
    severity: tuple[str, ...]
    cause: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.alarm)


def score(
    files: Sequence[str | Path], options: Options, *, plan: Plan = PLAN, scorer: Scorer | None = None
) -> list[Run]:
    """One model over these recordings, one after the other, as `werkpuls score` without `--fresh`.

    Args:
        files: paths; `file.zip!member` for a member of a zip file.
        options: how they are read; labels must be among the ignored columns.
        plan: what is known beforehand.
        scorer: a model to go on with.
    """
    scorer = scorer or Scorer(plan)
    runs = []
    for file in files:
        with open_recording(str(file), options) as recording:
            rows = [row for stretch in scorer.score(recording) for row in stretch]
        runs.append(_run(str(file), sorted(rows, key=lambda row: row.row)))
    return runs


def _run(name: str, rows: Sequence[Scored]) -> Run:
    return Run(
        name,
        tuple(row.time for row in rows),
        np.array([row.score / row.limit if row.score is not None and row.limit else 0.0 for row in rows]),
        np.array([row.alarm for row in rows], dtype=bool),
        np.array([row.learning for row in rows], dtype=bool),
        np.array([bool(row.sensor_fault) for row in rows], dtype=bool),
        tuple(row.regime for row in rows),
        tuple(row.severity for row in rows),
        tuple(row.cause for row in rows),
    )


def table(file: str | Path, options: Options) -> tuple[tuple[str, ...], Floats]:
    """Names and values, (rows, columns), of a table: for baselines, and for the evaluation's labels."""
    with open_recording(str(file), options) as recording:
        return tuple(recording.columns), np.vstack([chunk.values for chunk in recording.chunks()])
