"""Where trees are worth growing: the pairs of features that a machine leaves empty in places where a distance takes it to be."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

INNER = (0.01, 0.99)
"""Quantiles between which a feature is looked at; what is beyond them is for other views."""
CELLS = 8
"""The grid, in each of two features, in which it is asked where the machine never was,"""
MOST_ROWS = 500
"""of so many rows."""
EMPTY = 0.15
"""Share of a pair's ellipse in which the machine never was, from which that is worth trees: of an ellipse that is full it is below 0.1."""
MOST_PAIRS, MOST_OF_ONE = 16, 3
"""Pairs that are worth it, and those of them that one feature is in."""
MOST_ALIKE = 0.999
"""Two features are never taken to be one. The ellipse is as slim as they are alike; what is beside it is for the distance."""
LEVELS = 16
"""Different readings that a feature has at least, by the effective number (Hill 1973): rare ones count less."""


def hollow_pairs(x: Floats) -> list[list[int]]:
    """The pairs of the columns of (rows, features) that are emptiest, without columns whose readings are coarse."""
    fine = np.flatnonzero([_fine(column) for column in x.T])
    if len(fine) < 2:
        return []
    chosen: list[list[int]] = []
    often = [0] * len(fine)
    for share, *pair in empty_pairs(x[:: -(-len(x) // MOST_ROWS), fine]):
        if share < EMPTY or len(chosen) == MOST_PAIRS:
            break
        if max(often[column] for column in pair) < MOST_OF_ONE:
            chosen.append(fine[pair].tolist())
            for column in pair:
                often[column] += 1
    return chosen


def empty_pairs(x: Floats) -> list[tuple[float, int, int]]:
    """Pairs of the columns of (rows, features) and how much of the ellipse that a pair is taken for is empty; most first.

    The mass of a normal distribution of the same covariance in those cells of a grid in which no row is, nor rows on both
    sides.

    >>> rng = np.random.default_rng(0)
    >>> high = np.repeat(rng.integers(0, 2, 60), 10)
    >>> modes, noise = 10.0 * high[:, None] + rng.standard_normal((600, 2)), rng.standard_normal((600, 2))
    >>> [(share > EMPTY, pair) for share, *pair in empty_pairs(np.hstack([modes, noise]))][::5]
    [(True, [0, 1]), (False, [2, 3])]
    """
    low, high = np.quantile(x, INNER, axis=0)
    left, right = np.triu_indices(x.shape[1], 1)
    moving = (high > low)[left] & (high > low)[right]
    left, right = left[moving], right[moving]
    unit = np.clip((x - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    cell = np.minimum((unit * CELLS).astype(np.intp), CELLS - 1)
    # The counts of all pairs of cells are one product.
    within = (cell[:, :, None] == np.arange(CELLS)).reshape(len(x), -1).astype(np.float32)
    together = (within.T @ within).reshape(x.shape[1], CELLS, x.shape[1], CELLS)[left, :, right]
    deviation = np.maximum(unit.std(axis=0), 1e-6)
    standard = (unit - unit.mean(axis=0)) / deviation
    correlation = MOST_ALIKE * (standard.T @ standard / len(x))[left, right][:, None, None]
    middles = ((np.arange(CELLS) + 0.5) / CELLS - unit.mean(axis=0)[:, None]) / deviation[:, None]
    a, b = middles[left][:, :, None], middles[right][:, None, :]
    mass = np.exp(-0.5 * (a * a - 2.0 * correlation * a * b + b * b) / (1.0 - correlation**2))
    shares = (mass * _empty(together > 0)).sum(axis=(1, 2)) / np.maximum(mass.sum(axis=(1, 2)), 1e-12)
    found = zip(shares.tolist(), left.tolist(), right.tolist(), strict=True)
    return sorted(found, key=lambda pair: (-pair[0], *pair[1:]))


def _empty(there: Bools) -> Bools:
    """Of (pairs, cells, cells): where nothing is, nor on two opposite sides of it."""
    framed = np.pad(there, ((0, 0), (1, 1), (1, 1)))
    filled = there
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        side, other = (
            framed[:, 1 + sign * down : CELLS + 1 + sign * down, 1 + sign * across : CELLS + 1 + sign * across]
            for sign in (1, -1)
        )
        filled = filled | (side & other)
    return ~filled


def _fine(values: Floats) -> bool:
    """Whether a feature has enough levels: between those of a coarse reading nothing ever is."""
    _, counts = np.unique(values, return_counts=True)
    return float(len(values)) ** 2 >= LEVELS * float(np.square(counts, dtype=np.float64).sum())
