"""How many features a machine's channels are told by, before anything is measured: more than the model has room for are not judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from edge.feature_taking import FeatureTaking
from edge.machine import MachineSetup
from edge.sensors.base import Block, Channel
from models.condition.memory import MAX_FEATURES

SHAFT_HZ = 25.0
"""A speed, where none is configured: it may be heard later, and then there are features of it."""
SAMPLES = 32, 4096
"""Of a waveform, at least and at most: how many do not change which features there are."""
READINGS = 12
"""From so many single readings on a slope is told."""
READ_EVERY_NS = 10_000_000_000


def feature_count(setup: MachineSetup, channels: Sequence[Channel]) -> int:
    """How many scored features these channels give, with what may be heard of a shaft; what is learned of cycles comes on top."""
    taking = FeatureTaking(replace(setup, running_speed_hz=setup.running_speed_hz or SHAFT_HZ).features())
    rng = np.random.default_rng(0)
    for channel in channels:
        for block in _blocks(channel, rng):
            taking.take(channel.name, [block], {})
    return sum(info.scored for info in taking.info.values())


def left_out(setup: MachineSetup, channels: Sequence[Channel]) -> int:
    """How many features of these channels the model has no room for."""
    return max(feature_count(setup, channels) - MAX_FEATURES, 0)


def _blocks(channel: Channel, rng: np.random.Generator) -> Iterator[Block]:
    """What such a channel may deliver: noise."""
    if channel.rate_hz is None:
        for number in range(READINGS):
            shape = (1,) if channel.axes == 1 else (1, channel.axes)
            yield Block(channel, number * READ_EVERY_NS, rng.standard_normal(shape))
        return
    count = min(max(round(channel.rate_hz * channel.period_s), SAMPLES[0]), SAMPLES[1])
    shape = (count,) if channel.axes == 1 else (count, channel.axes)
    yield Block(channel, 0, rng.standard_normal(shape), channel.rate_hz)
