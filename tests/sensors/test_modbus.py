"""Meters over Modbus: on a pseudo terminal with simulated devices, and over TCP against another server."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.modbus import TcpServer, free_port
from support.nodes import write_node
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.config import read_node
from edge.feed import SensorFeed
from edge.sense import Sense
from edge.sensors.base import Block, Fault, Sensor, SensorConfigError, SensorError
from edge.sensors.modbus import Modbus, ModbusConfig
from edge.sensors.modbus_line import EXCEPTIONS
from edge.sensors.modbus_map import Register, Request, number, requests, value_of, words, words_of
from edge.sensors.modbus_meters import meters
from edge.sensors.pzem004t import Pzem004t, Pzem004tConfig
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.simulation.chips.meter import SimulatedPzem004t, SimulatedSdm120, SimulatedSdm630
from edge.sensors.simulation.chips.serial_port import SimulatedSerialPort, crc16

SDM_VOLTS = {0: 0x4366, 1: 0x3334}
"""230.2 V, as in Eastron's protocol description."""


def surroundings(folder: Path | None = None) -> Surroundings:
    return Surroundings("oven", "oven", time.monotonic_ns, 1.0, state_dir=folder)


def register(name: str, address: int, **options: Any) -> Register:
    return Register(name=name, addresses=[address], quantity=options.pop("quantity", "level"), **options)


def modbus(folder: Path | None = None, **options: Any) -> Modbus:
    return Modbus(ModbusConfig(**{"every_s": 0.05, "timeout_s": 0.4, **options}), surroundings(folder))


def over_tcp(server: TcpServer, *registers: Register, **options: Any) -> Modbus:
    return modbus(host="127.0.0.1", tcp_port=server.port, registers=list(registers), **options)


def read_some(sensor: Sensor, least: int = 1, patience_s: float = 5.0) -> list[Block]:
    """Blocks, once there are some; whatever `read` raises goes through."""
    found: list[Block] = []
    until = time.monotonic() + patience_s
    while len(found) < least and time.monotonic() < until:
        found.extend(sensor.read())
        time.sleep(0.01)
    assert len(found) >= least
    return found


def values(sensor: Sensor) -> dict[str, list[float]]:
    return {block.channel.name: block.values.ravel().tolist() for block in read_some(sensor)}


def failure(sensor: Sensor, patience_s: float = 5.0) -> str:
    """What it says when it fails."""
    until = time.monotonic() + patience_s
    said = ""
    while not said and time.monotonic() < until:
        time.sleep(0.01)
        try:
            sensor.read()
        except SensorError as exc:
            said = str(exc)
    sensor.close()
    return said


@pytest.fixture
def port() -> Iterator[SimulatedSerialPort]:
    made = SimulatedSerialPort()
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[TcpServer]:
    made = TcpServer({**SDM_VOLTS, 6: 0x40A0, 7: 0, 100: 0xFFFF}, {5: 0xFF38})
    yield made
    made.stop()


class TestTcpContract(SensorContract):
    @pytest.fixture
    def case(self, server: TcpServer) -> SensorCase:
        sensor = over_tcp(server, register("voltage", 0, type="f32"), register("setting", 5, kind="holding"))
        return SensorCase(sensor, time.sleep, seconds=0.15, monotonic_ns=time.monotonic_ns)


class TestPzem004tContract(SensorContract):
    @pytest.fixture
    def case(self, port: SimulatedSerialPort) -> SensorCase:
        port.devices[1] = SimulatedPzem004t(time.monotonic_ns, amps=3.0)
        sensor = Pzem004t(Pzem004tConfig(port=port.path, every_s=0.2, timeout_s=0.4), surroundings())
        return SensorCase(sensor, time.sleep, seconds=0.4, monotonic_ns=time.monotonic_ns)


class TestSdm630Contract(SensorContract):
    @pytest.fixture
    def case(self, port: SimulatedSerialPort) -> SensorCase:
        port.devices[1] = SimulatedSdm630(time.monotonic_ns, amps=3.0)
        return SensorCase(
            modbus(port=port.path, meter="sdm630", baud=115_200),
            time.sleep,
            seconds=0.4,
            monotonic_ns=time.monotonic_ns,
        )


def test_are_registered() -> None:
    assert sensor_type("modbus").make is Modbus
    assert sensor_type("pzem004t").make is Pzem004t


# Numbers.


def test_eastrons_example_is_230_2_volts() -> None:
    assert number([0x4366, 0x3334], "f32", "high_first") == pytest.approx(230.2, abs=1e-4)


@given(st.sampled_from(["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"]), st.data())
def test_a_number_goes_into_registers_and_comes_back(kind: Any, data: st.DataObject) -> None:
    bits = int(kind[1:])
    if kind[0] == "f":
        value: float = data.draw(st.floats(width=32, allow_nan=False) if bits == 32 else st.floats(allow_nan=False))
    else:
        low = -(2 ** (bits - 1)) if kind[0] == "s" else 0
        value = data.draw(st.integers(low, low + 2**bits - 1))
    for order in ("high_first", "low_first"):
        made = words(value, kind, order)
        assert len(made) == words_of(kind)
        assert number(made, kind, order) == value
        assert made == words(value, kind, "high_first")[:: 1 if order == "high_first" else -1]


def test_sign_scale_offset_and_the_number_for_nothing() -> None:
    assert value_of(register("t", 0, type="s16", scale=0.1, offset=-5.0), [0xFF38]) == pytest.approx(-25.0)
    assert math.isnan(value_of(register("t", 0, none=0xFFFF), [0xFFFF]))
    assert math.isnan(value_of(register("t", 0, type="f32"), [0x7FC0, 0]))
    assert math.isnan(value_of(register("t", 0, type="f32"), [0x7F80, 0])), "infinite is no reading either"


def test_neighbours_are_read_at_once_and_gaps_only_when_asked() -> None:
    wanted = [
        register("a", 0, type="f32"),
        register("b", 2, type="f32"),
        register("c", 6),
        register("d", 6, kind="holding"),
    ]
    assert requests(wanted) == [Request("holding", 6, 1), Request("input", 0, 4), Request("input", 6, 1)]
    assert requests(wanted, 2) == [Request("holding", 6, 1), Request("input", 0, 7)]
    many = [register(f"r{at}", at) for at in range(300)]
    assert [one.size for one in requests(many)] == [125, 125, 50]


@pytest.mark.parametrize("name", meters())
def test_the_built_in_maps_make_sense(name: str) -> None:
    meter = meters()[name]  # type: ignore[index]  # a meter's name
    sensor = modbus(port="/dev/nothing", meter=name)
    assert {"voltage", "current", "power", "energy", "frequency"} <= {channel.name for channel in sensor.channels}
    assert set(meter.sure) <= {one.name for one in meter.registers}
    assert len({address for one in meter.registers for address in one.addresses}) == sum(
        len(one.addresses) for one in meter.registers
    )


# PZEM-004T.


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


# A serial line.


def test_a_dead_meter_is_told_within_the_stated_time(port: SimulatedSerialPort) -> None:
    sensor = modbus(port=port.path, meter="sdm120", unit=7, timeout_s=0.15)
    began = time.monotonic()
    with pytest.raises(SensorError, match=rf"{port.path} unit 7: input register 70 .* no valid answer within 0.15 s"):
        sensor.open()
    assert time.monotonic() - began < 2 * 0.15 + 1.0 + 0.5
    assert port.requests == 2, "asked once more"
    with pytest.raises(SensorError, match="not open"):
        sensor.read()


def test_a_disturbed_answer_is_asked_for_again(port: SimulatedSerialPort) -> None:
    port.devices[1] = SimulatedSdm120(FakeClock(), volts=231.0)
    sensor = modbus(port=port.path, meter="sdm120", channels=["voltage"], baud=115_200)
    sensor.open()
    port.garbled = 1
    found = [block.values[0] for block in read_some(sensor, 5)]
    assert port.garbled == 0
    assert found == [231.0] * len(found)
    sensor.close()


def test_a_meter_that_vanishes_is_a_fault_and_comes_back(port: SimulatedSerialPort) -> None:
    port.devices[3] = SimulatedSdm120(FakeClock(), volts=231.0)
    sensor = modbus(port=port.path, meter="sdm120", unit=3, channels=["voltage", "frequency"])
    sensor.open()
    assert values(sensor)["voltage"] == [231.0]
    device = port.devices.pop(3)
    assert "unit 3: input register" in failure(sensor)
    with pytest.raises(SensorError):
        sensor.open()
    port.devices[3] = device
    sensor.open()
    assert values(sensor)["voltage"] == [231.0]
    sensor.close()


def test_an_adapter_that_is_pulled_is_told(port: SimulatedSerialPort, tmp_path: Path) -> None:
    with pytest.raises(SensorError, match=r"ttyUSB7 unit 1: .*is the adapter plugged in"):
        modbus(port=str(tmp_path / "ttyUSB7"), meter="sdm120").open()
    port.devices[1] = SimulatedSdm120(FakeClock())
    sensor = modbus(port=port.path, meter="sdm120")
    sensor.open()
    port.close()
    assert "unit 1" in failure(sensor)


def test_a_slow_meter_never_holds_up_its_machine(port: SimulatedSerialPort) -> None:
    """Through the feed, as the machine's thread does it: open, read, fault, pause, open again, read."""
    port.devices[1] = SimulatedSdm120(FakeClock(), volts=231.0)
    feed = SensorFeed(
        "oven", "meter", lambda: modbus(port=port.path, meter="sdm120", channels=["voltage"], baud=115_200)
    )
    feed.open(time.monotonic_ns())
    port.delay_s = 0.1
    slowest_s, good, said = 0.0, 0, ""
    until = time.monotonic() + 10.0
    while time.monotonic() < until and not (said and not feed.error):
        began = time.monotonic()
        reading = feed.read(time.monotonic_ns())
        if not said:
            slowest_s = max(slowest_s, time.monotonic() - began)
            good += len(reading.blocks)
        if good == 3:
            port.delay_s = 1.0
        if reading.error:
            said, port.delay_s = reading.error, 0.0
        time.sleep(0.02)
    feed.close()
    assert good >= 3
    assert slowest_s < 0.5, "joining its thread, at the end, is the longest"
    assert "no valid answer" in said
    assert feed.error is None, "it works again"


def test_three_meters_share_a_line(port: SimulatedSerialPort) -> None:
    for unit in (1, 2, 3):
        port.devices[unit] = SimulatedSdm120(FakeClock(), volts=220.0 + unit)
    sensors = [
        modbus(port=port.path, meter="sdm120", unit=unit, prefix=f"l{unit}_", baud=115_200) for unit in (1, 2, 3)
    ]
    for sensor in sensors:
        sensor.open()
    for unit, sensor in enumerate(sensors, 1):
        found = [block.values[0] for block in read_some(sensor, 60) if block.channel.name == f"l{unit}_voltage"]
        assert set(found) == {220.0 + unit}
    for sensor in sensors:
        sensor.close()
    gaps = [after[0] - before[0] for before, after in zip(port.frames, port.frames[1:], strict=False)]
    assert min(gaps) > 0.0017, "frames are apart"


def test_phases_are_axes_of_one_channel(port: SimulatedSerialPort) -> None:
    device = port.devices[1] = SimulatedSdm630(FakeClock(), amps=10.0, power_factor=0.8)
    device.shares = (1.0, 0.5, 0.0)
    sensor = modbus(port=port.path, meter="sdm630", channels=["current", "power", "phase_power"])
    sensor.open()
    found = {block.channel.name: block for block in read_some(sensor)}
    sensor.close()
    assert found["current"].values.tolist() == [[10.0, 5.0, 0.0]]
    assert found["current"].channel.axes == 3
    assert found["power"].values.tolist() == [pytest.approx(2760.0)]
    assert found["phase_power"].values.tolist() == [[pytest.approx(1840.0), pytest.approx(920.0), 0.0]]


def test_feeding_back_has_a_sign_and_its_own_counter(port: SimulatedSerialPort) -> None:
    clock = FakeClock()
    port.devices[1] = SimulatedSdm120(clock, amps=-10.0, kwh=5.0)
    clock.step(3600.0)
    sensor = modbus(port=port.path, meter="sdm120")
    sensor.open()
    found = values(sensor)
    sensor.close()
    assert found["power"] == [-2300.0]
    assert found["energy"] == [5.0]
    assert found["energy_export"] == [pytest.approx(2.3)]


def test_power_is_integrated_for_a_device_that_does_not_count(port: SimulatedSerialPort, tmp_path: Path) -> None:
    port.devices[1] = SimulatedSdm120(FakeClock(), amps=20.0)
    sensor = modbus(
        tmp_path, port=port.path, registers=[register("p", 12, type="f32", quantity="power", unit="W")], integrate="p"
    )
    sensor.open()
    began = time.monotonic()
    blocks = [block for block in read_some(sensor, 20) if block.channel.name == "energy"]
    elapsed_s = (blocks[-1].start_ns - blocks[0].start_ns) / 1e9
    sensor.close()
    assert 0.3 < elapsed_s < time.monotonic() - began + 1.0
    assert blocks[-1].values[0] == pytest.approx(4600.0 * elapsed_s / 3.6e6, rel=1e-6)


# TCP.


def test_registers_over_tcp(server: TcpServer) -> None:
    sensor = over_tcp(
        server,
        register("voltage", 0, type="f32"),
        register("current", 6, type="f32", quantity="current", unit="A"),
        register("setpoint", 5, kind="holding", type="s16", scale=0.1, quantity="temperature", unit="°C"),
        register("nothing", 100, none=0xFFFF),
    )
    sensor.open()
    found = {block.channel.name: block for block in read_some(sensor)}
    sensor.close()
    assert found["voltage"].values[0] == pytest.approx(230.2, abs=1e-4)
    assert found["current"].values[0] == 5.0
    assert found["setpoint"].values[0] == pytest.approx(-20.0)
    assert found["nothing"].faults[0] == (Fault.NO_DATA, "nothing: register 100 holds no value")


def test_serial_frames_over_tcp() -> None:
    server = TcpServer(SDM_VOLTS, rtu=True)
    sensor = over_tcp(server, register("voltage", 0, type="f32"), framing="rtu")
    sensor.open()
    assert values(sensor)["voltage"][0] == pytest.approx(230.2, abs=1e-4)
    sensor.close()
    server.stop()


def test_a_register_that_does_not_exist_is_told_in_words(server: TcpServer) -> None:
    with pytest.raises(
        SensorError, match=r"127\.0\.0\.1:\d+ unit 1: input register 50 \(0x0032\): exception 2, illegal data"
    ):
        over_tcp(server, register("x", 50)).open()


@pytest.mark.parametrize("code", EXCEPTIONS)
def test_every_exception_has_words(port: SimulatedSerialPort, code: int) -> None:
    port.devices[1] = SimulatedSdm120(FakeClock())
    port.devices[1].exception = code
    with pytest.raises(SensorError, match=f"exception {code}, {EXCEPTIONS[code]}"):
        modbus(port=port.path, meter="sdm120").open()


def test_a_server_that_vanishes_is_a_fault_and_comes_back() -> None:
    server = TcpServer(SDM_VOLTS)
    sensor = over_tcp(server, register("voltage", 0, type="f32"))
    sensor.open()
    read_some(sensor)
    server.stop()
    assert f"127.0.0.1:{server.port} unit 1" in failure(sensor)
    with pytest.raises(SensorError, match="Connection refused"):
        sensor.open()
    server = TcpServer(SDM_VOLTS, port=server.port)
    sensor.open()
    assert values(sensor)["voltage"][0] == pytest.approx(230.2, abs=1e-4)
    sensor.close()
    server.stop()


def test_nobody_there_is_told_with_host_and_port() -> None:
    port = free_port()
    with pytest.raises(SensorError, match=rf"127\.0\.0\.1:{port} unit 1: Connection refused \(nothing listens there"):
        modbus(host="127.0.0.1", tcp_port=port, meter="sdm120").open()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"meter": "sdm120"}, "either port .* or host"),
        ({"meter": "sdm120", "port": "/dev/x", "host": "y"}, "either port .* or host"),
        ({"port": "/dev/x"}, "either meter or"),
        ({"port": "/dev/x", "meter": "sdm120", "registers": [register("a", 0)]}, "either meter or"),
        ({"port": "/dev/x", "registers": [register("a", 0), register("a", 1)]}, "two registers of one name"),
        (
            {"port": "/dev/x", "meter": "sdm120", "channels": ["strom"]},
            "no channel 'strom'; this map has voltage, current",
        ),
        ({"port": "/dev/x", "meter": "sdm120", "integrate": "voltage"}, "integrate: 'voltage' must be"),
        ({"port": "/dev/x", "meter": "sdm120", "integrate": "power"}, "integrate: 'power' must be"),
        ({"port": "/dev/x", "registers": [register("a", 0)], "integrate": "a"}, "integrate: 'a' must be"),
    ],
)
def test_what_can_never_work_is_refused_before_the_start(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SensorConfigError, match=said):
        Modbus(ModbusConfig(**options), surroundings())


def test_the_check_sum_is_the_standards() -> None:
    assert crc16(bytes.fromhex("010400000002")).hex() == "71cb"
    assert crc16(bytes.fromhex("01040443663334")) == bytes.fromhex("1b38")
    assert struct.unpack(">f", bytes.fromhex("43663334"))[0] == pytest.approx(230.2, abs=1e-4)


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
