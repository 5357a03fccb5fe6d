"""What the rows of waveforms share: a cause for a run, runs joined, and the features that plain baselines are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.baselines import BASELINES, filled
from benchmarks.condition.row import Figures
from benchmarks.condition.runs import Run
from edge.recordings import Options, open_recording
from edge.recordings.waveform import blocks
from models.condition.features import Features, Found

Floats: TypeAlias = NDArray[np.float64]


def named(run: Run) -> str:
    """The cause that was named first in most of the alarmed blocks; empty where there was no alarm."""
    told = Counter(cause for cause, alarm in zip(run.cause, run.alarm, strict=True) if alarm)
    return told.most_common(1)[0][0] if told else ""


def joined(name: str, runs: Sequence[Run]) -> Run:
    """Runs of one model as a single one."""
    return Run(
        name,
        tuple(time for run in runs for time in run.times),
        np.concatenate([run.ratio for run in runs]),
        np.concatenate([run.alarm for run in runs]),
        np.concatenate([run.learning for run in runs]),
        np.concatenate([run.fault for run in runs]),
        tuple(regime for run in runs for regime in run.regime),
        tuple(severity for run in runs for severity in run.severity),
        tuple(cause for run in runs for cause in run.cause),
    )


def vibration_table(files: Sequence[str], options: Options, block_s: float) -> Floats:
    """(blocks, features) of acceleration, without what needs a running speed."""
    return _table(files, options, block_s, lambda values, rate_hz: Features().vibration(values, rate_hz, ""))


def current_table(files: Sequence[str], options: Options, block_s: float, mains_hz: float) -> Floats:
    """(blocks, features) of currents."""
    features = Features(nominal_hz=mains_hz)
    return _table(files, options, block_s, lambda values, rate_hz: features.current(values, rate_hz, "A"))


def _table(files: Sequence[str], options: Options, block_s: float, compute: Callable[[Floats, float], Found]) -> Floats:
    rows: list[list[float]] = []
    for file in files:
        with open_recording(file, options) as recording:
            rate_hz = recording.rate_hz or 1.0
            rows.extend(list(compute(cut.values, rate_hz).values.values()) for cut in blocks(recording, block_s))
    return np.array(rows)


def baselines(known: Floats, judged: Mapping[str, Floats], healthy: Sequence[str]) -> dict[str, Figures]:
    """How many healthy and faulty recordings each baseline alarms on, given the same features and the same known rows.

    Alarmed is a recording in which three blocks in a row lie above the largest score of the known rows' second half.
    """
    result: dict[str, Figures] = {}
    for name, baseline in BASELINES.items():
        alarmed = {}
        for recording, rows in judged.items():
            scores = baseline(filled(np.vstack([known, rows])), len(known))
            limit = float(scores[len(known) // 2 : len(known)].max())
            above = scores[len(known) :] > limit
            alarmed[recording] = (
                bool((above[:-2] & above[1:-1] & above[2:]).any()) if len(above) > 2 else bool(above.any())
            )
        result[name] = {
            "healthy alarmed": sum(alarmed[key] for key in healthy),
            "faulty alarmed": sum(each for key, each in alarmed.items() if key not in healthy),
        }
    return result
