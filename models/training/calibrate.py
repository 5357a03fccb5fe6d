"""From scores to honest confidence: a temperature, and the least confidence per label by what mistakes cost."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.quality.card import GOOD

SOLD: Final = 2.0
"""Cost of a defective piece that is sold, in units of a good one that is thrown away."""
WASTED: Final = 1.0
"""Cost of a good piece that is rejected."""
LOOKED_AT: Final = 0.4
"""Cost of a piece that a person must look at."""


def temperature(log_probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature with the least cross entropy, from 0.25 to 4 (Guo et al. 2017).

    Args:
        log_probabilities: (n, labels) at temperature 1.
        labels: (n,) what they are.
    """

    def entropy(value: float) -> float:
        scaled = log_probabilities / value
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        norm = np.log(np.exp(scaled).sum(axis=1))
        return float((norm - scaled[np.arange(len(labels)), labels]).mean())

    steps = np.geomspace(0.25, 4.0, 81)
    return float(steps[int(np.argmin([entropy(float(step)) for step in steps]))])


def thresholds(labels: tuple[str, ...]) -> dict[str, float]:
    """Least confidence per label: below it, a person's look costs less than the mistake that is to be expected.

    A wrong verdict `good` costs `SOLD`, a wrong `reject` costs `WASTED`; at confidence p the expected cost is (1 - p) times
    that, and it exceeds `LOOKED_AT` where p is below 1 - LOOKED_AT / cost.

    >>> thresholds(("good", "burnt"))
    {'good': 0.8, 'burnt': 0.6}
    """
    return {label: round(1.0 - LOOKED_AT / (SOLD if label == GOOD else WASTED), 3) for label in labels}
