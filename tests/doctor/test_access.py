"""Interfaces that are off, and devices that the service may not use."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest
from support.pi import Pi

from edge.doctor.access import SERVICE_USER, User, access, interfaces, service_user


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def said(pi: Pi, *needed: str) -> dict[str, str]:
    """Interface by code; the good ones together."""
    return {
        one.values.get("interface", "") or one.values["interfaces"]: one.code for one in interfaces(pi.root, needed)
    }


def test_a_pi_with_everything_on(pi: Pi) -> None:
    assert said(pi) == {"I²C, SPI, 1-Wire": "on"}


def test_what_is_off_is_a_note_and_what_is_needed_a_problem_with_the_line_to_write(pi: Pi) -> None:
    (pi.root / "dev/i2c-1").unlink()
    (pi.root / "sys/bus/i2c/devices/i2c-1").rmdir()
    (pi.root / "dev/spidev0.0").unlink()
    pi.write("boot/firmware/config.txt", "#dtparam=i2c_arm=on\ndtparam=spi=off\n")
    assert said(pi, "I²C") == {"1-Wire": "on", "I²C": "needed", "SPI": "off"}
    off = next(one for one in interfaces(pi.root) if one.values.get("interface") == "I²C")
    assert (off.values["line"], off.values["file"]) == ("dtparam=i2c_arm=on", "/boot/firmware/config.txt")


def test_a_line_that_waits_for_a_restart(pi: Pi) -> None:
    (pi.root / "dev/spidev0.0").unlink()
    assert said(pi)["SPI"] == "restart"


def test_a_bus_without_its_device_file(pi: Pi) -> None:
    (pi.root / "dev/i2c-1").unlink()
    (found,) = (one for one in interfaces(pi.root) if one.code == "module")
    assert found.values == {"interface": "I²C", "module": "i2c-dev"}


def test_the_file_of_older_systems(pi: Pi) -> None:
    pi.write("boot/config.txt", (pi.root / "boot/firmware/config.txt").read_text())
    (pi.root / "boot/firmware/config.txt").unlink()
    (pi.root / "dev/spidev0.0").unlink()
    assert said(pi)["SPI"] == "restart"


def test_another_board_is_told_nothing(pi: Pi) -> None:
    pi.write("proc/device-tree/model", "Radxa ROCK 5B\0")
    assert said(pi) == {}


def test_devices_are_judged_by_owner_group_and_others(pi: Pi) -> None:
    gid, uid = os.getegid(), os.geteuid()
    for path, mode in (("i2c-1", 0o660), ("spidev0.0", 0o606), ("spidev0.1", 0o600)):
        (pi.root / "dev" / path).chmod(mode)
    member = User("anna", uid + 1, frozenset((gid,)))
    (found,) = access(pi.root, member)
    assert found.values == {"user": "anna", "group": grp.getgrgid(gid).gr_name, "devices": "spidev0.0, spidev0.1"}
    stranger = User("bert", uid + 1, frozenset((gid + 1,)))
    assert next(access(pi.root, stranger)).values["devices"] == "i2c-1, spidev0.1"
    for fine in (User("owner", uid, frozenset()), User("root", 0, frozenset())):
        (found,) = access(pi.root, fine)
        assert (found.code, found.values["devices"]) == ("good", "i2c-1, spidev0.0, spidev0.1")


def test_what_is_there_anyhow_is_a_note_and_the_console_nothing(pi: Pi) -> None:
    pi.write("proc/cmdline", "console=ttyAMA0,115200 console=tty1\n")
    for name, mode in (("ttyAMA0", 0o600), ("video10", 0o600), ("iio:device0", 0o600), ("gpiochip0", 0o666)):
        pi.device(name).chmod(mode)
    pi.device("i2c-20").chmod(0o600)
    pi.write("sys/class/i2c-dev/i2c-20/name", "fef04500.i2c")
    for name in ("i2c-1", "spidev0.0", "spidev0.1"):
        (pi.root / "dev" / name).chmod(0o666)
    spare, good = access(pi.root, User("anna", os.geteuid() + 1, frozenset()))
    assert (spare.code, spare.values["devices"]) == ("spare", "video10, iio:device0")
    assert (good.code, good.values["devices"]) == ("good", "i2c-1, spidev0.0, spidev0.1")


def test_without_devices_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(access(tmp_path, User("anna", 1000, frozenset()))) == []


def test_root_looks_for_the_service_with_the_groups_of_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.struct_passwd((SERVICE_USER, "x", 990, 991, "", "/", "/bin/sh"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", {SERVICE_USER: entry}.__getitem__)
    monkeypatch.setattr(os, "getgrouplist", lambda _name, group: [group])
    monkeypatch.setattr("edge.doctor.access._gid", {"i2c": 994, "spi": 995}.get)
    assert service_user() == User(SERVICE_USER, 990, frozenset((991, 994, 995)))
    monkeypatch.setattr(pwd, "getpwnam", {}.__getitem__)
    assert service_user().uid == 0, "a computer without the service"


def test_whoever_asks_is_looked_at_with_the_groups_that_count_now(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.struct_passwd(("anna", "x", 1000, 1000, "", "/", "/bin/sh"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [994])
    monkeypatch.setattr(pwd, "getpwuid", {1000: entry}.__getitem__)
    assert service_user() == User("anna", 1000, frozenset((994, 1000)))
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert service_user().name == "1000", "an id without a name, as in a container"
