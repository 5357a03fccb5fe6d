"""Separates items that touch, or that are joined by a reflection, a shadow or a machine's frame. Pure.

Two ways, in this order. By contrast: what joins two items departs less from the background than they do, so that a higher
threshold parts them; of all thresholds the one that leaves the most convex pieces is right (cf. Arteta et al., Learning to
detect cells using non-overlapping extremal regions, MICCAI 2012). By the neck: where two items touch, their common outline
is narrow compared with both (watershed of the distance transform; Vincent and Soille, IEEE PAMI 13, 1991). A broken item's
concavities leave no such neck.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.int32]
"""(n, 1, 2) x and y of the outermost pixels, in order."""

_SOLID = 0.92
"""A region that fills this much of its convex hull is one item."""
_FULL = 0.93
"""The same, its holes not counted, before a neck is looked for: between four round items that touch is a hole."""
_WHOLE = 0.97
"""Not even a hundred round items side by side fill so much of their convex hull."""
_STEP, _STEPS = 1.5, 5
"""Each threshold is higher than the one before by this factor."""
_HIGHEST = 0.6
"""Thresholds stay below this share of what most of the region's strange side departs by: there its inside begins."""
_GAIN_APART, _GAIN_ALONE = 0.04, 0.10
"""By how much more convex pieces must be than the whole, where there are several, and where there is one."""
_KEPT, _KEPT_CUT_OFF = 0.30, 0.03
"""Share of a region that must remain in its pieces; less where it runs out of the frame, as machinery does."""
_PIECE = 0.04
"""What is smaller than this share of a region is no piece of it."""
_NECK = 0.5
"""Half the neck's width against half the width of the slimmer item: below it, two items touch."""
_SLIMMEST = 0.3
"""An item at least this wide against the widest it touches; smaller bumps belong to it."""
_HOLE = 0.015
"""A hole of this share of a region and more shows the background; smaller ones are spots of an item."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A region and what it is measured by.

    Args:
        outline: its outermost pixels.
        area_px: pixels inside and on the outline, holes too.
        solidity: area against that of its convex hull, 0 to 1.
    """

    outline: Outline
    area_px: float
    solidity: float


def outlines_of(mask: NDArray[np.uint8], least_px: float = 0.0) -> list[Piece]:
    """The outer outlines of all regions that are not 0, of at least so many pixels."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pieces = (piece_of(np.asarray(outline, np.int32)) for outline in found)
    return [piece for piece in pieces if piece.area_px >= least_px]


def piece_of(outline: Outline) -> Piece:
    """Measures a region. Its area is that of its pixels, by Pick's theorem from their centres' polygon."""
    hull = np.asarray(cv2.convexHull(outline), np.int32)
    inside, around = float(cv2.contourArea(outline)), float(cv2.contourArea(hull))
    rim = float(cv2.arcLength(hull, closed=True)) / 2 + 1
    area = inside + len(outline) / 2 + 1
    return Piece(outline, area, min(1.0, area / (around + rim)))


def separate(piece: Piece, strange: NDArray[np.float32], threshold: float, least_px: float) -> list[Piece]:
    """The items that a region consists of; itself where it is one.

    Args:
        piece: a region of `strange` above `threshold`.
        strange: (height, width) float32, departure from the background.
        threshold: where the region was cut from its surroundings.
        least_px: pixels of the smallest item.
    """
    apart: list[Piece] = []
    for part in _by_contrast(piece, strange, threshold, least_px):
        apart += _by_neck(part, strange, threshold, least_px)
    return apart


def _by_contrast(piece: Piece, strange: NDArray[np.float32], threshold: float, least_px: float) -> list[Piece]:
    if piece.solidity >= _SOLID:
        return [piece]
    x, y, width, height = cv2.boundingRect(piece.outline)
    inside = _filled(piece.outline)
    part = strange[y : y + height, x : x + width]
    on_edge = x == 0 or y == 0 or x + width == strange.shape[1] or y + height == strange.shape[0]
    least = max(least_px, _PIECE * piece.area_px) if not on_edge else least_px
    best: tuple[float, float, list[Piece]] | None = None
    highest = _HIGHEST * float(np.percentile(part[inside > 0], 80))
    for power in range(1, _STEPS + 1):
        level = threshold * _STEP**power
        if level > highest:
            break
        mask = np.asarray((part > level) & (inside > 0), np.uint8)
        pieces = outlines_of(_opened(mask), least)
        total = sum(each.area_px for each in pieces)
        if total < (_KEPT_CUT_OFF if on_edge else _KEPT) * piece.area_px:
            break
        convex = sum(each.area_px * each.solidity for each in pieces) / total
        gain = convex - (_GAIN_APART if len(pieces) > 1 else _GAIN_ALONE)
        if gain > piece.solidity and (best is None or convex > best[1] + 0.01):
            best = (level, convex, pieces)
    if best is None:
        return [piece]
    level, _, pieces = best
    shift = np.array((x, y), np.int32)
    apart: list[Piece] = []
    for each in pieces:
        apart += _by_contrast(Piece(each.outline + shift, each.area_px, each.solidity), strange, level, least_px)
    return apart


def _by_neck(piece: Piece, strange: NDArray[np.float32], threshold: float, least_px: float) -> list[Piece]:
    if piece.solidity >= _WHOLE:
        return [piece]
    x, y, width, height = cv2.boundingRect(piece.outline)
    inside = _with_holes(_filled(piece.outline), strange[y : y + height, x : x + width], threshold, piece.area_px)
    if piece.solidity * float(np.count_nonzero(inside)) / piece.area_px >= _FULL:
        return [piece]
    padded = np.asarray(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), np.uint8)
    depth = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5), np.float32)
    cores = _cores(depth)
    if cores is None:
        return [piece]
    markers = cores.copy()
    markers[padded == 0] = cores.max() + 1
    relief = np.asarray(np.clip(255 - depth * (255 / float(depth.max())), 0, 255), np.uint8)
    grown = np.asarray(cv2.watershed(cv2.cvtColor(relief, cv2.COLOR_GRAY2BGR), markers), np.int32)
    apart = []
    for label in range(1, int(cores.max()) + 1):
        # Watershed leaves a line of one pixel around each basin: the item's own outermost pixels among them.
        own = np.asarray(grown == label, np.uint8)
        own = np.asarray(cv2.dilate(own, np.ones((3, 3), np.uint8)), np.uint8) & padded
        pieces = outlines_of(own, least_px)
        if pieces:
            largest = max(pieces, key=lambda each: each.area_px)
            shift = np.array((x - 1, y - 1), np.int32)
            apart.append(Piece(largest.outline + shift, largest.area_px, largest.solidity))
    return apart if len(apart) > 1 else [piece]


def _cores(depth: NDArray[np.float32]) -> NDArray[np.int32] | None:
    """Numbers the cores of items in a distance transform, (height, width) int32 from 1; None where there is one item.

    The region is worn down step by step. Where it falls apart, what is left of each part must reach so much deeper than
    the place where they parted that this was a neck.
    """
    deepest = float(depth.max())
    best: NDArray[np.int32] | None = None
    most = 1
    for share in np.linspace(0.06, _NECK, 6):
        worn = deepest * float(share)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(np.asarray(depth > worn, np.uint8), connectivity=4)
        if count - 1 < 2:
            continue
        kept = np.zeros(count, np.int32)
        number = 0
        for label in range(1, count):
            left, top, width, height = stats[label][:4]
            window = (slice(top, top + height), slice(left, left + width))
            reach = float(depth[window][labels[window] == label].max())
            if reach >= worn / _NECK and reach >= _SLIMMEST * deepest:
                number += 1
                kept[label] = number
        if number > most:
            most, best = number, kept[np.asarray(labels, np.int32)]
    return best


def _filled(outline: Outline) -> NDArray[np.uint8]:
    """The region inside an outline within its own bounding box, 0 or 1."""
    x, y, width, height = cv2.boundingRect(outline)
    mask = np.zeros((height, width), np.uint8)
    cv2.drawContours(mask, [outline - np.array((x, y), np.int32)], -1, 1, thickness=cv2.FILLED)
    return mask


def _with_holes(
    inside: NDArray[np.uint8], strange: NDArray[np.float32], threshold: float, area_px: float
) -> NDArray[np.uint8]:
    """The region without the holes that show background."""
    holes = np.asarray((strange <= threshold) & (inside > 0), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(_opened(holes), connectivity=4)
    large = np.array([label > 0 and stats[label][4] >= _HOLE * area_px for label in range(count)])
    return np.where(large[np.asarray(labels, np.int32)], np.uint8(0), inside)


def _opened(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), np.uint8)
