"""Numbers in registers, requests for them, and the built-in maps."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.modbus import modbus, register

from edge.sensors.modbus_map import Request, number, requests, value_of, words, words_of
from edge.sensors.modbus_meters import meters
from edge.sensors.simulation.chips.serial_port import crc16


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


def test_the_check_sum_is_the_standards() -> None:
    assert crc16(bytes.fromhex("010400000002")).hex() == "71cb"
    assert crc16(bytes.fromhex("01040443663334")) == bytes.fromhex("1b38")
    assert struct.unpack(">f", bytes.fromhex("43663334"))[0] == pytest.approx(230.2, abs=1e-4)
