"""What is wrong with the camera shows in its pictures, and what is only an empty or a full tray does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.vision.camera_check import CameraCheck, CheckLimits
from edge.vision.geometry import BeltCrop
from edge.vision.scene import noisy, tray

SIZE = (640, 480)
CORNERS = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
Picture = NDArray[np.uint8]


class Stand:
    """A camera over a place where trays come and go; around it a frame with bolts that stands still."""

    def __init__(self, *, live: bool = True) -> None:
        self.rng = np.random.default_rng(5)
        self.check = CameraCheck(CheckLimits(), live=live, corners=CORNERS)
        self.around = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        for x, y in self.rng.uniform(0, 1, (60, 2)) * SIZE:
            shade = int(self.rng.integers(30, 230))
            cv2.circle(self.around, (int(x), int(y)), int(self.rng.integers(4, 14)), (shade, shade, shade), -1)
        self.crop = BeltCrop(CORNERS)
        self.trays = [tray(self.rng, (384, 288), 0.5, count=count)[0] for count in (6, 8, 12, 6, 0)]

    def picture(self, number: int, *, light: float = 1.0) -> Picture:
        image = self.around.copy()
        image[96:384, 128:512] = self.trays[number % len(self.trays)]
        return noisy(self.rng, np.clip(image * light, 0, 255).astype(np.uint8))

    def look(self, image: Picture) -> str:
        fault = self.check.look(image, self.crop.apply(image))
        return "" if fault is None else fault.cause

    def settled(self) -> Stand:
        assert [self.look(self.picture(number)) for number in range(40)] == [""] * 40
        return self


def test_trays_that_come_and_go_and_light_that_changes_are_no_faults() -> None:
    stand = Stand().settled()
    for number in range(60):
        assert stand.look(stand.picture(number, light=1 - 0.005 * number)) == ""


def test_a_camera_that_was_knocked_has_moved_until_it_is_opened_anew() -> None:
    stand = Stand().settled()
    for shift in ((25, 0), (0, -20), (18, 18)):
        move = np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]])
        moved = np.asarray(cv2.warpAffine(stand.picture(1), move, SIZE, borderMode=cv2.BORDER_REFLECT), np.uint8)
        assert stand.look(moved) == "camera_moved"
    stand.check.forget()
    assert stand.look(moved) == ""


def test_a_spot_on_the_lens_is_told_though_everything_else_is_sharp() -> None:
    stand = Stand()
    stand.trays = stand.trays[:4]
    stand.settled()
    drawn = np.zeros((SIZE[1], SIZE[0]), np.float32)
    cv2.circle(drawn, (300, 240), 60, 1.0, -1)
    spot = np.asarray(cv2.GaussianBlur(drawn, (0, 0), 8), np.float32)[..., None]
    told = []
    for number in range(40):
        image = stand.picture(number)
        dull = cv2.GaussianBlur(image, (0, 0), 15)
        told.append(stand.look(np.asarray(image * (1 - spot) + dull * spot, np.uint8)))
    assert set(told) == {"", "camera_dirty"}
    assert told[-10:] == ["camera_dirty"] * 10


def test_the_same_picture_for_ever_is_frozen_where_a_sensor_makes_noise() -> None:
    stand = Stand().settled()
    same = stand.picture(1)
    assert [stand.look(same) for _ in range(7)] == [""] * 4 + ["camera_frozen"] * 3
    assert stand.look(stand.picture(1)) == ""
    folder = Stand(live=False)
    assert {folder.look(same) for _ in range(10)} == {""}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda image: image // 20, "camera_dark"),
        (lambda image: cv2.add(image, np.full_like(image, 200)), "camera_overexposed"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 9), "camera_blurred"),
        (lambda image: np.full_like(image, 110), "camera_blocked"),
    ],
)
def test_one_picture_is_enough_for_what_hides_the_goods(change: object, cause: str) -> None:
    stand = Stand()
    assert callable(change)
    assert stand.look(np.asarray(change(stand.picture(2)), np.uint8)) == cause
