"""Small groups of half-space trees: how rarely a machine was where it is now, in two of its features at a time.

A distance takes the healthy samples for an ellipse, and a tail sees one feature at a time. Neither sees a sample in the midst of
both where the machine never is: between two modes of its normal, inside a cycle, one part in one mode while another is in the
other. Half-space trees (Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011) count how often each part of a space
was visited, which each tree halves again and again along features in turn, in a range of its own. They are grown where there is
something to see: in the pairs of features whose ellipse is empty in places (`models.condition.hollows`).

All halvings of a level are along one feature here (oblivious trees: Kohavi and Li, Oblivious decision trees, graphs, and top-down
pruning, IJCAI 1995), so leaves are read off the features without a walk, of all trees at once. What is told is a surprise: minus the
logarithm of the leaf's share of the healthy samples, as a mean over a group's trees, over what is usual. It is smoothed, as one odd
sample is on its way from one mode to the other. Its limit is that of the same over each fifth of the healthy samples by trees that saw the
other four only (`models.condition.limit`): where a machine's levels wander, and it comes to new places all the time, that is
more than a group could ever say, and it is given up.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river.base import AnomalyDetector

from models.condition.hollows import INNER, hollow_pairs
from models.condition.learning import LEAST_MEMORY, LEAST_RECORD
from models.condition.limit import tail_limits
from models.condition.reach import effective_samples
from models.condition.smoothing import memory_of

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.intp]

TREES, DEPTH = 6, 6
"""Of a group; a tree has 2 ** DEPTH leaves."""
HALVINGS = (2, 3, 4)
"""Levels of a tree that may go to the first feature of its pair; the others go to the second."""
LEAVES = 1 << DEPTH
MOSTLY = 0.95
"""Share of the samples that a feature has to be in."""
MOST_GROUPS = 12
LEAST_ROWS = 200
"""Healthy samples, without which an empty leaf says nothing."""
FADING = 0.15
"""Weight of a new surprise in the smoothed one: a memory of about 12 samples."""
FOLDS = 5
ABSENT = 0.5
"""Visits that each leaf is granted beforehand (Krichevsky and Trofimov 1981)."""
LEAST, REACHABLE = 0.25, 0.9
"""Limits as shares of what a group says where it never was: a smaller one is lifted, a larger one is out of reach."""
WINDOW = 400
"""Samples after which an estimator by itself counts anew."""


class Grown(NamedTuple):
    """Groups and what they have counted; arrays over groups."""

    pairs: Integers
    """(groups, 2) columns."""
    low: Floats
    """(groups, 2) where their ranges begin,"""
    width: Floats
    """and how wide these are."""
    counts: Integers
    """(groups * TREES * LEAVES,) healthy samples in each leaf."""
    rows: int
    usual: Floats
    """The mean surprise of a healthy sample."""
    limit: Floats
    """Of the smoothed surprise over that."""


class Trees(AnomalyDetector):
    """The trees of one normal.

    A River anomaly detector over named features: `learn_one` counts in windows, as the paper does, `score_one` is the multiple of the limit.
    The normal calls `fit` and `score` with vectors; it learns what it remembers, so nothing while alarmed.

    Args:
        budget: probability of a false excess per sample, for the limits.
    """

    def __init__(self, budget: float = 4e-7) -> None:
        self.budget = budget
        self._grown: Grown | None = None
        self._smooth = np.zeros(0)
        self._before = self._smooth
        self._names: list[str] = []
        self._window: list[dict[Any, Any]] = []

    def __len__(self) -> int:
        return len(self._smooth)

    def fit(self, x: Floats) -> None:
        """Learns from (rows, features) in time order, NaN where absent."""
        self._set(_grown(x, self.budget))

    def score(self, x: Floats, *, complete: bool = True) -> float:
        """Takes the next sample; the multiple of a limit of the group that is most surprised.

        Args:
            x: (features,).
            complete: nothing is absent from it. A group's surprise fades where one of its features is.
        """
        if self._grown is None:
            return 0.0
        self._before = self._smooth
        self._smooth = self._next(x, self._grown, complete=complete)
        return self.ratio

    @property
    def ratio(self) -> float:
        """The largest multiple of a limit as of the last sample, 0 and up."""
        return max(float(np.maximum.reduce(self._smooth * self._inverse)), 0.0) if len(self) else 0.0

    def telling(self, x: Floats) -> list[tuple[int, float]]:
        """Of the group that the last sample surprised beyond its limit: its columns, and where they usually are nearest to it."""
        grown = self._grown
        if grown is None or self.ratio <= 1.0:
            return []
        group = int(np.argmax(self._smooth * self._inverse))
        counts = grown.counts.reshape(len(self), TREES, LEAVES)[group, 0]
        usual = counts >= min(float(counts.max()), grown.rows * float(np.exp(-grown.usual[group])))
        places = self._halved.middles(group * TREES)[usual]
        columns = grown.pairs[group]
        away = np.square((places - x[columns]) / grown.width[group]).sum(axis=1)
        nearest: list[float] = places[int(np.argmin(away))].tolist()
        return list(zip(columns.tolist(), nearest, strict=True))

    def take_back(self) -> None:
        """The last sample was not of this normal."""
        self._smooth = self._before

    def settle(self) -> None:
        """Forgets what was surprising."""
        self._smooth = self._before = np.zeros(len(self))

    def accept(self, x: Floats) -> None:
        """(rows, features) that a person called normal: they are taken to be as usual as anything."""
        if self._grown is None:
            return
        known = x[np.isfinite(x[:, self._grown.pairs]).all(axis=(1, 2))]
        usual = np.repeat(np.exp(-self._grown.usual) * self._grown.rows, TREES).astype(np.intp) + 1
        counts = self._grown.counts
        for leaves in self._halved.leaves(known):
            counts[leaves] = np.maximum(counts[leaves], usual)
        self._surprises = _surprises(self._grown.counts, self._grown.rows)
        self.settle()

    def inherit(self, older: Trees) -> None:
        """Goes on with the surprise of older trees, in the groups that these have too."""
        if self._grown is None or older._grown is None:
            return
        before = dict(zip(map(tuple, older._grown.pairs.tolist()), older._smooth.tolist(), strict=True))
        self._smooth = np.array([before.get(tuple(pair), 0.0) for pair in self._grown.pairs.tolist()])
        self._before = self._smooth

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Counts a sample; a window of them replaces the one before it. What is above the limit is no part of it."""
        if self._grown is not None:
            seen = self._next(self._vector(x), self._grown, complete=False)
            if float(np.max(seen * self._inverse)) > 1.0:
                return
            self._smooth = seen
        self._window.append(dict(x))
        if len(self._window) >= WINDOW:
            window, self._window = self._window, []
            self._names = list(dict.fromkeys(name for row in window for name in row))
            self.fit(np.array([self._vector(row) for row in window]))

    def score_one(self, x: dict[Any, Any]) -> float:
        """Multiple of the limit that this sample would have if it came next; 0 before the first window is full."""
        if not len(self):
            return 0.0
        seen = copy.copy(self)
        return seen.score(self._vector(x), complete=False)

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        if self._grown is None:
            return {"grown": None}
        grown = {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in self._grown._asdict().items()
        }
        return {"grown": grown, "smooth": self._smooth.tolist(), "before": self._before.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], budget: float) -> Trees:
        """From a snapshot."""
        trees = cls(budget)
        if (grown := state["grown"]) is not None:
            low, width, usual, limit = (np.array(grown[key]) for key in ("low", "width", "usual", "limit"))
            pairs, counts = (np.array(grown[key], dtype=np.intp) for key in ("pairs", "counts"))
            trees._set(Grown(pairs, low, width, counts, int(grown["rows"]), usual, limit))
            trees._smooth, trees._before = (np.array(state[key], dtype=np.float64) for key in ("smooth", "before"))
        return trees

    def _set(self, grown: Grown | None) -> None:
        self._grown = grown
        self._smooth = self._before = np.zeros(0 if grown is None else len(grown.pairs))
        if grown is not None:
            self._halved = _Halved(grown.pairs, grown.low, grown.width)
            self._inverse = 1.0 / grown.limit
            self._surprises = _surprises(grown.counts, grown.rows)

    def _next(self, x: Floats, grown: Grown, *, complete: bool) -> Floats:
        """The smoothed surprises after one more sample."""
        there = None if complete else np.isfinite(x)
        leaves = self._halved.leaves(x if there is None else np.where(there, x, 0.0))
        surprise: Floats = np.add.reduce(self._surprises[leaves].reshape(-1, TREES), axis=1)
        surprise /= TREES
        surprise -= grown.usual
        if there is not None:
            surprise *= there[grown.pairs].all(axis=1)
        surprise -= self._smooth
        surprise *= FADING
        surprise += self._smooth
        return surprise

    def _vector(self, x: Mapping[Any, Any]) -> Floats:
        return np.array([x.get(name, np.nan) for name in self._names], dtype=np.float64)


class _Halved:
    """Where each tree halves its pair, and so which leaf a sample is in."""

    def __init__(self, pairs: Integers, low: Floats, width: Floats) -> None:
        # The same trees in every group, on every computer and in every version.
        chance = Random(DEPTH)  # noqa: S311  # no secret
        first = np.array([HALVINGS[int(len(HALVINGS) * chance.random())] for _ in range(TREES)])
        parts = np.array([2.0**first, 2.0 ** (DEPTH - first)])
        # A range up to twice as wide, somewhere around that of the samples.
        wider = 1.0 + np.array([[chance.random() for _ in range(TREES)] for _ in parts])
        before = (wider - 1.0) * np.array([[chance.random() for _ in range(TREES)] for _ in parts])
        parts, wider, before = (np.tile(each, len(pairs)) for each in (parts, wider, before))
        begin, span, self._columns = (np.repeat(each.T, TREES, axis=1) for each in (low, width, pairs))
        self._scale = parts / (wider * span)
        self._offset = parts * before / wider - begin * self._scale
        self._most = parts - 1.0
        self._first = parts[0]
        self._begin = np.arange(len(self._first), dtype=np.float64) * LEAVES

    def leaves(self, x: Floats) -> Integers:
        """(..., groups * TREES) of finite (..., features): positions among all leaves of all trees."""
        part = x[..., self._columns]
        part *= self._scale
        part += self._offset
        np.minimum(np.maximum(part, 0.0, out=part), self._most, out=part)
        np.floor(part, out=part)
        leaf = part[..., 1, :] * self._first
        leaf += part[..., 0, :]
        leaf += self._begin
        leaves: Integers = leaf.astype(np.intp)
        return leaves

    def middles(self, tree: int) -> Floats:
        """(LEAVES, 2) where the leaves of a tree are in the middle."""
        first = int(self._first[tree])
        leaf = np.arange(LEAVES)
        part = np.column_stack([leaf % first, leaf // first]) + 0.5
        middles: Floats = (part - self._offset[:, tree]) / self._scale[:, tree]
        return middles


def _grown(x: Floats, budget: float) -> Grown | None:
    """Trees for (rows, features), NaN where absent; None where there is nothing that they would see."""
    # A feature that is mostly absent is for other views; a row without one of the others is left out.
    there = np.isfinite(x)
    columns = np.flatnonzero(there.mean(axis=0) >= MOSTLY) if len(x) else np.zeros(0, dtype=np.intp)
    x = x[there[:, columns].all(axis=1)]
    if len(x) < LEAST_ROWS:
        return None
    chosen = hollow_pairs(x[:, columns])
    if not chosen:
        return None
    pairs = columns[np.array(chosen)]
    low, high = np.quantile(x[:, pairs], INNER, axis=0)
    leaves = _Halved(pairs, low, high - low).leaves(x)
    fold = np.arange(len(x)) * FOLDS // len(x)
    size = leaves.shape[1] * LEAVES
    each = np.array([np.bincount(leaves[fold == k].ravel(), minlength=size) for k in range(FOLDS)])
    counts = each.sum(axis=0)
    surprise = np.vstack(
        [
            _surprises(counts - each[k], int((fold != k).sum()))[leaves[fold == k]]
            .reshape(-1, len(pairs), TREES)
            .mean(-1)
            for k in range(FOLDS)
        ]
    )
    usual = surprise.mean(axis=0)
    most = _surprises(np.zeros(1, dtype=np.intp), len(x)) - usual
    limit = _limits(surprise - usual, LEAST * most, budget / len(pairs))
    able = np.flatnonzero(limit < REACHABLE * most)[:MOST_GROUPS]
    if not len(able):
        return None
    kept = counts.reshape(len(pairs), -1)[able].ravel()
    return Grown(pairs[able], low[able], (high - low)[able], kept, len(x), usual[able], limit[able])


def _limits(excess: Floats, least: Floats, budget: float) -> Floats:
    """Of (rows, groups) of what surprises are above the usual, for the smoothed ones."""
    smoothed = FADING * excess
    for before, here in pairwise(smoothed):
        np.add(here, (1.0 - FADING) * before, out=here)
    np.maximum(smoothed, 0.0, out=smoothed)
    memory = memory_of(FADING)
    looks = np.minimum(effective_samples(excess), len(excess) / (memory / LEAST_MEMORY))
    return tail_limits(smoothed, memory, budget, least, np.maximum(looks, LEAST_RECORD))


def _surprises(counts: Integers, rows: int) -> Floats:
    """Of leaves that so many of the rows are in."""
    surprises: Floats = -np.log((counts + ABSENT) / (rows + ABSENT * LEAVES))
    return surprises
