"""docs/sensors-electrical.md against the code: its samples work, and it names every type, option and message."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from support.sensor_contract import FakeClock

from edge.sensor_setup import check_sensors, resolve
from edge.sensors.clamp import ClampConfig, amperes_per_volt
from edge.sensors.modbus_meters import meters
from edge.sensors.registry import Surroundings, sensor_type
from wire.options import options

PAGE = (Path(__file__).parents[2] / "docs" / "sensors-electrical.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
TYPES = ("mcp3008", "ads1115", "ina226", "pzem004t", "modbus")


def table(sample: str) -> dict[str, object]:
    tables: list[dict[str, object]] = tomllib.loads(f"[[machine]]\nname = 'oven'\n{sample}")["machine"][0]["sensor"]
    (one,) = tables
    return one


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_samples_work(number: int, tmp_path: Path) -> None:
    setups = resolve([table(SAMPLES[number])], "page", "machine[0].sensor", tmp_path)
    (sensor,) = check_sensors(setups, Surroundings("oven", "oven", FakeClock(), 1.0), "page")
    assert sensor.channels


@pytest.mark.parametrize("kind", TYPES)
def test_every_option_is_shown(kind: str) -> None:
    shown = [found for found in map(table, SAMPLES) if found["type"] == kind]
    names = {name for found in shown for name in found}
    for inner in ("clamp", "register"):
        names |= {f"{inner}[].{name}" for found in shown for one in found.get(inner, []) for name in one}  # type: ignore[attr-defined]  # a list of tables
    for option in options(sensor_type(kind).config):
        assert option.path in names, f"{kind}: {option.path} is in no sample"
        assert option.doc, f"{kind}: {option.path} has no meaning"


def test_every_meter_and_channel_of_the_pzem_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in meters())
    section = PAGE.partition("## pzem004t")[2].partition("## modbus")[0]
    assert {one.name for one in meters()["pzem004t"].registers} <= set(re.findall(r"`([a-z_]+)`", section))


def test_what_the_drivers_say_is_what_the_tables_explain() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[2] / "edge" / "sensors").glob("*.py")
        if path.stem in {*TYPES, "modbus_line", "clamp", "clamped"}
    )
    tables = re.findall(r"(?ms)^\| what it says \|.*?\n\n", PAGE)
    said = [
        text
        for one in tables
        for row in re.findall(r"(?m)^\| (`.*?) \|", one)
        for text in re.findall(r"`([^`]+)`", row)
    ]
    assert len(said) > 15
    for text in said:
        for part in text.split("…"):
            assert part in source, text


def test_the_table_of_clamps_is_computed() -> None:
    for row in re.findall(r"(?m)^\| SCT-013-.*$", PAGE):
        _, _, output, largest, coarse, fine = (cell.strip() for cell in row.strip("|").split("|"))
        options = {name: float(value) for name, value in re.findall(r"`(\w+) = ([\d.]+)`", output)}
        ratio = amperes_per_volt(ClampConfig(rated_a=float(output.split(",")[0]), **options))  # type: ignore[arg-type]  # numbers only
        assert float(largest.split()[0]) == pytest.approx(ratio * 1.65 / 2**0.5, rel=0.02)
        assert float(coarse.split()[0]) == pytest.approx(ratio * 3.3 / 1024, rel=0.25)
        assert float(fine.split()[0]) == pytest.approx(ratio * 4.096 / 32768 * 1000, rel=0.05)
