"""Waveforms: clipped, without any change, or with samples that stand alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Channel, Fault, FaultText, Quantity
from edge.slow_check import ZERO_IS_PLAUSIBLE

CLIPPED_SHARE = 0.005
"""Share of a waveform's samples at the end of the range from which it is clipped."""
LEAST_SAMPLES = 16
SPIKE_CREST = 8.0
"""Peak over RMS from which a waveform is searched for spikes; an impact's ringing is found there, and left alone."""
SPIKE_ALONE = 0.2
NEIGHBOURS = 4
"""A single sample stands alone when its neighbours on either side reach less than this share of it; one that does may be another spike."""
KNOCK_RATE_HZ = 1500.0
"""From this rate on a knock has several samples: what machines are built of rings for five milliseconds and longer (a natural frequency
of 1 kHz and a damping of 5 % fall to a fifth in five). Of simulated knocks (150 to 2500 Hz, damping 1 to 5 %) a third would be taken
for spikes at 800 samples a second, 4 % at 1600, none at 3200. What is slower cannot tell a knock from a plug."""


def wave_faults(channel: Channel, values: NDArray[np.float64], rate_hz: float) -> list[FaultText]:
    """What is wrong with (n,) or (n, axes) samples within the range, NaN where one is missing; the worst only."""
    with np.errstate(invalid="ignore"):
        margin = (
            max(channel.resolution, 1e-9 * max(abs(channel.low), abs(channel.high), 1e-9))
            if math.isfinite(channel.high)
            else 0.0
        )
        at_end = (values >= channel.high - margin) | (values <= channel.low + margin)
    if (
        channel.quantity in (Quantity.VIBRATION, Quantity.CURRENT)
        and channel.low < 0
        and at_end.mean() > CLIPPED_SHARE
        and at_end.sum() > 2
    ):
        return [(Fault.CLIPPED, f"{channel.name}: {float(at_end.mean()):.1%} of the samples at the end of the range")]
    if channel.steady or len(values) < LEAST_SAMPLES:
        return []
    axes = values.reshape(len(values), -1)
    still = np.all(axes == axes[0], axis=0)
    if channel.quantity in ZERO_IS_PLAUSIBLE:
        still &= axes[0] != 0.0
    if still.any():
        which = "" if still.all() else f" on axis {int(np.flatnonzero(still)[0])}"
        return [(Fault.STUCK, f"{channel.name}: {len(values)} samples without any change{which}")]
    knocks = channel.quantity is Quantity.VIBRATION and rate_hz < KNOCK_RATE_HZ
    if not knocks and (alone := _samples_alone(axes)) > 0:
        return [(Fault.SPIKE, f"{channel.name}: {alone} samples far from those before and after")]
    return []


def _samples_alone(axes: NDArray[np.float64]) -> int:
    """How many samples of (n, axes) stand alone: spikes of a plug or a line.

    A machine's knock rings on for several samples, and the converter's own filter spreads what is shorter than one.
    """
    moving = np.abs(axes - axes.mean(axis=0))
    peak = moving.max(axis=0)
    suspected = peak > SPIKE_CREST * np.sqrt(np.square(moving).mean(axis=0))
    alone = set[int]()
    for column, top in zip(moving.T[suspected], peak[suspected], strict=True):
        high = np.flatnonzero(column > 0.5 * top)
        around = np.lib.stride_tricks.sliding_window_view(np.pad(column, NEIGHBOURS), 2 * NEIGHBOURS + 1)[high]
        others = (around >= SPIKE_ALONE * column[high, None]).sum(axis=1) - 1
        if (others > 1).any():
            return 0
        alone.update(high[others == 0].tolist())
    return len(alone)
