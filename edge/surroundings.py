"""What a camera's path may use of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from wire.journal import Record


class Surroundings(NamedTuple):
    """Clock and journal."""

    put: Callable[[Sequence[Record], Mapping[str, str]], None]
    """Takes records and marks to the journal, in one transaction."""
    mark: Callable[[str], str | None]
    """The journal's marks."""
    monotonic_ns: Callable[[], int]
    wall_ns: Callable[[], int | None]
    """Best present wall time, None while unknown."""
    boot: str
