"""Finds the height at which a region has its real edge. Pure.

A reflection, a glow or a shadow around an item departs from the background too, but less than the item, and it ends softly
where the item ends sharply. Of the regions that rising thresholds leave, those are right whose outlines are steep and whose
shapes are whole (cf. Arteta, Lempitsky, Noble and Zisserman, Learning to detect cells using non-overlapping extremal
regions, MICCAI 2012, with a score that is stated instead of learned). So items that only a reflection joins are parted too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.regions import Mask, Region, opened, regions_of

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
_PIECE = 0.04
"""What is smaller than this share of a region is no piece of it."""
_GLOW_LOW, _GLOW_HIGH, _GLOW_SHRINKS, _GLOW_SOLID = 0.3, 0.62, 0.66, 0.85
"""A spot of light is round and has no edge: at the higher share of its peak it is this much smaller than at the lower."""


@dataclass(frozen=True, slots=True)
class Body:
    """A region with its real edge.

    Args:
        region: its outline and area.
        threshold: of departure at its edge.
        peak: how far the most of it departs from the background.
        glow: it has no edge anywhere: light, not a thing.
    """

    region: Region
    threshold: float
    peak: float
    glow: bool


class Edges:
    """Judges outlines in one picture.

    Args:
        strange: (height, width) float32, departure from the background.
    """

    def __init__(self, strange: NDArray[np.float32]) -> None:
        self._strange = strange

    def bodies(self, region: Region, threshold: float, least_px: float) -> list[Body]:
        """What a region consists of, each part with its real edge.

        Args:
            region: of what departs more than `threshold`.
            threshold: where the region was cut from its surroundings.
            least_px: pixels of the smallest item.
        """
        window = region.window
        part, inside = self._strange[window], region.filled()
        peak = float(np.percentile(part[inside > 0], _STRANGE_SIDE))
        steep = _steepness(part)
        here = self._local(region)
        first = _sharpness((here,), steep, peak)
        if first >= _SHARP and region.solidity >= _SOLID:
            return [Body(region, threshold, peak, glow=False)]
        on_edge = self._on_edge(window)
        least = least_px if on_edge else max(least_px, _PIECE * region.area_px)
        score = first * region.solidity**2
        best, level, pieces = score, threshold, [here]
        higher = threshold * _STEP
        while higher <= _HIGHEST * peak:
            found = regions_of(opened(_above(part, inside, higher)), least)
            total = sum(each.area_px for each in found)
            if total < (_KEPT_ON_EDGE if on_edge else _KEPT) * region.area_px:
                break
            solid = sum(each.area_px * each.solidity for each in found) / total
            value = _sharpness(found, steep, peak) * solid**2
            if value > best:
                best, level, pieces = value, higher, found
            higher *= _STEP
        doubtful = len(pieces) > 1 or on_edge
        if score >= (_BETTER_APART if doubtful else _BETTER) * best:
            return [
                Body(region, threshold, peak, region.solidity >= _GLOW_SOLID and _is_glow(part, inside, peak, best))
            ]
        x, y = window[1].start, window[0].start
        if len(pieces) == 1:
            return [Body(pieces[0].moved(x, y), level, peak, _is_glow(part, inside, peak, best))]
        return [body for piece in pieces for body in self.bodies(piece.moved(x, y), level, least_px)]

    def _local(self, region: Region) -> Region:
        rows, columns = region.window
        return region.moved(-columns.start, -rows.start)

    def _on_edge(self, window: tuple[slice, slice]) -> bool:
        height, width = self._strange.shape
        rows, columns = window
        return min(rows.start, columns.start, height - rows.stop, width - columns.stop) <= 0


def _above(part: NDArray[np.float32], inside: Mask, level: float) -> Mask:
    return np.asarray((part > level) & (inside > 0), np.uint8)


def _steepness(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change of departure per pixel."""
    across = cv2.Sobel(part, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(part, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _sharpness(regions: tuple[Region, ...] | list[Region], steep: NDArray[np.float32], peak: float) -> float:
    """Mean steepness along outlines, in shares of the peak per pixel."""
    points = np.concatenate([region.outline[:, 0] for region in regions])
    return float(steep[points[:, 1], points[:, 0]].mean()) / max(peak, 1e-6)


def _is_glow(part: NDArray[np.float32], inside: Mask, peak: float, score: float) -> bool:
    if score >= _SHARP:
        return False
    low, high = (int(np.count_nonzero(_above(part, inside, share * peak))) for share in (_GLOW_LOW, _GLOW_HIGH))
    return bool(high < _GLOW_SHRINKS * low)
