"""The published page names every event type, every field and every rule that the code has."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.costs import Costs, MachineFacts
from gateway.events import EVENT_TYPES
from gateway.forward import REFUSALS, RETRYABLE, Subscriber
from gateway.retry import Retry

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = PAGE.split("\n### `")[1:]
    return {part.split("`", 1)[0]: part.split("\n## ", 1)[0] for part in parts}


def test_every_type_has_its_section() -> None:
    assert set(sections()) == set(EVENT_TYPES)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_every_field_is_described(event_type: str) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(EVENT_TYPES[event_type])]
    assert fields
    assert [name for name in fields if f"`{name}`" not in sections()[event_type]] == []


def test_the_rules_of_delivery_are_those_of_the_code() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| none, 3xx")]
    assert {int(word) for word in row.split("|")[1].replace(",", " ").split() if word.isdigit()} == set(RETRYABLE)
    assert f"dead letter after {REFUSALS} tries" in PAGE
    assert f"`give_up_days` ({Subscriber.__struct_defaults__[-1]:.0f})" in PAGE
    assert (Retry().first_s, Retry().most_s) == (2.0, 900.0)


def test_every_figure_is_explained() -> None:
    names = [field.name for kind in (Costs, MachineFacts) for field in msgspec.structs.fields(kind)]
    explained = PAGE.split("## Where the figures come from")[1]
    missing = [name for name in names if name not in explained and name not in {"name", "title", "currency"}]
    assert missing == []
    defaults = Costs()
    assert f"watch {defaults.probability.watch}, warning {defaults.probability.warning}" in explained
    assert f"watch {defaults.lead_hours.watch:.0f}, warning {defaults.lead_hours.warning:.0f}" in explained
