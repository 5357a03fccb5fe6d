"""What a camera's path may use of the world."""

from __future__ import annotations

import time
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
    gateway_ns: Callable[[], int | None]
    """The same by the gateway's clock, which dates commands."""
    boot: str

    def minute(self) -> int | None:
        """Minutes since local midnight, None while the time is unknown."""
        wall_ns = self.wall_ns()
        if wall_ns is None:
            return None
        local = time.localtime(wall_ns / 1e9)
        return local.tm_hour * 60 + local.tm_min
