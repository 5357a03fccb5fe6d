"""Cuts a waveform into blocks of equal length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import RecordingError
from edge.recordings.reader import Recording
from models.condition.features import MIN_SAMPLES

DEFAULT_BLOCK_S = 1.0
MIN_BLOCK = MIN_SAMPLES
"""Of fewer samples nothing is computed."""


class Cut(NamedTuple):
    """One block."""

    number: int
    """0-based number of the block within the file."""
    time_ns: int
    """Of its first sample, as in `Chunk.time_ns`."""
    values: NDArray[np.float64]
    """(samples, columns) float64, NaN where a sample is missing."""


def block_length(recording: Recording, block_s: float) -> int:
    """Samples in a block.

    Raises:
        RecordingError: the recording has no rate, or the block is no length.
    """
    if recording.rate_hz is None:
        raise RecordingError(recording.name, "has no sample rate; give one")
    if not (math.isfinite(block_s) and block_s > 0):
        raise RecordingError(recording.name, f"a block of {block_s:g} s has no length")
    length = round(block_s * recording.rate_hz)
    if length < MIN_BLOCK:
        raise RecordingError(
            recording.name,
            f"a block of {block_s:g} s has {length} samples at {recording.rate_hz:g} Hz; it needs {MIN_BLOCK}",
        )
    return length


def blocks(recording: Recording, block_s: float | None) -> Iterator[Cut]:
    """The recording's blocks; samples left over at the end are noted in `recording.notes`.

    Args:
        recording: one with a rate.
        block_s: length of a block, seconds; None: one second, or the whole file where it is shorter.

    Raises:
        RecordingError: the block is no length, or longer than the file.
    """
    length = block_length(recording, DEFAULT_BLOCK_S if block_s is None else block_s)
    rate_hz = recording.rate_hz or 1.0
    parts: list[NDArray[np.float64]] = []
    held = 0
    start_ns: int | None = None
    index = 0
    for chunk in recording.chunks():
        if start_ns is None:
            start_ns = int(chunk.time_ns[0])
        parts.append(chunk.values)
        held += len(chunk.values)
        if held < length:
            continue
        values = np.concatenate(parts) if len(parts) > 1 else parts[0]
        used = 0
        while held - used >= length:
            yield Cut(index, start_ns + round(index * length / rate_hz * 1e9), values[used : used + length])
            used += length
            index += 1
        parts, held = [values[used:]], held - used
    if index == 0:
        if block_s is None and held >= MIN_BLOCK:
            yield Cut(0, start_ns or 0, np.concatenate(parts))
            return
        raise RecordingError(
            recording.name,
            f"a block of {length} samples is longer than the file, which has {held} ({held / rate_hz:.3g} s)",
        )
    if held:
        recording.notes.append(f"the last {held} samples are less than a block and are left out")
