"""Connected regions of a mask, and how whole each is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.int32]
"""(n, 1, 2) x and y of the outermost pixels, in order."""
Mask = NDArray[np.uint8]
"""(height, width) uint8, 0 or 1."""


@dataclass(frozen=True, slots=True)
class Region:
    """One connected region.

    Args:
        outline: its outermost pixels.
        area_px: pixels inside and on the outline, holes too.
        solidity: area against that of its convex hull, 0 to 1.
    """

    outline: Outline
    area_px: float
    solidity: float

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of its bounding box."""
        x, y, width, height = cv2.boundingRect(self.outline)
        return slice(y, y + height), slice(x, x + width)

    def filled(self) -> Mask:
        """The region with its holes, within its bounding box."""
        x, y, width, height = cv2.boundingRect(self.outline)
        mask = np.zeros((height, width), np.uint8)
        cv2.drawContours(mask, [self.outline - np.array((x, y), np.int32)], -1, 1, thickness=cv2.FILLED)
        return mask

    def moved(self, x: int, y: int) -> Region:
        """The same region elsewhere."""
        return Region(self.outline + np.array((x, y), np.int32), self.area_px, self.solidity)


def region_of(outline: Outline) -> Region:
    """Measures a region. Its area is that of its pixels, by Pick's theorem from their centres' polygon."""
    hull = np.asarray(cv2.convexHull(outline), np.int32)
    inside, around = float(cv2.contourArea(outline)), float(cv2.contourArea(hull))
    rim = float(cv2.arcLength(hull, closed=True)) / 2 + 1
    area = inside + len(outline) / 2 + 1
    return Region(outline, area, min(1.0, area / (around + rim)))


def regions_of(mask: Mask, least_px: float = 0.0) -> list[Region]:
    """All regions of at least so many pixels."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    regions = (region_of(np.asarray(outline, np.int32)) for outline in found)
    return [region for region in regions if region.area_px >= least_px]


def opened(mask: Mask) -> Mask:
    """Without what is narrower than three pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), np.uint8)
