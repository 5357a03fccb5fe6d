"""DS18B20 on a 1-wire bus made of files: what is a temperature, and what only looks like one."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.sensors.background import Job, Runner, on_thread
from edge.sensors.base import Fault, SensorConfigError, SensorError
from edge.sensors.crc8 import one_wire_crc
from edge.sensors.ds18b20 import Ds18b20, Ds18b20Config, Ds18b20Probe
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.simulation.chips.one_wire import Ds18b20Chip, SimulatedOneWire
from edge.sensors.w1_scratchpad import NoReading, PowerUpWatch, raw_temperature, scratchpad

CORE, DOOR = "28-0316a2794c1f", "28-3c01d607e0aa"


class Rig:
    """A bus of files, a clock, and a sensor whose rounds run at once."""

    def __init__(self, root: Path, *, bulk: bool = False) -> None:
        self.root = root
        self.clock = FakeClock()
        self.bus = SimulatedOneWire(root, bulk=bulk)

    def sensor(self, run: Runner = lambda work: work(), **options: object) -> Ds18b20:
        made = Surroundings("oven", "oven", self.clock, 1.0, root=str(self.root))
        return Ds18b20(Ds18b20Config(every_s=2.0, **options), made, run=run)  # type: ignore[arg-type]  # options vary

    def feed(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.bus.convert()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def both() -> list[Ds18b20Probe]:
    return [Ds18b20Probe(serial=CORE, channel="core"), Ds18b20Probe(serial=DOOR, channel="door")]


def one(sensor: Ds18b20) -> float | tuple[Fault, str]:
    """The only block's value, or its fault."""
    (block,) = sensor.read()
    return block.faults[0] if block.faults else float(block.values[0])


class TestContract(SensorContract):
    @pytest.fixture
    def case(self, rig: Rig) -> SensorCase:
        rig.bus.plug(Ds18b20Chip(CORE, 21.5))
        return SensorCase(rig.sensor(), rig.feed, monotonic_ns=rig.clock)


class TestContractOfSeveral(SensorContract):
    @pytest.fixture
    def case(self, rig: Rig) -> SensorCase:
        rig.bus.plug(Ds18b20Chip(CORE, 21.5))
        rig.bus.plug(Ds18b20Chip(DOOR, -3.25))
        return SensorCase(rig.sensor(probes=both()), rig.feed, monotonic_ns=rig.clock)


def test_is_registered() -> None:
    assert sensor_type("ds18b20").make is Ds18b20


@pytest.mark.parametrize(
    ("word", "celsius"),
    [
        (0x07D0, 125.0),
        (0x0550, 85.0),
        (0x0191, 25.0625),
        (0x00A2, 10.125),
        (0x0008, 0.5),
        (0x0000, 0.0),
        (0xFFF8, -0.5),
        (0xFF5E, -10.125),
        (0xFE6F, -25.0625),
        (0xFC90, -55.0),
    ],
)
def test_the_data_sheets_temperatures(word: int, celsius: float) -> None:
    # Data sheet 19-7487, page 6, table 1.
    data = word.to_bytes(2, "little") + bytes.fromhex("4b467fff0110")
    assert PowerUpWatch().temperature_c(data, 0) == celsius


@given(st.integers(-55 * 16, 125 * 16), st.sampled_from([9, 10, 11, 12]))
def test_raw_and_value_agree_at_every_resolution(sixteenths: int, bits: int) -> None:
    chip = Ds18b20Chip(CORE, sixteenths / 16, bits=bits)
    chip.convert()
    data = chip.scratchpad()
    assert one_wire_crc(data) == 0
    step = 2.0 ** (8 - bits)
    assert raw_temperature(data) / 16 == round(sixteenths / 16 / step) * step


def test_values_and_names_of_several_probes(rig: Rig) -> None:
    rig.bus.plug(Ds18b20Chip(CORE, 96.25))
    rig.bus.plug(Ds18b20Chip(DOOR, -12.5))
    sensor = rig.sensor(probes=both())
    sensor.open()
    assert {block.channel.name: block.values[0] for block in sensor.read()} == {"core": 96.25, "door": -12.5}


def test_85_degrees_at_power_up_are_no_reading(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE, 21.0))
    sensor = rig.sensor()
    sensor.open()
    assert one(sensor) == 21.0
    chip.resets = True
    rig.feed(2.0)
    fault = one(sensor)
    assert isinstance(fault, tuple)
    assert fault[0] is Fault.NO_DATA
    assert "power-up" in fault[1]
    assert CORE in fault[1]


@pytest.mark.parametrize("clone", [False, True])
def test_85_degrees_of_a_probe_that_just_started_are_no_reading(rig: Rig, clone: bool) -> None:  # noqa: FBT001
    chip = Ds18b20Chip(CORE, clone=clone)
    chip.resets = True
    rig.bus.plug(chip)
    sensor = rig.sensor()
    sensor.open()
    assert isinstance(one(sensor), tuple)


@pytest.mark.parametrize("clone", [False, True])
def test_an_oven_may_pass_85_degrees_and_stay_a_while(rig: Rig, clone: bool) -> None:  # noqa: FBT001
    chip = rig.bus.plug(Ds18b20Chip(CORE, 84.0, clone=clone))
    sensor = rig.sensor()
    sensor.open()
    read = [one(sensor)]
    for celsius in (84.5, 85.0, 85.0, 85.0, 85.5):
        chip.celsius = celsius
        rig.feed(2.0)
        read.append(one(sensor))
    assert read == [84.0, 84.5, 85.0, 85.0, 85.0, 85.5]


def test_a_genuine_probe_may_start_in_an_oven_at_85_degrees(rig: Rig) -> None:
    rig.bus.plug(Ds18b20Chip(CORE, 85.0))
    sensor = rig.sensor()
    sensor.open()
    assert one(sensor) == 85.0


def test_a_genuine_probe_that_resets_near_85_degrees_is_found(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE, 84.9375))
    sensor = rig.sensor()
    sensor.open()
    assert one(sensor) == 84.9375
    chip.resets = True
    rig.feed(2.0)
    assert isinstance(one(sensor), tuple)


def test_a_clone_that_resets_near_85_degrees_is_found_after_two_minutes(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE, 84.9375, clone=True))
    sensor = rig.sensor()
    sensor.open()
    sensor.read()
    chip.resets = True
    read = []
    for _ in range(70):
        rig.feed(2.0)
        read.append(one(sensor))
    assert read[0] == 85.0
    assert isinstance(read[-1], tuple)


def test_byte_6_is_trusted_at_12_bits_only() -> None:
    watch = PowerUpWatch()
    for configuration, counts in ((0x1F, False), (0x3F, False), (0x5F, False), (0x7F, True)):
        watch.temperature_c(bytes([0x18, 0x05, 0x4B, 0x46, configuration, 0xFF, 0x08, 0x10, 0x00]), 0)
        assert watch.counts is counts


def test_too_little_power_is_no_reading(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE))
    chip.weak = True
    sensor = rig.sensor()
    rig.feed(1.0)
    sensor.open()
    fault = one(sensor)
    assert isinstance(fault, tuple)
    assert "too little power" in fault[1]


def test_a_checksum_error_is_asked_again_then_a_fault_then_over(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE, 30.0))
    sensor = rig.sensor()
    sensor.open()
    assert one(sensor) == 30.0
    chip.damage = 1
    rig.feed(2.0)
    fault = one(sensor)
    assert isinstance(fault, tuple)
    assert fault[0] is Fault.BUS
    assert "checksum" in fault[1]
    rig.feed(2.0)
    assert one(sensor) == 30.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no answer"),
        ("\n", "no answer"),
        ("ff ff ff ff ff ff ff ff ff : crc=c9 NO\n00 t=-62\n", "nobody pulls"),
        ("00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 t=0\n", "shorted to ground"),
        ("50 05 4b 46 7f ff 0c 10 1d : crc=1c NO\n00 t=85000\n", "checksum 1D instead of 1C"),
        ("50 05 4b 46 7f ff 0c 10 1d : crc=1d YES\n00 t=85000\n", "checksum"),
        ("50 05 4b 46 7f ff 0c 10 : crc=1c YES\n", "none of a DS18B20"),
        ("t=21000", "none of a DS18B20"),
        ("91 01 4b 46 ff ff 0f 10 a1 : crc=a1 YES\n00 t=25062\n", "resolution register FF"),
    ],
)
def test_answers_that_are_no_readings(text: str, why: str) -> None:
    if "resolution" in why:
        data = bytes.fromhex("91014b46ffff0f10")
        text = text.replace("a1", f"{one_wire_crc(data):02x}")
    with pytest.raises(NoReading, match=why):
        scratchpad(text)


@pytest.mark.parametrize("word", [125 * 16 + 1, -55 * 16 - 1, -127 * 16])
def test_the_ends_of_the_range(word: int) -> None:
    data = (word & 0xFFFF).to_bytes(2, "little") + bytes.fromhex("4b467fff0110")
    with pytest.raises(NoReading, match="outside of -55 to 125"):
        PowerUpWatch().temperature_c(data, 0)


def test_a_pulled_probe_is_a_fault_of_its_own_channel_until_it_is_back(rig: Rig) -> None:
    rig.bus.plug(Ds18b20Chip(CORE, 40.0))
    door = rig.bus.plug(Ds18b20Chip(DOOR, 30.0))
    sensor = rig.sensor(probes=both())
    sensor.open()
    sensor.read()
    rig.bus.pull(DOOR)
    rig.feed(2.0)
    core, gone = sensor.read()
    assert core.values[0] == 40.0
    assert not core.faults
    assert gone.faults[0][0] is Fault.BUS
    assert f"{DOOR}: No such file" in gone.faults[0][1]
    rig.bus.plug(door)
    rig.feed(2.0)
    assert [block.values[0] for block in sensor.read()] == [40.0, 30.0]


def test_a_probe_that_dies_before_the_kernel_notices(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE, 40.0))
    sensor = rig.sensor()
    sensor.open()
    sensor.read()
    chip.present = False
    rig.feed(2.0)
    fault = one(sensor)
    assert isinstance(fault, tuple)
    assert fault[0] is Fault.BUS


def test_without_1_wire_it_says_what_to_switch_on(tmp_path: Path) -> None:
    sensor = Ds18b20(Ds18b20Config(), Surroundings("oven", "oven", FakeClock(), 1.0, root=str(tmp_path)))
    with pytest.raises(SensorError, match="1-wire is switched off; raspi-config"):
        sensor.open()


def test_an_empty_bus_noise_and_other_chips_are_named(rig: Rig) -> None:
    with pytest.raises(SensorError, match="the bus is empty: check the plug"):
        rig.sensor().open()
    (rig.bus.devices / "10-000802b4c1f0").mkdir()
    with pytest.raises(SensorError, match=r"found 10-000802b4c1f0 \(DS18S20 or DS1820\)"):
        rig.sensor().open()
    (rig.bus.devices / "00-400000000000").mkdir()
    with pytest.raises(SensorError, match=r"no 4.7 kΩ pull-up"):
        rig.sensor().open()


def test_several_probes_must_be_told_apart(rig: Rig) -> None:
    rig.bus.plug(Ds18b20Chip(CORE))
    rig.bus.plug(Ds18b20Chip(DOOR))
    with pytest.raises(SensorError, match=f"{CORE}, {DOOR}"):
        rig.sensor().open()
    other = [Ds18b20Probe(serial="28-000000000001", channel="x")]
    with pytest.raises(SensorError, match=f"28-000000000001 expected .* found {CORE}"):
        rig.sensor(probes=other).open()


def test_a_serial_number_or_name_used_twice_can_never_work(rig: Rig) -> None:
    with pytest.raises(SensorConfigError, match="two probes of channel core"):
        rig.sensor(probes=[*both(), Ds18b20Probe(serial="28-000000000001", channel="core")])
    with pytest.raises(SensorConfigError, match=f"two probes of serial {CORE}"):
        rig.sensor(probes=[*both(), Ds18b20Probe(serial=CORE, channel="other")])


def test_several_probes_convert_at_once_where_that_is_allowed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bulk=True)
    rig.bus.plug(Ds18b20Chip(CORE))
    rig.bus.plug(Ds18b20Chip(DOOR))
    trigger = rig.bus.devices / "w1_bus_master1/therm_bulk_read"
    rig.sensor(probes=both()).open()
    assert trigger.read_bytes() == b"trigger\n"
    trigger.unlink()
    trigger.mkdir()  # it may not be written
    sensor = rig.sensor(probes=both())
    sensor.open()
    assert len(sensor.read()) == 2


def test_reading_never_waits_for_the_kernel(rig: Rig) -> None:
    rig.bus.plug(Ds18b20Chip(CORE, 50.0))
    held = threading.Event()

    def slow(work: object) -> None:
        threading.Thread(target=lambda: (held.wait(20.0), work()), daemon=True).start()  # type: ignore[operator]  # a function

    sensor = rig.sensor(run=slow)
    began = time.monotonic()
    sensor.open()
    assert sensor.read() == []
    assert time.monotonic() - began < 10.0
    held.set()
    deadline = time.monotonic() + 20.0
    blocks = sensor.read()
    while not blocks and time.monotonic() < deadline:
        time.sleep(0.005)
        blocks = sensor.read()
    assert [block.values[0] for block in blocks] == [50.0]


def test_a_disturbed_answer_is_asked_again_on_the_thread(rig: Rig) -> None:
    chip = rig.bus.plug(Ds18b20Chip(CORE, 62.5))
    file = rig.bus.devices / CORE / "w1_slave"
    right = file.read_text()
    chip.damage = 1
    rig.bus.convert()
    wrong = file.read_text()
    file.unlink()
    os.mkfifo(file)

    def kernel() -> None:
        for text in (wrong, right):
            file.write_text(text)  # waits for a reader
            time.sleep(0.5)  # so that the reader comes to an end, also where others keep the processor busy

    threading.Thread(target=kernel, daemon=True).start()
    sensor = rig.sensor(run=on_thread)
    sensor.open()
    deadline = time.monotonic() + 20.0
    blocks = sensor.read()
    while not blocks and time.monotonic() < deadline:
        time.sleep(0.01)
        blocks = sensor.read()
    assert [block.values[0] for block in blocks] == [62.5]


def test_a_driver_that_hangs_is_told_and_asked_only_once(rig: Rig) -> None:
    rig.bus.plug(Ds18b20Chip(CORE, 50.0))
    begun: list[object] = []
    sensor = rig.sensor(run=begun.append)
    sensor.open()
    assert sensor.read() == []
    rig.feed(60.0)
    with pytest.raises(SensorError, match="has not answered for 60 s"):
        sensor.read()
    sensor.close()
    sensor.open()
    assert len(begun) == 1


def test_a_job_tells_what_its_work_raised() -> None:
    job: Job[int] = Job(lambda: 1 // 0, run=lambda work: work())
    assert job.done
    with pytest.raises(ZeroDivisionError):
        job.result()
