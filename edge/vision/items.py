"""Finds every item in a frame, whatever it lies on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision import background


@dataclass(frozen=True, slots=True)
class FinderSettings:
    """What counts as an item.

    Args:
        work_px: items are looked for in a picture whose longer side is reduced to this, 160 to 2000.
        smallest_share: an item covers at least this share of the frame; what is smaller is a crumb.
        smallest_of_largest: an item is at least this share of the frame's largest ones; what is smaller is a crumb.
    """

    work_px: int = 640
    smallest_share: float = 0.0003
    smallest_of_largest: float = 0.02

    def __post_init__(self) -> None:
        """Refuses sizes that find nothing."""
        if not 160 <= self.work_px <= 2000:
            raise ValueError(f"work_px {self.work_px} must lie between 160 and 2000")
        if not (0 < self.smallest_share < 1 and 0 <= self.smallest_of_largest < 1):
            raise ValueError("shares must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One item; coordinates in pixels of the frame, where pixel (0, 0) reaches from 0 to 1.

    Args:
        box: x, y, width, height.
        contour: (n, 2) float32, its outer outline; a ring's hole belongs to the item.
        area_px: how much of the frame lies inside of the outline.
        cut_off: it touches the frame's edge, so that nobody knows its whole shape.
    """

    box: tuple[float, float, float, float]
    contour: NDArray[np.float32]
    area_px: float
    cut_off: bool


_LOWEST, _HIGHEST, _STEPS = 30, 70, 40
"""The threshold of departure is chosen by Otsu's method within these, in fortieths."""
_LARGEST = 5
_DEFAULT = FinderSettings()


def find_items(frame: NDArray[np.uint8], settings: FinderSettings = _DEFAULT) -> list[FoundItem]:
    """All items, from top to bottom.

    Args:
        frame: (height, width, 3) uint8, BGR, at least 32 by 32.
        settings: what counts as an item.

    Raises:
        ValueError: no such frame.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or min(frame.shape[:2]) < 32:
        raise ValueError(f"a (height, width, 3) uint8 frame of at least 32 by 32, not {frame.shape} {frame.dtype}")
    small, scale = _reduced(frame, settings.work_px)
    outlines = _outlines(_foreground(small))
    areas = [_area(outline) for outline in outlines]
    least = _least(areas, small.shape[0] * small.shape[1], settings)
    height, width = small.shape[:2]
    found = [
        _item(outline, area, (width, height), scale)
        for outline, area in zip(outlines, areas, strict=True)
        if area >= least
    ]
    return sorted(found, key=lambda item: (item.box[1], item.box[0]))


def _reduced(frame: NDArray[np.uint8], work_px: int) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """The picture to work on, and how many pixels of the frame one of its pixels is wide and high."""
    height, width = frame.shape[:2]
    small = frame
    # Halving averages four pixels, which costs an eighth of what averaging over any other factor does.
    while max(small.shape[:2]) >= 2 * work_px:
        even = small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]
        small = np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    factor = work_px / max(small.shape[:2])
    if factor < 1:
        size = (max(8, round(small.shape[1] * factor)), max(8, round(small.shape[0] * factor)))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return small, (width / small.shape[1], height / small.shape[0])


def _foreground(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where items are, (height, width) uint8, 0 or 1."""
    smooth = np.asarray(cv2.GaussianBlur(small, (3, 3), 0.8), np.uint8)
    strange = background.departure(background.planes(smooth), background.fit(smooth))
    levels = cv2.convertScaleAbs(strange, alpha=_STEPS)
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    mask = cv2.threshold(levels, min(max(otsu, _LOWEST), _HIGHEST), 1, cv2.THRESH_BINARY)[1]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), np.uint8)


def _outlines(mask: NDArray[np.uint8]) -> Sequence[NDArray[np.int32]]:
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(outline, np.int32) for outline in found]


def _area(outline: NDArray[np.int32]) -> float:
    """Pixels inside of an outline and on it (Pick's theorem)."""
    return float(cv2.contourArea(outline)) + len(outline) / 2 + 1


def _least(areas: Sequence[float], frame_px: int, settings: FinderSettings) -> float:
    large = sorted(areas)[-_LARGEST:]
    typical = sum(large) / len(large) if large else 0.0
    return max(settings.smallest_share * frame_px, settings.smallest_of_largest * typical)


def _item(outline: NDArray[np.int32], area: float, size: tuple[int, int], scale: tuple[float, float]) -> FoundItem:
    x, y, width, height = cv2.boundingRect(outline)
    contour = (outline.reshape(-1, 2).astype(np.float32) + np.float32(0.5)) * np.array(scale, np.float32)
    return FoundItem(
        box=(x * scale[0], y * scale[1], width * scale[0], height * scale[1]),
        contour=contour,
        area_px=area * scale[0] * scale[1],
        cut_off=x <= 1 or y <= 1 or x + width >= size[0] - 1 or y + height >= size[1] - 1,
    )
