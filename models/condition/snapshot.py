"""A model's state as JSON numbers: what is in it, and what it takes to be read again.

The state is a plain dict: `format`, `version`, `river`, then one entry per part. A pickle would not survive a change of
River or of these classes; numbers do, and where their meaning changed the format's version says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from math import isnan
from typing import Any

FORMAT = "werkpuls-condition"
VERSION = 2


def stamp(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts with format, version and the River they were made with."""
    return {"format": FORMAT, "version": VERSION, "river": version("river"), **parts}


def require(state: Mapping[str, Any]) -> None:
    """Checks the stamp.

    Raises:
        ValueError: another format or version; the caller starts anew and says so.
    """
    found = (state.get("format"), state.get("version"))
    if found != (FORMAT, VERSION):
        raise ValueError(
            f"condition snapshot is {found[0]!r} version {found[1]!r}, this reads {FORMAT!r} version {VERSION}"
        )


def optional_numbers(values: Any) -> list[float | None]:
    """NaN written as null: JSON has no NaN."""
    return [None if isnan(value) else float(value) for value in values]


def with_nan(values: Any) -> list[float]:
    """The reverse of `optional_numbers`."""
    return [float("nan") if value is None else float(value) for value in values]
