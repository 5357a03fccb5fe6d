"""From measured pictures to findings about the camera: told after two bad pictures, over after two good ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2s

import msgspec

from edge.config import CameraOptions
from edge.drafts import Drafter, shorten
from edge.vision.measure import Measure
from wire.journal import Record
from wire.messages import Evidence, Finding, Severity

RAISE_AFTER = 2
CLEAR_AFTER = 2


class _Kept(msgspec.Struct):
    newest_ns: int | None = None
    id: str = ""
    cause: str = ""


class CameraFindings:
    """What one camera's pictures say about it. What is open survives a restart.

    Args:
        camera: its options, with the limits.
        drafter: makes the records.
        put: takes records and marks to the journal, in one transaction.
        mark: the journal's marks.
        monotonic_ns: the clock.
    """

    def __init__(
        self,
        camera: CameraOptions,
        drafter: Drafter,
        *,
        put: Callable[[Sequence[Record], Mapping[str, str]], None],
        mark: Callable[[str], str | None],
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._camera = camera
        self._drafter = drafter
        self._put = put
        self._monotonic_ns = monotonic_ns
        self._key = f"camera/{camera.name}"
        self._kept = _load(mark(self._key))
        self._candidate = ""
        self._stood = 0
        self.detail = ""
        """What is wrong with the last picture, in English."""

    @property
    def newest_ns(self) -> int | None:
        """Modification time of the last picture taken up, None before the first."""
        return self._kept.newest_ns

    @property
    def cause(self) -> str:
        """The open finding's cause, empty for none."""
        return self._kept.cause

    def take(self, found: Measure, newest_ns: int) -> None:
        """A picture that could be read."""
        camera = self._camera
        for cause, wrong, feature, value, limit in (
            ("camera_dark", found.brightness < camera.dark_below, "brightness", found.brightness, camera.dark_below),
            (
                "camera_overexposed",
                found.brightness > camera.bright_above,
                "brightness",
                found.brightness,
                camera.bright_above,
            ),
            (
                "camera_blurred",
                found.sharpness < camera.blurred_below,
                "sharpness",
                found.sharpness,
                camera.blurred_below,
            ),
        ):
            if wrong:
                evidence = Evidence(
                    feature=feature,
                    value=shorten(value) or 0.0,
                    expected=limit,
                    unit="",
                    deviation=0.0,
                    channel=camera.name,
                )
                self._judge(cause, f"{feature} {value:.4g}, limit {limit:g}", newest_ns, [evidence])
                return
        self._judge("", "", newest_ns, [])

    def unreadable(self, why: str, newest_ns: int) -> None:
        """A picture that could not be read."""
        self._judge("camera_unreadable", why, newest_ns, [])

    def _judge(self, cause: str, detail: str, newest_ns: int, evidence: list[Evidence]) -> None:
        self._stood = self._stood + 1 if cause == self._candidate else 1
        self._candidate, self.detail = cause, detail
        before = self._kept
        kept = _Kept(newest_ns, before.id, before.cause)
        records: list[Record] = []
        if cause != before.cause and self._stood >= (RAISE_AFTER if cause else CLEAR_AFTER):
            now_ns = self._monotonic_ns()
            if not before.cause:
                text = f"{self._camera.name}|{cause}|{newest_ns}|{now_ns}"
                kept.id = f"c-{blake2s(text.encode(), digest_size=10).hexdigest()}"
            kept.cause = cause
            state = "cleared" if not cause else "changed" if before.cause else "open"
            records.append(
                self._drafter.record(
                    Finding,
                    now_ns,
                    event=True,
                    id=kept.id,
                    machine=self._camera.machine,
                    type="camera",
                    state=state,
                    cause=cause or before.cause,
                    severity=Severity.WARNING if cause else Severity.GOOD,
                    since_ms=0.0,
                    channel=self._camera.name,
                    evidence=evidence,
                    detail=detail[:500],
                )
            )
        self._kept = kept
        self._put(records, {self._key: msgspec.json.encode(kept).decode()})


def _load(mark: str | None) -> _Kept:
    try:
        return msgspec.json.decode(mark or "{}", type=_Kept)
    except msgspec.DecodeError:
        return _Kept()
