"""docs/sensors-vibration.md against the code: samples load, options are all there, and its figures are right."""

from __future__ import annotations

import doctest
import re
import tomllib
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from benchmarks.sampling import CASES, cost
from edge.sensor_setup import check_sensors, resolve
from edge.sensors.registers import I2C_BLOCK
from edge.sensors.registry import Surroundings, sensor_type
from wire.options import options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sensors-vibration.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
KINDS = ("adxl345", "lis3dh", "mpu6050", "adxl355", "iio")
MODULES = (
    *KINDS,
    "accelerometer",
    "chip_identity",
    "fifo",
    "iio_device",
    "rate_meter",
    "registers",
    "sampler",
    "stream",
)


def tables(sample: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads(f"[[machine]]\nname = 'mixer'\n{sample}")["machine"][0]["sensor"]
    return found


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_samples_load_and_can_work(number: int, tmp_path: Path) -> None:
    made = resolve(tables(SAMPLES[number]), "sensors.md", "machine[0].sensor", tmp_path)
    surroundings = Surroundings("mixer", "mixer", lambda: 0, 1.0, root=str(tmp_path))
    checked = check_sensors(made, surroundings, "sensors.md")
    assert len(checked) == (0 if made[0].type.name == "iio" else 1), "the kernel's are known when they are there"


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_shown(kind: str) -> None:
    names = {name for sample in SAMPLES for table in tables(sample) if table["type"] == kind for name in table}
    for option in options(sensor_type(kind).config):
        assert option.path in names, f"{kind}: {option.path} is in no sample"
        assert option.doc, f"{kind}: {option.path} has no meaning"


def test_every_type_has_its_section_and_row() -> None:
    assert set(re.findall(r"(?m)^## ([a-z0-9]+)$", PAGE)) == set(KINDS)
    assert set(re.findall(r"(?m)^\| `([a-z0-9]+)` \|", PAGE)) == set(KINDS)


@pytest.mark.parametrize(
    ("chip", "sample_bytes", "together"),
    [("ADXL345", 6, False), ("LIS3DH", 6, True), ("MPU-6050", 6, True), ("ADXL355", 9, True)],
)
def test_shares_of_the_bus_are_those_of_the_bits_on_it(chip: str, sample_bytes: int, together: bool) -> None:  # noqa: FBT001  # a row of the table
    samples = I2C_BLOCK // sample_bytes if together else 1
    bits = (3 + samples * sample_bytes) * 9 / samples + 2 / samples
    rows = re.findall(rf"(?m)^\| {chip}, (\d+) Hz \| (\d+) % \| (\d+) % \|", PAGE)
    assert rows
    for rate, slow, fast in rows:
        assert int(slow) == round(100 * bits * int(rate) / 100_000)
        assert int(fast) == round(100 * bits * int(rate) / 400_000)


def test_the_costs_are_those_of_the_benchmarks_cases() -> None:
    told = re.findall(r"(?m)^\| ([^|]+Hz) \| (\d+) \| [\d.]+ % \|$", PAGE)
    assert [name for name, _ in told] == [case.name for case in CASES]
    for (_, drains), case in zip(told, CASES, strict=True):
        sensor = case.sensor(msgspec.convert(case.options, case.config), Surroundings("m", "generic", lambda: 0, 1.0))
        assert int(drains) == round(1.0 / sensor.pause_s)


def test_a_run_of_the_benchmark_loses_nothing() -> None:
    row = cost(CASES[0], 2.0)
    assert row["lost"] == 0
    assert row["samples"] == pytest.approx(2 * 824, rel=0.03)


def test_what_the_drivers_say_is_what_the_table_explains() -> None:
    modules = {*MODULES, "linux", "checks", "wave_check"}
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("edge/sensors", "edge")
        for path in (ROOT / folder).glob("*.py" if folder == "edge" else "**/*.py")
        if path.stem in modules
    )
    table = PAGE.partition("## What it says")[2]
    said = [text for row in re.findall(r"(?m)^\| (`.*?) \|", table) for text in re.findall(r"`([^`]+)`", row)]
    assert len(said) > 12
    for text in said:
        for part in text.split("…"):
            assert part.strip(" :,;.") in re.sub(r'"\n\s+f?"', "", source), text


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_the_code_are_right(module: str) -> None:
    assert doctest.testmod(import_module(f"edge.sensors.{module}")).failed == 0
