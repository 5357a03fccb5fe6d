"""Departure from the background in a picture without colour. Pure.

On paper or a light table a crust without its colour is as bright as its own shadow. But a shadow ends softly and is as smooth as
what it falls on, while goods have an edge all around and a crust inside of it: the change of brightness from pixel to pixel
departs as well here, and what it encloses with it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.background import Departure
from edge.vision.regions import opened, regions_of

_SPREAD, _EVERY_PX = 3, 4
"""Of a grey picture, channels differ by no more than this, however it was compressed; looked at in every so many rows and columns."""
_STEEP = 0.025
"""Unit of departure: change of light per pixel, in natural logarithms."""
_USUAL = 2.5
"""What changes by less than so many times the frame's median is its grain and noise."""
_GAP_PX = 5
"""Gaps between a crust's spots, and in its edge, are closed up to this width."""
_WHOLENESS = 4
"""Power of solidity: shreds of an item count little."""
_LEVELS = (0.75, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Heights at which is looked for what is enclosed."""
_MOST = 0.2
"""What is enclosed is no larger share of the frame; a sheet of paper on a table is."""


def colourless(image: NDArray[np.uint8]) -> bool:
    """Whether a picture is grey all over, as of a camera without colours or a scan; (height, width, 3) uint8, BGR."""
    blue, green, red = cv2.split(np.ascontiguousarray(image[::_EVERY_PX, ::_EVERY_PX]))
    return max(float(cv2.norm(green, other, cv2.NORM_INF)) for other in (blue, red)) <= _SPREAD


def enclosed(departure: Departure) -> NDArray[np.float32]:
    """How unlike the background each pixel is by edges and crust as well, (height, width) float32.

    Args:
        departure: by brightness alone.
    """
    across = cv2.Sobel(departure.light, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(departure.light, cv2.CV_32F, 0, 1, scale=1 / 8)
    steep = np.asarray(cv2.magnitude(across, down), np.float32)
    steep -= np.float32(_USUAL) * np.median(steep)
    relief = np.maximum(steep, 0, out=steep) / np.float32(_STEEP)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP_PX, _GAP_PX))
    found = np.asarray(cv2.morphologyEx(cv2.magnitude(departure.strange, relief), cv2.MORPH_CLOSE, kernel), np.float32)
    for level in _LEVELS:
        above = np.asarray(found > level, np.uint8)
        outlines, _ = cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        small = [each for each in outlines if cv2.contourArea(each) <= _MOST * found.size]
        cv2.drawContours(above, small, -1, 1, thickness=cv2.FILLED)
        np.maximum(found, np.float32(level) * above, out=found)
    return found


def whole_px(strange: NDArray[np.float32], threshold: float) -> float:
    """How many pixels lie in regions that are whole, where more departs than a threshold."""
    regions = regions_of(opened(np.asarray(strange > threshold, np.uint8)))
    most = _MOST * strange.size
    return sum(each.area_px * each.solidity**_WHOLENESS for each in regions if each.area_px <= most)
