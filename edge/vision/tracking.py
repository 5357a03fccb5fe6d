"""Counts each item on a moving belt once, however many frames it is seen in. Pure.

Between two frames a belt moves everything by the same distance. That distance is the one which most items of the earlier frame
agree on; an item of the later frame that lies where an earlier one must have come to is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge.vision.items import FoundItem

_ALIKE = 1.6
"""Areas of the same item in two frames differ by less than this factor, unless it is cut off in one of them."""
_TOLERANCE = 0.35
"""How far an item may lie from where it must be, in shares of its own shorter side."""
_TRIED = 24
"""Displacements that are looked at closely: those on which most pairs of items agree."""
_SHORT = 4
_ONE, _TWO, _MORE = 1.0, 0.5, 0.01
"""What speaks for a displacement: the first pair of items that it explains, the second, and each."""
_MISSED = 0.7
"""What speaks against it: an item that must then be there and is not."""
_SLOWER, _FASTER, _STRANGE = 0.6, 1.2, 4.0
"""The same of one by which the belt slows down or starts again, of one by which it runs faster than it did, and of one by which it runs
back or sideways."""
_SPEEDS = 3.0
"""So many times its last speed a belt may run all at once, or so many frames are left out."""
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
    half: tuple[float, float]
    """Of its width and height."""
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
        timed: whether frames have a time of their own; the belt's speed then counts, not its last step.
    """

    expected: tuple[float, float] | None = None
    counted: int = 0
    timed: bool = False
    _known: list[_Known] = field(default_factory=list)
    _numbers: int = 0
    _moves: list[NDArray[np.float64]] = field(default_factory=list)
    """Pixels in a second, or between two frames, of late."""
    _running: NDArray[np.float64] | None = None
    """The same when it last moved: a belt that stands goes on like that."""
    _taken_ns: int | None = None

    def track(
        self, items: Sequence[FoundItem], *, size: tuple[int, int] | None = None, taken_ns: int | None = None
    ) -> list[Tracked]:
        """Names the items of the next frame, in their order.

        Args:
            items: of the frame.
            size: width and height of the frame; by it an item that must still be seen is told from one that has left.
            taken_ns: when it was taken, for who is `timed`.
        """
        seen = [_known(item) for item in items]
        passed = self._passed(taken_ns)
        move = self._displacement(seen, size, passed)
        pairs = _pairs(self._known, seen, move) if move is not None else {}
        if move is not None and pairs:
            self._moves = [*self._moves, move / passed][-_REMEMBERED:]
            if float(np.hypot(*move)) > _TOLERANCE * max(known.width_px for known in pairs.values()):
                self._running = move / passed
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

    def _passed(self, taken_ns: int | None) -> float:
        """Time since the last frame: seconds, or 1 for each frame where nobody says when they were taken."""
        before, self._taken_ns = self._taken_ns, taken_ns
        if not self.timed or taken_ns is None or before is None or taken_ns <= before:
            return 1.0
        return (taken_ns - before) / 1e9

    def _displacement(
        self, seen: Sequence[_Known], size: tuple[int, int] | None, passed: float
    ) -> NDArray[np.float64] | None:
        """By how much everything has moved, (2,) pixels; None where nothing says so."""
        expected = np.mean(self._moves, axis=0) * passed if self._moves else self.expected
        hint = None if expected is None else np.asarray(expected, np.float64)
        before = [known for known in self._known if not known.cut_off]
        now = [thing for thing in seen if not thing.cut_off]
        if not before or not now:
            return hint
        reach = _TOLERANCE * median(known.width_px for known in before)
        run = None if self._running is None else self._running * passed
        pairs = _Pairs.of(before, now, reach, size)
        best, best_worth = None, 0.0
        for candidate in _candidates(pairs, hint):
            move, worth = _worth(candidate, pairs)
            worth -= _surprise(move, hint, run, reach, size)
            if best is None or worth > best_worth:
                best, best_worth = move, worth
        return best if best_worth > 0 or hint is not None else None

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
    return _Known(0, centre, (width / 2, height / 2), item.area_px, min(width, height), item.cut_off, counted=False)


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


@dataclass(frozen=True, slots=True)
class _Pairs:
    """What two frames have: places (n, 2) and half sizes (n, 2) of each one's things, their differences and likeness (n, m)."""

    before: NDArray[np.float64]
    before_half: NDArray[np.float64]
    surely: NDArray[np.bool_]
    """Which of those before were seen in the last frame itself."""
    now: NDArray[np.float64]
    now_half: NDArray[np.float64]
    apart: NDArray[np.float64]
    alike: NDArray[np.bool_]
    reach: float
    size: tuple[int, int] | None

    @classmethod
    def of(cls, before: Sequence[_Known], now: Sequence[_Known], reach: float, size: tuple[int, int] | None) -> Self:
        """Of things that are whole."""
        earlier, later = (np.array([thing.centre for thing in each]) for each in (before, now))
        one, other = (np.array([thing.area_px for thing in each]) for each in (before, now))
        return cls(
            before=earlier,
            before_half=np.array([thing.half for thing in before]),
            surely=np.array([thing.unseen == 0 for thing in before]),
            now=later,
            now_half=np.array([thing.half for thing in now]),
            apart=later[None] - earlier[:, None],
            alike=np.maximum(one[:, None], other) < _ALIKE * np.minimum(one[:, None], other),
            reach=reach,
            size=size,
        )


def _candidates(pairs: _Pairs, hint: NDArray[np.float64] | None) -> list[NDArray[np.float64]]:
    """Displacements that pairs of alike items agree on, most of them first, the expected one before all."""
    cells, counts = np.unique(
        np.rint(pairs.apart[pairs.alike] / pairs.reach).astype(np.int64), axis=0, return_counts=True
    )
    most = np.argsort(-counts, kind="stable")[:_TRIED]
    # Of moves about as frequent the short ones must be among those tried.
    short = np.argsort(np.hypot(*cells.T), kind="stable")[:_SHORT]
    found = [cells[k] * pairs.reach for k in dict.fromkeys([*most.tolist(), *short.tolist()])]
    return found if hint is None else [hint, *found]


def _worth(move: NDArray[np.float64], pairs: _Pairs) -> tuple[NDArray[np.float64], float]:
    """The displacement as the pairs that it makes have it, and what speaks for it.

    In rows of equal items one pair that fits makes all fit, also by a wrong displacement; so many pairs say little more than two,
    but each item that must be there and is not says no.
    """
    near = pairs.alike
    for _ in range(2):
        apart = pairs.apart - move
        near = (np.hypot(apart[..., 0], apart[..., 1]) <= pairs.reach) & pairs.alike
        if near.any():
            move = move + apart[near].mean(axis=0)
    met, came = np.asarray(near.any(axis=1), np.bool_), np.asarray(near.any(axis=0), np.bool_)
    count = int(min(met.sum(), came.sum()))
    alone = _within(pairs.before + move, pairs.before_half, pairs.size) & pairs.surely & ~met
    stray = _within(pairs.now - move, pairs.now_half, pairs.size) & ~came
    missed = int(alone.sum() + stray.sum())
    return move, _ONE * (count >= 1) + _TWO * (count >= 2) + _MORE * count - _MISSED * missed


def _within(places: NDArray[np.float64], half: NDArray[np.float64], size: tuple[int, int] | None) -> NDArray[np.bool_]:
    """Which things at these places a frame would show whole; none where nobody knows its size."""
    if size is None:
        return np.zeros(len(places), np.bool_)
    return np.asarray(((places > half) & (places < np.asarray(size) - half)).all(axis=1), np.bool_)


def _surprise(
    move: NDArray[np.float64],
    hint: NDArray[np.float64] | None,
    run: NDArray[np.float64] | None,
    reach: float,
    size: tuple[int, int] | None,
) -> float:
    """How much a displacement is unlike what this belt did, in items."""
    length = float(np.hypot(*move))
    if hint is None:
        # Nobody knows the belt yet: of what fits equally well, the shortest.
        far = size is not None and (abs(move[0]) > size[0] / 2 or abs(move[1]) > size[1] / 2)
        return _STRANGE if far else 0.001 * length / reach
    off = float(np.hypot(*(move - hint)))
    near = 0.001 * off / reach
    if off <= reach:
        return near
    if run is None and float(np.hypot(*hint)) <= reach:
        return _SLOWER + near  # it has not been seen to move yet, so it may start to anywhere
    along = run if run is not None else hint
    share = min(max(float(move @ along) / max(float(along @ along), 1e-9), 0.0), _SPEEDS)
    if float(np.hypot(*(move - share * along))) > reach:
        return _STRANGE + near
    return (_SLOWER if (share - 1.0) * float(np.hypot(*along)) <= reach else _FASTER) + near
