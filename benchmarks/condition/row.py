"""A row of the table: what was measured on one kind of recording, against its floors, with what others reached beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Figures = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Floor:
    """A bound on one figure of a row; where `at_least` is false, the figure may at most be the bound."""

    figure: str
    bound: float
    at_least: bool = True

    def holds(self, figures: Figures) -> bool:
        """Whether the figure is there, is a number, and is on the right side."""
        value = figures.get(self.figure)
        if not isinstance(value, int | float):
            return False
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{self.figure} {'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one row.

    Args:
        recording: what was judged, and by which protocol, in a few words.
        figures: measured, by name; a percentage says so in its name.
        floors: bounds on some of the figures.
        beside: figures of others by whose they are: baselines of the same run, and published anchors.
        notes: what a reader must know to believe the figures.
        skipped: why nothing was measured; None where it was.
    """

    recording: str
    figures: Figures = field(default_factory=dict)
    floors: tuple[Floor, ...] = ()
    beside: Mapping[str, Figures] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: str | None = None

    @property
    def missed(self) -> tuple[Floor, ...]:
        """Floors that do not hold; none where the row was skipped."""
        return () if self.skipped is not None else tuple(f for f in self.floors if not f.holds(self.figures))

    def report(self, seconds: float) -> dict[str, Any]:
        """For `--json`."""
        return {
            "recording": self.recording,
            "figures": dict(self.figures),
            "floors": {str(floor): floor.holds(self.figures) for floor in self.floors} if not self.skipped else {},
            "met": None if self.skipped is not None else not self.missed,
            "beside": {name: dict(figures) for name, figures in self.beside.items()},
            "notes": list(self.notes),
            "skipped": self.skipped,
            "seconds": round(seconds, 2),
        }


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row is given: where recordings are, where plots go (None: nowhere), and whether to take the long way.

    `full` is for rows whose whole measurement takes many minutes; without it they measure less and their notes say so.
    """

    data: Path
    plots: Path | None = None
    full: bool = False


class Missing(Exception):
    """A recording is not there; the row is skipped, and the text says what was looked for."""


Measure = Callable[[Bench], Row]


def require(path: Path) -> Path:
    """The path, if it is there.

    Raises:
        Missing: it is not.
    """
    if not path.exists():
        raise Missing(f"{path} is not there")
    return path
