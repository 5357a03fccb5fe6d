"""Puts outlines where the edges are, finer than a pixel. Pure.

A threshold finds an edge a little outside or inside of where it is, the more so the softer the edge. Across each point of an
outline the picture goes from the background's colour to the item's; the edge is where it has gone half of the way (cf. Fabijańska,
A survey of subpixel edge detection methods for images of heat-emitting metal specimens, Int. J. Appl. Math. Comput. Sci. 22,
2012, the interpolation methods).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.regions import Outline

Floats = NDArray[np.float32]

_SPACING = 2
"""Every so many points of an outline are kept."""
_FEWEST = 24
_REACH = 4
"""How far inside and outside of an outline the two colours are read, in pixels."""
_STEP = 1.0
_AT_ONCE = 16_384
"""OpenCV's remap takes fewer than 32,768 rows."""
_FURTHEST = 2.5
"""An edge is looked for this far from the outline."""
_CONTRAST = 10.0
"""Where the two colours differ by less (of 255), the outline stays."""


def refined(outlines: Sequence[Outline], image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Outlines through the edges, each (n, 2) float32, x and y where pixel (0, 0) reaches from 0 to 1.

    Args:
        outlines: of the outermost pixels of each item.
        image: (height, width, 3) uint8, what they were found in.
    """
    coarse = [_thinned(outline) for outline in outlines]
    if not coarse:
        return []
    points = np.concatenate(coarse)
    stops = np.cumsum([len(each) for each in coarse])
    before, after = _neighbours(stops)
    far_before, far_after = before[before], after[after]
    along = points[far_after] - points[far_before]
    # OpenCV goes round a region so that its inside lies to the left of the way, with y downwards.
    outward = np.stack((-along[:, 1], along[:, 0]), axis=1)
    outward /= np.maximum(np.sqrt(np.square(outward).sum(axis=1)), 1e-6)[:, None]
    chunks = range(0, len(points), _AT_ONCE)
    shift = np.concatenate([_shifts(points[k : k + _AT_ONCE], outward[k : k + _AT_ONCE], image) for k in chunks])
    # No single point jumps.
    shift = _median(shift[far_before], shift[before], shift, shift[after], shift[far_after])
    moved = np.asarray(points + outward * shift[:, None] + 0.5, np.float32)
    return np.split(moved, stops[:-1])


def _median(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    """Of five, number by number, without sorting: neither the least nor the most of any four is it."""
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.asarray(np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e)), np.float32)


def _neighbours(stops: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For points of closed outlines one after the other: which point lies before and which after each."""
    places = np.arange(stops[-1])
    before, after = places - 1, places + 1
    starts = np.concatenate((np.zeros(1, np.int64), stops[:-1]))
    before[starts], after[stops - 1] = stops - 1, starts
    return before, after


def _thinned(outline: Outline) -> NDArray[np.float32]:
    points = outline.reshape(-1, 2).astype(np.float32)
    return points[::_SPACING] if len(points) >= _SPACING * _FEWEST else points


def _shifts(points: NDArray[np.float32], outward: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far outward of each point its edge is, (n,) pixels."""
    places = np.arange(-_REACH, _REACH + _STEP / 2, _STEP, dtype=np.float32)
    across, down = (points[:, k, None] + outward[:, k, None] * places for k in (0, 1))
    seen = cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    squared, way = np.zeros(len(points), np.float32), np.zeros(across.shape, np.float32)
    for channel in cv2.split(seen):
        profile = np.asarray(channel, np.float32)
        inner, outer = (profile[:, 0] + profile[:, 1]) / 2, (profile[:, -2] + profile[:, -1]) / 2
        step = outer - inner
        squared += step * step
        way += (profile - inner[:, None]) * step[:, None]
    way /= np.maximum(squared, 1e-6)[:, None]
    # The first place, from inside, from where on half of the way is behind: an item's own spots lie before it.
    behind = way >= 0.5
    first = behind.shape[1] - np.argmin(behind[:, ::-1], axis=1)
    first = np.clip(first, 1, behind.shape[1] - 1)
    rows = np.arange(len(points))
    low, high = way[rows, first - 1], way[rows, first]
    part = np.clip((0.5 - low) / np.maximum(high - low, 1e-6), 0, 1)
    shift = places[first - 1] + part * _STEP
    height, width = image.shape[:2]
    x, y = across[:, -1], down[:, -1]
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    sure = inside & (squared >= _CONTRAST**2) & (np.abs(shift) <= _FURTHEST)
    # Between the outermost pixel's centre and its rim, where nothing better is known.
    return np.where(sure, shift, np.float32(0.5)).astype(np.float32)
