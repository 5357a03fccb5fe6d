"""The whole examination, and the command: what it prints, in both languages, and how it ends."""

from __future__ import annotations

import json
import re
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.broker import Broker
from support.pi import Pi, i2c_chip, spi_chip

from edge.doctor.access import INTERFACES, User
from edge.doctor.checks import CODES, Level, check
from edge.doctor.devices import Device, judge
from edge.doctor.examine import Report, examine
from edge.doctor.i2c import OFTEN
from edge.doctor.live import Outcome, Reading
from edge.doctor.system import Software
from edge.doctor.world import World
from edge.sensors.base import Channel, Quantity
from edge.sensors.probing import probes_of
from edge.sensors.registry import SENSOR_TYPES
from edge.sensors.simulation.chips.bus import SimulatedBuses
from gateway.wording import LANGUAGES, Wording
from werkpuls import cli
from werkpuls.doctor import as_json
from werkpuls.doctor_words import CHAPTERS, DoctorWords
from wire.clock import boottime_ns

CATALOGUES = {language: Wording(language).catalogue["doctor"] for language in LANGUAGES}


def world(root: Path, buses: SimulatedBuses) -> World:
    return World(
        root=root,
        buses=buses,
        user=User("root", 0, frozenset()),
        software=Software((3, 12, 0), "aarch64", {"numpy": "2.3"}),
    )


def node_toml(folder: Path, port: int, sensors: str) -> Path:
    (folder / "state").mkdir(exist_ok=True)
    path = folder / "node.toml"
    path.write_text(
        f'site = "bakery"\nnode = "oven-pi"\n[state]\ndir = "{folder}/state"\n[journal]\nmin_free_mb = 0\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n[[machine]]\nname = "oven"\nkind = "oven"\n{sensors}'
    )
    return path


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A Pi with five chips, two of them configured, one configured that is gone, and its broker."""
    folder = tmp_path_factory.mktemp("node")
    pi = Pi(folder / "pi")
    pi.throttled(0x10000)
    pi.device("ttyUSB0")
    buses = SimulatedBuses()
    bus = buses.wire_i2c(1)
    bus.plug(0x53, i2c_chip("adxl345", boottime_ns))
    bus.plug(0x5A, i2c_chip("mlx90614", boottime_ns))
    bus.plug(0x44, i2c_chip("sht31", boottime_ns))
    bus.plug(0x3C, i2c_chip("mlx90614", boottime_ns))
    buses.wire_spi(0, 0).chip = spi_chip("max31856", boottime_ns)
    buses.wire_spi(0, 1)
    sensors = (
        '[[machine.sensor]]\ntype = "adxl345"\nrate_hz = 100\n'
        '[[machine.sensor]]\ntype = "sht31"\nname = "proofing"\naddress = 0x44\n'
        '[[machine.sensor]]\ntype = "lis3dh"\nchannel = "second"\n'
    )
    with Broker(folder / "broker") as broker:
        return examine(world(pi.root, buses), node_toml(folder, broker.port, sensors), seconds=2.5)


def test_chips_are_found_matched_and_read(seen: Report) -> None:
    found = {device.kind: device for device in seen.devices}
    assert {kind: device.configured for kind, device in found.items()} == {
        "adxl345": "oven/adxl345",
        "sht31": "oven/proofing",
        "mlx90614": "",
        "max31856": "",
        "lis3dh": "oven/lis3dh",
    }
    outcome = found["adxl345"].outcome
    assert outcome is not None
    assert not outcome.error
    shaking = outcome.readings[0]
    assert shaking.rate_hz == pytest.approx(100, rel=0.02)
    assert shaking.value[2] == pytest.approx(1.0, abs=0.02)
    air = found["sht31"].outcome
    assert air is not None
    assert [reading.value[0] for reading in air.readings] == pytest.approx([32.0, 78.0], abs=0.01)


def test_what_is_wrong_is_said_and_nothing_else(seen: Report) -> None:
    problems = [(one.area, one.code) for one in seen.checks if one.level is Level.PROBLEM]
    assert problems == [("power", "low_before"), ("sensor", "failed")]
    assert not seen.good
    failed = next(one for one in seen.checks if one.code == "failed")
    assert "i2c-1 address 0x18" in failed.values["error"]
    notes = {(one.area, one.code) for one in seen.checks if one.level is Level.NOTE}
    assert {("i2c", "unknown"), ("spi", "nothing"), ("serial", "port")} <= notes
    assert ("broker", "good") in {(one.area, one.code) for one in seen.checks}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_reads_well_and_its_proposals_can_be_pasted(seen: Report, language: str) -> None:
    words = DoctorWords(Wording(language))
    lines = list(words.lines(seen, "oven-pi", Path("/etc/werkpuls/node.toml")))
    text = "\n".join(lines)
    assert "oven-pi" in lines[0]
    assert not re.search(r"[{}]", re.sub(r"(?m)^probe = .*$", "", text)), "a value was not filled in"
    assert max(map(len, lines)) <= 240
    assert re.search(r" (0[.,]99|1[.,]00)\d+ ± 0[.,]0\d+ g, ", text), (
        "gravity and its noise, however few samples there were"
    )
    assert sum(line.startswith("    → ") for line in lines) == 2
    proposed = re.findall(r"(?m)^\[\[machine\.sensor\]\]\n(?:.+\n?)+", text)
    types = [tomllib.loads(one)["machine"]["sensor"][0]["type"] for one in proposed]
    assert sorted(types) == ["max31856", "mlx90614"]
    assert CATALOGUES[language]["page"]["problems"].format(count=2) == lines[-1]


@pytest.mark.parametrize("fault", ["the thermocouple is open", ""])
def test_a_sensor_that_delivers_no_values_is_not_called_good(fault: str) -> None:
    channel = Channel("temperature", "°C", Quantity.TEMPERATURE)
    reading = Reading(channel, (), None, 0, None, (fault,) if fault else ())
    device = Device("max31856", None, "oven/max31856", Outcome((reading,)))
    checks = tuple(judge(device))
    assert [one.code for one in checks] == ["fault" if fault else "silent"]
    lines = list(DoctorWords(Wording("en")).lines(Report(checks, (device,)), "oven-pi", None))
    assert any(line.startswith("  ✗ max31856") for line in lines)
    assert not any("✓" in line for line in lines)


def test_the_same_as_json(seen: Report) -> None:
    made = json.loads(json.dumps(as_json(seen, DoctorWords(Wording("en"))), allow_nan=False))
    assert (made["good"], made["problems"]) == (False, 2)
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    assert set(made) | set(made["checks"][0]) | set(made["devices"][0]) <= set(re.findall(r"`([a-z_]+)`", page))
    device = next(device for device in made["devices"] if device["type"] == "max31856")
    assert (device["chip"], device["place"], device["certain"], device["read"]) == (
        "MAX31856",
        "spidev0.0",
        False,
        True,
    )


def test_a_demo_is_told_from_the_service_by_its_settings(tmp_path: Path) -> None:
    pi = Pi(tmp_path / "pi")
    started = "/opt/.venv/bin/python\0-m\0werkpuls\0edge\0sense\0--config\0{config}\0"
    pi.write("proc/70/cmdline", started.format(config="/opt/demo/oven.toml"))
    words = DoctorWords(Wording("de"))
    demo = next(one for one in examine(world(pi.root, SimulatedBuses()), None).checks if one.area == "service")
    assert (demo.code, demo.values["pid"]) == ("other", 70)
    assert "/opt/demo/oven.toml" in words.says(demo)
    assert "systemctl" not in words.do(demo)
    pi.write("proc/78/cmdline", started.format(config="/etc/werkpuls/node.toml"))
    service = next(one for one in examine(world(pi.root, SimulatedBuses()), None).checks if one.area == "service")
    assert (service.code, service.values["pid"]) == ("running", 78)
    assert "systemctl" in words.do(service)


def test_while_the_service_runs_its_sensors_are_left_to_it(tmp_path: Path) -> None:
    pi = Pi(tmp_path / "pi")
    pi.write(
        "proc/77/cmdline",
        "/opt/werkpuls/.venv/bin/python\0/usr/local/bin/werkpuls\0edge\0sense\0--config\0/etc/werkpuls/node.toml\0",
    )
    pi.write("proc/78/cmdline", "vi\0werkpuls\0")
    buses = SimulatedBuses()
    chip = i2c_chip("adxl345", boottime_ns)
    buses.wire_i2c(1).plug(0x53, chip)
    registers = bytes(chip.registers)  # type: ignore[attr-defined]  # it has them
    seen = examine(world(pi.root, buses), None)
    assert next(one.values["pid"] for one in seen.checks if one.area == "service") == 77
    (device,) = seen.devices
    assert device.outcome is None
    assert 'type = "adxl345"' in device.toml
    assert bytes(chip.registers)[0x2C:0x2E] == registers[0x2C:0x2E]  # type: ignore[attr-defined]  # not set up
    assert any(
        CATALOGUES["de"]["page"]["not_read"] in line for line in DoctorWords(Wording("de")).lines(seen, "x", None)
    )


def test_an_interface_that_the_settings_need_is_a_problem(tmp_path: Path) -> None:
    pi = Pi(tmp_path / "pi")
    pi.write("boot/firmware/config.txt", "")
    for gone in ("dev/i2c-1", "dev/spidev0.0", "dev/spidev0.1"):
        (pi.root / gone).unlink()
    (pi.root / "sys/bus/i2c/devices/i2c-1").rmdir()
    config = node_toml(tmp_path, 1, '[[machine.sensor]]\ntype = "mlx90614"\n')
    seen = examine(world(pi.root, SimulatedBuses()), config, seconds=0.5)
    found = {one.values["interface"]: one.code for one in seen.checks if one.area == "interfaces" and one.code != "on"}
    assert found == {"I²C": "needed", "SPI": "off"}
    assert ("broker", "closed") in {(one.area, one.code) for one in seen.checks}


def test_settings_that_are_wrong_do_not_end_the_examination(tmp_path: Path) -> None:
    pi = Pi(tmp_path / "pi")
    config = tmp_path / "node.toml"
    config.write_text('site = "bakery"\nnode = "oven-pi"\nhots = 1\n')
    seen = examine(world(pi.root, SimulatedBuses()), config, seconds=0.5)
    wrong = next(one for one in seen.checks if one.code == "wrong")
    assert "hots" in wrong.values["error"]
    assert {"software", "power", "disk", "access"} <= {one.area for one in seen.checks}


def test_a_type_whose_package_is_missing_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> Any:
        if name == "mqtt":
            raise ImportError("No module named 'paho'")
        return probes_of(name)

    monkeypatch.setattr("edge.doctor.examine.probes_of", without)
    seen = examine(world(Pi(tmp_path).root, SimulatedBuses()), None, seconds=0.5)
    assert [one.values["type"] for one in seen.checks if one.code == "package"] == ["mqtt"]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_its_words_and_every_problem_says_what_to_do(language: str) -> None:
    found = CATALOGUES[language]
    assert set(found["areas"]) == set(CODES) == {area for areas in CHAPTERS.values() for area in areas}
    assert {area: set(codes) for area, codes in found["says"].items()} == {a: set(c) for a, c in CODES.items()}
    problems = {
        (area, code) for area, codes in CODES.items() for code, level in codes.items() if level is Level.PROBLEM
    }
    advised = {(area, code) for area, codes in found["do"].items() for code in codes}
    assert problems <= advised
    assert advised <= {(area, code) for area, codes in CODES.items() for code in codes}
    assert set(OFTEN.values()) == set(found["often"])
    assert set(found["levels"]) == set(Level)


def test_sentences_take_the_same_values_in_both_languages() -> None:
    for area, codes in CODES.items():
        for code in codes:
            says = [fields(CATALOGUES[language]["says"][area][code]) for language in LANGUAGES]
            advice = [fields(CATALOGUES[language]["do"].get(area, {}).get(code, "")) for language in LANGUAGES]
            assert says[0] == says[1], (area, code)
            assert advice[0] == advice[1], (area, code)


def test_interfaces_of_probes_are_those_that_can_be_switched() -> None:
    named = {probe.interface for name in SENSOR_TYPES for probe in probes_of(name)}
    assert named - {""} == {one.name for one in INTERFACES}


def test_numbers_are_shown_in_the_peoples_own_way() -> None:
    hot = check("heat", "good", celsius=48.312)
    assert DoctorWords(Wording("de")).says(hot) == "Prozessor 48,3 °C"
    assert DoctorWords(Wording("en")).says(hot) == "Processor 48.3 °C"
    strange = check("i2c", "unknown", place="i2c-1 0x0B", often="")
    assert DoctorWords(Wording("en")).says(strange) == "i2c-1 0x0B: something answers that Werkpuls does not know"


def test_the_command_on_another_systems_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pi = Pi(tmp_path)
    for device in (pi.root / "dev").iterdir():
        device.unlink()
    words = ["doctor", "--root", str(tmp_path), "--lang", "en", "--seconds", "0.5"]
    code = cli.main(words)
    shown = capsys.readouterr().out
    assert "No sensor found." in shown
    assert "No camera found." in shown
    assert code == (1 if "→" in shown else 0)
    assert cli.main([*words, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["devices"] == []


def test_device_files_of_another_root_are_not_those_of_this_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi = Pi(tmp_path)
    assert cli.main(["doctor", "--root", str(pi.root), "--lang", "en", "--seconds", "0.5"]) == 1
    shown = capsys.readouterr().out
    assert f"{pi.root}/dev/i2c-1: " in shown
    assert f"{pi.root}/dev/spidev0.0: " in shown


def test_the_usual_settings_are_found_under_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Pi(tmp_path).write("etc/werkpuls/node.toml", "site = 1\n")
    assert cli.main(["doctor", "--root", str(tmp_path), "--seconds", "0.5"]) == 1
    assert "etc/werkpuls/node.toml: site" in capsys.readouterr().out


def test_settings_in_a_folder_that_may_not_be_looked_into_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", forbidden)  # to root, nothing is forbidden
    for words in (["--config", str(tmp_path / "norights" / "node.toml")], ["--root", str(tmp_path)]):
        assert cli.main(["doctor", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "node.toml: this user may not look into its folder" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--root", "/no/such/folder"], "no such folder"),
        (["--config", "/no/such/node.toml"], "no such file"),
        (["--seconds", "0.1"], "0.5 to 60"),
        (["--seconds", "soon"], "0.5 to 60"),
        (["--lang", "fr"], "fr"),
    ],
)
def test_wrong_use(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = cli.main(["doctor", *words])
    except SystemExit as exc:
        code = exc.code
    assert code == 2
    assert said in capsys.readouterr().err
