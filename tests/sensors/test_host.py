"""The board as a sensor, on boards made of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.sensors.base import Fault, SensorConfigError
from edge.sensors.host import Host, HostConfig
from edge.sensors.registry import Surroundings, sensor_type


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def raspberry(root: Path) -> Path:
    put(root, "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    put(root, "sys/class/thermal/thermal_zone0/temp", "48312\n")
    put(root, "proc/loadavg", "0.52 0.58 0.59 1/257 1234\n")
    put(root, "proc/meminfo", "MemTotal:        1000000 kB\nMemFree: 100 kB\nMemAvailable:    250000 kB\n")
    put(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "0\n")
    return root


def host(root: Path, clock: FakeClock, **options: object) -> Host:
    made = Surroundings("board", "generic", clock, 1.0, root=str(root))
    return Host(HostConfig(disk=root, **options), made)  # type: ignore[arg-type]  # options vary by test


def values(sensor: Host) -> dict[str, float]:
    return {block.channel.name: float(block.values[0]) for block in sensor.read()}


class TestContract(SensorContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SensorCase:
        clock = FakeClock()
        return SensorCase(host(raspberry(tmp_path), clock, every_s=2.0), clock.step, monotonic_ns=clock)


class TestThisBoard(SensorContract):
    @pytest.fixture
    def case(self) -> SensorCase:
        clock = FakeClock()
        return SensorCase(host(Path("/"), clock, every_s=2.0), clock.step, monotonic_ns=clock)


def test_is_registered() -> None:
    assert sensor_type("host").make is Host


def test_a_raspberry_pi(tmp_path: Path) -> None:
    sensor = host(raspberry(tmp_path), FakeClock())
    sensor.open()
    read = values(sensor)
    assert set(read) == {"cpu_temperature", "load", "memory_used", "disk_free", "throttled", "under_voltage"}
    assert read["cpu_temperature"] == pytest.approx(48.312)
    assert read["memory_used"] == pytest.approx(75.0)
    assert read["disk_free"] > 0
    assert (read["throttled"], read["under_voltage"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("flags", "throttled", "under"), [("50005", 1.0, 1.0), ("50000", 0.0, 0.0), ("1", 0.0, 1.0), ("8", 1.0, 0.0)]
)
def test_only_what_is_throttled_now_counts(tmp_path: Path, flags: str, throttled: float, under: float) -> None:
    put(raspberry(tmp_path), "sys/devices/platform/soc/soc:firmware/get_throttled", flags)
    sensor = host(tmp_path, FakeClock())
    sensor.open()
    read = values(sensor)
    assert (read["throttled"], read["under_voltage"]) == (throttled, under)


def test_a_newer_kernel_tells_the_voltage_under_hwmon(tmp_path: Path) -> None:
    put(raspberry(tmp_path), "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    sensor = host(tmp_path, FakeClock())
    sensor.open()
    assert values(sensor)["under_voltage"] == 1.0


def test_a_pc_tells_its_temperature_under_hwmon(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/type", "acpitz")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "20000")
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "nvme")
    put(tmp_path, "sys/class/hwmon/hwmon0/temp1_input", "33000")
    put(tmp_path, "sys/class/hwmon/hwmon2/name", "coretemp")
    put(tmp_path, "sys/class/hwmon/hwmon2/temp1_input", "61000")
    sensor = host(tmp_path, FakeClock())
    sensor.open()
    assert values(sensor)["cpu_temperature"] == 61.0


def test_what_is_absent_is_no_channel_and_no_fault(tmp_path: Path) -> None:
    put(tmp_path, "proc/loadavg", "0.1 0.1 0.1 1/1 1")
    put(tmp_path, "proc/meminfo", "MemTotal: 10 kB\n")
    sensor = host(tmp_path, FakeClock())
    sensor.open()
    assert set(values(sensor)) == {"load", "disk_free"}


def test_what_disappears_later_is_a_fault(tmp_path: Path) -> None:
    clock = FakeClock()
    sensor = host(raspberry(tmp_path), clock)
    sensor.open()
    sensor.read()
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").unlink()
    clock.step(5.0)
    faults = {block.channel.name: block.faults for block in sensor.read()}
    assert faults["cpu_temperature"][0][0] is Fault.NO_DATA
    assert not faults["load"]


def test_odd_content_is_a_fault(tmp_path: Path) -> None:
    clock = FakeClock()
    sensor = host(raspberry(tmp_path), clock)
    sensor.open()
    put(tmp_path, "proc/meminfo", "garbage")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "hot")
    faulty = {block.channel.name for block in sensor.read() if block.faults}
    assert faulty == {"memory_used", "cpu_temperature"}


def test_it_is_not_read_more_often_than_asked(tmp_path: Path) -> None:
    clock = FakeClock()
    sensor = host(raspberry(tmp_path), clock, every_s=10.0)
    sensor.open()
    assert sensor.read()
    clock.step(9.0)
    assert not sensor.read()
    clock.step(1.0)
    assert sensor.read()


def test_a_board_that_tells_nothing(tmp_path: Path) -> None:
    sensor = Host(
        HostConfig(disk=tmp_path / "gone"), Surroundings("board", "generic", FakeClock(), 1.0, root=str(tmp_path))
    )
    with pytest.raises(SensorConfigError):
        sensor.open()
