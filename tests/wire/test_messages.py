"""What a message may hold: numbers that can be reckoned with, names that can be part of a path."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from support.goods import item, point
from support.messages import Node

from wire.codec import Codec, Refused
from wire.messages import Inspection

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
