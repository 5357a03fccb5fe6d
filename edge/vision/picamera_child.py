"""The child process of `edge.vision.picamera`: one camera, one fixed configuration, a picture when it is asked for.

`python -m edge.vision.picamera_child MODULE NUMBER WIDTH HEIGHT`. A line on standard input asks for a picture; its end ends the
process. What it says is described by `edge.vision.picamera.Line`.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import time
from typing import Any, BinaryIO

import msgspec
import numpy as np

from edge.vision.picamera import Line

BUFFERS = 2
SETTLE_S = 8.0
"""Exposure and white balance are locked at the latest after so long."""
STEADY = 5
"""So many pictures in a row with the same exposure and gains: settled."""
_CHANGE = 0.02


def main(module: str, number: int, size: tuple[int, int]) -> int:
    """Runs until standard input ends; returns the exit code."""
    # Standard output is ours alone: what libraries print there goes to the log.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        camera = _opened(module, number, size)
    except Exception as exc:  # noqa: BLE001  # libcamera raises whatever it likes; the parent tells it
        _say(out, Line("failed", why=f"{type(exc).__name__}: {exc}"[:400]))
        return 1
    try:
        _lock(camera, out)
        _say(out, Line("ready"))
        _serve(camera, out, size)
    except Exception as exc:  # noqa: BLE001  # as above
        _say(out, Line("failed", why=f"{type(exc).__name__}: {exc}"[:400]))
        return 1
    finally:
        camera.stop()
        camera.close()
    return 0


def _opened(module: str, number: int, size: tuple[int, int]) -> Any:
    """The camera, running, in the one configuration it ever has.

    Formats are named the way libcamera does, so that RGB888 lies in memory as blue, green, red (picamera2 manual, appendix A).
    """
    try:
        library = importlib.import_module(module)
    except ImportError as exc:
        raise RuntimeError(
            f"{exc}; apt install python3-picamera2, and a venv made with --system-site-packages"
        ) from exc
    if not library.Picamera2.global_camera_info():
        raise RuntimeError("the board sees no camera; check its cable")
    camera = library.Picamera2(number)
    configuration = camera.create_video_configuration(main={"size": size, "format": "RGB888"}, buffer_count=BUFFERS)
    camera.configure(configuration)
    camera.start()
    return camera


def _lock(camera: Any, out: BinaryIO) -> None:
    """Waits until exposure and white balance have settled, then holds them: browning is measured by them."""
    deadline = time.monotonic() + SETTLE_S
    before: tuple[float, ...] | None = None
    steady = 0
    facts: dict[str, Any] = {}
    while time.monotonic() < deadline and steady < STEADY:
        facts = camera.capture_metadata()
        now = (float(facts["ExposureTime"]), float(facts["AnalogueGain"]), *map(float, facts["ColourGains"]))
        same = before is not None and all(abs(a - b) <= _CHANGE * abs(b) for a, b in zip(now, before, strict=True))
        steady, before = (steady + 1 if same else 0), now
        _say(out, Line("alive"))
    camera.set_controls(
        {
            "AeEnable": False,
            "AwbEnable": False,
            "ExposureTime": int(facts["ExposureTime"]),
            "AnalogueGain": float(facts["AnalogueGain"]),
            "ColourGains": tuple(facts["ColourGains"]),
        }
    )
    # Controls reach the sensor some frames later.
    for _ in range(STEADY):
        camera.capture_metadata()


def _serve(camera: Any, out: BinaryIO, size: tuple[int, int]) -> None:
    said = 0.0
    while True:
        if select.select([0], [], [], 0)[0]:
            if not os.read(0, 64):
                return
            width, height = size
            # Rows may be padded to what the hardware likes.
            image = np.ascontiguousarray(camera.capture_array("main")[:height, :width, :3])
            _say(out, Line("frame", width=image.shape[1], height=image.shape[0]))
            _write(out, image)
            continue
        # Each of these waits for the camera's next picture: where it hangs, nothing is said any more.
        camera.capture_metadata()
        if time.monotonic() - said > 1.0:
            said = time.monotonic()
            _say(out, Line("alive"))


def _say(out: BinaryIO, line: Line) -> None:
    _write(out, msgspec.json.encode(line) + b"\n")


def _write(out: BinaryIO, data: Any) -> None:
    """All of it: a pipe takes a part at a time."""
    rest = memoryview(data).cast("B")
    while len(rest):
        rest = rest[out.write(rest) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4]))))
