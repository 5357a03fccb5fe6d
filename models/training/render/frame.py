"""A picture of several pieces, apart from each other, with what is where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.render.backdrops import backdrop
from models.training.render.camera import photograph
from models.training.render.canvas import CENTRE, RADIUS, SIZE, Image, blur
from models.training.render.item import Piece, piece, turned_lamp
from models.training.render.lighting import Light

Rng = np.random.Generator

HEIGHT, WIDTH = 384, 512
_TRIES = 25
_APART = np.ones((9, 9), np.uint8)


@dataclass(frozen=True, slots=True)
class Laid:
    """A piece in the picture: its label and (x, y, width, height) in pixels."""

    label: str
    box: tuple[int, int, int, int]


def frame(
    rng: Rng, labels: Sequence[str], kinds: Sequence[str] | None = None, height: int = HEIGHT, width: int = WIDTH
) -> tuple[NDArray[np.uint8], list[Laid]]:
    """A picture with a piece for each label that found room, and where they lie.

    Args:
        rng: where all chances come from: the same state gives the same picture.
        labels: one per piece.
        kinds: one per piece; None draws any.
        height: pixels of the picture.
        width: pixels of the picture.

    Returns:
        (height, width, 3) uint8 BGR, and the pieces.
    """
    scene = backdrop(rng, height, width)
    lamp = Light.somewhere(rng)
    size = rng.uniform(0.14, 0.26) * width
    shadow = _Shadow(rng.uniform(0.02, 0.09) * size, max(0.6, rng.uniform(0.015, 0.06) * size), rng.uniform(0.2, 0.7))
    taken = np.zeros((height, width), np.uint8)
    laid = []
    for number, label in enumerate(labels):
        turn = rng.uniform(0.0, 360.0)
        drawn = piece(rng, label, turned_lamp(lamp, turn), None if kinds is None else kinds[number])
        light, mask = _placed(rng, drawn, size, turn)
        spot = _room(rng, taken, mask)
        if spot is None:
            continue
        box = _lay(scene, taken, light, mask, spot, shadow, lamp)
        if box is not None:
            laid.append(Laid(label, box))
    return photograph(rng, scene), laid


@dataclass(frozen=True, slots=True)
class _Shadow:
    length_px: float
    softness_px: float
    darkness: float


def _placed(rng: Rng, drawn: Piece, size: float, turn: float) -> tuple[Image, Image]:
    """The canvas turned and brought to the size it has in the picture."""
    scale = size * rng.uniform(0.9, 1.1) / (2 * RADIUS)
    if drawn.alone:
        scale *= rng.uniform(0.5, 1.0)
    side = int(SIZE * scale * 1.12) + 4
    move = cv2.getRotationMatrix2D((CENTRE, CENTRE), turn, scale)
    move[:, 2] = move[:, 2] + (side / 2 - CENTRE)
    move[0] = move[0] * rng.uniform(0.97, 1.03)
    way = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR
    light, mask = (
        np.asarray(cv2.warpAffine(a, move, (side, side), flags=way), np.float32) for a in (drawn.light, drawn.mask)
    )
    rows, columns = np.flatnonzero(mask.max(axis=1) > 0.02), np.flatnonzero(mask.max(axis=0) > 0.02)
    if not len(rows):
        return light, mask
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return light[part], mask[part]


def _room(rng: Rng, taken: NDArray[np.uint8], mask: Image) -> tuple[int, int] | None:
    """A corner where the piece touches no other and no edge of the picture, by trying."""
    height, width = mask.shape
    rows, columns = taken.shape[0] - height - 3, taken.shape[1] - width - 3
    if rows < 4 or columns < 4:
        return None
    grown = np.asarray(cv2.dilate((mask > 0.1).astype(np.uint8), _APART), np.uint8)
    for _ in range(_TRIES):
        x, y = int(rng.integers(3, columns)), int(rng.integers(3, rows))
        if not (taken[y : y + height, x : x + width] & grown).any():
            return x, y
    return None


def _lay(
    scene: Image,
    taken: NDArray[np.uint8],
    light: Image,
    mask: Image,
    spot: tuple[int, int],
    shadow: _Shadow,
    lamp: Light,
) -> tuple[int, int, int, int] | None:
    """Draws the shadow and the piece into the scene; its box."""
    height, width = mask.shape
    x, y = spot
    taken[y : y + height, x : x + width] |= (mask > 0.1).astype(np.uint8)
    margin = math.ceil(3 * shadow.softness_px + shadow.length_px) + 1
    cast = np.pad(mask, margin)
    away = (-shadow.length_px * math.cos(lamp.azimuth), -shadow.length_px * math.sin(lamp.azimuth))
    shift = np.array([[1, 0, away[0]], [0, 1, away[1]]], np.float32)
    cast = blur(np.asarray(cv2.warpAffine(cast, shift, cast.shape[::-1]), np.float32), shadow.softness_px)
    top, left = max(0, margin - y), max(0, margin - x)
    target = scene[max(0, y - margin) : y + height + margin, max(0, x - margin) : x + width + margin]
    part = cast[top : top + target.shape[0], left : left + target.shape[1]]
    covered = taken[max(0, y - margin) : y + height + margin, max(0, x - margin) : x + width + margin]
    target *= (1.0 - np.float32(shadow.darkness) * part * (covered == 0))[..., None]
    under = scene[y : y + height, x : x + width]
    share = mask[..., None]
    under *= 1.0 - share
    under += light * share
    rows, columns = np.flatnonzero((mask > 0.5).any(axis=1)), np.flatnonzero((mask > 0.5).any(axis=0))
    if not len(rows):
        return None
    return x + int(columns[0]), y + int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1
