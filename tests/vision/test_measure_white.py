"""A card in the picture makes colours absolute, and is no item."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.scenes import Thing, disc, render, square

from edge.vision.inspector import Inspector, Setting
from edge.vision.white import Patch
from models.quality.classifier import Classifier

PATCH = Patch((0.055, 0.073, 0.04, 0.054))


def tray(light: tuple[float, float, float]) -> NDArray[np.uint8]:
    """A white card and two discs under a light (blue, green, red)."""
    things = [
        Thing(square(30), 60, 60, (243, 243, 243)),
        Thing(disc(50), 300, 300),
        Thing(disc(50), 550, 400, (60, 110, 170)),
    ]
    frame = render(things, kind="dark belt", vignette=0.0).astype(np.float64) / 255
    return np.rint(np.clip(frame**2.2 * np.array(light), 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def test_colours_are_the_same_under_every_light_and_the_card_is_no_item() -> None:
    inspector = Inspector(Classifier.shipped(), Setting(patch=PATCH))
    seen = [inspector.inspect(tray(light)).items for light in ((1.0, 1.0, 1.0), (0.5, 0.75, 0.95), (0.5, 0.5, 0.5))]
    assert [len(items) for items in seen] == [2, 2, 2]
    for items in seen[1:]:
        for item, first in zip(items, seen[0], strict=True):
            assert item.lightness == pytest.approx(first.lightness, abs=2.5)
            assert item.measurements.colour.b == pytest.approx(first.measurements.colour.b, abs=3)
    without = Inspector(Classifier.shipped()).inspect(tray((0.5, 0.5, 0.5))).items
    assert len(without) == 3
    assert max(item.lightness for item in without[1:]) < max(item.lightness for item in seen[0]) - 8


def test_a_card_in_the_dark_tells_nothing() -> None:
    dark = np.asarray(cv2.convertScaleAbs(tray((1.0, 1.0, 1.0)), alpha=0.02), np.uint8)
    assert PATCH.white(dark) is None


@pytest.mark.parametrize(
    "box", [(0.9, 0.1, 0.2, 0.1), (-0.1, 0.1, 0.2, 0.1), (0.1, 0.1, 0.0, 0.1), (0.1, 0.1, float("nan"), 0.1)]
)
def test_a_card_outside_of_the_picture_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="patch"):
        Patch(box)
    with pytest.raises(ValueError, match="reflectance"):
        Patch((0.1, 0.1, 0.1, 0.1), 2.0)
