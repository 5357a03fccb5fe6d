"""A machine that only cameras look at is good where every one of them looks and finds nothing."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec
import pytest
from support.messages import T0

from gateway.web.camera_card import camera_lines, camera_pill
from gateway.web.goods_views import CameraView
from gateway.web.views import Machine
from gateway.wording import Wording
from wire.messages import Severity

WORDS = Wording("de", zone=UTC, titles={})


def camera(which: str = "b", /, **fields: Any) -> CameraView:
    values: dict[str, Any] = {
        "node": f"pi-{which}", "camera": which, "machine": "belt", "title": "Band", "online": True, "ok": True, "fault": "",
        "name": "", "explain": "", "check": "", "detail": "", "paused_left_s": None,
    }  # fmt: skip
    return CameraView(**{**values, **fields})


def pill(*others: CameraView, alerts: tuple[Severity, ...] = (), online: bool = True) -> tuple[str, str]:
    """Of a machine that has a camera which is well, and others."""
    known: dict[str, Any] = {"online": online, "paused": False, "stale": False, "condition_ns": 0}
    blank: dict[str, Any] = {field.name: known.get(field.name) for field in msgspec.structs.fields(Machine)}
    shown = camera_pill(Machine(**blank), [camera("a"), *others], alerts, WORDS)
    return shown["severity"], shown["severity_name"]


BAD: dict[str, Any] = {"ok": False, "fault": "camera_dark", "name": "zu dunkel"}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (camera(), ("good", WORDS.severity(Severity.GOOD))),
        (camera(online=False), ("new", "keine Verbindung")),
        (camera(paused_left_s=600.0), ("new", "Pause")),
        (camera(**BAD), ("new", WORDS.word("severities", "unknown"))),
        (camera(**BAD, paused_left_s=600.0), ("new", "Pause")),
        (camera(**BAD, online=False), ("new", "keine Verbindung")),
    ],
)
def test_one_camera_that_does_not_look_keeps_its_machine_from_being_called_good(
    other: CameraView, said: tuple[str, str]
) -> None:
    assert pill(other) == said


def test_an_alert_counts_for_more_than_a_camera_that_does_not_look_but_a_machine_nobody_sees_is_away() -> None:
    assert pill(camera(online=False), alerts=(Severity.WATCH, Severity.ALARM))[0] == "alarm"
    assert pill(camera(), alerts=(Severity.ALARM,), online=False) == ("new", "keine Verbindung")


def test_a_camera_is_called_good_only_while_it_judges_and_bad_only_while_it_is_somebodys_business() -> None:
    shown = camera_lines([camera(), camera(**BAD), camera(**BAD, paused_left_s=600.0), camera(online=False)], WORDS, T0)
    until = WORDS.clock(T0 + 600 * 10**9)[:5]
    assert [(line["text"].partition(": ")[2], line["bad"]) for line in shown] == [
        ("in Ordnung", False),
        ("zu dunkel", True),
        (f"Pause bis {until}: Es wird nichts beurteilt", False),
        ("keine Verbindung", True),
    ]
