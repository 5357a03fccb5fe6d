"""Where a camera goes on after a restart, also over another version."""

from __future__ import annotations

import json

import pytest

from edge.camera_findings import CameraFindings
from edge.camera_options import CameraOptions
from edge.drafts import Drafter
from wire.envelope import Envelope


def begun(mark: str | None) -> CameraFindings:
    options = CameraOptions(name="tray", machine="oven-1", type="photos")
    return CameraFindings(options, Drafter(Envelope("bakery", "pi", "watch", "log"), "boot"), mark)


@pytest.mark.parametrize("position", [None, "1700 0a1b2c 3d4e5f", "page-7"])
def test_position_and_open_finding_outlive_a_restart(position: str | None) -> None:
    findings = begun(None)
    findings.position = position
    for _ in range(2):
        findings.bad("camera_dark", "dark", 0)
    again = begun(findings.state)
    assert (again.position, again.cause) == (position, "camera_dark")


@pytest.mark.parametrize("newest", [1700, "1700 0a1b2c"])
def test_marks_of_earlier_versions_are_gone_on_from_and_they_go_on_from_those_of_today(newest: int | str) -> None:
    kept = {"newest_ns": newest, "id": "f-1", "cause": "camera_dark"}
    findings = begun(json.dumps(kept))
    assert (findings.position, findings.cause) == (str(newest), "camera_dark")
    written = json.loads(findings.state)
    assert {**written, "position": None} == {**kept, "position": None, "newest_ns": 1700}


def test_a_mark_that_cannot_be_read_is_none() -> None:
    assert begun("{half").position is None
