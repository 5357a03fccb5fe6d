"""I²C through the real smbus2, a real /dev/i2c-0 and the kernel's i2c-stub, in a guest booted once for all tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import qemu
from support.i2c_drivers import STUBBED, TRIALS
from support.pi import ON_I2C

GUEST = Path(__file__).with_name("guest.py")
SCRATCH = 0x77

LACKING = qemu.lacking()
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
    pytest.mark.timeout(360),
]


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    answer = tmp_path_factory.mktemp("guest") / "answer"
    answer.mkdir()
    stub = ("i2c-stub", "chip_addr=" + ",".join(f"0x{address:02x}" for address in (*STUBBED, SCRATCH)))
    code, output = qemu.boot(answer, ["-B", str(GUEST)], [("i2c-dev", ""), stub], timeout_s=300)
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


def test_what_is_written_is_read_in_the_order_of_the_wire(guest: dict[str, Any]) -> None:
    echo = guest["transport"]["echo"]
    assert set(echo) == {"1", "2", "3", "6", "31"}
    assert all(sent == received for sent, received in echo.values())
    assert guest["transport"]["block_of_32"] == 32


def test_two_bytes_are_an_smbus_word_whose_first_byte_is_the_low_one(guest: dict[str, Any]) -> None:
    assert guest["transport"]["word"] == ["12", "00", "1234"]


def test_one_byte_without_a_register_needs_no_raw_transfer(guest: dict[str, Any]) -> None:
    assert guest["transport"]["receive_byte"] == "99"


@pytest.mark.parametrize("call", ["absent", "absent_receive_byte"])
def test_an_absent_chip_is_told_with_bus_and_address(guest: dict[str, Any], call: str) -> None:
    assert guest["transport"][call] == "Absent: i2c-0 address 0x76: nobody answers; check plug and address"


def test_other_errors_say_what_the_kernel_said(guest: dict[str, Any]) -> None:
    found = guest["transport"]
    assert found["raw"].startswith("BusError: i2c-0 address 0x77: Operation not supported")
    assert found["no_bus"].startswith("BusError: /dev/i2c-7: No such file or directory (there is no such bus; ")
    assert found["closed"] == "BusError: i2c-0 is closed"


def test_every_driver_with_an_i2c_chip_is_tried() -> None:
    assert set(TRIALS) == set(ON_I2C)


@pytest.mark.parametrize("name", [name for name, trial in TRIALS.items() if not trial.exempt])
def test_a_driver_finds_tests_and_reads_its_chip(guest: dict[str, Any], name: str) -> None:
    found = guest[name]
    assert "failed" not in found, found
    assert found["open"] == ""
    assert found["values"]["faults"] == []
    for channel, ranges in TRIALS[name].expected.items():
        values = found["values"][channel]
        assert len(values) == len(ranges)
        assert all(low <= value <= high for value, (low, high) in zip(values, ranges, strict=True)), (channel, values)


@pytest.mark.parametrize("name", [name for name, trial in TRIALS.items() if not trial.exempt])
def test_a_driver_says_where_it_found_another_chip_or_none(guest: dict[str, Any], name: str) -> None:
    trial, found = TRIALS[name], guest[name]
    assert (f"i2c-0 address 0x{trial.address:02X}" in found["wrong"]) is not trial.anonymous
    assert "nobody answers" not in found["wrong"]
    assert f"i2c-0 address 0x{trial.absent:02X}" in found["absent"]
    assert "nobody answers" in found["absent"]


@pytest.mark.parametrize("name", [name for name, trial in TRIALS.items() if trial.exempt])
def test_a_driver_that_the_stub_cannot_serve_is_told_so_by_the_kernel(guest: dict[str, Any], name: str) -> None:
    """The stub refuses raw transfers, which is the reason why this driver is not tried with its chip here."""
    assert TRIALS[name].exempt in guest[name]["open"]


def test_the_doctor_recognises_every_chip_on_the_kernels_own_bus(guest: dict[str, Any]) -> None:
    places = {place: name for name, place in reversed(guest["doctor"])}
    expected = {
        f"i2c-0 0x{trial.address:02X}": name for name, trial in reversed(list(TRIALS.items())) if not trial.exempt
    }
    assert places == {**expected, "i2c-0 0x44": "unlike", f"i2c-0 0x{SCRATCH:02X}": "unknown"}


def test_the_command_finds_chips_by_their_registers_and_says_when_they_fail_their_tests(guest: dict[str, Any]) -> None:
    found = guest["command"]
    assert found["code"] == 1
    devices = {device["place"]: device for device in found["report"]["devices"]}
    assert {place: device["chip"] for place, device in devices.items()} == {
        "i2c-0 0x18": "LIS3DH",
        "i2c-0 0x40": "INA226",
        "i2c-0 0x48": "ADS1115",
        "i2c-0 0x53": "ADXL345",
        "i2c-0 0x68": "MPU-6050",
    }
    for place in ("i2c-0 0x18", "i2c-0 0x40", "i2c-0 0x53", "i2c-0 0x68"):
        assert place.replace(" ", " address ") in devices[place]["error"]
    assert "address = 0x53" in devices["i2c-0 0x53"]["toml"]
