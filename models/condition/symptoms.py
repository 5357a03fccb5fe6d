"""What moved, looked up by what it means: the words in which the rules of `causes` are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from models.condition.contract import Deviation, FeatureInfo

MOVED = 2.0
"""Deviations from which a feature counts as risen or fallen."""
SOMEWHAT = 0.5
MUCH = 0.08
"""Share by which a current or power must change on the average of an alarm to count, however wide starts have made its deviations."""
VERY_MUCH = 2 * MUCH
"""And by which it counts though its deviations hardly show it: a machine that starts often has wide ones."""
PLAINLY = 2.5
"""And a level beside the switching points, which says less than they do: it swings with the cycle."""
STRONG_SIGMA = 8.0
"""A deviation that leaves no doubt; half of it is worth about half."""
COOLING = ("compressor", "refrigerator")
"""Kinds of machine that pump heat from a cold side to a hot one."""
THERMOSTATIC = (*COOLING, "oven")
HOT_SIDE_C, COLD_SIDE_C = 35.0, 20.0
"""A cooling machine's hot gas lies above the room it stands in, what returns to it lies below."""
_PHASE = re.compile(r"(.+)_l[1-9]")


class Heat(NamedTuple):
    """The temperatures of a machine."""

    channels: int
    """How many are measured."""
    moved: Mapping[str, Deviation]
    """By channel, what moved most of it: its level, or its reading at switching."""


class Symptoms:
    """Deviations of one verdict, or of a whole alarm, looked up by what they mean.

    Args:
        deviations: what moved; a feature that is not among them did not.
        info: of every feature that is measured.
        kind: of machine.
        signs: unscored features.
    """

    def __init__(
        self,
        deviations: Sequence[Deviation],
        info: Mapping[str, FeatureInfo],
        kind: str = "generic",
        signs: Mapping[str, float] | None = None,
    ) -> None:
        self.kind = kind
        self._signs = signs or {}
        self._all = deviations
        self._info = info
        # Rules ask many questions, so what moved is sorted once: by quantity, and by the last part of its name too.
        self._by_quantity: dict[str, list[Deviation]] = {}
        self._by_ending: dict[tuple[str, str], list[tuple[int, Deviation]]] = {}
        for place, d in enumerate(deviations):
            if (i := info.get(d.feature)) is not None:
                self._by_quantity.setdefault(i.quantity, []).append(d)
                self._by_ending.setdefault((i.quantity, _ending(d.feature)), []).append((place, d))

    def up(self, quantity: str, *endings: str) -> list[Deviation]:
        """Features of a quantity that rose, with one of these last name parts (any, when none is given)."""
        return [d for d in self._of(quantity, endings) if d.sigma > MOVED]

    def down(self, quantity: str, *endings: str) -> list[Deviation]:
        """Features of a quantity that fell."""
        return [d for d in self._of(quantity, endings) if d.sigma < -MOVED]

    def moved(self, quantity: str, *endings: str) -> list[Deviation]:
        """Features of a quantity that rose or fell."""
        return [d for d in self._of(quantity, endings) if abs(d.sigma) > MOVED]

    def more(self, *quantities: str) -> list[Deviation]:
        """Readings and RMS (not shares, slopes or spectra) of these quantities that rose: in deviations, or by much of what was drawn."""
        return [d for d in self._levels(quantities) if d.sigma > MOVED or (d.sigma > 0 and self._much(d))]

    def less(self, *quantities: str) -> list[Deviation]:
        """Readings and RMS of these quantities that fell, likewise."""
        return [d for d in self._levels(quantities) if d.sigma < -MOVED or (d.sigma < 0 and self._much(d))]

    def measures(self, ending: str) -> bool:
        """Whether any feature with this last name part is computed at all."""
        return ending in self._endings

    def measured(self, *quantities: str) -> bool:
        """Whether anything of these quantities is measured."""
        return any(i.quantity in quantities for i in self._info.values())

    def count(self, quantity: str, ending: str) -> int:
        """How many features of that quantity with this last name part are computed."""
        return sum(i.quantity == quantity and _ending(name) == ending for name, i in self._info.items())

    def sign(self, ending: str) -> float | None:
        """The largest of the unscored features with this last name part; None where there is none."""
        return max((value for name, value in self._signs.items() if _ending(name) == ending), default=None)

    @property
    def switches(self) -> bool:
        """Whether a thermostat switches this machine."""
        return self.kind in THERMOSTATIC or self.measures("set_point")

    @cached_property
    def regulated(self) -> str:
        """The regulated temperature's channel; empty where it is not known."""
        return next((i.channel for name, i in self._info.items() if name.endswith(".set_point")), "")

    @cached_property
    def _endings(self) -> set[str]:
        return {_ending(name) for name in self._info}

    @cached_property
    def heat(self) -> Heat:
        """Which temperatures moved."""
        channels = sorted({i.channel for i in self._info.values() if i.quantity == "temperature" and i.scored})
        told = {d.feature: d for d in self._all}
        most: dict[str, Deviation] = {}
        for channel in channels:
            points = [told[name] for ending in ("at_off", "set_point") if (name := f"{channel}.{ending}") in told]
            # Where people move the set point it is the distance to it that is judged.
            level = told.get(channel) or told.get(f"{channel}.distance")
            enough = PLAINLY if f"{channel}.at_off" in self._info else MOVED
            found = [d for d in points if abs(d.sigma) > MOVED]
            if level is not None and abs(level.sigma) > enough:
                found.append(level)
            if found:
                most[channel] = max(found, key=lambda d: abs(d.sigma))
        return Heat(len(channels), most)

    def along(self, channel: str, direction: float) -> float | None:
        """How far the other temperatures lean to that side too: 0 not at all, 1 plainly; None where there are none."""
        others: dict[str, list[float]] = {}
        for name, i in self._info.items():
            if i.quantity == "temperature" and i.scored and i.channel != channel and not name.endswith(".slope"):
                others.setdefault(i.channel, [])
        for d in self._all:
            at = self._info.get(d.feature)
            if at is not None and at.channel in others and not d.feature.endswith(".slope"):
                others[at.channel].append(d.sigma)
        if not others:
            return None
        sides = [max(found, key=abs, default=0.0) * direction for found in others.values()]
        return sum(between(side, SOMEWHAT, MOVED) for side in sides) / len(sides)

    def hot(self) -> list[Deviation]:
        """Temperatures that rose: of a cooling machine those of the hot side."""
        return self._warmer(lambda expected: self.kind not in COOLING or expected > HOT_SIDE_C)

    def returning(self) -> list[Deviation]:
        """Temperatures of a cooling machine's cold side that rose, except the regulated one."""
        return [
            d
            for d in self._warmer(lambda expected: expected < COLD_SIDE_C)
            if self._info[d.feature].channel != self.regulated
        ]

    def phases(self) -> dict[str, Deviation | None]:
        """Currents of the phases that are measured one by one; None for one that did not move."""
        told = {d.feature: d for d in self._all}
        names = [name for name, i in self._info.items() if i.quantity == "current" and _PHASE.fullmatch(name)]
        return {name: told.get(name) for name in names}

    def uneven(self) -> float:
        """How differently the phases changed, as a share of what each used to draw."""
        changes = [
            d.value / d.expected - 1.0 if d is not None and d.expected > 0 else 0.0 for d in self.phases().values()
        ]
        return max(changes, default=0.0) - min(changes, default=0.0)

    def _much(self, deviation: Deviation) -> bool:
        """Whether it changed by much of what is drawn when the machine is on."""
        quantity = self._info[deviation.feature].quantity
        full = max(max(d.value, d.expected) for d in self._levels((quantity,)))
        change = abs(deviation.value - deviation.expected)
        return change > (MUCH if abs(deviation.sigma) > SOMEWHAT else VERY_MUCH) * full

    def _warmer(self, chosen: Callable[[float], bool]) -> list[Deviation]:
        return [d for d in self.heat.moved.values() if d.sigma > 0 and chosen(d.expected)]

    def _levels(self, quantities: tuple[str, ...]) -> list[Deviation]:
        return [
            d
            for d in self._chosen(quantities)
            if d.feature == self._info[d.feature].channel or d.feature.endswith(".rms")
        ]

    def _chosen(self, quantities: tuple[str, ...]) -> list[Deviation]:
        if len(quantities) == 1:
            return self._by_quantity.get(quantities[0], [])
        return [d for d in self._all if (i := self._info.get(d.feature)) is not None and i.quantity in quantities]

    def _of(self, quantity: str, endings: tuple[str, ...]) -> list[Deviation]:
        if not endings:
            return self._by_quantity.get(quantity, [])
        found = [entry for ending in endings for entry in self._by_ending.get((quantity, ending), ())]
        # In the order of the deviations, and each once.
        return [d for _, d in sorted(dict(found).items())]


def _ending(feature: str) -> str:
    """The last part of a feature's name."""
    return feature.rsplit(".", 1)[-1]


def strength(deviations: Sequence[Deviation]) -> float:
    """0 to 1: how sure it is that these moved.

    >>> strength([Deviation("a", 1.0, 0.0, 8.0)])
    0.5
    """
    largest = max((abs(d.sigma) for d in deviations), default=0.0)
    return largest / (largest + STRONG_SIGMA)


def either(*evidence: Sequence[Deviation]) -> float:
    """0 to 1: how sure it is that at least one of these groups moved, taken as independent of each other.

    >>> either([Deviation("a", 1.0, 0.0, 8.0)], [Deviation("b", 1.0, 0.0, 8.0)])
    0.75
    """
    doubt = 1.0
    for deviations in evidence:
        doubt *= 1.0 - strength(deviations)
    return 1.0 - doubt


def changed(deviations: Sequence[Deviation]) -> float:
    """The largest change among these as a share of what was expected.

    >>> changed([Deviation("a", 0.75, 1.0, -9.0)])
    0.25
    """
    return max((abs(d.value / d.expected - 1.0) for d in deviations if d.expected > 0), default=0.0)


def drawn(deviations: Sequence[Deviation]) -> float:
    """0 to 1: how sure it is that a current or power changed, by its deviation or as a share of what it was: mains wander by some percent.

    >>> drawn([Deviation("a", 1.3, 1.0, 1.0)])
    1.0
    """
    return max(strength(deviations), between(changed(deviations), 0.04, 0.25))


def swelled(deviations: Sequence[Deviation]) -> float:
    """0 to 1: how sure it is that one of these amplitudes rose, by its deviation or by how many times it grew.

    >>> round(swelled([Deviation("a", 20.0, 1.0, 4.0)]), 2), round(swelled([Deviation("a", 1.5, 1.0, 4.0)]), 2)
    (0.93, 0.33)
    """
    times = max((1.0 - 2.0 * max(d.expected, 0.0) / d.value for d in deviations if d.value > 0), default=0.0)
    return 1.0 - (1.0 - strength(deviations)) * (1.0 - max(times, 0.0))


def between(value: float, low: float, high: float) -> float:
    """0 at the low end, 1 at the high one."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
