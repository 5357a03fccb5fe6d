"""One channel of a sensor, checked tick by tick."""

from collections.abc import Sequence

import numpy as np

from edge.checks import ChannelCheck
from edge.sensors.base import Block, Channel, Fault

SECOND = 1_000_000_000


class Feed:
    """One channel, one tick a second."""

    def __init__(self, channel: Channel, seed: int = 0) -> None:
        self.channel = channel
        self.check = ChannelCheck(channel)
        self.now_ns = 10**12
        self.rng = np.random.default_rng(seed)

    def tick(self, values: Sequence[float] | np.ndarray | None, **extra: object) -> list[Block]:
        self.now_ns += SECOND
        blocks = []
        if values is not None:
            array = np.asarray(values, dtype=np.float64)
            blocks.append(Block(self.channel, self.now_ns, array, self.channel.rate_hz, **extra))  # type: ignore[arg-type]  # lost, faults
        return self.check.look(self.now_ns, blocks)

    def noisy(self, ticks: int, level: float = 200.0) -> None:
        for _ in range(ticks):
            assert self.tick([level + float(self.rng.standard_normal())])
            assert self.fault is None

    @property
    def fault(self) -> Fault | None:
        return self.check.fault[0] if self.check.fault else None
