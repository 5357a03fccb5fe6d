"""Photos as people send them: with a border, small, cut to their item; what is found stays where it is in the photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.trays import photo

from edge.vision.inspector import InspectionResult, Inspector
from models.quality.classifier import Classifier
from werkpuls.closeup import Place, inspect

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(Classifier.shipped())


def centres(result: InspectionResult, place: Place) -> NDArray[np.float64]:
    """Middles of the items' outlines in pixels of the photo, from left to right."""
    middles = [place.in_photo(item.found.contour).mean(axis=0) for item in result.items]
    return np.array(sorted(map(tuple, middles)), np.float64)


def bordered(
    tray: NDArray[np.uint8], colour: tuple[int, int, int], top: int, bottom: int, left: int, right: int
) -> NDArray[np.uint8]:
    framed = cv2.copyMakeBorder(tray, top, bottom, left, right, cv2.BORDER_CONSTANT, value=colour)
    done, data = cv2.imencode(".jpg", framed, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("ground", ["dark belt", "paper", "metal"])
@pytest.mark.parametrize(
    ("colour", "widths"), [(WHITE, (30, 30, 30, 30)), (BLACK, (60, 60, 0, 0)), (BLACK, (0, 0, 100, 90))]
)
def test_a_border_is_no_part_of_the_tray(
    inspector: Inspector, ground: str, colour: tuple[int, int, int], widths: tuple[int, int, int, int]
) -> None:
    tray = photo("good", 1, ground)
    bare = centres(*inspect(inspector, tray))
    result, place = inspect(inspector, bordered(tray, colour, *widths))
    assert len(bare) == 6
    assert not any(item.cut_off for item in result.items)
    assert centres(result, place) == pytest.approx(bare + np.array((widths[2], widths[0])), abs=2.0)


def test_a_plain_background_is_no_border_and_nothing_on_it_is_cut_off(inspector: Inspector) -> None:
    plain = np.full((480, 640, 3), 250, np.uint8)
    cv2.circle(plain, (320, 240), 120, (80, 150, 205), -1, cv2.LINE_AA)
    result, place = inspect(inspector, plain)
    assert [item.cut_off for item in result.items] == [False]
    assert place == Place()


@pytest.mark.parametrize("height", [240, 150])
def test_a_small_photo_is_seen_as_a_large_one_is(inspector: Inspector, height: int) -> None:
    tray = photo("good", 2)
    large, _ = inspect(inspector, tray)
    scale = height / tray.shape[0]
    small = np.asarray(cv2.resize(tray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    result, place = inspect(inspector, small)
    assert place.scale > 1
    assert centres(result, place) / scale == pytest.approx(centres(large, Place()), abs=3.0)
    for one, other in zip(result.items, large.items, strict=True):
        assert one.measurements.shape.solidity == pytest.approx(other.measurements.shape.solidity, abs=0.012)
        assert one.lightness == pytest.approx(other.lightness, abs=1.5)


def test_a_photo_cut_to_its_item_is_given_a_margin(inspector: Inspector) -> None:
    tray = photo("good", 3)
    item = inspect(inspector, tray)[0].items[0]
    x, y, width, height = (round(value) for value in item.found.box)
    result, place = inspect(inspector, np.ascontiguousarray(tray[y : y + height, x : x + width]))
    assert [each.cut_off for each in result.items] == [False]
    outline = place.in_photo(result.items[0].found.contour)
    assert outline.min(axis=0) == pytest.approx((0, 0), abs=0.06 * width)
    assert outline.max(axis=0) == pytest.approx((width, height), abs=0.06 * width)
