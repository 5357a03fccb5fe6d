"""Counts each item on a moving belt once, however many frames it is seen in. Pure.

Between two frames a belt moves everything by the same distance. That distance is the one which most items of the earlier frame
agree on; an item of the later frame that lies where an earlier one must have come to is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.vision.items import FoundItem

_ALIKE = 1.6
"""Areas of the same item in two frames differ by less than this factor, unless it is cut off in one of them."""
_TOLERANCE = 0.35
"""How far an item may lie from where it must be, in shares of its own shorter side."""
_ENOUGH = 0.7
_REMEMBERED = 3
"""Displacements that the next one is expected from."""
_FORGOTTEN = 2
"""An item that was not seen in so many frames is gone."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """An item of a frame and who it is.

    Args:
        number: the same for the same item in each frame it is seen in; from 1.
        item: as found in this frame.
        new: whether it is to be counted now: seen whole for the first time.
    """

    number: int
    item: FoundItem
    new: bool


@dataclass(slots=True)
class _Known:
    number: int
    centre: NDArray[np.float64]
    area_px: float
    width_px: float
    cut_off: bool
    counted: bool
    unseen: int = 0


@dataclass(slots=True)
class Tracker:
    """One belt's memory from frame to frame.

    Without an expected displacement the belt must move by less than half of the distance between equal items at first.

    Args:
        expected: by how many pixels, right and down, the belt moves between two frames, where somebody knows.
        counted: how many items were counted so far.
    """

    expected: tuple[float, float] | None = None
    counted: int = 0
    _known: list[_Known] = field(default_factory=list)
    _numbers: int = 0
    _moves: list[NDArray[np.float64]] = field(default_factory=list)

    def track(self, items: Sequence[FoundItem]) -> list[Tracked]:
        """Names the items of the next frame, in their order."""
        seen = [_known(item) for item in items]
        move = self._displacement(seen)
        pairs = _pairs(self._known, seen, move) if move is not None else {}
        if move is not None and pairs:
            self._moves = [*self._moves, move][-_REMEMBERED:]
        tracked = []
        for k, (item, thing) in enumerate(zip(items, seen, strict=True)):
            before = pairs.get(k)
            if before is None:
                self._numbers += 1
                thing.number = self._numbers
            else:
                thing.number, thing.counted = before.number, before.counted
            new = not thing.counted and not item.cut_off
            thing.counted = thing.counted or new
            self.counted += new
            tracked.append(Tracked(thing.number, item, new))
        self._known = seen + self._unseen(pairs, move)
        return tracked

    def _displacement(self, seen: Sequence[_Known]) -> NDArray[np.float64] | None:
        """By how much everything has moved, (2,) pixels; None where nothing says so."""
        expected = np.mean(self._moves, axis=0) if self._moves else self.expected
        hint = None if expected is None else np.asarray(expected, np.float64)
        before = [known for known in self._known if not known.cut_off]
        now = [thing for thing in seen if not thing.cut_off]
        if not before or not now:
            return hint
        moves = np.stack([[thing.centre - known.centre for thing in now] for known in before])
        alike = np.array([[_alike(known, thing) for thing in now] for known in before])
        if not alike.any():
            return hint
        reach = _TOLERANCE * float(np.median([known.width_px for known in before]))
        candidates = moves[alike]
        agree = (np.hypot(*np.moveaxis(moves[None] - candidates[:, None, None], -1, 0)) <= reach) & alike
        votes = agree.any(axis=2).sum(axis=1)
        off = np.hypot(*(candidates - (np.zeros(2) if hint is None else hint)).T)
        if hint is not None:
            # A belt goes on as it went, or it slows down to a halt; another move is believed only where neither can be.
            slower = np.clip(candidates @ hint / max(float(hint @ hint), 1e-9), 0, 1)[:, None] * hint
            likely = (off <= 3 * reach) | (np.hypot(*(candidates - slower).T) <= reach)
            votes = np.where(likely, votes, 0) if likely.any() else votes
        # Rows of equal items agree on several moves: of those with about as many votes, the expected or the shortest.
        enough = votes >= _ENOUGH * votes.max()
        best = int(np.argmin(np.where(enough, off, np.inf)))
        if hint is not None and votes[best] < 2 and off[best] > 3 * reach:
            # A single pair that contradicts the belt's speed: one item left while another came.
            return hint
        return np.asarray(moves[agree[best]].mean(axis=0), np.float64)

    def _unseen(self, pairs: dict[int, _Known], move: NDArray[np.float64] | None) -> list[_Known]:
        """Items that were not found this time, moved on: a frame in between may have missed them."""
        found = {id(known) for known in pairs.values()}
        left = [known for known in self._known if id(known) not in found and known.unseen < _FORGOTTEN]
        for known in left:
            known.unseen += 1
            if move is not None:
                known.centre = known.centre + move
        return left


def _known(item: FoundItem) -> _Known:
    x, y, width, height = item.box
    centre = np.array((x + width / 2, y + height / 2))
    return _Known(0, centre, item.area_px, min(width, height), item.cut_off, counted=False)


def _alike(one: _Known, other: _Known) -> bool:
    if one.cut_off or other.cut_off:
        return True
    return max(one.area_px, other.area_px) < _ALIKE * min(one.area_px, other.area_px)


def _pairs(before: Sequence[_Known], now: Sequence[_Known], move: NDArray[np.float64]) -> dict[int, _Known]:
    """Which of the items before each of the items now is, if everything moved so; by place in `now`, the nearest first."""
    distances = []
    for known in before:
        there = known.centre + move
        for k, thing in enumerate(now):
            away = float(np.hypot(*(thing.centre - there)))
            # What is cut off has its centre elsewhere: as far as half of what may be missing.
            slack = 0.5 if known.cut_off or thing.cut_off else 0.0
            near = (_TOLERANCE + slack) * max(known.width_px, thing.width_px)
            if away <= near and _alike(known, thing):
                distances.append((away, k, known))
    pairs: dict[int, _Known] = {}
    taken: set[int] = set()
    for _, k, known in sorted(distances, key=lambda entry: entry[0]):
        if k not in pairs and id(known) not in taken:
            pairs[k] = known
            taken.add(id(known))
    return pairs
