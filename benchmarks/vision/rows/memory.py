"""What the camera daemon holds in memory: the process itself, fed with real photos."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row
from benchmarks.vision.photos import biscuits as photos
from edge.vision.decode import encode

SIZE = (1600, 1200)
PICTURES = 40
_DEADLINE_S = 120.0
_UNIT = Path(__file__).resolve().parents[3] / "systemd" / "werkpuls-watch.service"
_NODE = """
site = "bench"
node = "node"
[state]
dir = "state"
[mqtt]
host = "127.0.0.1"
port = 1
tls = false
[[camera]]
name = "tray"
machine = "oven"
type = "photos"
folder = "photos"
interval_s = 0.1
"""


def measure(bench: Bench) -> Row:
    """Photos of biscuits brought to 1600 by 1200, one after the other, as `systemd/werkpuls-watch.service` starts the daemon."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        (folder / "node.toml").write_text(_NODE, encoding="ascii")
        command = [sys.executable, "-m", "werkpuls", "edge", "watch", "--config", str(folder / "node.toml"), "--json"]
        environment = os.environ | _environment()
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as daemon:
            try:
                resident = _watched(folder, daemon, [photo.image for photo in photos(bench.data)])
            finally:
                daemon.terminate()
            graded = msgspec.json.decode(daemon.communicate()[0])["sources"]["tray"]["inspections"]
    return Row(
        f"camera daemon, photos of {SIZE[0]} by {SIZE[1]}",
        {"graded": graded, "MB": round(resident[-1] / 1e6, 1), "MB peak": round(max(resident) / 1e6, 1)},
        (Floor("MB peak", 120, at_least=False), Floor("graded", PICTURES)),
        notes=("VmRSS and VmHWM of the process; a board's own camera has a process of its own beside it",),
    )


def _environment() -> dict[str, str]:
    """What the unit sets."""
    given = re.findall(r"^Environment=(.*)$", _UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(each.split("=", 1) for line in given for each in line.split())


def _watched(folder: Path, daemon: subprocess.Popen[bytes], images: list[NDArray[np.uint8]]) -> list[int]:
    """Resident bytes after each picture, the peak as the last but one."""
    kept = folder / "state" / "watch" / "journal.sqlite"
    _until(kept.exists, daemon)
    time.sleep(1.0)
    resident = []
    for number in range(PICTURES):
        image = np.asarray(cv2.resize(images[number % len(images)], SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        hidden = folder / "photos" / f"{number}.part"
        hidden.write_bytes(encode(image))
        hidden.rename(hidden.with_suffix(".jpg"))
        time.sleep(0.5)
        resident.append(_status(daemon.pid, "VmRSS"))
    time.sleep(2.0)
    return [*resident, _status(daemon.pid, "VmHWM"), _status(daemon.pid, "VmRSS")]


def _until(holds: object, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while callable(holds) and not holds():
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the daemon does not start (exit code {daemon.poll()})")
        time.sleep(0.1)


def _status(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise RuntimeError("the daemon has ended")
    return int(found[1]) * 1024
