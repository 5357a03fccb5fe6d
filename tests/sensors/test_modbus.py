"""Meters over Modbus: on a pseudo terminal with simulated devices, and over TCP against another server."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.modbus import (
    SDM_VOLTS,
    TcpServer,
    failure,
    free_port,
    modbus,
    over_tcp,
    read_some,
    register,
    surroundings,
    values,
)
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.feed import SensorFeed
from edge.sensors.base import Fault, SensorConfigError, SensorError
from edge.sensors.modbus import Modbus, ModbusConfig
from edge.sensors.modbus_line import EXCEPTIONS, SerialLine
from edge.sensors.registry import sensor_type
from edge.sensors.simulation.chips.meter import SimulatedSdm120, SimulatedSdm630
from edge.sensors.simulation.chips.serial_port import SimulatedSerialPort


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


def test_is_registered() -> None:
    assert sensor_type("modbus").make is Modbus


def test_a_dead_meter_is_told_within_the_stated_time(port: SimulatedSerialPort) -> None:
    sensor = modbus(port=port.path, meter="sdm120", unit=7, timeout_s=0.15)
    began = time.monotonic()
    with pytest.raises(SensorError, match=rf"{port.path} unit 7: input register 70 .* no valid answer within 0.15 s"):
        sensor.open()
    assert time.monotonic() - began < 10.0, "it waits for its time-outs and not for ever"
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
    assert slowest_s < 5.0, "joining its thread, at the end, is the longest"
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


def test_waiting_for_others_on_the_line_is_no_devices_silence(
    port: SimulatedSerialPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    port.devices[1] = SimulatedSdm120(FakeClock(), volts=231.0)
    with open(port.path, "rb", buffering=0) as other:  # noqa: PTH123  # unbuffered, for its lock only
        fcntl.flock(other, fcntl.LOCK_EX)
        free = threading.Timer(1.4, fcntl.flock, (other, fcntl.LOCK_UN))
        free.start()
        sensor = modbus(port=port.path, meter="sdm120", timeout_s=0.1, baud=115_200)
        sensor.open()
        assert values(sensor)["voltage"] == [231.0]
        free.join()
        sensor.close()
        monkeypatch.setattr(SerialLine, "wait_s", 0.3)
        fcntl.flock(other, fcntl.LOCK_EX)
        sensor = modbus(port=port.path, meter="sdm120", timeout_s=0.1, baud=115_200)
        with pytest.raises(SensorError, match=r"unit 1: others keep the line for more than 0.3 s"):
            sensor.open()


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
