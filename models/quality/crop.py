"""From an item in a frame to the small square picture that the net, the teaching and the heat map look at.

The background is replaced by one grey, so that paper, belt and metal look alike to whoever looks at the crop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 96
"""Width and height of a crop in pixels."""
GREY = 118
"""What stands where no item is, in every channel: 18 % reflectance in sRGB, a photographer's middle grey."""
_MARGIN = 1.12
"""The crop is this much wider than the item's longer side, so that its outline is inside."""
_FINE = 2
"""The mask is drawn this much finer than it is used, so that its edge is soft."""
_SHRINKS = 1.6
"""From this reduction on, pixels are averaged; below it they are interpolated."""
_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class Crop:
    """An item alone.

    Args:
        rgb: (96, 96, 3) uint8, the item on grey.
        mask: (96, 96) float32, 1 on the item, 0 off it, between them along its edge.
    """

    rgb: NDArray[np.uint8]
    mask: NDArray[np.float32]


def item_crop(frame: NDArray[np.uint8], contour: NDArray[np.float32]) -> Crop:
    """The item inside a contour, centred, its longer side filling the crop but for a margin.

    Args:
        frame: (height, width, 3) uint8, BGR.
        contour: (n, 2) x and y in pixels of the frame, n at least 3, where pixel (0, 0) reaches from 0 to 1. What
            lies outside of the frame is grey.

    Raises:
        ValueError: no BGR frame, or no contour.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"a (height, width, 3) uint8 frame, not {frame.shape} {frame.dtype}")
    if contour.ndim != 2 or contour.shape[1] != 2 or len(contour) < 3 or not np.isfinite(contour).all():
        raise ValueError(f"a contour of at least 3 points (n, 2), not {contour.shape}")
    low, high = contour.min(axis=0), contour.max(axis=0)
    side = float((high - low).max()) * _MARGIN + 2.0
    left, top = ((low + high - side) / 2).tolist()
    if side > SIDE * _SHRINKS:
        left, top, side = math.floor(left), math.floor(top), float(math.ceil(side))
        image = _shrunk(frame, int(left), int(top), int(side))
    else:
        image = _stretched(frame, left, top, side)
    mask = _mask((contour - np.array((left, top), np.float32)) * np.float32(SIDE * _FINE / side))
    grey = np.full((SIDE, SIDE, 3), GREY, np.uint8)
    rgb = cv2.blendLinear(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), grey, mask, 1 - mask)
    return Crop(np.asarray(rgb, np.uint8), mask)


def _shrunk(frame: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 >= x1 or y0 >= y1:
        return np.full((SIDE, SIDE, 3), GREY, np.uint8)
    part = frame[y0:y1, x0:x1]
    if part.shape[:2] != (side, side):
        edges = (y0 - top, top + side - y1, x0 - left, left + side - x1)
        padded = cv2.copyMakeBorder(part, *edges, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY))
        part = np.asarray(padded, np.uint8)
    # Halving first costs a quarter of averaging over an odd factor at once.
    while part.shape[0] >= 2 * SIDE:
        even = part.shape[0] // 2 * 2
        part = np.asarray(
            cv2.resize(part[:even, :even], (even // 2, even // 2), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _stretched(frame: NDArray[np.uint8], left: float, top: float, side: float) -> NDArray[np.uint8]:
    scale = SIDE / side
    # Between pixel centres, which lie at halves.
    move = np.array(
        [[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]],
        np.float32,
    )
    image = cv2.warpAffine(
        frame,
        move,
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(GREY, GREY, GREY),
    )
    return np.asarray(image, np.uint8)


def _mask(outline: NDArray[np.float32]) -> NDArray[np.float32]:
    fine = np.zeros((SIDE * _FINE, SIDE * _FINE), np.uint8)
    points = np.rint((outline - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(fine, [points], 255, shift=_SUBPIXEL_BITS)
    fine = np.asarray(cv2.dilate(fine, np.ones((3, 3), np.uint8)), np.uint8)
    mask = cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(mask, np.float32) / np.float32(255)
