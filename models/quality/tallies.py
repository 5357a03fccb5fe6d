"""What is counted of goods: moments of a measure, and a share with its interval. Pure."""

from __future__ import annotations

import math

import msgspec

Z_95 = 1.959964
"""Two-sided 95 % of the normal distribution."""


class Moments(msgspec.Struct):
    """Count, mean and sum of squared departures, one value at a time.

    Welford, Note on a method for calculating corrected sums of squares and products, Technometrics 4, 1962.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Takes a finite value."""
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.squares += before * (value - self.mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of the sample, 0 below two values."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0


def wilson(hits: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Interval of a share.

    Wilson, Probable inference, the law of succession, and statistical inference, J. Am. Stat. Assoc. 22, 1927: unlike the
    usual one it holds for few items and for none bad.

    Args:
        hits: 0 to count.
        count: 0 gives all that is possible, (0, 1).
        z: quantile of the normal distribution.

    >>> [round(end, 3) for end in wilson(0, 20)], [round(end, 3) for end in wilson(2, 20)]
    ([0.0, 0.161], [0.028, 0.301])
    """
    if not 0 <= hits <= count:
        raise ValueError(f"{hits} of {count}")
    if count == 0:
        return 0.0, 1.0
    share, squared = hits / count, z * z
    centre = share + squared / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + squared / (4 * count * count))
    below = 1 + squared / count
    return max(0.0, (centre - half) / below), min(1.0, (centre + half) / below)
