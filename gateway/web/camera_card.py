"""How cameras are, in words, and the card of a machine that only cameras look at: it has no condition, its goods have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.web import goods_views, views
from gateway.wording import Wording
from wire.messages import Severity


def camera_state(camera: goods_views.CameraView, words: Wording, now_ns: int) -> tuple[str, bool]:
    """How a camera is, and whether that is bad; what is wrong with it during a pause is nobody's business."""
    goods = words.catalogue["goods"]
    if not camera.online:
        return str(goods["camera_offline"]), True
    if camera.paused_left_s:
        until = words.clock(now_ns + round(camera.paused_left_s * 1e9))[:5]
        return str(goods["camera_paused"]).format(until=until), False
    return (str(goods["camera_good"]), False) if camera.ok else (camera.name, True)


def camera_lines(cameras: Sequence[goods_views.CameraView], words: Wording, now_ns: int) -> list[dict[str, Any]]:
    """How each camera is, in a line."""
    line, lines = str(words.catalogue["page"]["camera_line"]), []
    for camera in cameras:
        state, bad = camera_state(camera, words, now_ns)
        lines.append({"text": line.format(camera=camera.camera, state=state), "bad": bad})
    return lines


def camera_pill(
    machine: views.Machine, cameras: Sequence[goods_views.CameraView], alerts: Sequence[Severity], words: Wording
) -> dict[str, str]:
    """How such a machine is in a word: good only where every camera looks.

    Args:
        machine: without a condition.
        cameras: that look at it.
        alerts: how bad each of its open alerts is.
        words: of the reader's language.
    """
    page = words.catalogue["page"]
    worst = max(alerts, key=lambda severity: severity.rank, default=Severity.GOOD)
    blind = not (machine.online and any(camera.online for camera in cameras))
    paused = all(camera.paused_left_s for camera in cameras)
    if worst is not Severity.GOOD and not blind and not paused:
        return {"severity": worst.value, "severity_name": words.severity(worst)}
    if blind or not all(camera.online for camera in cameras):
        return {"severity": "new", "severity_name": str(page["offline"])}
    if not all(camera.ok or camera.paused_left_s for camera in cameras):
        return {"severity": "new", "severity_name": words.word("severities", "unknown")}
    if any(camera.paused_left_s for camera in cameras):
        return {"severity": "new", "severity_name": str(page["pause_pill"])}
    return {"severity": worst.value, "severity_name": words.severity(worst)}
