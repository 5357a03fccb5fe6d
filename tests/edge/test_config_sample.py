"""deploy/node.toml shows every option of the types with its default and meaning, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.samples import Entry, complete, differences, entries

from edge.config import NodeOptions
from edge.sensors.registry import SENSOR_TYPES, sensor_type
from wire.options import Option, options

SAMPLE = Path(__file__).parents[2] / "deploy" / "node.toml"
SENSOR = "machine[].sensor[]."
COMMON = {f"{SENSOR}type", f"{SENSOR}name"}


def by_type(shown: list[Entry]) -> dict[str, list[Entry]]:
    """Sensor options by the sensor's type; tables within a sensor follow it in the file."""
    found: dict[str, list[Entry]] = {}
    kind = ""
    for entry in shown:
        if entry.path == f"{SENSOR}type":
            kind = entry.value
            found.setdefault(kind, [])
        elif entry.path.startswith(SENSOR) and entry.path not in COMMON:
            found[kind].append(entry._replace(path=entry.path.removeprefix(SENSOR)))
    return found


def test_the_nodes_own_options_and_the_sample_agree() -> None:
    shown = [entry for entry in entries(SAMPLE) if not entry.path.startswith(SENSOR)]
    known = [option for option in options(NodeOptions) if option.path != "machine[].sensor"]
    assert differences(shown, known) == []
    assert len(shown) >= 35


@pytest.mark.parametrize("kind", SENSOR_TYPES)
def test_each_sensor_types_options_and_the_sample_agree(kind: str) -> None:
    assert differences(by_type(entries(SAMPLE))[kind], options(sensor_type(kind).config)) == []


def test_the_sample_names_only_types_that_exist() -> None:
    assert set(by_type(entries(SAMPLE))) == set(SENSOR_TYPES)


def test_the_sample_is_toml_with_everything_switched_on() -> None:
    tables = complete(SAMPLE)
    assert len(tables["machine"][0]["sensor"]) == len(SENSOR_TYPES)
    assert tables["camera"][0]["type"] == "photos"


def test_differences_are_found_in_both_directions() -> None:
    known = [
        Option("a", "a number", required=False, default=1.0, doc="A."),
        Option("b", "a number", required=True, default=None, doc=""),
        Option("c", "a number", required=True, default=None, doc="C."),
    ]
    shown = [
        Entry("a", 0, 2.0, commented=True, explained=True),
        Entry("b", 0, 2.0, commented=False, explained=False),
        Entry("d", 0, 2.0, commented=False, explained=True),
    ]
    assert differences(shown, known) == [
        "a: the sample says 2.0, the default is 1.0",
        "b: no prose above it",
        "b: the type has no description",
        "c: in the types, not in the sample",
        "d: in the sample, not in the types",
    ]
