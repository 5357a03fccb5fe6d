"""The rate of a waveform for which a block was asked and no rate given: an even time column says it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.recordings import Recording
from edge.recordings.channels import NS

_SLOWEST_WAVE_HZ = 50.0
_UNEVEN = 0.05
_COARSE = (0.4, 1.6)
"""Shares of the usual step that a single one may have by the coarseness of its stamp."""
_MS_IN_S = 1000.0
_COARSEST = 3.0
"""Steps by which coarse stamps may be off from even ones all in all."""


def take_rate(recording: Recording) -> None:
    """Gives a recording the rate that its time column says; where it says none, a note tells so."""
    steps = np.diff(recording.head().time_ns) if recording.has_time else np.zeros(0, dtype=np.int64)
    step_ns = float(np.median(steps)) if len(steps) else 0.0
    if not recording.unit_told and 0 < NS / max(step_ns, 1.0) < _SLOWEST_WAVE_HZ:
        steps, step_ns = steps / _MS_IN_S, step_ns / _MS_IN_S  # whole numbers without a unit: of a waveform they are ms
    rate_hz = _even_rate(steps, step_ns) if step_ns > 0 and NS / step_ns >= _SLOWEST_WAVE_HZ else None
    if rate_hz is None:
        recording.notes.append("a block is for waveforms: this is read row by row, as it has no rate")
        return
    recording.rate_hz = rate_hz
    recording.notes.append(f"read as a waveform at {recording.rate_hz:.6g} Hz, as its time column says")


def _even_rate(steps: NDArray[np.int64] | NDArray[np.float64], step_ns: float) -> float | None:
    """The rate of samples that come evenly, in Hz; None where they do not.

    Gaps say nothing about the rate. Where stamps are coarse single steps differ, but not many together.
    """
    inside = steps[(steps > _COARSE[0] * step_ns) & (steps < _COARSE[1] * step_ns)]
    if len(inside) < (1.0 - _UNEVEN) * len(steps):
        return None
    even = np.abs(inside / step_ns - 1.0) <= _UNEVEN
    if float(even.mean()) >= 1.0 - _UNEVEN:
        return NS / float(inside[even].mean())
    mean_ns = float(inside.mean())
    return NS / mean_ns if float(np.ptp(np.cumsum(inside - mean_ns))) <= _COARSEST * mean_ns else None
