"""Colour and shape of an item are what a colorimeter and a ruler say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.scenes import Thing, disc, half_disc, oval, render, square

from edge.vision.items import find_items
from models.quality.colour import (
    Colour,
    White,
    browning_index,
    colour_of,
    white_of_background,
    white_of_patch,
)
from models.quality.crop import GREY, SIDE, item_crop
from models.quality.measure import NAMES, measure
from models.quality.shape import NAMES as SHAPES
from models.quality.shape import shape_of, size_of


def lab(bgr: tuple[int, int, int]) -> tuple[float, float, float]:
    """CIELAB under D65 by the formulas of CIE 15 and IEC 61966-2-1."""
    encoded = np.array(bgr[::-1], np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    )
    ratio = matrix @ linear / (0.95047, 1.0, 1.08883)
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return float(116 * root[1] - 16), float(500 * (root[0] - root[1])), float(200 * (root[1] - root[2]))


def plain(bgr: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((20, 20, 3), bgr, np.uint8)


def everywhere(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.ones(image.shape[:2], np.bool_)


@settings(max_examples=60, deadline=None)
@given(bgr=st.tuples(*(st.integers(60, 255),) * 3))
def test_colour_is_cielab(bgr: tuple[int, int, int]) -> None:
    seen = colour_of(plain(bgr), everywhere(plain(bgr)))
    lightness, a, b = lab(bgr)
    assert seen.lightness == pytest.approx(lightness, abs=0.6)
    assert seen.a == pytest.approx(a, abs=1.5)
    assert seen.b == pytest.approx(b, abs=1.5)


def test_browner_is_a_higher_browning_index() -> None:
    pale, golden, brown, dark = (
        browning_index(*lab(bgr)) for bgr in ((170, 215, 235), (90, 165, 210), (50, 100, 150), (30, 55, 85))
    )
    assert pale < golden < brown < dark
    assert browning_index(100.0, 0.0, 0.0) == pytest.approx(0.0, abs=0.1)
    assert 0 <= browning_index(1.0, 5.0, 5.0) <= 1000


@pytest.mark.parametrize("light", [(1.0, 1.0, 1.0), (0.6, 0.85, 1.0), (0.9, 0.8, 0.7), (0.45, 0.45, 0.45)])
def test_a_reference_patch_makes_every_light_white(light: tuple[float, float, float]) -> None:
    def under(bgr: tuple[int, int, int]) -> NDArray[np.uint8]:
        linear = (np.array(bgr) / 255.0) ** 2.2 * np.array(light)
        return plain(tuple(int(v) for v in np.rint(linear ** (1 / 2.2) * 255)))  # type: ignore[arg-type]

    white = white_of_patch(under((243, 243, 243)))
    crust = (70, 140, 195)
    seen = colour_of(under(crust), everywhere(plain(crust)), white)
    truth = lab(crust)
    assert (seen.lightness, seen.a, seen.b) == pytest.approx(truth, abs=2.0)


def test_a_grey_background_takes_the_tint_and_leaves_the_brightness() -> None:
    tinted = plain((150, 160, 170))
    white = white_of_background(tinted)
    after = colour_of(tinted, everywhere(tinted), white)
    before = colour_of(tinted, everywhere(tinted))
    assert abs(after.a) < 1
    assert abs(after.b) < 1
    assert after.lightness == pytest.approx(before.lightness, abs=0.6)


@pytest.mark.parametrize("bgr", [(200, 60, 20), (0, 0, 0), (255, 255, 255)])
def test_a_coloured_or_overexposed_background_tells_nothing(bgr: tuple[int, int, int]) -> None:
    assert white_of_background(plain(bgr)) == White()


def test_impossible_references_are_refused() -> None:
    for patch in (plain((255, 255, 255)), plain((2, 2, 2))):
        with pytest.raises(ValueError, match="too dark or overexposed"):
            white_of_patch(patch)
    with pytest.raises(ValueError, match="reflectance"):
        white_of_patch(plain((200, 200, 200)), 1.4)
    with pytest.raises(ValueError, match="gains"):
        White((0.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="no pixel"):
        colour_of(plain((1, 2, 3)), np.zeros((20, 20), np.bool_))


def test_dark_spots_are_told_as_a_share() -> None:
    image = plain((90, 160, 210))
    image[:5] = (20, 30, 40)
    seen = colour_of(image, everywhere(image))
    assert seen.dark_share == pytest.approx(0.25)
    assert seen.burnt_share == pytest.approx(0.25)
    assert colour_of(plain((90, 160, 210)), everywhere(image)).dark_share == 0


@settings(max_examples=40, deadline=None)
@given(turn=st.floats(0, 180), scale=st.floats(0.5, 20), x=st.floats(0, 500))
def test_shape_depends_neither_on_place_nor_on_size_nor_on_rotation(turn: float, scale: float, x: float) -> None:
    base = shape_of(oval(40, 22))
    moved = shape_of(np.asarray(oval(40, 22, turn) * scale + x, np.float32))
    assert moved.vector == pytest.approx(base.vector, abs=0.03)
    assert moved.size.length == pytest.approx(80 * scale, rel=0.01)
    assert moved.size.width == pytest.approx(44 * scale, rel=0.01)
    assert moved.size.area == pytest.approx(np.pi * 40 * 22 * scale**2, rel=0.01)


def test_round_square_and_broken_are_told_apart() -> None:
    round_one, square_one, broken = shape_of(disc(40)), shape_of(square(40)), shape_of(half_disc(40))
    assert round_one.roundness == pytest.approx(1.0, abs=0.01)
    assert square_one.roundness == pytest.approx(np.pi / 4, abs=0.01)
    assert round_one.symmetry > 0.99
    assert square_one.symmetry > 0.97
    assert broken.symmetry < 0.9
    assert broken.solidity < round_one.solidity
    assert len(round_one.vector) == len(SHAPES)
    assert np.isfinite(broken.vector).all()


@pytest.mark.parametrize(
    "contour",
    [np.zeros((2, 2)), np.zeros((5, 2)), np.full((5, 2), np.nan), np.arange(10).reshape(5, 2), np.zeros((5, 3))],
)
def test_what_is_no_outline_is_refused(contour: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="outline"):
        shape_of(contour.astype(np.float32))
    with pytest.raises(ValueError, match="outline"):
        size_of(contour.astype(np.float32))


def test_an_item_is_measured_as_it_was_drawn() -> None:
    things = [Thing(disc(50), 200, 200, (70, 140, 195)), Thing(oval(70, 40, 30), 500, 350, (35, 75, 120))]
    frame = render(things, shadow=True, vignette=0.0)
    seen = [measure(frame, item.contour) for item in find_items(frame)]
    assert len(seen) == 2
    light, dark = seen
    assert light.lightness > dark.lightness + 15
    assert light.browning_index < dark.browning_index
    assert light.shape.size.length == pytest.approx(100, rel=0.03)
    assert dark.shape.size.length == pytest.approx(140, rel=0.03)
    assert dark.shape.size.width == pytest.approx(80, rel=0.03)
    for each in seen:
        assert each.vector.shape == (len(NAMES),)
        assert isinstance(each.colour, Colour)


def test_darker_never_measures_lighter() -> None:
    last = 101.0
    for factor in (1.0, 0.8, 0.6, 0.45, 0.3, 0.2):
        colour = tuple(int(value * factor) for value in (90, 165, 215))
        frame = render([Thing(disc(50), 300, 300, colour)])  # type: ignore[arg-type]
        (item,) = find_items(frame)
        lightness = measure(frame, item.contour).lightness
        assert lightness < last
        last = lightness


def test_a_crop_shows_the_item_alone_on_grey() -> None:
    frame = render([Thing(disc(60), 200, 200), Thing(disc(60), 330, 200)], kind="blue belt")
    for item in find_items(frame):
        crop = item_crop(frame, item.contour)
        assert crop.rgb.shape == (SIDE, SIDE, 3)
        assert crop.mask.shape == (SIDE, SIDE)
        assert (crop.rgb[crop.mask == 0] == GREY).all()
        assert crop.mask[SIDE // 2, SIDE // 2] == 1
        assert crop.mask.mean() == pytest.approx(np.pi / 4 / 1.14**2, abs=0.05)
        red, blue = crop.rgb[..., 0].astype(int), crop.rgb[..., 2].astype(int)
        assert (red >= blue)[crop.mask > 0.99].mean() > 0.97


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-60, 860), y=st.floats(-60, 660), radius=st.floats(2, 300))
def test_every_contour_has_a_crop(x: float, y: float, radius: float) -> None:
    frame = np.full((600, 800, 3), 200, np.uint8)
    crop = item_crop(frame, disc(radius) + np.array((x, y), np.float32))
    assert crop.rgb.shape == (SIDE, SIDE, 3)
    assert (crop.rgb[crop.mask == 0] == GREY).all()


def test_crops_of_large_and_small_frames_agree() -> None:
    frame = render([Thing(half_disc(70), 300, 300)], vignette=0.0)
    large = np.asarray(cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)
    (small_item,), (large_item,) = find_items(frame), find_items(large)
    one, other = item_crop(frame, small_item.contour), item_crop(large, large_item.contour)
    assert np.abs(one.mask - other.mask).mean() < 0.02
    assert np.abs(one.rgb.astype(float) - other.rgb.astype(float)).mean() < 6


def test_no_frame_and_no_contour_are_refused() -> None:
    frame = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(ValueError, match="frame"):
        item_crop(frame[..., 0], disc(5))
    with pytest.raises(ValueError, match="contour"):
        item_crop(frame, np.zeros((2, 2), np.float32))
