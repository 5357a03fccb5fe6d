"""Looks at recordings before the demo starts: whether they can be played, at which pace, and whether the warm-up is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from edge.recordings import Options, RecordingError, open_recording
from edge.recordings.reader import Recording as Opened
from edge.recordings.waveform import DEFAULT_BLOCK_S, blocks
from edge.sensors.base import SensorConfigError
from edge.sensors.registry import Surroundings
from edge.sensors.replay import Replay, ReplayConfig
from werkpuls.demo.plan import LEAST_INTERVAL_S, Recording

ROWS_HZ = 20.0
"""Rows of a table a second: half an hour of seconds passes in a minute and a half."""
BLOCKS_HZ = 4.0
"""Blocks of a waveform a second: they are few, and each says a lot."""
ROWS_WARMUP = 400
BLOCKS_WARMUP = 20
LEAST_WARMUP = 8


class Unplayable(ValueError):
    """These recordings cannot be played like that; the text says which, and why."""


def examine(
    files: Sequence[Path], wanted: Recording, *, warmup: int | None = None, pace_hz: float | None = None
) -> Recording:
    """The recordings as the demo is to play them.

    Args:
        files: at least one; played one after the other.
        wanted: how they are to be read; its `file`, `more`, `warmup`, `pace_hz` and `row_s` are not looked at.
        warmup: rows or blocks known to be normal; None: 400 rows or 20 blocks.
        pace_hz: rows or blocks a second; None: 20 rows or 4 blocks.

    Raises:
        Unplayable: see there.
    """
    plan = replace(wanted, file=files[0], more=tuple(files[1:]))
    try:
        config = msgspec.convert(plan.sensor, ReplayConfig)
    except msgspec.ValidationError as exc:
        raise Unplayable(f"--recording {files[0]}: {exc}") from exc
    try:
        # What the sensor would refuse at the start, it refuses here.
        _ = Replay(config, Surroundings("aufnahme", "generic", lambda: 0, LEAST_INTERVAL_S)).channels
        return _planned(plan, warmup, pace_hz)
    except (SensorConfigError, RecordingError) as exc:
        raise Unplayable(f"--recording {exc}") from exc


def _planned(plan: Recording, warmup: int | None, pace_hz: float | None) -> Recording:
    options = Options(plan.separator, plan.time, plan.columns, plan.ignore, plan.rate_hz)
    with open_recording(str(plan.file), options) as opened:
        wave = opened.rate_hz is not None
        row_s = (plan.block_s or DEFAULT_BLOCK_S) if wave else _row_s(opened)
    given = warmup if warmup is not None else BLOCKS_WARMUP if wave else ROWS_WARMUP
    if given < LEAST_WARMUP:
        raise Unplayable(f"--warmup {given}: {LEAST_WARMUP} or more")
    count = 0
    for file in (plan.file, *plan.more):
        with open_recording(str(file), options) as opened:
            for found in _counts(opened, plan.block_s):
                count += found
                if count > given:
                    pace = pace_hz or (BLOCKS_HZ if wave else ROWS_HZ)
                    return replace(plan, warmup=given, pace_hz=pace, row_s=row_s)
    unit = "blocks" if wave else "rows"
    raise Unplayable(
        f"--warmup {given}: {plan.file}{' and what follows it' if plan.more else ''} has {count} {unit}; "
        "fewer of them must be the known normal beginning"
    )


def _counts(opened: Opened, block_s: float | None) -> Iterator[int]:
    if opened.rate_hz is None:
        yield from (len(chunk.values) for chunk in opened.chunks())
    else:
        yield from (1 for _ in blocks(opened, block_s or DEFAULT_BLOCK_S))


def _row_s(opened: Opened) -> float:
    steps = np.diff(opened.head().time_ns)
    return float(np.median(steps[steps > 0])) / 1e9 if (steps > 0).any() else 1.0
