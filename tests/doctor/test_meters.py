"""Energy meters on a serial port that a person named."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.doctor.examine import examine
from edge.doctor.meters import look_at_modbus
from edge.doctor.world import World
from edge.sensors.simulation.chips.bus import SimulatedBuses
from edge.sensors.simulation.chips.meter import SimulatedMeter, SimulatedPzem004t, SimulatedSdm120, SimulatedSdm630
from edge.sensors.simulation.chips.serial_port import SimulatedSerialPort
from wire.clock import boottime_ns


@pytest.fixture
def port() -> Iterator[SimulatedSerialPort]:
    made = SimulatedSerialPort()
    yield made
    made.close()


def world(root: Path = Path("/")) -> World:
    return World(root=root, buses=SimulatedBuses())


@pytest.mark.parametrize(
    ("make", "kind", "options"),
    [
        (SimulatedPzem004t, "pzem004t", {}),
        (SimulatedSdm120, "modbus", {"meter": "sdm120", "baud": 2400}),
        (SimulatedSdm630, "modbus", {"meter": "sdm630", "baud": 9600}),
    ],
)
def test_each_meter_is_recognised_as_itself(
    port: SimulatedSerialPort, make: Callable[..., SimulatedMeter], kind: str, options: dict[str, Any]
) -> None:
    port.devices[1] = make(boottime_ns, amps=3.0)
    sight = look_at_modbus(port.path, world())
    ((found_kind, found),) = sight.found
    assert (found_kind, dict(found.options)) == (kind, {"port": port.path, **options})
    assert not found.certain
    assert found.means is not None
    assert found.means({"port": port.path, "unit": 1})
    assert not found.means({"port": port.path, "unit": 2})


def test_another_device_is_told_with_what_it_said(port: SimulatedSerialPort) -> None:
    device = SimulatedPzem004t(boottime_ns)
    device.hz = 0.0
    port.devices[1] = device
    (said,) = look_at_modbus(port.path, world()).checks
    assert (said.code, said.values["port"]) == ("silent", port.path)
    assert "answers, but not like" in said.values["error"]


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    (said,) = look_at_modbus(str(tmp_path / "ttyUSB9"), world()).checks
    assert "ttyUSB9" in said.values["error"]


def test_a_meter_is_read_and_proposed_only_at_a_port_that_was_named(port: SimulatedSerialPort, tmp_path: Path) -> None:
    port.devices[1] = SimulatedPzem004t(boottime_ns, volts=231.0, amps=2.0)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ttyUSB0").symlink_to(port.path)
    assert examine(world(tmp_path), None, seconds=0.5).devices == ()
    seen = examine(world(tmp_path), None, seconds=1.0, modbus=["/dev/ttyUSB0"])
    (device,) = seen.devices
    assert device.outcome is not None
    volts = next(reading for reading in device.outcome.readings if reading.channel.name == "voltage")
    assert volts.value == pytest.approx((231.0,), abs=0.1)
    (table,) = tomllib.loads(device.toml)["machine"]["sensor"]
    assert table == {"type": "pzem004t", "port": "/dev/ttyUSB0"}
