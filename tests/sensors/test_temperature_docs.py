"""docs/sensors-temperature.md against the code: samples load, options are all there, and its figures are right."""

from __future__ import annotations

import doctest
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from edge.sensor_setup import check_sensors, resolve
from edge.sensors import max31855, max31856, mlx90614
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.thermocouple import voltage_mv
from wire.options import options

PAGE = (Path(__file__).parents[2] / "docs" / "sensors-temperature.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
KINDS = ("ds18b20", "max31855", "max31856", "max31865", "mlx90614", "sht31")


def tables(sample: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads(f"[[machine]]\nname = 'oven'\n{sample}")["machine"][0]["sensor"]
    return found


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_samples_load_and_can_work(number: int, tmp_path: Path) -> None:
    made = resolve(tables(SAMPLES[number]), "sensors.md", "machine[0].sensor", tmp_path)
    assert len(check_sensors(made, Surroundings("oven", "oven", lambda: 0, 1.0), "sensors.md")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_shown(kind: str) -> None:
    shown = [table for sample in SAMPLES for table in tables(sample) if table["type"] == kind]
    names = {name for table in shown for name in table}
    names |= {f"probe[].{name}" for table in shown for one in table.get("probe", []) for name in one}  # type: ignore[attr-defined]  # a list of tables
    for option in options(sensor_type(kind).config):
        assert option.path in names, f"{kind}: {option.path} is in no sample"
        assert option.doc, f"{kind}: {option.path} has no meaning"


def test_every_type_has_its_section_and_row() -> None:
    assert set(re.findall(r"(?m)^## ([a-z0-9]+)$", PAGE)) == set(KINDS)
    assert set(re.findall(r"(?m)^\| `([a-z0-9]+)`", PAGE)) == set(KINDS)


def test_the_straight_lines_errors_are_those_of_the_table() -> None:
    points = [
        float(point) for point in re.findall(r"(-?\d+) °C \|", PAGE.partition("| type | 0 °C")[2].partition("\n")[0])
    ]
    points = [0.0, *points]
    for kind, (low, high) in max31855.RANGES_C.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {kind} | +"))
        cells = [cell.strip() for cell in row.strip("|").split("|")[1:]]
        wanted = []
        for celsius in points:
            volts = voltage_mv(kind, celsius) - voltage_mv(kind, 25.0)
            error = volts * 1000.0 / max31855.SENSITIVITY_UV_K[kind] + 25.0 - celsius
            wanted.append(f"{error:+.1f}" if low <= celsius <= high else "")
        assert cells == wanted


def test_ranges_are_those_of_the_code() -> None:
    for module, ranges in (("max31855", max31855.RANGES_C), ("max31856", max31856.RANGES_C)):
        section = PAGE.partition(f"## {module}")[2].partition("\n## ")[0].replace("\n", " ")
        for kind, (low, high) in ranges.items():
            assert re.search(rf"\b{kind}( and S)? {low:g} to {high:g}\b|R and {kind} {low:g} to {high:g}", section), (
                kind
            )


def test_the_infrared_range_grows_as_it_says() -> None:
    grown = mlx90614.corrected_c(mlx90614.celsius(0x7FFF), 25.0, 1.0, 0.95)
    assert f"for 0.95 to about {grown:.0f} °C" in PAGE


def test_what_the_drivers_say_is_what_the_tables_explain() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[2] / "edge" / "sensors").glob("*.py")
        if path.stem in {*KINDS, "spi_registers", "w1_scratchpad"}
    )
    said = [text for row in re.findall(r"(?m)^\| (`.*?) \|", PAGE) for text in re.findall(r"`([^`]+)`", row)]
    for text in said:
        for part in re.split(r"…|: name each", text):
            assert part.strip(" :") in source, text


@pytest.mark.parametrize("module", [*KINDS, "crc8", "rtd", "thermocouple", "w1_scratchpad"])
def test_examples_in_the_code_are_right(module: str) -> None:
    done = doctest.testmod(import_module(f"edge.sensors.{module}"))
    assert done.failed == 0
