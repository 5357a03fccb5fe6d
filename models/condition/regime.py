"""What the machine is doing: off, idle, loaded … learned from its own current, power, speed or vibration; else from temperatures.

A driver is the mean of all features of one quantity and unit: three phases tell together whether the machine is on, and one
of them alone that drops out is a fault and no regime. A regime is a leaf of a small tree of thresholds, each at the gap
of a two-cluster split (Otsu 1979) of one driver.
Unimodal data stays one regime: the best split of a Gaussian has its means 2.7 within-cluster deviations apart, that of
a uniform distribution 3.5, a split counts from 6 on. A regime is *new* where every driver lies far outside what was
ever seen, in the same direction: a machine switched off or on. A fault changes some of them, or all of them by less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.contract import FeatureInfo
from models.condition.warmth import NAMES, Warmth, is_level

Floats: TypeAlias = NDArray[np.float64]

ELECTRICAL = ("current", "power", "speed")
MAX_REGIMES = 6
SEPARATION = 6.0
"""Distance of two clusters' means in within-cluster deviations from which they are two regimes."""
RARE, RARE_SEPARATION = 8, 60.0
"""Least rows of a regime, and the separation from which so few are one though they are less than a twenty-fifth of all."""
CONTRAST = 0.25
"""And as a share of the larger mean: regimes differ a lot, or they are not worth telling apart."""
AGREEMENT = 0.9
"""Share of the samples that another driver must part alike to stand in for one that is missing."""
MAJORITY = 2
"""So many other drivers overrule one."""
NEW_FACTOR = 3.0
"""Every driver this many times above the highest or below the lowest ever seen: a regime not met before."""
OFF_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """Below `threshold` of `driver` go to `low`, the rest to `high`: leaf numbers, or further splits."""

    driver: str
    threshold: float
    low: Split | int
    high: Split | int
    stand_ins: tuple[tuple[str, float], ...] = ()
    """Other drivers that part the same samples at a threshold of theirs, best first, for when the driver is not measured
    (surrogate splits: Breiman et al., Classification and regression trees, 1984, section 5.3)."""


@dataclass(frozen=True, slots=True)
class Range:
    """What a driver was seen to do: 1st and 99th percentile, and whether it may also mean a new regime upwards."""

    low: float
    high: float
    upwards: bool


class Regimes:
    """The tree of one machine. Built by `fit`; `assign` is what runs on every sample."""

    def __init__(
        self,
        root: Split | int = 0,
        names: Sequence[str] = ("running",),
        ranges: Mapping[str, Range] | None = None,
        drivers: Mapping[str, Sequence[str]] | None = None,
        warmth: Warmth | None = None,
    ) -> None:
        self.names = tuple(names) if warmth is None else NAMES
        self.warmth = warmth
        self._root = root
        self._ranges = dict(ranges or {})
        self._drivers = {name: tuple(members) for name, members in (drivers or {}).items()}
        # Without a split only the ranges ask.
        splits = isinstance(root, Split)
        self._asked = {name: members for name, members in self._drivers.items() if splits or name in self._ranges}

    @classmethod
    def fit(
        cls, table: Floats, names: Sequence[str], info: Mapping[str, FeatureInfo], before: Regimes | None = None
    ) -> Regimes:
        """Learns the regimes from (rows, features).

        `before` stays where it tells more regimes apart, some of which the table has lost: an hour each morning may fall out of a memory of
        weeks, and is no less a regime.
        """
        warmth = Warmth.fit(table, names, info, before.warmth if before is not None else None)
        if warmth is not None:
            return cls(warmth=warmth)
        drivers = drivers_of(names, info)
        columns = {name: _mean(table, names, members) for name, members in drivers.items()}
        leaves: list[NDArray[np.intp]] = []
        witnesses = {**vibration_of(names, info), **drivers}
        root = _grow(
            columns,
            np.arange(len(table)),
            leaves,
            {name: _mean(table, names, members) for name, members in witnesses.items()},
        )
        ranges = {
            name: _range(finite, upwards=info[drivers[name][0]].quantity in ELECTRICAL)
            for name, column in columns.items()
            if len(finite := column[np.isfinite(column)]) >= 3 and info[drivers[name][0]].quantity != "state"
        }
        if before is not None and before.warmth is None and len(before.names) > len(leaves):
            counts = np.bincount(before.leaves(table, names), minlength=len(before.names))
            if (counts < RARE).any():
                return before
        return cls(root, _names(columns, leaves), ranges, witnesses)

    def assign(self, values: Mapping[str, float]) -> tuple[int, bool, str]:
        """Leaf number, whether it was met before, and the regime's name for this sample, the next in time."""
        if self.warmth is not None:
            return self.warmth.assign(values)
        levels: dict[str, float] = {}
        for name, members in self._asked.items():
            try:
                present = [*map(values.__getitem__, members)]
            except KeyError:
                present = [values[member] for member in members if member in values]
            if present:
                levels[name] = sum(present) / len(present)
        direction = self._strange(levels)
        if direction:
            return (-1, False, "off") if direction < 0 else (-2, False, "new")
        node = self._root
        while isinstance(node, Split):
            votes = [levels[name] < at for name, at in node.stand_ins if name in levels]
            if node.driver in levels:
                # The driver knows best, unless it is alone with what it says: then its sensor or its coupling is broken.
                own = levels[node.driver] < node.threshold
                votes = [not own] if len(votes) >= MAJORITY and own not in votes else [own]
            node = node.low if not votes or 2 * sum(votes) >= len(votes) else node.high
        return node, True, self.names[node]

    def leaves(self, table: Floats, names: Sequence[str]) -> NDArray[np.intp]:
        """Leaf numbers of (rows, features), in time order."""
        if self.warmth is not None:
            return self.warmth.leaves(table, names)
        result = np.zeros(len(table), dtype=np.intp)
        self._descend(self._root, np.arange(len(table)), table, names, result)
        return result

    def judged(self, leaf: int, names: Sequence[str], info: Mapping[str, FeatureInfo]) -> NDArray[np.bool_]:
        """(features,) whether a feature says anything in this regime."""
        idle = self.warmth is not None and leaf in self.warmth.idle
        return np.array(
            [info[n].quantity != "state" and not (idle and is_level(n, info[n])) for n in names], dtype=bool
        )

    def apart(self, vectors: Sequence[Floats], names: Sequence[str]) -> dict[str, list[Floats]]:
        """Vectors, in time order, by the names of their regimes; what the machine does now stays as it is."""
        grouped: dict[str, list[Floats]] = {}
        if self.warmth is not None:
            table = np.array([np.append(vector, np.full(len(names) - len(vector), np.nan)) for vector in vectors])
            for leaf, vector in zip(self.leaves(table, names), vectors, strict=True):
                grouped.setdefault(self.names[leaf], []).append(vector)
            return grouped
        for vector in vectors:
            values = {name: float(value) for name, value in zip(names, vector, strict=False) if np.isfinite(value)}
            grouped.setdefault(self.assign(values)[2], []).append(vector)
        return grouped

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        if self.warmth is not None:
            return {"warmth": self.warmth.state()}
        return {
            "names": list(self.names),
            "root": _split_state(self._root),
            "ranges": {name: [entry.low, entry.high, entry.upwards] for name, entry in self._ranges.items()},
            "drivers": {name: list(members) for name, members in self._drivers.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Regimes:
        """From a snapshot."""
        if "warmth" in state:
            return cls(warmth=Warmth.from_state(state["warmth"]))
        ranges = {str(k): Range(float(v[0]), float(v[1]), bool(v[2])) for k, v in state["ranges"].items()}
        drivers = {str(k): [str(member) for member in v] for k, v in state["drivers"].items()}
        return cls(_split_from(state["root"]), [str(name) for name in state["names"]], ranges, drivers)

    def _strange(self, levels: Mapping[str, float]) -> int:
        directions = set()
        for name, seen in self._ranges.items():
            value = levels.get(name)
            if value is None:
                continue
            below = seen.low > OFF_SHARE * seen.high and value < seen.low - 3 * (seen.high - seen.low)
            if below and value < seen.low / NEW_FACTOR and (seen.upwards or value < seen.low * OFF_SHARE):
                directions.add(-1)
            elif seen.upwards and value > seen.high * NEW_FACTOR and value > seen.high + 5 * (seen.high - seen.low):
                directions.add(1)
            else:
                return 0
        return directions.pop() if len(directions) == 1 else 0

    def _descend(
        self, node: Split | int, rows: NDArray[np.intp], table: Floats, names: Sequence[str], result: NDArray[np.intp]
    ) -> None:
        if isinstance(node, int):
            result[rows] = node
            return
        low = np.ones(len(rows), dtype=bool)
        for driver, threshold in reversed(((node.driver, node.threshold), *node.stand_ins)):
            level = _mean(table[rows], names, self._drivers[driver])
            low = np.where(np.isfinite(level), level < threshold, low)
        self._descend(node.low, rows[low], table, names, result)
        self._descend(node.high, rows[~low], table, names, result)


def drivers_of(names: Sequence[str], info: Mapping[str, FeatureInfo]) -> dict[str, list[str]]:
    """What tells what the machine is doing: electrical quantities and states, else the vibration's RMS; with its features.

    Shares in percent (unbalance, harmonics) and rates of change are no drivers.
    """
    drivers: dict[str, list[str]] = {}
    for name in names:
        known = info.get(name)
        if known is None:
            continue
        if known.quantity == "state":
            drivers[name] = [name]
        elif known.quantity in ELECTRICAL and known.unit != "%":
            drivers.setdefault(f"{known.quantity} {known.unit}", []).append(name)
    return drivers or vibration_of(names, info)


def vibration_of(names: Sequence[str], info: Mapping[str, FeatureInfo]) -> dict[str, list[str]]:
    """The driver that every machine with an accelerometer has: its vibration's RMS."""
    members = [n for n in names if n in info and info[n].quantity == "vibration" and n.endswith(".rms")]
    return {"vibration": members} if members else {}


def settled_rows(leaves: NDArray[np.intp], leaf: int) -> NDArray[np.bool_]:
    """Rows of a regime without the first and the last of each visit, unless that leaves too few."""
    inside = leaves == leaf
    settled: NDArray[np.bool_] = inside & np.concatenate(([False], inside[:-1])) & np.concatenate((inside[1:], [True]))
    return settled if settled.sum() >= max(8, 0.6 * inside.sum()) else inside


def _mean(table: Floats, names: Sequence[str], members: Sequence[str]) -> Floats:
    """The mean of what is present of a driver's features, per row; NaN where nothing is."""
    columns = table[:, [names.index(member) for member in members]]
    present = np.isfinite(columns)
    count = present.sum(axis=1)
    total = np.where(present, columns, 0.0).sum(axis=1)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _range(values: Floats, *, upwards: bool) -> Range:
    low, high = np.quantile(values, (0.01, 0.99))
    return Range(float(low), float(high), upwards)


def _grow(
    columns: Mapping[str, Floats],
    rows: NDArray[np.intp],
    leaves: list[NDArray[np.intp]],
    witnesses: Mapping[str, Floats],
) -> Split | int:
    best: tuple[float, str, float] | None = None
    if len(leaves) < MAX_REGIMES - 1:
        for name, column in columns.items():
            found = two_clusters(column[rows])
            if found and (best is None or found[0] > best[0]):
                best = (found[0], name, found[1])
    if best is None:
        leaves.append(rows)
        return len(leaves) - 1
    _, name, threshold = best
    low = ~(columns[name][rows] >= threshold)
    stand_ins = _stand_ins({other: column[rows] for other, column in witnesses.items() if other != name}, low)
    return Split(
        name,
        threshold,
        _grow(columns, rows[low], leaves, witnesses),
        _grow(columns, rows[~low], leaves, witnesses),
        stand_ins,
    )


def _stand_ins(columns: Mapping[str, Floats], low: NDArray[np.bool_]) -> tuple[tuple[str, float], ...]:
    """Columns that part the rows alike, with their thresholds, best first."""
    found: list[tuple[float, str, float]] = []
    for name, column in columns.items():
        known = np.isfinite(column)
        if not (known & low).any() or not (known & ~low).any():
            continue
        middles = float(np.median(column[known & low])), float(np.median(column[known & ~low]))
        threshold = sum(middles) / 2
        agreement = float(((column < threshold) == low)[known].mean())
        if middles[0] < middles[1] and agreement >= AGREEMENT:
            found.append((agreement, name, threshold))
    return tuple((name, threshold) for _, name, threshold in sorted(found, reverse=True))


def two_clusters(values: Floats) -> tuple[float, float] | None:
    """Separation and threshold of the best two-cluster split, or None where the values are one cluster.

    >>> two_clusters(np.random.default_rng(0).normal(5, 1, 500)) is None
    True
    >>> two_clusters(np.array([0.0, 0.1] * 20 + [8.0, 8.2] * 20))[1] > 1
    True
    """
    ordered = np.sort(values[np.isfinite(values)])
    count = len(ordered)
    common = max(RARE, min(count // 25, 40))
    if count < 2 * RARE or ordered[0] == ordered[-1]:
        return None
    found = _best_cut(ordered, RARE)
    # Few rows are a regime of their own only where nothing lies between them and the rest: a morning's heating in a week of nights.
    if found is not None and (min(found[2], count - found[2]) >= common or found[0] >= RARE_SEPARATION):
        return found[:2]
    found = _best_cut(ordered, common) if count >= 2 * common else None
    return found[:2] if found is not None else None


def _best_cut(ordered: Floats, least: int) -> tuple[float, float, int] | None:
    """Separation, threshold, and how many lie below it, of the best cut with `least` on either side."""
    count = len(ordered)
    total = np.cumsum(ordered)
    below = np.arange(1, count)
    mean_low = total[:-1] / below
    mean_high = (total[-1] - total[:-1]) / (count - below)
    between = below * (count - below) * (mean_high - mean_low) ** 2
    cut = int(np.argmax(between[least - 1 : count - least])) + least - 1
    low, high = ordered[: cut + 1], ordered[cut + 1 :]
    middle_low, middle_high = float(np.median(low)), float(np.median(high))
    contrast = middle_high - middle_low
    spread = max(_spread(low, middle_low), _spread(high, middle_high), 1e-9 * abs(middle_high), 1e-12)
    if contrast < CONTRAST * max(abs(middle_low), abs(middle_high)) or contrast < SEPARATION * spread:
        return None
    return contrast / spread, (middle_low + middle_high) / 2, cut + 1


def _spread(values: Floats, middle: float) -> float:
    # Between a robust and a plain deviation: transitions between two states must not hide that there are two.
    return 1.4826 * float(np.quantile(np.abs(values - middle), 0.7)) / 1.54


def _share(part: Floats, column: Floats) -> float:
    """How high the middle of a part lies in what a driver reaches; 0 where it was absent."""
    part = part[np.isfinite(part)]
    return float(np.median(part)) / max(float(np.nanmax(np.abs(column))), 1e-12) if len(part) else 0.0


def _names(columns: Mapping[str, Floats], leaves: list[NDArray[np.intp]]) -> list[str]:
    if len(leaves) == 1:
        return ["running"]
    levels = []
    for rows in leaves:
        parts = [_share(column[rows], column) for column in columns.values()]
        levels.append(sum(parts) / max(len(parts), 1))
    order = sorted(range(len(leaves)), key=levels.__getitem__)
    names = [""] * len(leaves)
    for rank, leaf in enumerate(order):
        if rank == 0 and levels[leaf] < OFF_SHARE * levels[order[-1]]:
            names[leaf] = "off"
        elif len(leaves) == 2:
            names[leaf] = "on" if names[order[0]] == "off" else ("low", "high")[rank]
        else:
            names[leaf] = f"level-{rank}"
    return names


def _split_state(node: Split | int) -> Any:
    if isinstance(node, int):
        return node
    stand_ins = [[name, threshold] for name, threshold in node.stand_ins]
    return [node.driver, node.threshold, _split_state(node.low), _split_state(node.high), stand_ins]


def _split_from(state: Any) -> Split | int:
    if isinstance(state, int):
        return state
    driver, threshold, low, high, *stand_ins = state
    others = tuple((str(name), float(at)) for name, at in (stand_ins[0] if stand_ins else ()))
    return Split(str(driver), float(threshold), _split_from(low), _split_from(high), others)
