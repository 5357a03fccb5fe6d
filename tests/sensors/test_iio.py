"""Accelerometers of the kernel: attributes as files, buffers as pipes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accelerometers import SINE_G, shaken, steps
from support.sensor_contract import FakeClock, SensorCase, SensorContract

from edge.feed import SensorFeed
from edge.machine import MachinePath, MachineSetup
from edge.sensors.base import Block, Fault, SensorError
from edge.sensors.iio import PROBES, STANDARD_GRAVITY, Iio, IioConfig
from edge.sensors.iio_device import Element, Records, element
from edge.sensors.probing import TreeProbe
from edge.sensors.registry import Surroundings, sensor_type
from edge.sensors.simulation.chips.iio import ADXL345, ADXL355, LIS3DH, IioChip, SimulatedIio
from models.condition.model import Condition
from models.condition.settings import Settings


class Board:
    """A root folder with one device, and a sensor that reads it."""

    def __init__(self, root: Path, chip: IioChip = ADXL345, error: float = 0.05, **options: Any) -> None:
        self.clock = FakeClock()
        self.root = root
        self.device = SimulatedIio(root, chip, self.clock, error, shaken)
        surroundings = Surroundings("mixer", "mixer", self.clock, 1.0, root=str(root))
        self.sensor = Iio(msgspec.convert(options, IioConfig), surroundings, background=False)

    def feed(self, seconds: float) -> None:
        for _ in range(max(round(seconds / 0.02), 1)):
            self.clock.step(0.02)
            self.device.step()
            self.sensor.pump()

    def run(self, seconds: int) -> list[Block]:
        self.sensor.open()
        self.device.step()
        blocks: list[Block] = []
        for _ in range(seconds):
            self.feed(1.0)
            blocks += self.sensor.read()
        return blocks


class TestContract(SensorContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SensorCase:
        board = Board(tmp_path)
        return SensorCase(board.sensor, board.feed, seconds=1.2, monotonic_ns=board.clock)


def test_is_registered() -> None:
    assert sensor_type("iio").make is Iio


@pytest.mark.parametrize("chip", [ADXL345, LIS3DH, ADXL355, replace(ADXL345, timestamp=False)])
def test_rate_strength_and_frequency_are_right_whatever_the_driver(tmp_path: Path, chip: IioChip) -> None:
    board = Board(tmp_path, chip)
    block = board.run(5)[-1]
    assert block.rate_hz == pytest.approx(1.05 * float(chip.rate), rel=0.005)
    assert block.values[:, 0].std() == pytest.approx(SINE_G / math.sqrt(2), rel=0.015)
    assert block.values.mean(axis=0) == pytest.approx([0.0, 0.0, 1.0], abs=0.01)
    assert not block.faults
    assert block.rate_hz is not None
    turns = np.fft.rfft((block.values[:, 0] - block.values[:, 0].mean()) * np.hanning(len(block.values)), 65536)
    assert np.abs(turns).argmax() * block.rate_hz / 65536 == pytest.approx(50.0, rel=0.005)
    assert board.sensor.channels[0].axes == 3


def test_a_machine_hears_it_as_it_is(tmp_path: Path) -> None:
    board = Board(tmp_path)
    path = MachinePath(MachineSetup("mixer"), board.sensor.channels, Condition(Settings(warmup=8)))
    step = steps(path, "iio", board.run(4))[-1]
    velocity = SINE_G / math.sqrt(2) * 9806.65 / (2 * math.pi * 50.0)
    assert step.series["vibration.x.velocity_rms"].values[-1] == pytest.approx(velocity, rel=0.03)
    assert not step.sensor_faults


def test_the_device_is_set_as_wanted(tmp_path: Path) -> None:
    board = Board(tmp_path, LIS3DH, rate_hz=1300.0, range_g=7.0, device="lis3dh_accel")
    board.sensor.open()
    said = {
        name: (board.device.folder / name).read_text().strip()
        for name in (
            "sampling_frequency",
            "in_accel_scale",
            "buffer/enable",
            "buffer/length",
            "current_timestamp_clock",
            "scan_elements/in_accel_y_en",
            "scan_elements/in_timestamp_en",
        )
    }
    assert said == {
        "sampling_frequency": "1344",
        "in_accel_scale": "0.0392266",
        "buffer/enable": "1",
        "buffer/length": "2688",
        "current_timestamp_clock": "boottime",
        "scan_elements/in_accel_y_en": "1",
        "scan_elements/in_timestamp_en": "1",
    }
    channel = board.sensor.channels[0]
    assert channel.rate_hz == 1344.0
    assert channel.high == pytest.approx(8.192, rel=1e-4)
    board.sensor.close()
    assert (board.device.folder / "buffer/enable").read_text() == "0"


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        # Documentation/driver-api/iio/buffers.rst: "le:s12/16>>4" is 12 bits on the left of 16.
        ("le:s12/16>>4", "f07f 1080", [2047, -2047]),
        ("be:s12/16>>4", "7ff0 8000", [2047, -2048]),
        ("le:s13/16>>0", "ff0f 00f0", [4095, -4096]),
        ("be:s20/32>>4", "007ffff0 00fffff0", [0x7FFFF, -1]),
        ("le:u10/16", "ff03 0000", [1023, 0]),
        ("le:s8/8", "80 7f", [-128, 127]),
        ("le:s64/64>>0", "ffffffffffffffff 0100000000000000", [-1, 1]),
    ],
)
def test_values_are_taken_as_their_type_says(kind: str, data: str, expected: list[int]) -> None:
    records = Records([element("in_accel_x", "0", kind)])
    assert records.values(bytes.fromhex(data.replace(" ", "")))["in_accel_x"].tolist() == expected


def test_a_record_is_padded_as_the_kernel_pads_it() -> None:
    """Three of 16 bits, then a time of 64: bytes 6 and 7 are empty (buffers.rst)."""
    elements = [element(name, str(index), "le:s16/16") for index, name in enumerate("xyz")]
    records = Records([element("t", "3", "le:s64/64"), *elements])
    assert records.size == 16
    found = records.values(bytes.fromhex("0100 feff 0300 aaaa 0500000000000000".replace(" ", "")))
    assert {name: value.tolist() for name, value in found.items()} == {"x": [1], "y": [-2], "z": [3], "t": [5]}
    assert Records(elements).size == 6


def test_a_sign_is_brought_along_from_the_highest_bits_too() -> None:
    found = [
        Records([element("v", "0", kind)]).values(b"\xff" * 8)["v"].tolist() for kind in ("le:s63/64", "le:u63/64")
    ]
    assert found == [[-1], [2**63 - 1]]


@given(st.data())
def test_raw_values_survive_the_way(data: st.DataObject) -> None:
    stored = data.draw(st.sampled_from([8, 16, 32, 64]))
    real = data.draw(st.integers(1, stored))
    shift = data.draw(st.integers(0, stored - real))
    signed = data.draw(st.booleans()) or real == 64
    one = Element("v", 0, data.draw(st.booleans()), signed, real, stored, shift=shift)
    low, high = (-one.steps, one.steps - 1) if signed else (0, one.steps - 1)
    value = data.draw(st.integers(low, high))
    raw = (value & ((1 << real) - 1)) << shift
    packed = raw.to_bytes(one.size, "big" if one.big_endian else "little")
    assert Records([one]).values(packed)["v"].tolist() == [value]


@pytest.mark.parametrize("kind", ["", "le:s12", "xx:s12/16", "le:s20/16", "le:s12/16>>8", "le:s12/24"])
def test_a_type_that_no_kernel_says_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="says"):
        element("in_accel_x", "0", kind)


def test_an_offset_is_added_before_the_scale(tmp_path: Path) -> None:
    board = Board(tmp_path, replace(ADXL345, offset="-25"))
    assert board.run(3)[-1].values.mean(axis=0) == pytest.approx([0.0, 0.0, 1.0], abs=0.01)


def test_what_the_kernel_drops_is_noticed(tmp_path: Path) -> None:
    board = Board(tmp_path, replace(ADXL345, timestamp=False))
    board.run(4)
    board.device.oscillator.waveform = lambda times: shaken(times)[:0]
    for _ in range(10):
        board.clock.step(0.02)
        board.device.oscillator.samples()
    board.device.oscillator.waveform = shaken
    board.feed(1.5)
    blocks = board.sensor.read()
    assert sum(block.lost for block in blocks) == pytest.approx(0.2 * 840, abs=20)
    assert any(fault is Fault.OVERRUN for block in blocks for fault, _ in block.faults)


def test_a_chip_that_comes_and_goes(tmp_path: Path) -> None:
    board = Board(tmp_path)
    feed = SensorFeed("mixer", "iio", lambda: board.sensor)
    feed.open(board.clock())
    errors, blocks = [], 0
    for second in range(24):
        if second == 5:
            board.device.pull()
        if second == 10:
            board.device.plug()
        try:
            if 5 <= second < 10:
                board.clock.step(1.0)
                board.sensor.pump()
            else:
                board.feed(1.0)
        except SensorError as exc:
            board.sensor._sampler._error = exc  # type: ignore[union-attr]  # as the thread keeps it
        reading = feed.read(board.clock())
        errors.append(reading.error)
        blocks += bool(reading.blocks)
    assert errors[8] == "iio: no buffered accelerometer at all; devices of the kernel: none"
    assert errors[-1] is None
    assert blocks > 8


def test_a_clock_that_the_kernel_ends_with_a_nul_is_the_nodes(tmp_path: Path) -> None:
    """As drivers/iio/industrialio-core.c writes it."""
    board = Board(tmp_path)
    (board.device.folder / "current_timestamp_clock").write_text("boottime\n\0")
    board.sensor.open()
    assert (board.device.folder / "scan_elements/in_timestamp_en").read_text() == "1"


def test_somebody_else_who_switches_the_buffer_off_is_noticed(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.run(2)
    (board.device.folder / "buffer/enable").write_text("0")
    with pytest.raises(SensorError, match=r"iio:device0 \(adxl345\): its buffer was switched off by somebody else"):
        board.feed(2.0)


def test_another_name_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(SensorError, match=r"no buffered accelerometer called 'bmi160'.*iio:device0 \(adxl345\)"):
        Board(tmp_path, device="bmi160").sensor.open()


def test_two_of_them_have_to_be_told_apart(tmp_path: Path) -> None:
    board = Board(tmp_path)
    SimulatedIio(tmp_path, LIS3DH, board.clock, number=1)
    with pytest.raises(SensorError, match="2 accelerometers at all; `device` has to say which"):
        board.sensor.open()
    chosen = Board(tmp_path, device="iio:device1")
    assert chosen.sensor._find().name == "lis3dh_accel"


@pytest.mark.parametrize(
    ("attribute", "content", "said"),
    [
        ("scan_elements/in_accel_y_type", "odd", "in_accel_y_type says 'odd'"),
        ("in_accel_scale", "many", "in_accel_scale says 'many'"),
        ("in_accel_scale", "", "has no scale"),
        ("sampling_frequency", "", "rate_hz is needed"),
    ],
)
def test_what_a_driver_leaves_out_or_says_oddly_is_named(
    tmp_path: Path, attribute: str, content: str, said: str
) -> None:
    board = Board(tmp_path)
    (board.device.folder / attribute).write_text(content)
    with pytest.raises(SensorError, match=said):
        board.sensor.open()


def test_an_attribute_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (board.device.folder / "buffer/length").unlink()
    with pytest.raises(SensorError, match=r"buffer/length: No such file.*there is no such attribute"):
        board.sensor.open()


def test_the_devices_of_the_kernel_are_found(tmp_path: Path) -> None:
    board = Board(tmp_path)
    (probe,) = PROBES
    assert isinstance(probe, TreeProbe)
    (found,) = probe.find(board.root)
    assert (found.chip, found.place, found.options) == (
        "adxl345 (by the kernel)",
        "iio:device0",
        {"device": "adxl345"},
    )


def test_acceleration_is_in_g() -> None:
    """in_accel_scale gives m/s² (sysfs-bus-iio)."""
    assert float(ADXL345.scale) / STANDARD_GRAVITY == pytest.approx(1 / 256, rel=1e-3)
