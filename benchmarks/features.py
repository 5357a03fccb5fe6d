"""What the features of a block cost, in real FFTs of the same block: `python -m benchmarks.features [--json]`.

A machine with a shaft, some noise and knocks is heard for a while, block after block as on a node, so that looking for the running speed now
and then is in it. Measured is processor time of this thread, the least of several rounds, each round beside the FFTs that it is
compared with. Exit code 1 when a block costs more than eight of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.bearing import Bearing
from models.condition.features import Features, Found

Floats: TypeAlias = NDArray[np.float64]

MOST = 8.0
BLOCKS = 120
ROUNDS = 15
SPEED_HZ = 24.7
MAINS_HZ = 50.0
BEARING = Bearing(9, 7.94, 39.04)


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of block."""

    quantity: str
    samples: int
    rate_hz: float
    axes: int = 3


CASES = (
    Case("vibration", 2000, 20_000.0),
    Case("vibration", 3200, 3200.0),
    Case("vibration", 3200, 25_600.0),
    Case("vibration", 800, 800.0),
    Case("current", 256, 3200.0),
    Case("current", 1000, 1000.0),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Microseconds a block, and how many FFTs that is."""

    quantity: str
    shape: str
    rate_hz: float
    features: int
    fft_us: float
    block_us: float
    ratio: float


def measure(case: Case) -> Measured:
    """The cost of one kind of block in a running stream."""
    blocks = _wave(case)
    features = Features(bearing=BEARING)
    clock_s = 0.0

    def take(block: Floats) -> Found:
        nonlocal clock_s
        clock_s += len(block) / case.rate_hz
        if case.quantity == "current":
            return features.current(block, case.rate_hz, "A", start_s=clock_s)
        return features.vibration(block, case.rate_hz, "g", channel="vibration", start_s=clock_s)

    def transform(block: Floats) -> object:
        return np.fft.rfft(block, axis=0)

    for block in blocks:
        found = take(block)
    fft_s, block_s = math.inf, math.inf
    for _ in range(ROUNDS):
        fft_s = min(fft_s, _seconds(transform, blocks))
        block_s = min(block_s, _seconds(take, blocks))
    return Measured(
        case.quantity,
        f"{case.samples}x{case.axes}",
        case.rate_hz,
        len(found.values),
        round(fft_s * 1e6, 1),
        round(block_s * 1e6, 1),
        round(block_s / fft_s, 2),
    )


def _seconds(each: Callable[[Floats], object], blocks: Sequence[Floats]) -> float:
    gc.disable()
    started = time.thread_time()
    for block in blocks:
        each(block)
    seconds = (time.thread_time() - started) / len(blocks)
    gc.enable()
    return seconds


def _wave(case: Case) -> list[Floats]:
    rng = np.random.default_rng(1)
    t = np.arange(case.samples * BLOCKS) / case.rate_hz
    noise = 0.05 * rng.standard_normal((len(t), case.axes))
    if case.quantity == "current":
        phase = 2 * math.pi * np.arange(case.axes) / case.axes
        wave = 5.0 * np.sin(2 * math.pi * MAINS_HZ * t[:, None] - phase) + noise
    else:
        knocks = 0.3 * (np.modf(t * BEARING.lines(SPEED_HZ)["bpfo"])[0] < 0.02)
        orders = np.arange(1, 7)[:, None]
        shaft = (np.sin(2 * math.pi * orders * SPEED_HZ * t + orders) / orders**2).sum(axis=0)
        wave = noise * (1.0 + 20.0 * knocks[:, None]) + shaft[:, None] * np.linspace(0.2, 0.1, case.axes)
    return [np.ascontiguousarray(wave[k : k + case.samples]) for k in range(0, len(wave), case.samples)]


def main() -> int:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--json", action="store_true", help="only one JSON object")
    options = parser.parse_args()
    rows = [measure(case) for case in CASES]
    if options.json:
        print(json.dumps({"blocks": [asdict(row) for row in rows], "most": MOST}))
    else:
        print(f"{'block':>22} {'rate':>9} {'features':>9} {'rfft us':>9} {'all us':>9} {'ratio':>7}")
        for row in rows:
            name = f"{row.quantity} {row.shape}"
            print(f"{name:>22} {row.rate_hz:9g} {row.features:9} {row.fft_us:9} {row.block_us:9} {row.ratio:7}")
    return 1 if any(row.ratio > MOST for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
