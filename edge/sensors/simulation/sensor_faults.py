"""Broken sensors: what they deliver instead of a reading.

A broken sensor delivers its symptom, and finding it is somebody else's work; only what a chip reports by itself (an open
thermocouple) comes with its fault.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block, Fault
from edge.sensors.simulation.plant import Severities

BUS = Fault.BUS.value
CHANNEL_FAULTS = (
    Fault.NO_DATA.value,
    Fault.STUCK.value,
    Fault.OUT_OF_RANGE.value,
    Fault.CLIPPED.value,
    Fault.GAPS.value,
    Fault.OPEN.value,
    Fault.SPIKE.value,
)


class BrokenSensor:
    """One channel's sensor. Remembers what a stuck one goes on saying."""

    def __init__(self) -> None:
        self._held: NDArray[np.float64] | None = None
        self._lost = 0

    def deliver(self, block: Block, severities: Severities, rng: np.random.Generator) -> Block | None:
        """What arrives instead of `block`.

        Args:
            block: what a sound sensor would deliver.
            severities: by bare fault name, those of this channel only.
            rng: the tick's own.

        Returns:
            None where nothing arrives.
        """
        if not severities:
            self._held = block.values[-1:].copy()
            lost, self._lost = self._lost, 0
            return replace(block, lost=block.lost + lost) if lost else block
        if Fault.NO_DATA.value in severities:
            self._lost += len(block.values)
            return None
        block = self._distorted(block, severities, rng)
        if Fault.GAPS.value in severities:
            gappy = _gaps(block, severities[Fault.GAPS.value], rng)
            if gappy is None:
                self._lost += len(block.values)
                return None
            block = gappy
        lost, self._lost = self._lost, 0
        return replace(block, lost=block.lost + lost)

    def _distorted(self, block: Block, severities: Severities, rng: np.random.Generator) -> Block:
        values, channel = block.values, block.channel
        if Fault.OPEN.value in severities:
            fault = (Fault.OPEN, f"{channel.name}: the converter reports an open input")
            return replace(block, values=np.full_like(values, np.nan), faults=(*block.faults, fault))
        if Fault.STUCK.value in severities:
            held = self._held if self._held is not None else values[-1:].copy()
            self._held = held
            return replace(block, values=np.repeat(held, len(values), axis=0))
        self._held = values[-1:].copy()
        if Fault.OUT_OF_RANGE.value in severities:
            # What a register full of ones looks like: an eighth of the range beyond the top.
            return replace(block, values=np.full_like(values, channel.high + 0.125 * (channel.high - channel.low)))
        if Fault.CLIPPED.value in severities:
            return replace(block, values=_clipped(block))
        if Fault.SPIKE.value in severities:
            return replace(block, values=_spikes(block, severities[Fault.SPIKE.value], rng))
        return block


def _clipped(block: Block) -> NDArray[np.float64]:
    """A waveform amplified until it hits both ends of the range again and again; a single reading at its top."""
    channel, values = block.channel, block.values
    if len(values) < 2:
        return np.full_like(values, channel.high)
    moving = values - values.mean(axis=0)
    effective = np.sqrt(np.mean(moving**2, axis=0))
    gain = np.where(effective > 0.0, 0.7 * channel.high / np.where(effective > 0.0, effective, 1.0), 0.0)
    clipped: NDArray[np.float64] = np.clip(values.mean(axis=0) + gain * moving, channel.low, channel.high)
    return clipped


def _spikes(block: Block, severity: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """About one reading in four, or a few samples of a waveform, somewhere between the ends of the range."""
    channel, values = block.channel, block.values.copy()
    count = rng.poisson(0.3 * severity if len(values) < 2 else 3.0 * severity)
    at = rng.integers(0, len(values), size=count)
    wild = channel.low + rng.uniform(0.1, 0.9, size=(count, *values.shape[1:])) * (channel.high - channel.low)
    values[at] = wild
    return values


def _gaps(block: Block, severity: float, rng: np.random.Generator) -> Block | None:
    """Half of the blocks do not arrive at all; of a waveform that does, stretches are missing."""
    if rng.uniform() < 0.5 * severity:
        return None
    values = block.values.copy()
    if len(values) > 1:
        for begin in rng.integers(0, len(values), size=3):
            values[begin : begin + max(1, round(0.08 * severity * len(values)))] = np.nan
    return replace(block, values=values)
