"""Separates items that touch, at the neck between them. Pure.

Where two items touch, the region that they form together is narrow compared with both. Worn down from its rim (the distance
transform as relief, as for a watershed: Vincent and Soille, Watersheds in digital spaces, IEEE PAMI 13, 1991) it falls apart
there into cores, and each pixel goes to the nearest one. A broken item's concavities leave no such neck.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.regions import Mask, Region, opened, regions_of

_WHOLE = 0.97
"""Not even a hundred round items side by side fill so much of their convex hull."""
_FULL = 0.93
"""From this solidity on, holes not counted, a region is one item: between four round ones that touch is a hole."""
_NECK, _WORN = 0.65, 0.62
"""Half the neck's width against half the width of the slimmer item: below it, two items touch. A region is worn down to a
little less, as no two items are equal."""
_SLIMMEST = 0.3
"""An item is at least this wide against the widest it touches; smaller bumps belong to it."""
_STEPS = 9
_HOLE = 0.015
"""A hole of this share of a region and more shows the background; smaller ones are spots of an item."""


def separate(region: Region, strange: NDArray[np.float32], threshold: float, least_px: float) -> list[Region]:
    """The items that a region consists of; itself where it is one.

    Args:
        region: what departs more than `threshold`.
        strange: (height, width) float32, departure from the background.
        threshold: where the region was cut from its surroundings.
        least_px: pixels of the smallest item.
    """
    if region.solidity >= _WHOLE:
        return [region]
    rows, columns = region.window
    inside = _with_holes(region.filled(), strange[rows, columns], threshold, region.area_px)
    if region.solidity * float(np.count_nonzero(inside)) / region.area_px >= _FULL:
        return [region]
    padded = np.asarray(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), np.uint8)
    depth = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5), np.float32)
    cores = _cores(depth)
    if cores is None:
        return [region]
    apart = []
    for basin in _basins(cores, padded):
        parts = regions_of(basin, least_px)
        if parts:
            largest = max(parts, key=lambda each: each.area_px)
            apart.append(largest.moved(columns.start - 1, rows.start - 1))
    return apart if len(apart) > 1 else [region]


def _cores(depth: NDArray[np.float32]) -> NDArray[np.int32] | None:
    """Numbers the cores of items in a distance transform, (height, width) int32 from 1; None where there is one item.

    The region is worn down step by step. Where it falls apart, what is left of each part must reach so much deeper than
    the place where they parted that this was a neck.
    """
    deepest = float(depth.max())
    best: NDArray[np.int32] | None = None
    most = 1
    for share in np.linspace(0.1, _WORN, _STEPS):
        worn = deepest * float(share)
        left_over = np.asarray(depth > worn, np.uint8)
        # Counting them costs half of what knowing them does, and most often there is one.
        if cv2.connectedComponents(left_over, connectivity=4)[0] - 1 < 2:
            continue
        count, labels, stats, _ = cv2.connectedComponentsWithStats(left_over, connectivity=4)
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


def _basins(cores: NDArray[np.int32], mask: Mask) -> list[Mask]:
    """Each core grown to half the way to its neighbours; OpenCV's watershed floods by differences, not by height."""
    labels = range(1, int(cores.max()) + 1)
    away = [cv2.distanceTransform(np.asarray(cores != label, np.uint8), cv2.DIST_L2, 5) for label in labels]
    nearest = np.argmin(np.stack([np.asarray(each, np.float32) for each in away]), axis=0) + 1
    return [np.asarray((nearest == label) & (mask > 0), np.uint8) for label in labels]


def _with_holes(inside: Mask, strange: NDArray[np.float32], threshold: float, area_px: float) -> Mask:
    """The region without the holes that show background."""
    below = np.asarray((strange <= threshold) & (inside > 0), np.uint8)
    if np.count_nonzero(below) < _HOLE * area_px:
        return inside
    holes = opened(below)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(holes, connectivity=4)
    large = np.array([label > 0 and stats[label][4] >= _HOLE * area_px for label in range(count)])
    return np.where(large[np.asarray(labels, np.int32)], np.uint8(0), inside)
