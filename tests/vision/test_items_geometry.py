"""The crop to a belt by four corners, and the way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scenes import Thing, disc, oval, render

from edge.vision.geometry import BeltCrop
from edge.vision.items import find_items

near = st.floats(0, 0.3)
far = st.floats(0.7, 1)


@settings(max_examples=50, deadline=None)
@given(corners=st.tuples(st.tuples(near, near), st.tuples(far, near), st.tuples(far, far), st.tuples(near, far)))
def test_corners_come_back_where_they_were(corners: tuple[tuple[float, float], ...]) -> None:
    crop = BeltCrop(corners)
    width, height = crop.size(1600, 1200)
    ends = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    back = crop.to_frame(ends, 1600, 1200)
    assert np.abs(back - np.array(corners) * (1600, 1200)).max() < 0.1
    unit = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), np.float64)
    assert np.abs(cv2.perspectiveTransform(unit[None], crop.to_fractions())[0] - np.array(corners)).max() < 1e-4


def test_the_whole_frame_stays_as_it_is() -> None:
    frame = render([Thing(disc(40), 200, 300)])
    assert (BeltCrop([(0, 0), (1, 0), (1, 1), (0, 1)]).apply(frame) == frame).all()


def test_items_of_a_tilted_belt_are_found_where_they_are() -> None:
    belt = render([Thing(oval(50, 30), 150 + 170 * k, 200 + 60 * (k % 2)) for k in range(4)], 400, 800, "dark belt")
    corners = np.array(((220, 160), (1400, 260), (1340, 980), (160, 780)), np.float32)
    matrix = cv2.getPerspectiveTransform(np.array(((0, 0), (800, 0), (800, 400), (0, 400)), np.float32), corners)
    frame = cv2.warpPerspective(belt, matrix, (1600, 1200), borderValue=(190, 200, 205))
    crop = BeltCrop([(float(x) / 1600, float(y) / 1200) for x, y in corners])
    items = find_items(crop.apply(np.asarray(frame, np.uint8)))
    assert len(items) == 4
    for k, item in enumerate(sorted(items, key=lambda each: each.box[0])):
        middle = np.array([[[150 + 170 * k, 200 + 60 * (k % 2)]]], np.float32)
        there = cv2.perspectiveTransform(middle, matrix)[0, 0]
        assert np.abs(crop.to_frame(item.contour, 1600, 1200).mean(axis=0) - there).max() < 8


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        ([(0, 0), (1, 0), (1, 1)], "four corners"),
        ([(0, 0), (1, 0), (0, 1), (1, 1)], "go round"),
        ([(0, 0), (0, 1), (1, 1), (1, 0)], "go round"),
        ([(0, 0), (1.2, 0), (1, 1), (0, 1)], "fractions"),
        ([(0, 0), (float("nan"), 0), (1, 1), (0, 1)], "fractions"),
        ([(0, 0), (0, 0), (1, 1), (0, 1)], "go round"),
    ],
)
def test_impossible_corners_are_refused(corners: list[tuple[float, float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BeltCrop(corners)


def test_a_crop_too_small_to_see_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        BeltCrop([(0.5, 0.5), (0.51, 0.5), (0.51, 0.51), (0.5, 0.51)]).size(640, 480)
