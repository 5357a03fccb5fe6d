"""Finds the height at which a region has its real edge. Pure.

A reflection, a glow or a shadow around an item departs from the background too, but less than the item, and it ends softly
where the item ends sharply. Of the regions that rising thresholds leave, those are right whose outlines are steep and whose
shapes are whole (cf. Arteta, Lempitsky, Noble and Zisserman, Learning to detect cells using non-overlapping extremal
regions, MICCAI 2012, with a score that is stated instead of learned). So items that only a reflection joins are parted too.
Dark gaps between items, as on a belt that is not what most of the frame shows, depart as well; without them the items are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.background import Departure, darkness
from edge.vision.regions import Mask, Outline, Region, opened, regions_of

_PLENTY = 12.0
"""What departs more is an item without doubt; differences beyond are its own colours."""
_STRANGE_SIDE = 80
"""A region's peak is this percentile of its departure, so that a halo as large as the item does not set it."""
_SHARP, _SOLID = 0.15, 0.92
"""Steepness and solidity from which on an outline is taken as it is."""
_STEP = 1.4
_HIGHEST = 0.62
"""Thresholds rise by this factor, up to this share of the peak: from there on they would cut into the item."""
_BETTER, _BETTER_APART = 0.65, 0.9
"""The first outline stays where its score is at least this share of the best: pale parts of an item belong to it. It has
less of an advantage where higher thresholds part it, or free it from the frame's edge."""
_KEPT, _KEPT_ON_EDGE = 0.30, 0.03
"""Share of a region that must remain; less where it runs out of the frame, as machinery does."""
_DARK = 0.05
"""From this share of a region on, what is darker than any shadow may be a gap."""
_PIECE = 0.08
"""What is smaller than this share of the largest piece is a spot on its surface or a shred of its halo."""
_GLOW_LIGHT, _AROUND_PX = 0.35, 6
"""A spot of coloured light is hardly brighter than what it falls on, in logarithms, this far around it."""


@dataclass(frozen=True, slots=True)
class Body:
    """A region with its real edge.

    Args:
        region: its outline and area.
        threshold: of departure at its edge.
        peak: how far the most of it departs from the background.
        glow: it has no edge anywhere and is hardly brighter than what is around it: a spot of coloured light perhaps.
    """

    region: Region
    threshold: float
    peak: float
    glow: bool


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a region could consist of."""

    pieces: list[Region]
    area_px: float
    score: float


class Edges:
    """Judges outlines in one picture.

    Args:
        departure: of the picture from its background.
    """

    def __init__(self, departure: Departure) -> None:
        self._strange = departure.strange
        self._light = departure.light

    def bodies(self, region: Region, threshold: float, least_px: float) -> list[Body]:
        """What a region consists of, each part with its real edge.

        Args:
            region: of what departs more than `threshold`.
            threshold: where the region was cut from its surroundings.
            least_px: pixels of the smallest item.
        """
        window = region.window
        part, inside = np.minimum(self._strange[window], _PLENTY), region.filled()
        peak = _percentile(part[inside > 0], _STRANGE_SIDE)
        steep = _steepness(part)
        x, y = window[1].start, window[0].start
        first = _sharpness([region.outline - np.array((x, y), np.int32)], steep, peak)
        if first >= _SHARP and region.solidity >= _SOLID:
            return [Body(region, threshold, peak, glow=False)]
        on_edge = self._on_edge(window)
        score = first * region.solidity**2
        best, level, pieces = score, threshold, [region.moved(-x, -y)]
        higher = threshold * _STEP
        while higher <= _HIGHEST * peak:
            cut = _cut(_above(part, inside, higher), steep, peak, least_px)
            if cut.area_px < (_KEPT_ON_EDGE if on_edge else _KEPT) * region.area_px:
                break
            if cut.score > best:
                best, level, pieces = cut.score, higher, cut.pieces
            higher *= _STEP
        lighter = self._without_dark(window, inside, threshold, least_px)
        if lighter.area_px >= _KEPT * region.area_px and lighter.score > best:
            # A dark gap belongs to no item, as a pale rim does: the first outline has no advantage.
            score, best, level, pieces = 0.0, lighter.score, threshold, lighter.pieces
        doubtful = len(pieces) > 1 or on_edge
        if score >= (_BETTER_APART if doubtful else _BETTER) * best:
            return [Body(region, threshold, peak, best < _SHARP and self._is_glow(region))]
        if len(pieces) == 1:
            alone = pieces[0].moved(x, y)
            return [Body(alone, level, peak, best < _SHARP and self._is_glow(alone))]
        return [body for piece in pieces for body in self.bodies(piece.moved(x, y), level, least_px)]

    def _without_dark(self, window: tuple[slice, slice], inside: Mask, threshold: float, least_px: float) -> _Cut:
        """What departs by colour or brightness; nothing where hardly anything departs by darkness."""
        dark = darkness(self._light[window])
        if np.count_nonzero((dark > threshold) & (inside > 0)) < _DARK * np.count_nonzero(inside):
            return _Cut([], 0.0, 0.0)
        rest = np.sqrt(np.maximum(np.square(self._strange[window]) - np.square(dark), 0.0))
        rest = np.asarray(np.minimum(rest, _PLENTY), np.float32)
        left_over = _above(rest, inside, threshold)
        if not left_over.any():
            return _Cut([], 0.0, 0.0)
        return _cut(left_over, _steepness(rest), _percentile(rest[left_over > 0], _STRANGE_SIDE), least_px)

    def _is_glow(self, region: Region) -> bool:
        """Whether a region without a sharp edge is hardly brighter than what is around it."""
        rows, columns = region.window
        top, left = min(rows.start, _AROUND_PX), min(columns.start, _AROUND_PX)
        part = self._light[rows.start - top : rows.stop + _AROUND_PX, columns.start - left : columns.stop + _AROUND_PX]
        inside = np.zeros(part.shape, np.bool_)
        filled = region.filled()
        inside[top : top + filled.shape[0], left : left + filled.shape[1]] = filled > 0
        if inside.all():
            return False
        brighter = _percentile(part[inside], 50) - _percentile(part[~inside], 50)
        return brighter < _GLOW_LIGHT

    def _on_edge(self, window: tuple[slice, slice]) -> bool:
        height, width = self._strange.shape
        rows, columns = window
        return 0 in (rows.start, columns.start, height - rows.stop, width - columns.stop)


def _percentile(values: NDArray[np.float32], percent: int) -> float:
    """Without interpolation, which costs more than the rest."""
    place = (len(values) - 1) * percent // 100
    return float(np.partition(values, place)[place])


def _cut(mask: Mask, steep: NDArray[np.float32], peak: float, least_px: float) -> _Cut:
    pieces = _large(regions_of(opened(mask), least_px))
    total = sum(each.area_px for each in pieces)
    if not total:
        return _Cut([], 0.0, 0.0)
    solid = sum(each.area_px * each.solidity for each in pieces) / total
    return _Cut(pieces, total, _sharpness([each.outline for each in pieces], steep, peak) * solid**2)


def _large(regions: list[Region]) -> list[Region]:
    largest = max((region.area_px for region in regions), default=0.0)
    return [region for region in regions if region.area_px >= _PIECE * largest]


def _above(part: NDArray[np.float32], inside: Mask, level: float) -> Mask:
    return np.asarray((part > level) & (inside > 0), np.uint8)


def _steepness(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change of departure per pixel."""
    across = cv2.Sobel(part, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(part, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _sharpness(outlines: list[Outline], steep: NDArray[np.float32], peak: float) -> float:
    """Mean steepness along outlines, in shares of the peak per pixel."""
    points = np.concatenate(outlines) if len(outlines) > 1 else outlines[0]
    places = points[:, 0, 1] * steep.shape[1] + points[:, 0, 0]
    return float(steep.take(places).mean()) / max(peak, 1e-6)
