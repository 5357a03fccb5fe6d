"""What a message may hold: numbers that can be reckoned with, names that can be part of a path."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from support.goods import item, point
from support.messages import Node

from wire.codec import Codec, Refused
from wire.fields import LONGEST_S
from wire.messages import Condition, Evidence, Finding, Inspection, NodeMessage, Prognosis, Severity

NOW = time.time_ns()
POINT = dict.fromkeys(("value", "expected", "average", "drift_low", "drift_high", "jump_low", "jump_high"), 1.0)


def decoded(changes: dict[str, Any]) -> Inspection:
    """An inspection as it comes in, with some fields written over."""
    made = Inspection(
        id="i-1",
        machine="oven",
        camera="tray",
        product="roll",
        batch="b-1",
        items=[item("good")],
        charts={"size": point(70.0)},
        **Node().envelope(NOW),
    )
    message = Codec().decode(json.dumps({**msgspec.to_builtins(made), **changes}).encode(), now_ns=NOW)
    assert isinstance(message, Inspection)
    return message


@pytest.mark.parametrize("size_mm", [1e200, 100_001.0, -1.0])
def test_a_size_that_no_good_has_is_refused(size_mm: float) -> None:
    fields = {"box": (0, 0, 1, 1), "label": "good", "verdict": "good", "confidence": 1}
    assert decoded({"items": [{**fields, "size_mm": 420.0}]}).items[0].size_mm == 420.0
    with pytest.raises(Refused, match=r"invalid.*size_mm"):
        decoded({"items": [{**fields, "size_mm": size_mm}]})


@pytest.mark.parametrize("field", list(POINT))
@pytest.mark.parametrize("value", [1e18, -1e308])
def test_a_chart_that_cannot_be_drawn_is_refused(field: str, value: float) -> None:
    assert decoded({"charts": {"size": {**POINT, "items": 8}}}).charts["size"].value == 1.0
    with pytest.raises(Refused, match=f"invalid.*{field}"):
        decoded({"charts": {"size": {**POINT, "items": 8, field: value}}})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("id", "."),
        ("id", ".."),
        ("id", "i-1\n"),
        ("id", "i/1"),
        ("batch", "..."),
        ("machine", "oven\n"),
        ("machine", "Oven"),
        ("camera", ".."),
    ],
)
def test_a_name_that_would_be_another_path_is_refused(field: str, text: str) -> None:
    assert decoded({"id": "2026-11-26T10:00:00.5"}).id == "2026-11-26T10:00:00.5"
    with pytest.raises(Refused, match="invalid"):
        decoded({field: text})


def heard(made: NodeMessage) -> NodeMessage:
    return Codec().decode(Codec().encode(made), now_ns=NOW)


def finding(**changes: Any) -> Finding:
    fields: dict[str, Any] = {"id": "f", "machine": "oven", "type": "machine", "state": "open", "cause": "belt"}
    fields |= {"severity": Severity.WARNING, "since_ms": 0.0, **Node().envelope(NOW)}
    return Finding(**{**fields, **changes})


def condition(**changes: Any) -> Condition:
    fields: dict[str, Any] = {"machine": "oven", "regime": "r1", "score": 1.0, "limit": 4.0, "learned": 1.0}
    fields |= {"severity": Severity.GOOD, **Node().envelope(NOW)}
    return Condition(**{**fields, **changes})


def prognosis(high_s: float) -> Prognosis:
    return Prognosis(low_s=1.0, high_s=high_s, confidence=0.8, reaches=Severity.ALARM)


def evidence(since_ms: float) -> list[Evidence]:
    return [Evidence(feature="power", value=1.0, expected=1.0, unit="W", deviation=0.0, since_ms=since_ms)]


@pytest.mark.parametrize(
    ("make", "century", "beyond"),
    [
        (lambda value: finding(since_ms=value), -3.2e12, -1e14),
        (lambda value: finding(evidence=evidence(value)), -3.2e12, -1e14),
        (lambda value: finding(prognosis=prognosis(value)), 3.2e9, 1e12),
        (lambda value: condition(prognosis=prognosis(value)), 3.2e9, 1e12),
        (lambda value: condition(paused_left_s=value), 3.2e9, 1e300),
        (lambda value: condition(learning_left_s=value), 3.2e9, 1e300),
    ],
)
def test_a_time_that_leads_to_no_date_is_refused(
    make: Callable[[float], NodeMessage], century: float, beyond: float
) -> None:
    assert heard(make(century)) == make(century)
    assert datetime.fromtimestamp(NOW / 1e9 + LONGEST_S, tz=UTC).year < 9999
    with pytest.raises(Refused, match="invalid"):
        heard(make(beyond))
