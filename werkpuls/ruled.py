"""A photo to read corners off: a ruler of tenths around it, the corners, and what is found between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.geometry import BeltCrop
from edge.vision.items import find_items

Image = NDArray[np.uint8]
Corners = Sequence[tuple[float, float]]
WHOLE: Corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_FIELD, _WHOLE, _CUT, _RULER = (220, 0, 220), (60, 160, 40), (130, 130, 130), (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def ruled(photo: Image, corners: Corners | None) -> tuple[Image, int, int]:
    """The picture, how many items are found whole in it or between the corners, and how many are cut off.

    Args:
        photo: (height, width, 3) uint8, BGR.
        corners: fractions of the photo; None: all of it is searched.

    Raises:
        ValueError: corners that make no crop of this photo.
    """
    shown = photo.copy()
    height, width = photo.shape[:2]
    thick = max(1, round(min(height, width) / 250))
    whole = cut = 0
    crop = BeltCrop(corners or WHOLE)
    for item in find_items(photo if corners is None else crop.apply(photo)):
        outline = item.contour if corners is None else crop.to_frame(item.contour, width, height)
        points = [np.rint(outline).astype(np.int32)]
        cv2.polylines(shown, points, isClosed=True, color=_CUT if item.cut_off else _WHOLE, thickness=thick)
        whole, cut = whole + (not item.cut_off), cut + item.cut_off
    if corners is not None:
        field = np.asarray(corners) * (width, height)
        cv2.polylines(shown, [np.rint(field).astype(np.int32)], isClosed=True, color=_FIELD, thickness=2 * thick)
        for number, point in enumerate(field, 1):
            _write(shown, str(number), 0.96 * point + 0.04 * field.mean(axis=0), thick, _FIELD)
    for tenth in range(1, 10):
        x, y = round(width * tenth / 10), round(height * tenth / 10)
        for start, end in (((x, 0), (x, height)), ((0, y), (width, y))):
            cv2.line(shown, start, end, _RULER, 1)
        _write(shown, f"0.{tenth}", np.array((x, 0.0)), thick, _RULER)
        _write(shown, f"0.{tenth}", np.array((0.0, y)), thick, _RULER)
    return shown, whole, cut


def _write(shown: Image, text: str, at: NDArray[np.float64], thick: int, colour: tuple[int, int, int]) -> None:
    """Words whose upper left corner is there, moved into the picture."""
    scale = 0.4 * thick + 0.15
    (across, down), below = cv2.getTextSize(text, _FONT, scale, thick)
    height, width = shown.shape[:2]
    x = min(max(2, round(float(at[0])) + 2), width - across - 2)
    y = min(max(down + 2, round(float(at[1])) + down + 2), height - below)
    cv2.putText(shown, text, (x, y), _FONT, scale, (0, 0, 0), thick + 2, cv2.LINE_AA)
    cv2.putText(shown, text, (x, y), _FONT, scale, colour, thick, cv2.LINE_AA)
