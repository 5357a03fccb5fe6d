"""Looking over the buses: every chip recognised as itself, by reading only, whatever else is wired."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.pi import ON_I2C, ON_SPI, Pi, i2c_chip, spi_chip
from support.sensor_contract import FakeClock

from edge.doctor.i2c import ADDRESSES, Sight, clock_khz, held, i2c_buses, look_at_i2c, pace
from edge.doctor.spi import in_use, look_at_spi, spi_selects
from edge.sensors.bus.base import Absent, BusError, I2c
from edge.sensors.probing import I2cProbe, I2cReader, Probe, SpiProbe, probes_of
from edge.sensors.registry import SENSOR_TYPES
from edge.sensors.simulation.chips.bus import SimulatedBuses
from wire.clock import boottime_ns

PROBES: list[tuple[str, Probe]] = [(name, probe) for name in SENSOR_TYPES for probe in probes_of(name)]
I2C_PROBES = [(name, probe) for name, probe in PROBES if isinstance(probe, I2cProbe)]
SPI_PROBES = [(name, probe) for name, probe in PROBES if isinstance(probe, SpiProbe)]


def codes(sight: Sight) -> list[tuple[str, Any]]:
    return [(one.code, one.values.get("place", one.values.get("bus"))) for one in sight.checks]


class ReadOnly:
    """A bus of simulated chips that counts reads and refuses every write."""

    def __init__(self, inner: I2c) -> None:
        self.inner = inner
        self.asked: set[int] = set()

    def read(self, address: int, register: int, count: int) -> bytes:
        self.asked.add(address)
        return self.inner.read(address, register, count)

    def write(self, address: int, register: int, data: bytes) -> None:
        raise AssertionError(f"0x{address:02X} was written: {register:02X} {data.hex()}")

    def exchange(self, address: int, out: bytes, count: int) -> bytes:
        assert count >= 1, "nothing is read: that is a write"
        assert len(out) <= 2
        self.asked.add(address)
        return self.inner.exchange(address, out, count)

    def read_each(self, address: int, register: int, count: int, times: int) -> bytes:
        raise AssertionError(f"0x{address:02X}: a FIFO was emptied: {register:02X} {count} {times}")

    def close(self) -> None:
        self.inner.close()


class OneBus(SimulatedBuses):
    """Gives out one bus, whichever it is."""

    def __init__(self, bus: I2c) -> None:
        super().__init__()
        self.bus = bus

    def i2c(self, bus: int) -> I2c:  # noqa: ARG002  # there is one
        return self.bus


def test_every_type_with_a_chip_here_has_a_probe_and_the_other_way_round() -> None:
    assert {name for name, _ in I2C_PROBES} == set(ON_I2C)
    assert {name for name, _ in SPI_PROBES} == set(ON_SPI)


@pytest.mark.parametrize("name", ON_I2C)
def test_each_chip_on_i2c_is_recognised_at_each_of_its_addresses_and_nowhere_else(name: str) -> None:
    probes = [probe for kind, probe in I2C_PROBES if kind == name]
    (probe,) = probes
    buses = SimulatedBuses()
    bus = buses.wire_i2c(1)
    for address in probe.addresses:
        bus.chips.clear()
        chip = i2c_chip(name, boottime_ns)
        if name == "mlx90614":
            chip.eeprom[0x0E] = 0xBE00 | address  # type: ignore[attr-defined]  # it knows its own address
        bus.plug(address, chip)
        sight = look_at_i2c(1, buses, I2C_PROBES, {})
        (found,) = sight.found
        assert (found[0], found[1].place) == (name, f"i2c-1 0x{address:02X}")
        assert found[1].options["bus"] == 1
        assert not sight.checks


def test_several_chips_are_told_apart_without_one_write() -> None:
    line = SimulatedBuses().wire_i2c(1)
    for name, wired in ON_I2C.items():
        assert wired.address is not None
        line.plug(wired.address, i2c_chip(name, boottime_ns))
    bus = ReadOnly(line)
    sight = look_at_i2c(1, OneBus(bus), I2C_PROBES, {})
    assert {name: device.place for name, device in sight.found} == {
        name: f"i2c-1 0x{wired.address:02X}" for name, wired in ON_I2C.items()
    }
    assert bus.asked == set(ADDRESSES)


class Echo:
    """A chip that answers every read with the same byte; it must not be written."""

    def __init__(self, content: int) -> None:
        self.content = content

    def read(self, register: int, count: int) -> bytes:  # noqa: ARG002  # as a chip is asked
        return bytes([self.content]) * count

    def write(self, register: int, data: bytes) -> None:
        raise AssertionError(f"written: {register:02X} {data.hex()}")

    def exchange(self, out: bytes, count: int) -> bytes:  # noqa: ARG002  # as a chip is asked
        assert count
        return bytes([self.content]) * count


@pytest.mark.parametrize("content", [0x00, 0xFF, 0x55, 0x81])
def test_a_chip_that_is_none_of_ours_is_told_with_what_was_expected(content: int) -> None:
    buses = SimulatedBuses()
    bus = buses.wire_i2c(1)
    for address in (0x53, 0x44, 0x3C, 0x76, 0x0B):
        bus.plug(address, Echo(content))
    sight = look_at_i2c(1, buses, I2C_PROBES, {})
    assert sight.found == []
    assert codes(sight) == [
        ("unknown", "i2c-1 0x0B"),
        ("unknown", "i2c-1 0x3C"),
        ("unlike", "i2c-1 0x44"),
        ("unlike", "i2c-1 0x53"),
        ("unknown", "i2c-1 0x76"),
    ]
    assert [one.values["often"] for one in sight.checks if one.code == "unknown"] == ["", "display", "air"]
    assert "adxl345" in sight.checks[3].values["expected"]


def test_a_chip_that_a_kernel_driver_uses_is_left_alone(tmp_path: Path) -> None:
    pi = Pi(tmp_path)
    pi.hold(1, 0x53, "adxl345")
    pi.write("sys/bus/i2c/devices/1-0018/name", "nobody drives this")
    taken = held(pi.root, 1)
    assert taken == {0x53: "adxl345"}
    line = SimulatedBuses().wire_i2c(1)
    line.plug(0x53, i2c_chip("adxl345", boottime_ns))
    bus = ReadOnly(line)
    sight = look_at_i2c(1, OneBus(bus), I2C_PROBES, taken)
    assert codes(sight) == [("held", "i2c-1 0x53")]
    assert 0x53 not in bus.asked


def test_an_empty_bus_a_missing_one_and_a_disturbed_one() -> None:
    buses = SimulatedBuses()
    assert codes(look_at_i2c(1, buses, I2C_PROBES, {})) == [("closed", 1)]
    bus = buses.wire_i2c(1)
    assert codes(look_at_i2c(1, buses, I2C_PROBES, {})) == [("nothing", 1)]
    bus.disturbed = 10_000
    assert codes(look_at_i2c(1, buses, I2C_PROBES, {})) == [("disturbed", 1)]
    assert bus.disturbed > 9_000, "a bus that fails is left at once: each address may take a second"


def test_single_disturbances_hide_nothing() -> None:
    buses = SimulatedBuses()
    bus = buses.wire_i2c(1)
    bus.plug(0x53, i2c_chip("adxl345", boottime_ns))
    sight = look_at_i2c(1, OneBus(Disturbed(bus)), I2C_PROBES, {})
    assert [name for name, _ in sight.found] == ["adxl345"]


class Disturbed(ReadOnly):
    """Every other transfer to the chip fails."""

    turn = False

    def read(self, address: int, register: int, count: int) -> bytes:
        self.turn = not self.turn
        if self.turn and address == 0x53:
            raise BusError("disturbed")
        return super().read(address, register, count)


def test_a_line_at_ground_is_no_bus_full_of_chips() -> None:
    buses = SimulatedBuses()
    bus = buses.wire_i2c(1)
    for address in ADDRESSES:
        bus.plug(address, Echo(0x00))
    assert codes(look_at_i2c(1, buses, I2C_PROBES, {})) == [("stuck", 1)]


@pytest.mark.parametrize(
    ("khz", "said"),
    [(None, []), (100, [("slow", "ADXL345", 400)]), (400, [("fast", "MLX90614", 100)])],
)
def test_a_bus_whose_clock_does_not_suit_a_chip_is_told(
    khz: int | None, said: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    if khz is not None:
        file = Pi(tmp_path).write("sys/bus/i2c/devices/i2c-1/of_node/clock-frequency", "")
        file.write_bytes((khz * 1000).to_bytes(4, "big"))
    buses = SimulatedBuses()
    for name, address in (("adxl345", 0x53), ("mlx90614", 0x5A), ("sht31", 0x44)):
        buses.wire_i2c(1).plug(address, i2c_chip(name, boottime_ns))
    sight = look_at_i2c(1, buses, I2C_PROBES, {})
    found = pace(sight, 1, clock_khz(tmp_path, 1), I2C_PROBES)
    assert [(one.code, one.values["chip"], one.values["limit"]) for one in found] == said


def test_buses_of_monitors_and_mainboards_are_left_out(pi_root: Path) -> None:
    pi = Pi(pi_root)
    for number, name in (
        (20, "fef04500.i2c"),
        (13, "107d508280.i2c"),
        (2, "bcm2835 (i2c@7e805000)"),
        (3, "SMBus I801 adapter at efa0"),
        (4, "NVIDIA i2c adapter 1"),
        (5, "i915 gmbus dpb"),
    ):
        pi.device(f"i2c-{number}")
        pi.write(f"sys/class/i2c-dev/i2c-{number}/name", name)
    pi.device("i2c-6")
    assert i2c_buses(pi.root) == [1, 6]


@pytest.fixture
def pi_root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("command", [b"", b"\x01\x02\x03"])
def test_what_looks_cannot_write(command: bytes) -> None:
    reader = I2cReader(ReadOnly(SimulatedBuses().wire_i2c(1)), 0x44)
    with pytest.raises(ValueError, match="no reading"):
        reader.ask(command, 1)
    with pytest.raises(ValueError, match="no reading"):
        reader.ask(b"\x01", 0)
    with pytest.raises(Absent):
        reader.ask(b"\x01", 1)


HARMLESS = {"max31856": {0x0F}, "adxl355": {0x56}}
"""What reads the identity of a LIS3DH would write the fault status of a MAX31856, which takes no writes; what looks for an
ADXL345 would write what an ADXL355 does not have."""


@pytest.mark.parametrize("name", ON_SPI)
def test_each_chip_on_spi_is_recognised_and_not_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    chip = spi_chip(name, clock)
    clock.step(1.0)
    written: list[int] = []
    if hasattr(chip, "write"):
        monkeypatch.setattr(chip, "write", lambda register, _value: written.append(register))
    buses = SimulatedBuses()
    buses.wire_spi(0, 1).chip = chip
    sight = look_at_spi(0, 1, buses, SPI_PROBES)
    ((kind, found),) = sight.found
    assert (kind, found.place) == (name, "spidev0.1")
    assert (found.options["bus"], found.options["select"]) == (0, 1)
    assert set(written) <= HARMLESS.get(name, set())


@pytest.mark.parametrize("floating", [0x00, 0xFF])
def test_a_line_without_a_chip_is_no_chip(floating: int) -> None:
    buses = SimulatedBuses()
    buses.wire_spi(0, 0).floating = floating
    assert codes(look_at_spi(0, 0, buses, SPI_PROBES)) == [("nothing", "spidev0.0")]
    assert codes(look_at_spi(0, 1, buses, SPI_PROBES)) == [("closed", "spidev0.1")]
    buses.wire_spi(0, 0).disturbed = 1000
    assert codes(look_at_spi(0, 0, buses, SPI_PROBES)) == [("nothing", "spidev0.0")]


def test_chip_selects_and_who_has_them_open(tmp_path: Path) -> None:
    pi = Pi(tmp_path)
    assert spi_selects(pi.root) == [(0, 0), (0, 1)]
    descriptors = pi.root / "proc/4321/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "3").symlink_to("/dev/spidev0.1")
    assert in_use(pi.root, "spidev0.1")
    assert not in_use(pi.root, "spidev0.0")
