"""The card of a machine that only cameras look at: it has no condition, its goods have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.web import goods_views, views
from gateway.wording import Wording
from wire.messages import Severity


def camera_lines(cameras: Sequence[goods_views.CameraView], words: Wording) -> list[dict[str, Any]]:
    """How each camera is, in a line."""
    page, goods = words.catalogue["page"], words.catalogue["goods"]
    lines = []
    for camera in cameras:
        state = goods["camera_offline"] if not camera.online else goods["camera_good"] if camera.ok else camera.name
        text = str(page["camera_line"]).format(camera=camera.camera, state=state)
        lines.append({"text": text, "bad": not (camera.ok and camera.online)})
    return lines


def camera_pill(
    machine: views.Machine, cameras: Sequence[goods_views.CameraView], alerts: Sequence[Severity], words: Wording
) -> dict[str, str]:
    """How such a machine is in a word.

    Args:
        machine: without a condition.
        cameras: that look at it.
        alerts: how bad each of its open alerts is.
        words: of the reader's language.
    """
    page = words.catalogue["page"]
    if not (machine.online and any(camera.online for camera in cameras)):
        return {"severity": "new", "severity_name": str(page["offline"])}
    if all(camera.paused_left_s for camera in cameras):
        return {"severity": "new", "severity_name": str(page["pause_pill"])}
    worst = max(alerts, key=lambda severity: severity.rank, default=Severity.GOOD)
    if worst is Severity.GOOD and not all(camera.ok for camera in cameras):
        return {"severity": "new", "severity_name": words.word("severities", "unknown")}
    return {"severity": worst.value, "severity_name": words.severity(worst)}
