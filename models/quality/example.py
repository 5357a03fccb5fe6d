"""One item as teaching sees it: what a ruler, a colorimeter and the net say of it, and in what light. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.quality.measure import NAMES, Measurements

VERSION = 2
"""Of what an example holds; examples of another version cannot be compared with these."""
SIZE, SHAPE, COLOUR = slice(0, 1), slice(1, NAMES.index("lightness")), slice(NAMES.index("lightness"), len(NAMES))
"""Where a vector of measurements holds what."""
_COLOUR_DEFECTS = ("burnt", "underbaked")
_SMALL_PX = 100
"""The light of a frame is read from a picture of about this width."""
_LEAST_BACKGROUND = 0.03
"""Where less of the frame than this shows no item, nobody knows the light."""
_ROUNDED = 1e-6
"""Relative; files hold numbers with seven digits."""
_SAME_SURFACE = 6
"""Pixels of the background's usual L*, give or take so many of 255, show its colour; shadows and crumbs do not."""
_UNTINTED = 128
Floats = NDArray[np.float32]
Lab = tuple[float, float, float]
"""L* 0 to 100, a*, b*."""


@dataclass(frozen=True, slots=True)
class Example:
    """One item.

    Args:
        measured: (32,) float32, `Measurements.vector`, but the area is a share of the frame, so that pictures of one camera
            are comparable whatever their resolution.
        embedding: (d,) float32, what the net saw.
        baking: probability that it is burnt or underbaked, as the net says, 0 to 1.
        light: L* of the background, 0 to 100; None where none is seen.
        tint: a* and b* of the background; None where nobody knows.
        frame_px: pixels of the frame, by which pictures of one format are known; 0: of the same camera as the others.
    """

    measured: Floats
    embedding: Floats
    baking: float
    light: float | None
    frame_px: int = 0
    tint: tuple[float, float] | None = None

    @property
    def lightness(self) -> float:
        """L* of the crust."""
        return float(self.measured[COLOUR.start])

    @property
    def crust(self) -> Lab:
        """Mean colour of the crust."""
        lightness, a, b = (float(value) for value in self.measured[COLOUR][:3])
        return lightness, a, b

    def same_item(self, other: Example) -> bool:
        """Whether both are of one item in one picture: no two others have the same numbers.

        A file keeps fewer digits of them, and not always the frame's size.
        """
        return (
            math.isclose(self.lightness, other.lightness, rel_tol=_ROUNDED)  # the cheapest first
            and self.embedding.shape == other.embedding.shape
            and np.allclose(self.measured, other.measured, rtol=_ROUNDED, atol=0)
            and np.allclose(self.embedding, other.embedding, rtol=_ROUNDED, atol=0)
        )


def example(
    measurements: Measurements,
    frame_px: int,
    embedding: Floats,
    named: tuple[Sequence[str], Floats],
    light: Lab | None,
) -> Example:
    """Puts together what is known of one item.

    Args:
        measurements: of the item.
        frame_px: how many pixels the frame has.
        embedding: (d,) of the item.
        named: labels and their probabilities, as the net gave them.
        light: of the frame, see `light_of`.
    """
    measured = measurements.vector.copy()
    measured[0] -= np.float32(np.log(frame_px))
    labels, probabilities = named
    baking = sum(float(probabilities[labels.index(name)]) for name in _COLOUR_DEFECTS if name in labels)
    shade, tint = (light[0], light[1:]) if light is not None else (None, None)
    return Example(measured, np.asarray(embedding, np.float32), min(1.0, baking), shade, frame_px, tint)


def light_of(frame: NDArray[np.uint8], contours: Sequence[NDArray[np.float32]]) -> Lab | None:
    """The colour of what is no item: it moves when the exposure or the lamp changes, and not with the crust.

    Median L*, and the mean a* and b* of what is about as light.

    Args:
        frame: (height, width, 3) uint8, BGR.
        contours: (n, 2) each, all items in pixels of the frame.
    """
    step = max(1, frame.shape[1] // _SMALL_PX)
    small = np.ascontiguousarray(frame[::step, ::step])
    free = np.ones(small.shape[:2], np.uint8)
    for contour in contours:
        cv2.fillPoly(free, [np.rint(contour / step).astype(np.int32)], 0)
    free = np.asarray(cv2.erode(free, np.ones((3, 3), np.uint8)), np.uint8)
    seen = int(np.count_nonzero(free))
    if seen < _LEAST_BACKGROUND * free.size:
        return None
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), np.uint8)
    counts = np.cumsum(np.ravel(cv2.calcHist([lab], [0], free, [256], [0, 256])))
    middle = float(np.searchsorted(counts, ((seen - 1) // 2, seen // 2), side="right").mean())
    usual = cv2.inRange(lab[..., 0], middle - _SAME_SURFACE, middle + _SAME_SURFACE)
    _, a, b, _ = cv2.mean(lab, cv2.bitwise_and(usual, free))
    return middle * 100 / 255, a - _UNTINTED, b - _UNTINTED
