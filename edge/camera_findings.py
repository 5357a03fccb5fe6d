"""From looks at pictures to findings about the camera: told after two bad pictures, over after two good ones."""

from __future__ import annotations

import msgspec

from edge.camera_options import CameraOptions
from edge.drafts import Drafter, shorten
from edge.standing import Standing, StandingFinding
from wire.journal import Record
from wire.messages import Evidence

RAISE_AFTER = 2
CLEAR_AFTER = 2


class _Kept(msgspec.Struct):
    position: str | None = None
    newest_ns: int | str | None = None
    """What earlier versions have instead, and go on from: the first part of it, a number."""
    id: str = ""
    cause: str = ""


class CameraFindings:
    """What one camera's pictures say about it. No clock, no files.

    Args:
        camera: its options.
        drafter: makes the records.
        mark: what `state` gave before a restart, None for nothing.
    """

    def __init__(self, camera: CameraOptions, drafter: Drafter, mark: str | None) -> None:
        kept = _load(mark)
        fixed = {"machine": camera.machine, "type": "camera", "channel": camera.name}
        self._name = camera.name
        self._standing = StandingFinding(drafter, fixed, raise_after=RAISE_AFTER, clear_after=CLEAR_AFTER)
        self._standing.kept = Standing(kept.id, kept.cause)
        earlier = None if kept.newest_ns is None else str(kept.newest_ns)
        self.position = earlier if kept.position is None else kept.position
        """Of the last picture taken up, see `Frame.position`."""
        self.detail = ""
        """What is wrong with the last picture, in English."""

    @property
    def cause(self) -> str:
        """The open finding's cause, empty for none."""
        return self._standing.cause

    @property
    def state(self) -> str:
        """For a mark in the journal."""
        kept = self._standing.kept
        first = (self.position or "").partition(" ")[0]
        newest_ns = int(first) if first.isdecimal() else None
        return msgspec.json.encode(_Kept(self.position, newest_ns, kept.id, kept.cause)).decode()

    def good(self, now_ns: int) -> list[Record]:
        """A picture that nothing is wrong with."""
        self.detail = ""
        return self._standing.look("", now_ns)

    def bad(self, cause: str, detail: str, now_ns: int, figure: tuple[str, float, float] | None = None) -> list[Record]:
        """A picture that cannot be graded, or none at all.

        Args:
            cause: key of the catalogue.
            detail: English.
            now_ns: monotonic time.
            figure: name, value and limit of what says so.
        """
        self.detail = detail
        evidence = []
        if figure is not None:
            feature, value, limit = figure
            evidence = [
                Evidence(
                    feature=feature,
                    value=shorten(value) or 0.0,
                    expected=limit,
                    unit="",
                    deviation=0.0,
                    channel=self._name,
                )
            ]
        return self._standing.look(cause, now_ns, detail=detail, evidence=evidence)


def _load(mark: str | None) -> _Kept:
    try:
        return msgspec.json.decode(mark or "{}", type=_Kept)
    except msgspec.DecodeError:
        return _Kept()
