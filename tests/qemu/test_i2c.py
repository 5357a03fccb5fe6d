"""I²C through the real smbus2, a real /dev/i2c-0 and the kernel's i2c-stub, in a guest booted once for all tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import qemu

GUEST = Path(__file__).with_name("guest.py")
ADDRESSES = (0x77,)

LACKING = qemu.lacking()
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
    pytest.mark.xdist_group("qemu"),
    pytest.mark.timeout(120),
]


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    answer = tmp_path_factory.mktemp("guest") / "answer"
    answer.mkdir()
    stub = ("i2c-stub", "chip_addr=" + ",".join(f"0x{address:02x}" for address in ADDRESSES))
    code, output = qemu.boot(answer, ["-B", str(GUEST)], [("i2c-dev", ""), stub], timeout_s=100)
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
