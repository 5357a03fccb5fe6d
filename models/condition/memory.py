"""What a model keeps of its machine's healthy life: a bounded, evenly thinned table of feature vectors.

Everything learned can be rebuilt from it, so it is also what carries a model over a change of its own code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.snapshot import optional_numbers, with_nan

Floats: TypeAlias = NDArray[np.float64]

STRETCH = 64
"""Rows that are kept or thinned together: what follows each other is needed to know how slowly a machine changes. A memory of
few rows has shorter ones, so that it has some."""
STRETCHES = 8
MAX_FEATURES = 160
"""Columns; what has none is not scored. Four accelerometers of three axes have more features, but the bytes of a normal grow with
the square of its columns, and with so many they are half of a snapshot already."""
_DIGITS = 6


class Memory:
    """Healthy samples in time order; when full, every second stretch of them goes and half as many come in.

    Args:
        numbers: bound on rows times features.
        rows: bound on rows.
    """

    def __init__(self, numbers: int = 60_000, rows: int = 6_000) -> None:
        self.names: list[str] = []
        self.stride = 1
        self.offered = 0
        self._numbers = numbers
        self._rows = rows
        self._index: dict[str, int] = {}
        self._table: Floats = np.full((64, 0), np.nan)
        self._times: Floats = np.zeros(64)
        self._count = 0
        self._rounded = 0

    def __len__(self) -> int:
        return self._count

    @property
    def table(self) -> Floats:
        """(rows, features) in time order, NaN where a feature was absent; a view."""
        self._round()
        return self._table[: self._count]

    @property
    def times(self) -> Floats:
        """(rows,) seconds, monotonic; a view."""
        return self._times[: self._count]

    @property
    def capacity(self) -> int:
        """Rows it holds with its present features."""
        return max(60, min(self._rows, self._numbers // max(len(self.names), 1)))

    @property
    def stretch(self) -> int:
        """Rows that are kept or thinned together."""
        return max(1, min(STRETCH, self.capacity // STRETCHES))

    def register(self, names: Sequence[str]) -> None:
        """Adds columns for names not met before, up to `MAX_FEATURES`."""
        fresh = [name for name in names if name not in self._index][: MAX_FEATURES - len(self.names)]
        if fresh:
            for name in fresh:
                self._index[name] = len(self.names)
                self.names.append(name)
            self._table = np.hstack([self._table, np.full((len(self._table), len(fresh)), np.nan)])
            self._thin()

    def choose(self, names: Sequence[str]) -> None:
        """Keeps columns for these names, at most `MAX_FEATURES`; those of other names go to the ones that come in."""
        wanted = set(names)
        left = [place for place, name in enumerate(self.names) if name not in wanted]
        fresh = [name for name in names if name not in self._index]
        for place, name in zip(left, fresh, strict=False):
            del self._index[self.names[place]]
            self._index[name], self.names[place] = place, name
            self._table[:, place] = np.nan
        self.register(fresh)

    def position(self, name: str) -> int | None:
        """A feature's column."""
        return self._index.get(name)

    def add(self, time_s: float, vector: Floats) -> bool:
        """Offers one sample (may be shorter than the present columns); True where it was kept."""
        self.offered += 1
        if (self.offered - 1) // self.stretch % self.stride:
            return False
        if self._count == len(self._table):
            self._table = np.vstack([self._table, np.full_like(self._table, np.nan)])
            self._times = np.concatenate([self._times, np.zeros_like(self._times)])
        self._table[self._count] = np.nan
        self._table[self._count, : len(vector)] = vector
        self._times[self._count] = time_s
        self._count += 1
        self._thin()
        return True

    def clear(self) -> None:
        """Forgets all rows, keeps the columns."""
        self._count = self._rounded = 0
        self.offered = 0
        self.stride = 1

    def forget(self) -> None:
        """Forgets the columns too."""
        self.clear()
        self.names.clear()
        self._index.clear()
        self._table = np.full((64, 0), np.nan)
        self._times = np.zeros(64)

    def state(self) -> dict[str, Any]:
        """For the snapshot: its rows."""
        return {
            "stride": self.stride,
            "offered": self.offered,
            "times": self.times.tolist(),
            "rows": [optional_numbers(row) for row in self.table.tolist()],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot, into the columns that are registered already."""
        for time_s, row in zip(state["times"], state["rows"], strict=True):
            self.add(float(time_s), np.array(with_nan(row)))
        self.stride, self.offered = int(state["stride"]), int(state["offered"])

    def _round(self) -> None:
        # Many rows at once: one row takes nearly as long.
        fresh = self._table[self._rounded : self._count]
        fresh[:] = round_significant(fresh)
        self._rounded = self._count

    def _thin(self) -> None:
        while self._count > self.capacity:
            self._round()
            kept = np.flatnonzero(np.arange(self._count) // self.stretch % 2 == 0)
            self._table[: len(kept)] = self._table[kept]
            self._times[: len(kept)] = self._times[kept]
            self._count = self._rounded = len(kept)
            self.stride *= 2


def round_significant(vector: Floats) -> Floats:
    """Six significant digits: what a snapshot writes, so that a restored memory is the same memory."""
    magnitude = np.where(np.isfinite(vector) & (vector != 0.0), np.abs(vector), 1.0)
    power = 10.0 ** np.clip(_DIGITS - 1 - np.floor(np.log10(magnitude)), -300, 300)
    rounded: Floats = np.round(vector * power) / power
    return rounded
