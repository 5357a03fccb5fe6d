"""What alerting stumbled over: left alone for a while, then tried again, and told for as long as it lasts. No thread, no file."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gateway.alerts import SECOND_NS

RETRY_NS = 300 * SECOND_NS
"""A defect does not mend itself within seconds; what was only unlucky is not late by much."""


@dataclass(frozen=True, slots=True)
class Stumble:
    """One thing that could not be worked on."""

    about: str
    """The machine that it is about, or the node."""
    error: str
    retry_ns: int


class Stumbles:
    """By what was stumbled over; one thread changes it, others may read."""

    def __init__(self) -> None:
        self._found: dict[str, Stumble] = {}
        self.count = 0
        """Since start."""

    def waits(self, what: str, now_ns: int) -> bool:
        """Whether it was stumbled over so lately that it is left alone; not where the clock was put back meanwhile."""
        found = self._found.get(what)
        return found is not None and 0 < found.retry_ns - now_ns <= RETRY_NS

    def stumbled(self, what: str, about: str, error: Exception, now_ns: int) -> None:
        """It could not be worked on; logged where that is news."""
        text = f"{type(error).__name__}: {error}"
        before = self._found.get(what)
        if before is None or before.error != text:
            logging.getLogger(__name__).error("%s of %s is left alone for now: %s", what, about, text, exc_info=error)
        self._found[what] = Stumble(about, text, now_ns + RETRY_NS)
        self.count += 1

    def passed(self, what: str) -> None:
        """It could be worked on."""
        self._found.pop(what, None)

    def forget(self, now_ns: int) -> None:
        """What was not tried again when its time had come is no longer there to be stumbled over."""
        self._found = {what: one for what, one in self._found.items() if now_ns - one.retry_ns < RETRY_NS}

    def present(self) -> dict[str, Stumble]:
        """What cannot be worked on now."""
        return dict(self._found)
