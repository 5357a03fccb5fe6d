"""What was found, read and proposed: values with their noise, and tables that the real types take."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pi import ON_I2C, ON_SPI, Pi, i2c_chip, spi_chip
from support.sensor_contract import FakeClock

from edge.config import read_node
from edge.doctor.devices import Device, devices, judge, read
from edge.doctor.i2c import look_at_i2c
from edge.doctor.live import Outcome, watch
from edge.doctor.proposal import names, proposal
from edge.doctor.world import World
from edge.sensor_setup import check_sensors, resolve
from edge.sensors.base import Block, Channel, Fault, Quantity, SensorError
from edge.sensors.probing import Found, I2cProbe, SpiProbe, TreeProbe, probes_of
from edge.sensors.registry import SENSOR_TYPES, Surroundings
from edge.sensors.simulation.chips.bus import SimulatedBuses

TEMPERATURE = Channel("temperature", "°C", Quantity.TEMPERATURE, period_s=1.0)
SHAKING = Channel("vibration", "g", Quantity.VIBRATION, axes=3, rate_hz=100.0, period_s=0.5)


class Scripted:
    """A sensor that delivers what it is told, twenty times a second."""

    def __init__(self, clock: FakeClock, channels: Sequence[Channel], script: Any) -> None:
        self.clock = clock
        self.channels = channels
        self.script = script
        self.closed = 0

    def open(self) -> None:
        pass

    def read(self) -> Sequence[Block]:
        found: Sequence[Block] = self.script(self.clock())
        return found

    def close(self) -> None:
        self.closed += 1


def test_values_are_means_with_their_deviation() -> None:
    clock = FakeClock()
    values = iter([20.0, 20.2, math.nan, 19.8] * 100)
    sensor = Scripted(clock, [TEMPERATURE], lambda now: [Block(TEMPERATURE, now, np.array([next(values)]))])
    found = watch({"x": sensor}, 0.2, clock, clock.step)["x"]
    (reading,) = found.readings
    assert reading.count == 3
    assert reading.value == pytest.approx((20.0,))
    assert reading.noise == pytest.approx((0.2,))
    assert sensor.closed == 1


def test_axes_keep_apart_and_the_measured_rate_is_told() -> None:
    clock = FakeClock()
    rows = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 2.0]])
    sensor = Scripted(clock, [SHAKING], lambda now: [Block(SHAKING, now - 10**9, rows, rate_hz=97.5)])
    (reading,) = watch({0: sensor}, 0.05, clock, clock.step)[0].readings
    assert reading.value == (1.0, 1.0, 2.0)
    assert reading.noise == pytest.approx((math.sqrt(2), 0.0, 0.0))
    assert reading.rate_hz == 97.5


def test_one_reading_has_no_noise_and_a_fault_no_value() -> None:
    clock = FakeClock()
    fault = ((Fault.OPEN, "temperature: open"),)
    once = iter([[Block(TEMPERATURE, 1, np.array([math.nan]), faults=fault)]])
    (reading,) = watch({0: Scripted(clock, [TEMPERATURE], lambda _: next(once, []))}, 0.2, clock, clock.step)[
        0
    ].readings
    assert (reading.value, reading.noise, reading.faults) == ((), None, ("temperature: open",))


def test_only_a_channel_that_was_due_is_silent() -> None:
    clock = FakeClock()
    rare = Channel("energy", "kWh", Quantity.ENERGY, period_s=60.0)
    found = watch({0: Scripted(clock, [TEMPERATURE, rare], lambda _: [])}, 3.0, clock, clock.step)[0]
    assert found == Outcome(silent=("temperature",))


@pytest.mark.parametrize(
    ("exc", "said"), [(SensorError("i2c-1: gone"), "i2c-1: gone"), (KeyError("x"), "KeyError: 'x'")]
)
def test_a_sensor_that_fails_is_told_closed_and_holds_up_no_other(exc: Exception, said: str) -> None:
    clock = FakeClock()

    def fail(_now: int) -> Sequence[Block]:
        raise exc

    broken = Scripted(clock, [TEMPERATURE], fail)
    fine = Scripted(clock, [TEMPERATURE], lambda now: [Block(TEMPERATURE, now, np.array([1.0]))])
    found = watch({"broken": broken, "fine": fine}, 0.2, clock, clock.step)
    assert found["broken"] == Outcome(error=said)
    assert found["fine"].readings[0].count == 4
    assert broken.closed == fine.closed == 1


def found_everywhere(pi: Pi) -> list[tuple[str, Found]]:
    """Two of each kind, as if they were wired."""
    pairs = []
    for name in SENSOR_TYPES:
        for probe in probes_of(name):
            if isinstance(probe, I2cProbe):
                for bus, address in ((1, probe.addresses[0]), (1, probe.addresses[-1])):
                    pairs.append((name, Found(name.upper(), "somewhere", probe.options(bus, address))))
            elif isinstance(probe, SpiProbe):
                pairs += [(name, Found(name.upper(), "somewhere", probe.options(0, select))) for select in (0, 1)]
            elif isinstance(probe, TreeProbe):
                pairs += [(name, found) for found in probe.find(pi.root)]
    return pairs


def test_every_proposal_is_taken_by_its_type_and_all_of_them_by_one_machine(tmp_path: Path) -> None:
    pi = Pi(tmp_path)
    for serial in ("28-00000a1b2c3d", "28-00000a1b2c3e"):
        (pi.root / "sys/bus/w1/devices" / serial).mkdir()
    world = World(root=pi.root, buses=SimulatedBuses(), monotonic_ns=FakeClock())
    pairs = found_everywhere(pi)
    made = devices(world, None, pairs)
    assert {device.kind for device in made} >= {*ON_I2C, *ON_SPI, "ds18b20"}
    text = "\n\n".join(device.toml for device in made)
    tables = [tomllib.loads(device.toml)["machine"]["sensor"][0] for device in made]
    assert text.count("[[machine.sensor]]") == len(made) == len(pairs)
    setups = resolve(tables, "node.toml", "machine[0].sensor", tmp_path)
    surroundings = Surroundings("oven", "oven", FakeClock(), 1.0, root=str(pi.root), buses=SimulatedBuses())
    assert len(check_sensors(setups, surroundings, "node.toml")) == len(made)


ODD = st.text(max_size=12)


@given(
    st.dictionaries(
        ODD,
        st.recursive(
            st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | ODD,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_any_options_are_written_as_the_same_toml(options: dict[str, Any]) -> None:
    options = {key: value for key, value in options.items() if key not in ("type", "name")}
    text = proposal("adxl345", Found("ADXL345", "i2c-1 0x53", options), "adxl345")
    (table,) = tomllib.loads(text)["machine"]["sensor"]
    assert table == {"type": "adxl345", **options}


def test_an_address_is_written_as_data_sheets_do() -> None:
    text = proposal("adxl345", Found("ADXL345", "i2c-1 0x1D", {"bus": 1, "address": 0x1D}), "adxl345-2")
    assert text.splitlines() == [
        "# ADXL345, i2c-1 0x1D",
        "[[machine.sensor]]",
        'type = "adxl345"',
        'name = "adxl345-2"',
        "bus = 1",
        "address = 0x1D",
    ]


def test_names_avoid_those_that_are_taken() -> None:
    assert names(["sht31", "sht31", "host"], ["sht31", "host-2"]) == ["sht31-2", "sht31-3", "host"]


NODE = """
site = "bakery"
node = "oven-pi"
[mqtt]
host = "127.0.0.1"
tls = false
[[machine]]
name = "mixer"
kind = "mixer"
"""


def configured(tmp_path: Path, *tables: str) -> Any:
    path = tmp_path / "node.toml"
    path.write_text(NODE + "".join(f"[[machine.sensor]]\n{table}\n" for table in tables))
    return read_node(path)


def i2c(name: str, address: int, bus: int = 1) -> tuple[str, Found]:
    buses = SimulatedBuses()
    buses.wire_i2c(bus).plug(address, i2c_chip(name, FakeClock()))
    probes = [(name, probe) for probe in probes_of(name) if isinstance(probe, I2cProbe)]
    (found,) = look_at_i2c(bus, buses, probes, {}).found
    return found


def test_a_found_device_knows_where_it_is_configured(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        'type = "adxl345"',
        'type = "adxl345"\nname = "other"\naddress = 0x1D\nchannel = "b"',
        'type = "adxl345"\nname = "spi"\nbus = 0\nselect = 1\nchannel = "c"',
        'type = "sht31"\naddress = 0x45',
    )
    world = World(root=tmp_path, buses=SimulatedBuses(), monotonic_ns=FakeClock())
    found = [i2c("adxl345", 0x1D), i2c("adxl345", 0x53), i2c("adxl345", 0x53, bus=3), i2c("sht31", 0x44)]
    made = devices(world, config, found)
    assert [device.configured for device in made] == [
        "mixer/other",
        "mixer/adxl345",
        "",
        "",
        "mixer/spi",
        "mixer/sht31",
    ]
    assert [bool(device.toml) for device in made] == [False, False, True, True, False, False]
    assert 'name = "adxl345-2"' in made[2].toml
    assert 'name = "sht31-2"' in made[3].toml


def test_a_probe_is_known_by_its_serial_number_or_as_the_only_one(tmp_path: Path) -> None:
    pi = Pi(tmp_path)
    for serial in ("28-00000a1b2c3d", "28-00000a1b2c3e"):
        (pi.root / "sys/bus/w1/devices" / serial).mkdir()
    (probe,) = probes_of("ds18b20")
    assert isinstance(probe, TreeProbe)
    world = World(root=pi.root, buses=SimulatedBuses(), monotonic_ns=FakeClock())

    def labels(*tables: str) -> list[str]:
        found = [("ds18b20", device) for device in probe.find(pi.root)]
        return [device.configured for device in devices(world, configured(tmp_path, *tables), found) if device.found]

    assert labels('type = "ds18b20"\nprobe = [{ serial = "28-00000a1b2c3e", channel = "core" }]') == [
        "",
        "mixer/ds18b20",
    ]
    assert labels('type = "ds18b20"') == ["", ""]
    (pi.root / "sys/bus/w1/devices/28-00000a1b2c3d").rmdir()
    assert labels('type = "ds18b20"') == ["mixer/ds18b20"]


def test_what_is_read_is_read_by_the_real_drivers(tmp_path: Path) -> None:
    clock = FakeClock()
    buses = SimulatedBuses()
    buses.wire_i2c(1).plug(0x5A, i2c_chip("mlx90614", clock))
    buses.wire_spi(0, 0).chip = spi_chip("max31855", clock)
    world = World(root=tmp_path, buses=buses, monotonic_ns=clock, sleep=clock.step)
    config = configured(tmp_path, 'type = "max31855"', 'type = "max31856"\nselect = 1\nchannel = "other"')
    clock.step(1.0)
    made = read(world, config, devices(world, config, [i2c("mlx90614", 0x5A)]), 3.0)
    outcomes = {device.kind: device.outcome for device in made}
    infrared, thermocouple, absent = outcomes["mlx90614"], outcomes["max31855"], outcomes["max31856"]
    assert infrared is not None
    assert thermocouple is not None
    assert absent is not None
    assert infrared.readings[0].value == pytest.approx((80.0,), abs=0.02)
    assert infrared.readings[0].count >= 4, "asked more often than a daemon would"
    assert thermocouple.readings[0].value == pytest.approx((180.0,), abs=0.3)
    assert "spidev0.1" in absent.error
    (problem,) = (one for device in made for one in judge(device))
    assert (problem.code, problem.values["sensor"]) == ("failed", "mixer/max31856")


def test_a_chip_that_cannot_be_read_so_often_is_read_as_often_as_it_can(tmp_path: Path) -> None:
    clock = FakeClock()
    buses = SimulatedBuses()
    buses.wire_i2c(1).plug(0x40, i2c_chip("ina226", clock))
    world = World(root=tmp_path, buses=buses, monotonic_ns=clock, sleep=clock.step)
    (made,) = read(world, None, devices(world, None, [i2c("ina226", 0x40)]), 3.0)
    assert made.outcome is not None
    assert not made.outcome.error
    volts = next(reading for reading in made.outcome.readings if reading.channel.name == "voltage")
    assert (volts.value[0], volts.count >= 2) == (pytest.approx(12.0, abs=0.01), True)


def test_faults_and_silence_are_problems() -> None:
    clock = FakeClock()
    fault = ((Fault.OPEN, "open"),)
    sensor = Scripted(
        clock, [TEMPERATURE, SHAKING], lambda now: [Block(TEMPERATURE, now, np.array([math.nan]), faults=fault)]
    )
    outcome = watch({0: sensor}, 3.0, clock, clock.step)[0]
    found = list(judge(Device("max31856", None, "oven/probe", outcome)))
    assert [(one.code, one.values["channel"]) for one in found] == [("silent", "vibration"), ("fault", "temperature")]
    assert list(judge(Device("max31856", None, "oven/probe"))) == []


def test_options_that_a_type_refuses_are_an_error_and_no_crash(tmp_path: Path) -> None:
    world = World(root=tmp_path, buses=SimulatedBuses(), monotonic_ns=FakeClock())
    wrong = Device("sht31", Found("SHT31", "i2c-1 0x10", {"bus": 1, "address": 0x10}), "")
    (made,) = read(world, None, [wrong], 0.5)
    assert made.outcome is not None
    assert "address" in made.outcome.error
