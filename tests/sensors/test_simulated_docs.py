"""docs/simulation.md names every option, channel, fault, schedule and figure there is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from support.sensor_contract import FakeClock
from support.simulation import simulated

from edge.sensors.simulated import MACHINES, SimulatedConfig
from edge.sensors.simulation.schedule import SHIFTS

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_option_is_documented_on_the_page_and_in_the_type(page: str) -> None:
    for option in msgspec.structs.fields(SimulatedConfig):
        assert f"| `{option.name}` |" in page
    schema = msgspec.json.schema(SimulatedConfig)["$defs"]
    for name, option in schema["SimulatedConfig"]["properties"].items():
        assert "description" in option or "$ref" in option or "anyOf" in option, name


def test_every_fault_channel_and_schedule_is_on_the_page(page: str) -> None:
    for kind in MACHINES:
        sensor = simulated(kind, FakeClock())
        for fault in sensor.faults:
            assert f"`{fault}`" in page
        for channel in sensor.channels:
            if not re.fullmatch(r"current_l2", channel.name):  # "current_l1 to current_l3"
                assert f"`{channel.name}`" in page
    for schedule in SHIFTS:
        assert f"| `{schedule}` |" in page


def test_every_figure_exists(page: str) -> None:
    figures = re.findall(r"\]\((simulation/[^)]+)\)", page)
    assert len(figures) == 6
    for figure in figures:
        assert (PAGE.parent / figure).stat().st_size > 10_000
