"""PZEM-004T v3 on a pseudo terminal, by its manual; energy over resets and restarts."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.modbus import read_some, surroundings, values
from support.nodes import write_node
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.config import read_node
from edge.sense import Sense
from edge.sensors.base import Fault, SensorError
from edge.sensors.pzem004t import Pzem004t, Pzem004tConfig
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.meter import SimulatedPzem004t
from edge.sensors.simulation.chips.serial_port import SimulatedSerialPort

NODE = """
[[machine]]
name = "oven"
kind = "oven"
interval_s = 0.1
[[machine.sensor]]
type = "pzem004t"
port = "{port}"
every_s = 0.2
"""


@pytest.fixture
def port() -> Iterator[SimulatedSerialPort]:
    made = SimulatedSerialPort()
    yield made
    made.close()


def test_is_registered() -> None:
    assert sensor_type("pzem004t").make is Pzem004t


class TestPzem004tContract(SensorContract):
    @pytest.fixture
    def case(self, port: SimulatedSerialPort) -> SensorCase:
        port.devices[1] = SimulatedPzem004t(time.monotonic_ns, amps=3.0)
        sensor = Pzem004t(Pzem004tConfig(port=port.path, every_s=0.2, timeout_s=0.4), surroundings())
        return SensorCase(sensor, time.sleep, seconds=0.4, monotonic_ns=time.monotonic_ns)


def pzem(port: SimulatedSerialPort, folder: Path | None = None, **options: Any) -> Pzem004t:
    return Pzem004t(
        Pzem004tConfig(port=port.path, **{"every_s": 0.2, "timeout_s": 0.4, **options}), surroundings(folder)
    )


def test_a_pzem_is_asked_as_its_manual_says_and_understood(port: SimulatedSerialPort) -> None:
    port.devices[1] = SimulatedPzem004t(FakeClock(), volts=230.4, amps=70.123, power_factor=0.93, hz=49.9, kwh=1234.567)
    sensor = pzem(port)
    sensor.open()
    found = values(sensor)
    sensor.close()
    # Request of the manual's chapter 2.3 for all ten registers; 70.123 A and 15025.4 W need the high word.
    assert bytes.fromhex("01040000000a700d") in [frame for _, frame in port.frames]
    assert found == {
        "voltage": [pytest.approx(230.4)],
        "current": [pytest.approx(70.123)],
        "power": [pytest.approx(15_025.4)],
        "energy": [pytest.approx(1234.567)],
        "frequency": [pytest.approx(49.9)],
        "power_factor": [pytest.approx(0.93)],
        "over_power": [0.0],
    }


def test_a_pzems_alarm_is_a_state(port: SimulatedSerialPort) -> None:
    device = port.devices[1] = SimulatedPzem004t(FakeClock(), amps=10.0)
    device.threshold_w = 2000
    sensor = pzem(port, channels=["over_power"])
    sensor.open()
    assert values(sensor) == {"over_power": [1.0]}
    sensor.close()


def test_something_else_at_the_pzems_address_is_told(port: SimulatedSerialPort) -> None:
    device = port.devices[1] = SimulatedPzem004t(FakeClock())
    device.hz = 0.0
    with pytest.raises(SensorError, match=r"unit 1 answers, but not like a PZEM-004T v3: frequency .* says 0 Hz"):
        pzem(port, channels=["voltage"]).open()


def test_energy_goes_on_over_a_reset_of_the_meter_and_a_restart(port: SimulatedSerialPort, tmp_path: Path) -> None:
    device = port.devices[1] = SimulatedPzem004t(FakeClock(), kwh=50.0)
    sensor = pzem(port, tmp_path, channels=["energy"])
    sensor.open()
    assert values(sensor)["energy"] == [50.0]
    sensor.close()
    device.reset()
    device.kwh = 0.25
    sensor = pzem(port, tmp_path, channels=["energy"])
    sensor.open()
    blocks = read_some(sensor, 3)
    sensor.close()
    assert blocks[0].values[0] == 50.0, "one reading alone is not believed"
    assert blocks[-1].values[0] == pytest.approx(50.25)
    assert (tmp_path / "oven.energy.json").exists()


def test_energy_goes_on_beyond_the_end_of_the_meters_counter(port: SimulatedSerialPort) -> None:
    device = port.devices[1] = SimulatedPzem004t(FakeClock(), kwh=9_999.99)
    sensor = pzem(port, channels=["energy"])
    sensor.open()
    first = read_some(sensor)[0]
    device.kwh = 0.02
    last = read_some(sensor, 4)[-1]
    assert (first.values[0], last.values[0]) == (pytest.approx(9_999.99), pytest.approx(10_000.02))
    assert last.values[0] <= last.channel.high, "the sum has no end"
    device.kwh = 20_000.0
    block = read_some(sensor, 2)[-1]
    sensor.close()
    assert block.faults == ((Fault.OUT_OF_RANGE, "energy: register 5 says 20000 kWh"),)
    assert math.isnan(block.values[0])


def test_a_node_keeps_the_meters_energy_in_its_state_folder(port: SimulatedSerialPort, tmp_path: Path) -> None:
    """The daemon whole, without a broker; the meter is reset while the node is off."""
    device = port.devices[1] = SimulatedPzem004t(FakeClock(), kwh=70.0)
    node = read_node(write_node(tmp_path, more=NODE.format(port=port.path)))
    kept = tmp_path / "state" / "sense" / "sensors" / "oven.energy.json"
    for kwh, expected in ((70.0, 70.0), (3.0, 73.0)):
        device.kwh = kwh
        with Sense(node) as sense:
            loop = sense.loops["oven"]
            until = time.monotonic() + 10.0
            while loop.state.ticks < 15 and time.monotonic() < until:
                time.sleep(0.05)
            states = loop.sensors()
        assert [(one.ok, one.detail) for one in states] == [(True, "")]
        numbers = json.loads(kept.read_text())["state"]
        assert numbers["offset"] + numbers["counter"] == pytest.approx(expected)
