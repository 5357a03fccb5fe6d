"""A lesson at a camera: which product is being collected, and until when. It outlives a restart. No clock, no files."""

from __future__ import annotations

import msgspec

MOST = 40
"""Items that are pictured in a lesson; 8 to 20 are enough to teach."""


class Lesson(msgspec.Struct, frozen=True):
    """One that is on.

    Args:
        id: as the gateway gave it.
        product: that is to be taught.
        until_ns: wall time at which it ends by itself, so that a forgotten one does not keep the camera from its work.
        pictured: how many items a person has been shown.
    """

    id: str
    product: str
    until_ns: int
    pictured: int = 0

    @property
    def room(self) -> int:
        """So many more items are pictured."""
        return max(0, MOST - self.pictured)


class PresentLesson:
    """The lesson of one camera, if one is on.

    Args:
        mark: what `state` gave before a restart, None for nothing.
    """

    def __init__(self, mark: str | None) -> None:
        self._lesson = _load(mark)

    @property
    def state(self) -> str:
        """For a mark in the journal."""
        return msgspec.json.encode(self._lesson).decode()

    def at(self, wall_ns: int | None) -> Lesson | None:
        """The one that is on at this time; while the time is unknown the last one is."""
        lesson = self._lesson
        return None if lesson is None or (wall_ns is not None and wall_ns >= lesson.until_ns) else lesson

    def begin(self, lesson: Lesson) -> None:
        """From now on; what was on before is over. One that begins twice goes on."""
        if self._lesson is None or self._lesson.id != lesson.id:
            self._lesson = lesson

    def pictured(self, count: int) -> None:
        """So many items more have been shown."""
        if self._lesson is not None:
            self._lesson = msgspec.structs.replace(self._lesson, pictured=self._lesson.pictured + count)

    def end(self, lesson: str) -> bool:
        """It is over; False where it was not on."""
        if self._lesson is None or self._lesson.id != lesson:
            return False
        self._lesson = None
        return True


def _load(mark: str | None) -> Lesson | None:
    try:
        return msgspec.json.decode(mark or "null", type=Lesson | None)
    except msgspec.DecodeError:
        return None
