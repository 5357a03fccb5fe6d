"""Finds every item in a frame, whatever it lies on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.background import Departure, blank, departure, fit
from edge.vision.edges import Body, Edges
from edge.vision.grey import colourless, enclosed, whole_px
from edge.vision.outline import refined
from edge.vision.regions import Region, opened, regions_of
from edge.vision.split import separate


@dataclass(frozen=True, slots=True)
class FinderSettings:
    """What counts as an item.

    Args:
        work_px: items are looked for in a picture whose shorter side is reduced to this, 120 to 2000.
        smallest_share: an item covers at least this share of the frame; what is smaller is a crumb.
        smallest_of_largest: an item is at least this share of the frame's largest ones; what is smaller is a crumb.
        largest_share: what covers more of the frame than this is no item: a hand, a sheet, somebody's sleeve. What reaches
            in from the frame's edge is none from a third of that on.
    """

    work_px: int = 360
    smallest_share: float = 0.0003
    smallest_of_largest: float = 0.07
    largest_share: float = 0.6

    def __post_init__(self) -> None:
        """Refuses sizes that find nothing."""
        if not 120 <= self.work_px <= 2000:
            raise ValueError(f"work_px {self.work_px} must lie between 120 and 2000")
        if not (0 < self.smallest_share < self.largest_share <= 1 and 0 <= self.smallest_of_largest < 1):
            raise ValueError("shares must lie between 0 and 1, the smallest below the largest")


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


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a frame.

    Args:
        items: from top to bottom.
        crumbs: how many things are too small for an item.
        obstructed: something covers so much of the frame that it cannot be an item; it is not among them.
    """

    items: list[FoundItem]
    crumbs: int
    obstructed: bool


_LOWEST, _HIGHEST, _STEPS = 30, 70, 40
"""The threshold of departure is chosen by Otsu's method within these, in fortieths."""
_CRUMB_PX = 4
"""Below this many pixels of the reduced picture, a spot is noise and not even a crumb."""
_EDGE_PX = 1
"""An item that comes this close to the frame's edge touches it."""
_FAINT_OF_USUAL, _FAINT = 0.4, 2.0
"""A thing is faint below this share of what others depart by, and this many thresholds."""
_SPOT = 0.2
"""A spot of light or a stain is smaller than this share of the largest thing."""
_REACHING_IN = 1 / 3
_DEFAULT = FinderSettings()


def find_items(frame: NDArray[np.uint8], settings: FinderSettings = _DEFAULT) -> list[FoundItem]:
    """All items, from top to bottom; see `survey`."""
    return survey(frame, settings).items


def survey(frame: NDArray[np.uint8], settings: FinderSettings = _DEFAULT) -> Survey:
    """All items, and what else lies in a frame.

    Args:
        frame: (height, width, 3) uint8, BGR, at least 32 by 32.
        settings: what counts as an item.

    Raises:
        ValueError: no such frame.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or min(frame.shape[:2]) < 32:
        raise ValueError(f"a (height, width, 3) uint8 frame of at least 32 by 32, not {frame.shape} {frame.dtype}")
    small, scale = _reduced(frame, settings.work_px)
    nothing = blank(small)
    apart, threshold = _departure(small, nothing)
    strange = apart.strange
    mask = np.asarray(cv2.threshold(strange, threshold, 1, cv2.THRESH_BINARY)[1], np.uint8)
    regions = regions_of(opened(mask), _CRUMB_PX)
    pixels = small.shape[0] * small.shape[1]
    least = settings.smallest_share * pixels
    edges = Edges(apart)
    bodies = [body for each in regions if each.area_px >= least for body in edges.bodies(each, threshold, least)]
    separated = [
        region
        for body in _things(bodies, threshold)
        for region in separate(body.region, strange, body.threshold, least)
    ]
    contours = refined([region.outline for region in separated], small)
    found = [
        _item(contour, _cut_off(region, small.shape[:2], nothing), scale, frame.shape[:2])
        for region, contour in zip(separated, contours, strict=True)
    ]
    frame_px = float(frame.shape[0] * frame.shape[1])
    most = settings.largest_share * frame_px
    possible = [item for item in found if item.area_px <= (most * _REACHING_IN if item.cut_off else most)]
    smallest = max(settings.smallest_share * frame_px, settings.smallest_of_largest * _typical(possible))
    items = [item for item in possible if item.area_px >= smallest]
    return Survey(
        items=sorted(items, key=lambda item: (item.box[1], item.box[0])),
        crumbs=len(possible) - len(items) + sum(each.area_px < least for each in regions),
        obstructed=len(possible) < len(found),
    )


def _reduced(frame: NDArray[np.uint8], work_px: int) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """The picture to work on, and how many pixels of the frame one of its pixels is wide and high."""
    height, width = frame.shape[:2]
    small = frame
    # Halving averages four pixels, which costs an eighth of what averaging over any other factor does.
    while min(small.shape[:2]) >= 2 * work_px:
        even = small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]
        small = np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    factor = work_px / min(small.shape[:2])
    if factor < 1:
        size = (max(8, round(small.shape[1] * factor)), max(8, round(small.shape[0] * factor)))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return small, (width / small.shape[1], height / small.shape[0])


def _departure(small: NDArray[np.uint8], nothing: NDArray[np.bool_] | None) -> tuple[Departure, float]:
    """How unlike the background each pixel is, and from where on it is an item's."""
    smooth = np.asarray(cv2.GaussianBlur(small, (3, 3), 0.8), np.uint8)
    apart = departure(smooth, fit(smooth, nothing))
    if nothing is not None:
        apart.strange[nothing] = 0.0
    threshold = _threshold(apart.strange)
    if colourless(smooth):
        strange = enclosed(apart)
        if nothing is not None:
            strange[nothing] = 0.0
        higher = _threshold(strange)
        # On a dark belt brightness alone tells, and the belt's own pattern would be in the way.
        if whole_px(strange, higher) >= whole_px(apart.strange, threshold):
            return Departure(strange, apart.light), higher
    return apart, threshold


def _threshold(strange: NDArray[np.float32]) -> float:
    otsu, _ = cv2.threshold(cv2.convertScaleAbs(strange, alpha=_STEPS), 0, 255, cv2.THRESH_OTSU)
    return float(min(max(otsu, _LOWEST), _HIGHEST)) / _STEPS


def _things(bodies: Sequence[Body], threshold: float) -> list[Body]:
    """Without small spots of light, and without small stains: what hardly departs where other things depart a lot."""
    largest = max((body.region.area_px for body in bodies), default=0.0)
    faint = min(_FAINT_OF_USUAL * _weighted([(body.peak, body.region.area_px) for body in bodies]), _FAINT * threshold)
    return [body for body in bodies if body.region.area_px >= _SPOT * largest or not (body.glow or body.peak < faint)]


def _typical(items: Sequence[FoundItem]) -> float:
    """Area of the item that a pixel of any item belongs to, on average: of those that are whole, where there are any."""
    whole = [item.area_px for item in items if not item.cut_off] or [item.area_px for item in items]
    return _weighted([(area, area) for area in whole])


def _weighted(pairs: Sequence[tuple[float, float]]) -> float:
    """Mean of values by their weights; 0 of none."""
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else 0.0


def _item(
    contour: NDArray[np.float32],
    cut_off: bool,  # noqa: FBT001  # a fact, passed on
    scale: tuple[float, float],
    size: tuple[int, ...],
) -> FoundItem:
    outline = np.clip(contour * np.array(scale, np.float32), 0, np.array((size[1], size[0]), np.float32))
    low, high = outline.min(axis=0), outline.max(axis=0)
    return FoundItem(
        box=(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
        contour=outline,
        area_px=float(cv2.contourArea(outline)),
        cut_off=cut_off,
    )


def _cut_off(region: Region, size: tuple[int, ...], nothing: NDArray[np.bool_] | None) -> bool:
    """Whether a region touches the frame's edge, or what shows nothing."""
    rows, columns = region.window
    height, width = size
    if min(rows.start, columns.start, height - rows.stop, width - columns.stop) <= _EDGE_PX:
        return True
    return nothing is not None and _touches(region.outline.reshape(-1, 2), nothing)


def _touches(points: NDArray[np.int32], nothing: NDArray[np.bool_]) -> bool:
    height, width = nothing.shape
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        columns, rows = np.clip(points[:, 0] + x, 0, width - 1), np.clip(points[:, 1] + y, 0, height - 1)
        if nothing[rows, columns].any():
            return True
    return False
