"""What the kernel lists by itself: 1-wire, serial ports."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pi import Pi

from edge.doctor.ports import onewire, serial
from gateway.wording import Wording
from werkpuls.doctor_words import DoctorWords


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def test_1_wire(pi: Pi) -> None:
    devices = pi.root / "sys/bus/w1/devices"
    assert [one.code for one in onewire(pi.root)] == ["nothing"]
    (devices / "28-00000a1b2c3d").mkdir()
    assert [one.code for one in onewire(pi.root)] == []
    for ghost in ("00-400000000000", "00-800000000000"):
        (devices / ghost).mkdir()
    assert [(one.code, one.values["count"]) for one in onewire(pi.root)] == [("noise", 2)]


def test_1_wire_that_is_off_is_no_line_to_judge(tmp_path: Path) -> None:
    assert list(onewire(tmp_path)) == []


def test_a_console_elsewhere_than_on_a_pi_is_not_freed_by_a_pis_tool(tmp_path: Path) -> None:
    pc = Pi(tmp_path / "pc")
    pc.device("ttyS0")
    pc.write("proc/device-tree/model", "Some Board")
    pc.write("proc/cmdline", "console=ttyS0,115200\n")
    (console,) = serial(pc.root)
    assert console.code == "console_other"
    assert "raspi-config" not in DoctorWords(Wording("de")).do(console)


def test_serial_ports_with_the_name_of_what_is_plugged_in(pi: Pi) -> None:
    pi.device("ttyUSB0")
    pi.device("ttyAMA0")
    pi.write("proc/cmdline", "console=ttyAMA0,115200 console=tty1\n")
    usb = pi.root / "sys/devices/usb1/1-1"
    (usb / "1-1:1.0/ttyUSB0").mkdir(parents=True)
    (usb / "manufacturer").write_text("FTDI\n")
    (usb / "product").write_text("USB-RS485 Cable\n")
    (pi.root / "sys/class/tty/ttyUSB0").mkdir(parents=True)
    (pi.root / "sys/class/tty/ttyUSB0/device").symlink_to(usb / "1-1:1.0/ttyUSB0")
    by_id = pi.root / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-FTDI_USB-RS485_Cable-if00-port0").symlink_to("../../ttyUSB0")
    console, port = serial(pi.root)
    assert (console.code, console.values["port"]) == ("console", "/dev/ttyAMA0")
    assert port.values == {
        "port": "/dev/serial/by-id/usb-FTDI_USB-RS485_Cable-if00-port0",
        "what": "FTDI USB-RS485 Cable",
    }


def test_a_port_of_which_nothing_is_known(pi: Pi) -> None:
    pi.device("ttyACM0")
    (port,) = serial(pi.root)
    assert port.values == {"port": "/dev/ttyACM0", "what": ""}
