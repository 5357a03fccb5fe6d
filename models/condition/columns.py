"""Which number of a vector is which feature: samples as vectors.

There are fewer columns than a machine with many sensors has features. Until something is learned the channels share them; from then
on columns only ever grow at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import hypot
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition.contract import FeatureInfo, Sample
from models.condition.memory import MAX_FEATURES, Memory

Floats: TypeAlias = NDArray[np.float64]

LARGEST = 1e30
"""No machine delivers more; larger numbers would overflow when they are squared."""
MOST_LAYOUTS = 16
"""Sets of features whose places are kept ready; channels of different rates make a handful."""


class _Layout(NamedTuple):
    """Where the values of samples with the same features go."""

    values: Callable[[Mapping[str, float]], tuple[float, ...]]
    places: NDArray[np.intp] | None
    """Columns of these values; None where they are all columns in their order."""


class Columns:
    """The features of one machine.

    Args:
        memory: gets a column for each new feature that is scored.
    """

    def __init__(self, memory: Memory) -> None:
        self.info: dict[str, FeatureInfo] = {}
        self.unjudged: tuple[str, ...] = ()
        """Features without a column, though they are to be scored."""
        self._memory = memory
        self._fixed = False
        self._unscored: tuple[str, ...] = ()
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    @property
    def names(self) -> list[str]:
        """Of the scored features, in the order of the columns."""
        return self._memory.names

    def vector(self, sample: Sample) -> Floats:
        """A sample as (features,), NaN where one is absent or no finite number."""
        features = tuple(sample.values)
        layout = self._layouts.get(features)
        if layout is None:
            self._meet(sample)
            layout = self._layouts[features] = self._layout(features)
        values = layout.values(sample.values)
        vector = np.array(values, dtype=np.float64)
        # One call says that nothing is wrong: with a NaN, an infinite or a too large number the length is so, too.
        if not hypot(*values) < LARGEST:
            vector[~np.isfinite(vector)] = np.nan
            np.clip(vector, -LARGEST, LARGEST, out=vector)
        if layout.places is None:
            return vector
        whole = np.full(len(self.names), np.nan)
        whole[layout.places] = vector
        return whole

    def signs(self, sample: Sample) -> dict[str, float]:
        """The unscored features of a sample."""
        return {name: sample.values[name] for name in self._unscored if name in sample.values}

    def state(self) -> list[list[str]]:
        """For the snapshot: name, unit, channel and quantity of each column."""
        return [[name, *((i.unit, i.channel, i.quantity) if (i := self.info.get(name)) else ())] for name in self.names]

    def load(self, state: Sequence[Any]) -> None:
        """From a snapshot."""
        self.info = {str(e[0]): FeatureInfo(str(e[1]), str(e[2]), str(e[3])) for e in state if len(e) == 4}
        self._memory.register([str(entry[0]) for entry in state])
        self._layouts.clear()

    def fix(self) -> None:
        """Something was learned: no column goes to another feature any more."""
        self._fixed = True

    def clear(self) -> None:
        """Forgets all features, here and in the memory."""
        self.info = {}
        self.unjudged = self._unscored = ()
        self._fixed = False
        self._layouts.clear()
        self._memory.forget()

    def _meet(self, sample: Sample) -> None:
        fresh = {name: sample.info[name] for name in sample.values if name not in self.info and name in sample.info}
        if fresh or len(self._layouts) >= MOST_LAYOUTS:
            self._layouts.clear()
        if fresh:
            self.info.update(fresh)
            self._unscored = tuple(name for name, info in self.info.items() if not info.scored)
            if self._fixed:
                self._memory.register([name for name, info in fresh.items() if info.scored])
            else:
                self._memory.choose(shared(self.info, MAX_FEATURES))
            self.unjudged = tuple(
                name for name, info in self.info.items() if info.scored and self._memory.position(name) is None
            )

    def _layout(self, features: tuple[str, ...]) -> _Layout:
        present = set(features)
        names = [name for name in self.names if name in present]
        places = np.array([place for place, name in enumerate(self.names) if name in present], dtype=np.intp)
        # With a single name `itemgetter` gives a bare value.
        values = itemgetter(*names) if len(names) > 1 else lambda values: tuple(values[name] for name in names)
        return _Layout(values, None if len(names) == len(self.names) else places)


def shared(info: Mapping[str, FeatureInfo], most: int) -> list[str]:
    """The features that get one of `most` columns, in their order, where the channels share them evenly.

    A channel with fewer than its share leaves the rest to the others. Of its features those count first that are told of all its axes
    together (`<channel>.envelope_line`), then those of one axis (`<channel>.x.rms`), in their order.

    >>> of = lambda channel: FeatureInfo("g", channel, "vibration")
    >>> shared({"a.x.rms": of("a"), "a.y.rms": of("a"), "a.x.peak": of("a"), "a.line": of("a"), "b": of("b")}, 3)
    ['a.x.rms', 'a.line', 'b']
    """
    scored = [name for name, about in info.items() if about.scored]
    if len(scored) <= most:
        return scored
    ranks: dict[str, int] = {}
    taken: Counter[str] = Counter()
    for name in sorted(scored, key=lambda name: "." in name[len(info[name].channel) + 1 :]):
        ranks[name] = taken[info[name].channel]
        taken[info[name].channel] += 1
    chosen = set(sorted(scored, key=ranks.__getitem__)[:most])
    return [name for name in scored if name in chosen]
