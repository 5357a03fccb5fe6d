"""The small picture that is kept of an item, what the net saw in it, and the lesson that it can still become. Pure."""

from __future__ import annotations

import cv2
import numpy as np

from edge.vision.decode import Image, encode
from edge.vision.inspector import InspectedItem
from edge.vision.retention import Kept
from models.quality.card import GOOD
from models.quality.example import Example
from models.quality.heatmap import heat_map, overlay

LARGEST_PX = 320
"""Longer side of a small picture."""
_AROUND = 0.15
"""So much of the item's longer side is kept around it, that it can be found again when it teaches."""

Box = tuple[float, float, float, float]


def small_picture(frame: Image, box: Box, largest_px: int = LARGEST_PX) -> tuple[Image, Box]:
    """An item with a little around it, and its box in that.

    Args:
        frame: (height, width, 3) uint8, BGR.
        box: x, y, width, height in pixels of the frame.
        largest_px: longer side that the picture has at most.

    Returns:
        The picture, and the box as fractions of it.
    """
    x, y, width, height = box
    margin = _AROUND * max(width, height)
    left, top = max(0, int(x - margin)), max(0, int(y - margin))
    right = min(frame.shape[1], int(np.ceil(x + width + margin)))
    bottom = min(frame.shape[0], int(np.ceil(y + height + margin)))
    part = frame[top:bottom, left:right]
    wide, high = right - left, bottom - top
    within = ((x - left) / wide, (y - top) / high, min(1.0, width / wide), min(1.0, height / high))
    scale = largest_px / max(wide, high)
    if scale < 1:
        size = max(1, round(wide * scale)), max(1, round(high * scale))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(part), within


def why_picture(item: InspectedItem, labels: tuple[str, ...]) -> bytes | None:
    """The item's crop with the places that spoke for its label, as JPEG; None where the model tells no places.

    An item that the net calls good and a profile does not has no such places either.
    """
    if item.maps is None or item.label == GOOD or item.label not in labels:
        return None
    heat = heat_map(item.maps, labels, item.label, item.crop.mask)
    return encode(np.ascontiguousarray(overlay(item.crop.rgb, heat)[..., ::-1]))


def lesson_of(kept: Kept) -> Example | None:
    """What was measured of a kept item, as an example for its product's profile; None where it was not kept."""
    if not kept.measured or not kept.embedding:
        return None
    measured, embedding = np.asarray(kept.measured, np.float32), np.asarray(kept.embedding, np.float32)
    return Example(measured, embedding, kept.baking, kept.light, tint=kept.tint)
