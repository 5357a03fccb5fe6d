"""The board: power, heat, memory, time, software, disk. Each problem has its code, and nothing else has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.pi import Pi

from edge.doctor.access import interfaces
from edge.doctor.cameras import cameras
from edge.doctor.checks import CODES, Check, Level, check
from edge.doctor.disk import disk, mount_of
from edge.doctor.i2c import clock_khz, held, i2c_buses
from edge.doctor.ports import serial
from edge.doctor.system import Software, clock, heat, installed, memory, power, software

GB = 1_000_000_000


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def codes(checks: Iterable[Check]) -> list[str]:
    return [one.code for one in checks]


@pytest.mark.parametrize(
    ("flags", "supply", "warmth"),
    [
        (0x0, ["good"], ["good"]),
        (0x1, ["low_now"], ["good"]),
        (0x50005, ["low_now"], ["slowed_now"]),
        (0x10000, ["low_before"], ["good"]),
        (0x80000, ["good"], ["slowed_before", "good"]),
        (0x8, ["good"], ["slowed_now"]),
    ],
)
def test_the_firmwares_bits_are_understood(pi: Pi, flags: int, supply: list[str], warmth: list[str]) -> None:
    pi.throttled(flags)
    assert codes(power(pi.root)) == supply
    assert codes(heat(pi.root)) == warmth


def test_a_board_that_does_not_watch_its_supply_says_nothing(tmp_path: Path) -> None:
    assert codes(power(tmp_path)) == []
    assert codes(heat(tmp_path)) == []


@pytest.mark.parametrize(("alarm", "code"), [("0", "good"), ("1", "low_now")])
def test_the_supply_monitor_of_newer_kernels_is_asked(tmp_path: Path, alarm: str, code: str) -> None:
    chip = tmp_path / "sys/class/hwmon/hwmon1"
    chip.mkdir(parents=True)
    (chip / "name").write_text("rpi_volt\n")
    (chip / "in0_lcrit_alarm").write_text(f"{alarm}\n")
    assert codes(power(tmp_path)) == [code]


@pytest.mark.parametrize(("milli", "code"), [("79999", "good"), ("80000", "hot"), ("-5000", "good")])
def test_heat(pi: Pi, milli: str, code: str) -> None:
    pi.write("sys/class/thermal/thermal_zone0/temp", milli)
    (found,) = heat(pi.root)
    assert (found.code, found.values["celsius"]) == (code, int(milli) / 1000)


@pytest.mark.parametrize(
    ("available_kb", "expected"), [(150 * 1024, ["good"]), (150 * 1024 - 1024, ["low"]), ("x", [])]
)
def test_memory_that_is_left(pi: Pi, available_kb: object, expected: list[str]) -> None:
    pi.write("proc/meminfo", f"MemTotal: 437000 kB\nMemAvailable: {available_kb} kB\n")
    assert codes(memory(pi.root)) == expected


def test_time(tmp_path: Path) -> None:
    (unset,) = clock(tmp_path, lambda: 5 * GB, lambda _flag: True)
    assert (unset.code, unset.values["year"]) == ("unset", 1970)
    now_ns = 1_780_000_000 * GB
    assert codes(clock(tmp_path, lambda: now_ns, lambda _flag: False)) == ["not_synced"]
    assert codes(clock(tmp_path, lambda: now_ns, lambda flag: flag.is_relative_to(tmp_path))) == ["good"]


def test_software_that_does_not_fit_is_named() -> None:
    fine = Software((3, 12, 1), "aarch64", {"numpy": "2.3.0"})
    assert codes(software(fine)) == ["good"]
    bad = Software((3, 14, 0), "armv7l", {"numpy": "1.26.4, not >=2.2.5", "river": None, "msgspec": "0.20"})
    assert codes(software(bad)) == ["python", "bits", "packages"]
    assert list(software(bad))[2].values["packages"] == "numpy 1.26.4, not >=2.2.5, river"


def test_the_projects_own_list_of_packages_is_read() -> None:
    found = installed("werkpuls")
    assert {"msgspec", "numpy", "paho-mqtt", "river"} <= set(found)
    assert "cryptography" not in found, "only the gateway needs it"
    assert all(version is not None and " " not in version for version in found.values())


def test_every_line_about_a_package_counts_and_those_for_older_pythons_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=1.26",
        'numpy>=2.2.5; extra == "node"',
        'numpy<2; extra == "camera-py311"',
        'opencv-python-headless>=4.11; extra == "camera"',
        'simplejpeg>=1.9; python_version < "3.12" and extra == "camera"',
        'ancient>=1; python_version < "3.0" and extra == "camera"',
    ]
    have = {"numpy": "1.26.4", "opencv-python-headless": "4.11.0.86", "simplejpeg": "1.8.1"}
    monkeypatch.setattr("edge.doctor.system.requires", lambda _project: lines)
    monkeypatch.setattr("edge.doctor.system.version", have.__getitem__)
    assert installed("werkpuls", "node") == {"numpy": "1.26.4, not >=2.2.5"}
    assert installed("werkpuls", "camera-py311") == {"numpy": "1.26.4"}
    found = installed("werkpuls", "camera")
    assert (found["numpy"], found["opencv-python-headless"]) == ("1.26.4", "4.11.0.86")
    assert "ancient" not in found
    assert found.get("simplejpeg") == ("1.8.1, not >=1.9" if sys.version_info < (3, 12) else None)


def test_a_disk_in_order_and_a_small_one(pi: Pi) -> None:
    state = pi.root / "state"
    state.mkdir()
    asked: list[Path] = []

    def free(folder: Path) -> int:
        asked.append(folder)
        return 2 * GB

    assert codes(disk(pi.root, Path("/state"), 300, free=free)) == ["good"]
    assert asked == [state], "under the root that was given"
    (low,) = disk(pi.root, Path("/state"), 300, free=lambda _: GB // 4)
    assert (low.code, low.values["free_gb"], low.values["need_gb"]) == ("low", 0.25, 0.3)


def test_a_folder_that_is_missing_and_one_that_cannot_be_looked_at(pi: Pi) -> None:
    def gone(_folder: Path) -> int:
        raise OSError

    assert codes(disk(pi.root, Path("/a/b"), 300, free=lambda _: 2 * GB)) == ["missing", "good"]
    assert codes(disk(pi.root, Path("/"), 300, free=gone)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours(pi: Pi) -> None:
    state = pi.root / "state"
    state.mkdir(mode=0o500)
    assert codes(disk(pi.root, Path("/state"), 300, free=lambda _: 2 * GB)) == ["not_ours", "good"]


def test_a_card_that_went_read_only(pi: Pi) -> None:
    pi.write("proc/mounts", "/dev/mmcblk0p2 / ext4 ro,noatime,errors=remount-ro 0 0\n")
    assert codes(disk(pi.root, Path("/"), 300, free=lambda _: 2 * GB)) == ["read_only", "good"]


def test_the_mount_is_the_longest_that_fits(pi: Pi) -> None:
    pi.write("proc/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /var ext4 ro 0 0\n/dev/c /var/my\\040disk ext4 rw 0 0\nodd\n")
    devices = [
        mount.device if (mount := mount_of(pi.root, Path(folder))) else ""
        for folder in ("/home", "/var/lib", "/var/my disk/x", "/variable")
    ]
    assert devices == ["/dev/a", "/dev/b", "/dev/c", "/dev/a"]


@pytest.mark.parametrize("device", ["/dev/mmcblk0p2", "/dev/root"])
def test_errors_and_age_of_a_card(pi: Pi, device: str) -> None:
    pi.write("proc/mounts", f"{device} / ext4 rw 0 0\n")
    pi.write("sys/fs/ext4/mmcblk0p2/errors_count", "3\n")
    pi.write("sys/fs/ext4/mmcblk0p2/lifetime_write_kbytes", "1500000000\n")
    found = {one.code: one.values for one in disk(pi.root, Path("/"), 300, free=lambda _: 2 * GB)}
    assert set(found) == {"good", "errors", "written"}
    assert found["errors"] == {"device": "mmcblk0p2", "count": 3}
    assert found["written"]["written_gb"] == 1500.0


@pytest.mark.parametrize(
    ("life", "spare", "expected"),
    [
        ("0x00 0x00", "0x00", []),
        ("0x01 0x02", "0x01", [("life", 20)]),
        ("0x08 0x01", "0x01", [("life", 80)]),
        ("0x01 0x09", "0x01", [("worn", 90)]),
        ("0x0b 0x01", "0x01", [("worn", 100)]),
        ("0x01 0x01", "0x02", [("worn", 10)]),
    ],
)
def test_the_wear_that_an_emmc_tells(pi: Pi, life: str, spare: str, expected: list[tuple[str, int]]) -> None:
    pi.write("sys/block/mmcblk0/device/life_time", f"{life}\n")
    pi.write("sys/block/mmcblk0/device/pre_eol_info", f"{spare}\n")
    found = list(disk(pi.root, Path("/"), 300, free=lambda _: 2 * GB))
    assert [(one.code, one.values["percent"]) for one in found if one.code != "good"] == expected


def test_a_code_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        check("memory", "lots")
    assert {level for area in CODES.values() for level in area.values()} == set(Level)


NONSENSE = (b"", b"\xff\xfe\x00", b"0xzz 0x", b"9" * 40, b"-1\n", b"a: b\nc\n: :\n/ / / / ro\n")


@pytest.mark.parametrize("content", NONSENSE)
def test_no_file_of_the_kernel_ends_the_examination(pi: Pi, content: bytes) -> None:
    pi.write("sys/block/mmcblk0/device/life_time", "")
    pi.write("sys/block/mmcblk0/device/pre_eol_info", "")
    pi.write("sys/fs/ext4/mmcblk0p2/errors_count", "")
    pi.write("sys/fs/ext4/mmcblk0p2/lifetime_write_kbytes", "")
    pi.write("sys/class/hwmon/hwmon0/name", "rpi_volt")
    pi.write("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "")
    pi.write("sys/class/video4linux/video0/name", "")
    pi.write("sys/bus/i2c/devices/i2c-1/of_node/clock-frequency", "")
    pi.hold(1, 0x68, "")
    pi.device("ttyUSB0")
    files = [path for path in pi.root.rglob("*") if path.is_file() and "dev" not in path.relative_to(pi.root).parts[:1]]
    for damaged in files:
        before = damaged.read_bytes()
        damaged.write_bytes(content)
        found = [
            *power(pi.root),
            *heat(pi.root),
            *memory(pi.root),
            *disk(pi.root, Path("/"), 300, free=lambda _: 2 * GB),
            *interfaces(pi.root),
            *serial(pi.root),
        ]
        assert all("\n[[camera]]\n" in camera.toml for camera in cameras(pi.root, None))
        assert held(pi.root, 1)
        assert i2c_buses(pi.root) == [1]
        assert clock_khz(pi.root, 1) in (None, 0x2D310A // 1000)
        assert all(one.level in Level for one in found)
        damaged.write_bytes(before)
