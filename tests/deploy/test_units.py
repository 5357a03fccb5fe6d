"""The systemd units: known to systemd without a word, hardened, and starting what exists."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge.daemon
import gateway.daemon
from werkpuls.cli import build_parser

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
COMMAND = "/opt/werkpuls/.venv/bin/werkpuls"
EXPOSURE = "20"
"""Tenths of systemd's own exposure level (0 to 10); 2.0 or less is what a hardened network service with devices has."""
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def setting(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_there_is_a_unit_for_each_daemon() -> None:
    assert [unit.stem for unit in UNITS] == ["werkpuls-gateway", "werkpuls-sense", "werkpuls-watch"]


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_say_about_it(unit: Path, tmp_path: Path) -> None:
    # The program is not installed where the unit expects it: any program will do for the check.
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace(COMMAND, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_hardened(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", str(unit)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


@needs_systemd
def test_a_wrong_key_would_be_noticed(tmp_path: Path) -> None:
    unit = tmp_path / "wrong.service"
    unit.write_text(f"[Service]\nType=simple\nExecStart={sys.executable}\nProtectSytsem=strict\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=30, check=False
    )
    assert "ProtectSytsem" in done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_starts_a_command_that_exists(unit: Path) -> None:
    (line,) = setting(unit, "ExecStart")
    program, *words = line.split()
    assert program == COMMAND
    args = build_parser(words[0]).parse_args(words)
    assert args.config.parent == Path("/etc/werkpuls")
    assert (ROOT / "deploy" / args.config.name).exists()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_promises_what_the_daemon_keeps(unit: Path) -> None:
    assert setting(unit, "Type") == ["notify"]
    assert setting(unit, "Restart") == ["always"]
    assert setting(unit, "RestartPreventExitStatus") == ["2"]
    (watchdog,) = setting(unit, "WatchdogSec")
    assert int(watchdog) >= 60
    assert setting(unit, "User") == ["werkpuls"]


def test_a_stop_may_take_as_long_as_the_daemon_gives_its_parts() -> None:
    allowed = {unit.stem: int(setting(unit, "TimeoutStopSec")[0]) for unit in UNITS}
    node_s = edge.daemon.SOURCES_S + 2 * edge.daemon.STOP_S + edge.daemon.FAREWELL_S
    # The files are closed after it: as long again for a slow card.
    assert allowed["werkpuls-sense"] >= 2 * node_s
    assert allowed["werkpuls-watch"] >= 2 * node_s
    assert allowed["werkpuls-gateway"] >= 2 * gateway.daemon.STOP_S


def test_every_group_that_a_unit_asks_for_is_made_or_part_of_every_debian() -> None:
    made = set(re.findall(r"^[gu] (\S+)", (ROOT / "systemd" / "werkpuls.sysusers").read_text(), re.MULTILINE))
    base = {"dialout", "video"}
    asked = {group for unit in UNITS for line in setting(unit, "SupplementaryGroups") for group in line.split()}
    assert asked <= made | base
    assert "werkpuls" in made
