"""A model's state as JSON numbers: what is in it, and what it takes to be read again.

The state is a plain dict: `format`, `version`, `river`, then one entry per part. A pickle would not survive a change of
River or of these classes; numbers do. Where their meaning changed, the format's version says so, and everything that was learned
is learned again from what never changes its meaning: `settings`, `features` (name, unit, channel, quantity), `memory` (times and rows
of healthy samples) and `exemplars` (rows that a person called normal).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from math import isnan
from typing import Any

FORMAT = "werkpuls-condition"
VERSION = 5


def stamp(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts with format, version and the River they were made with."""
    return {"format": FORMAT, "version": VERSION, "river": version("river"), **parts}


def require(state: Mapping[str, Any]) -> bool:
    """Checks the stamp: True where the state can be taken up as it is, False where it has to be learned again from its rows.

    Raises:
        ValueError: not of this format; the caller starts anew and says so.
    """
    found = (state.get("format"), state.get("version"))
    if found[0] != FORMAT or not isinstance(found[1], int):
        raise ValueError(f"condition snapshot is {found[0]!r} version {found[1]!r}, this reads {FORMAT!r}")
    return found[1] == VERSION and _minor(str(state.get("river"))) == _minor(version("river"))


def _minor(text: str) -> list[str]:
    return text.split(".")[:2]


def optional_numbers(values: Any) -> list[float | None]:
    """NaN written as null: JSON has no NaN."""
    return [None if isnan(value) else float(value) for value in values]


def with_nan(values: Any) -> list[float]:
    """The reverse of `optional_numbers`."""
    return [float("nan") if value is None else float(value) for value in values]
