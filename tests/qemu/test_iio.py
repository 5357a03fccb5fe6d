"""The type `iio` on a real IIO device of the kernel, whose readings a simulated HID sensor sends, in a guest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import qemu

GUEST = Path(__file__).with_name("guest_iio.py")
MODULES = ("uhid", "hid-sensor-hub", "hid-sensor-iio-common", "hid-sensor-trigger", "hid-sensor-accel-3d")

LACKING = qemu.lacking() or (
    "" if list(qemu.kernel_folder().glob("**/uhid.ko*")) else "the kernel has no uhid module (sh deploy/kernel.sh)"
)
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
    pytest.mark.timeout(320),
]


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    answer = tmp_path_factory.mktemp("guest") / "answer"
    answer.mkdir()
    code, output = qemu.boot(answer, ["-B", str(GUEST)], [(name, "") for name in MODULES], timeout_s=300)
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)
    return found


def test_without_a_device_it_says_so(guest: dict[str, Any]) -> None:
    assert guest["before"] == "iio: no buffered accelerometer at all; devices of the kernel: none"


def test_the_device_is_found_and_switched_on(guest: dict[str, Any]) -> None:
    assert guest["probed"] == ["iio:device0"]
    assert guest["reporting"] is True
    assert guest["attributes"] == {
        "buffer/enable": "1",
        "buffer/length": str(round(2 * guest["channel"][1])),
        "current_timestamp_clock": "boottime",
        "scan_elements/in_timestamp_en": "1",
    }


def test_values_are_those_that_were_sent(guest: dict[str, Any]) -> None:
    axes, rate_hz, resolution = guest["channel"]
    assert axes == 3
    assert rate_hz == pytest.approx(80.0, rel=0.05), "the driver counts in whole milliseconds"
    assert resolution == pytest.approx(0.01, rel=1e-4)
    measured_hz, x, y, z, peak = guest["last"]
    assert measured_hz == pytest.approx(80.0, rel=0.2)
    assert (y, z) == (pytest.approx(-0.5, abs=1e-4), pytest.approx(0.1, abs=1e-4))
    assert abs(x) < 0.3
    assert peak == pytest.approx(1.0, abs=0.03)
    assert guest["samples"] >= 4 * 80 - 80
    assert guest["past"] is True


def test_it_is_switched_off_again(guest: dict[str, Any]) -> None:
    assert guest["closed"] == "0"
