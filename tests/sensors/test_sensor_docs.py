"""docs/sensors.md against the code: its samples load, and it names every option."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from edge.sensor_setup import resolve
from edge.sensors.registry import sensor_type
from wire.options import options

PAGE = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def tables(sample: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads(f"[[machine]]\nname = 'oven'\n{sample}")["machine"][0]["sensor"]
    return found


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_samples_load(number: int, tmp_path: Path) -> None:
    made = resolve(tables(SAMPLES[number]), "sensors.md", "machine[0].sensor", tmp_path)
    assert len(made) == 1


@pytest.mark.parametrize("kind", ["replay", "host", "mqtt"])
def test_every_option_is_shown(kind: str) -> None:
    shown = [table for sample in SAMPLES for table in tables(sample) if table["type"] == kind]
    names = {name for table in shown for name in table}
    names |= {f"channel[].{name}" for table in shown for one in table.get("channel", []) for name in one}  # type: ignore[attr-defined]  # a list of tables
    for option in options(sensor_type(kind).config):
        assert option.path in names, f"{kind}: {option.path} is in no sample"
        assert option.doc, f"{kind}: {option.path} has no meaning"
