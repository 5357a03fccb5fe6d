"""A camera's thread goes on: over a camera that vanishes, pictures that are none, and a receiver that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from support.broker import until

from edge.vision import capture
from edge.vision.camera import BadPicture, CameraError, Frame
from edge.vision.capture import CameraLoop
from edge.vision.decode import LARGE_PIXELS, Image
from edge.vision.geometry import BeltCrop
from edge.vision.trigger import Interval

GOOD = np.zeros((1200, 1600, 3), np.uint8)


class Scripted:
    """A camera that does what it is told: one entry for each read; after the last one it goes on with good pictures."""

    live = True

    def __init__(self, *script: Exception | Image | None) -> None:
        self.script: Iterator[Exception | Image | None] = iter(script)
        self.open_now = False

    def open(self) -> None:
        assert not self.open_now
        self.open_now = True

    def read(self) -> Frame | None:
        step = next(self.script, GOOD)
        if isinstance(step, Exception):
            raise step
        return None if step is None else Frame(step, time.monotonic_ns(), "c")

    def close(self) -> None:
        self.open_now = False


class Heard:
    """Writes down what it is given, and fails once."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def see(self, frame: Frame, crop: Image) -> None:
        self.log.append(f"seen {crop.shape[1]} x {crop.shape[0]}")
        if self.log.count(self.log[-1]) == 1:
            raise RuntimeError("a defect")
        assert frame.image.shape == (600, 800, 3), "the whole picture is not held at its full size"

    def unreadable(self, exc: BadPicture) -> None:
        self.log.append(str(exc))

    def away(self, why: str) -> None:
        self.log.append(why)


@pytest.mark.parametrize("corners", [None, [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]])
def test_it_goes_on_whatever_happens(
    corners: list[tuple[float, float]] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "RETRY_S", 0.01)
    small = np.zeros((40, 40, 3), np.uint8)
    steps = [
        CameraError("vanished"),
        BadPicture("half a picture"),
        None,
        *([small] if corners else []),
        OSError(5, "I/O"),
    ]
    camera, heard, moved = Scripted(*steps), Heard(), [0]

    def move() -> None:
        moved[0] += 1

    loop = CameraLoop(
        "c",
        camera,
        Interval(0.01),
        heard,
        crop=None if corners is None else BeltCrop(corners),
        idle_s=0.01,
        monotonic_ns=time.monotonic_ns,
        moved=move,
    )
    loop.start()
    until(lambda: len(heard.log) >= 8)
    loop.stop()
    assert loop.join(5)
    seen = "seen 800 x 600"  # the crop, or the whole picture reduced
    assert 800 * 600 < LARGE_PIXELS < 1600 * 1200
    said = ["vanished", "half a picture", "OSError: [Errno 5] I/O", seen, "RuntimeError: a defect", seen]
    if corners:
        said.insert(2, "the crop is 20 by 20 pixels, at least 32 by 32")
    assert heard.log[: len(said)] == said
    assert loop.opened == 4
    assert loop.error == ""
    assert moved[0] > 8
    assert not camera.open_now


def test_a_camera_that_fails_at_its_first_picture_with_a_value_is_told_and_goes_on() -> None:
    camera, heard = Scripted(ValueError("no such format")), Heard()
    loop = CameraLoop(
        "c", camera, Interval(0.01), heard, crop=None, idle_s=0.01, monotonic_ns=time.monotonic_ns, moved=lambda: None
    )
    loop.start()
    until(lambda: len(heard.log) >= 2)
    loop.stop()
    assert loop.join(5)
    assert heard.log[:2] == ["no such format", "seen 800 x 600"]
