"""What the camera daemon holds in memory: the process itself, which each kind of camera shows real photos."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row
from benchmarks.vision.photos import biscuits
from benchmarks.vision.rtsp import packets_of, rtsp
from benchmarks.vision.streams import FPS, h264, motion_jpeg, video
from edge.vision.decode import encode

Image = NDArray[np.uint8]

SIZE = (1600, 1200)
PICTURES = 40
SHOWN = 12
"""Photos that a stream or a video file shows, in turn."""
LEAST = 4
"""So many pictures must have been graded for the figures to mean anything."""
_LOOK_S, _TICK_S = 20.0, 0.1
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
interval_s = 0.1
"""
_CORNERS = "corners = [[0.02, 0.02], [0.98, 0.02], [0.98, 0.98], [0.02, 0.98]]"
_MOST = Floor("MB peak", 120, at_least=False)


def photos(bench: Bench) -> Row:
    """Photos of biscuits brought to 1600 by 1200, one after the other, as `systemd/werkpuls-watch.service` starts the daemon."""
    with _daemon('type = "photos"', 'folder = "photos"') as daemon:
        for number, image in enumerate(_images(bench, PICTURES)):
            hidden = daemon.folder / "photos" / f"{number}.part"
            hidden.write_bytes(encode(image))
            hidden.rename(hidden.with_suffix(".jpg"))
            time.sleep(0.5)
            daemon.look()
        daemon.look(2.0)
        return daemon.row("photos", PICTURES, "a board's own camera has a process of its own beside it")


def jpeg_stream(bench: Bench) -> Row:
    """A network camera that sends Motion JPEG."""
    with motion_jpeg([encode(image) for image in _images(bench, SHOWN)]) as address:
        return _seen("network camera, Motion JPEG", address)


def jpeg_stream_cut(bench: Bench) -> Row:
    """The same with four corners, as on a belt: then pictures are unpacked at their full size before they are cut."""
    with motion_jpeg([encode(image) for image in _images(bench, SHOWN)]) as address:
        return _seen("network camera, Motion JPEG, with corners", address, _CORNERS)


def h264_stream(bench: Bench) -> Row:
    """A network camera that sends H.264 over RTSP, as most do."""
    what = "network camera, H.264"
    if shutil.which("ffmpeg") is None:
        return Row(_named(what), skipped="there is no encoder for it: apt install ffmpeg")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "camera.mp4"
        h264(path, list(_images(bench, SHOWN)))
        with rtsp(packets_of(path), FPS) as address:
            return _seen(what, address)


def mpeg4_stream(bench: Bench) -> Row:
    """A network camera that sends MPEG-4 over RTSP."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "camera.mp4"
        video(path, list(_images(bench, SHOWN)), "mp4v")
        with rtsp(packets_of(path), FPS, mpeg4=True) as address:
            return _seen("network camera, MPEG-4", address)


def jpeg_file(bench: Bench) -> Row:
    """A video file of Motion JPEG."""
    return _file(bench, "belt.avi", "MJPG", "video file, Motion JPEG")


def mpeg4_file(bench: Bench) -> Row:
    """A video file of MPEG-4."""
    return _file(bench, "belt.mp4", "mp4v", "video file, MPEG-4")


def _file(bench: Bench, name: str, code: str, what: str) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        video(path, list(_images(bench, SHOWN)), code)
        return _seen(what, str(path))


def _seen(what: str, source: str, *more: str) -> Row:
    """A daemon that looks at it for a while."""
    with _daemon('type = "video"', f'source = "{source}"', *more) as daemon:
        until = time.monotonic() + _LOOK_S
        while time.monotonic() < until:
            daemon.look(_TICK_S)
        return daemon.row(what, LEAST)


def _images(bench: Bench, count: int) -> Iterator[Image]:
    found = [photo.image for photo in biscuits(bench.data)]
    for number in range(count):
        yield np.asarray(cv2.resize(found[number % len(found)], SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def _named(what: str) -> str:
    return f"camera daemon, {what} of {SIZE[0]} by {SIZE[1]}"


class _Daemon:
    """A running daemon and what it held."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self._process = process
        self._resident = [0]
        self._peak = 0

    def look(self, after_s: float = 0.0) -> None:
        """Notes what is held."""
        time.sleep(after_s)
        self._resident.append(_status(self._process.pid, "VmRSS"))
        self._peak = max(_status(self._process.pid, "VmHWM"), self._resident[-1])

    def row(self, what: str, least: int, *notes: str) -> Row:
        """Ends it; what it held at last, at most, and how many pictures it has graded, at least so many."""
        self._process.terminate()
        graded = msgspec.json.decode(self._process.communicate()[0])["sources"]["tray"]["inspections"]
        figures = {"graded": graded, "MB": round(self._resident[-1] / 1e6, 1), "MB peak": round(self._peak / 1e6, 1)}
        notes = ("VmRSS and VmHWM of the process, started with what its systemd unit sets", *notes)
        return Row(_named(what), figures, (_MOST, Floor("graded", least)), notes=notes)


@contextmanager
def _daemon(*camera: str) -> Iterator[_Daemon]:
    """A daemon with one camera, that has begun its work."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        (folder / "node.toml").write_text(_NODE + "\n".join(camera), encoding="utf-8")
        command = [sys.executable, "-m", "werkpuls", "edge", "watch", "--config", str(folder / "node.toml"), "--json"]
        environment = os.environ | _environment()
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                _until((folder / "state" / "watch" / "journal.sqlite").exists, process)
                time.sleep(1.0)
                yield _Daemon(folder, process)
            finally:
                process.kill()


def _environment() -> dict[str, str]:
    """What the unit sets."""
    given = re.findall(r"^Environment=(.*)$", _UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(each.split("=", 1) for line in given for each in line.split())


def _until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the daemon does not start (exit code {process.poll()})")
        time.sleep(_TICK_S)


def _status(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise RuntimeError("the daemon has ended")
    return int(found[1]) * 1024
