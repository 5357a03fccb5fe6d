"""Breaking a piece: what is left of its outline, and where the fracture runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from models.training.render.canvas import RADIUS, Image, depth, fill, jagged, wobble
from models.training.render.outlines import FLAT, circle, polar

Rng = np.random.Generator

LEFT: Final = (0.12, 0.90)
"""Share of the whole piece's area that is left of a broken one."""
DEEPEST: Final = 0.13
"""The missing part reaches at least this deep (radii); less is a nibbled edge that nobody would call broken."""
STRAIGHT: Final = frozenset({"square", "loaf"})
"""Kinds with straight sides."""
SNAPS: Final = 0.5
"""How often one of them snaps along a side."""
ROUGHEST_SIDE, MOST_OBLIQUE_SIDE = 0.014, 0.2
"""A fracture of a straight-sided piece strays at least this far from a line (root mean square, radii: as far as the most uneven sides do),
or runs at this angle (rad) to the sides, or both in part: one as straight as a side and along it leaves a shorter good piece, and
nobody could tell."""
_RIM: Final = 0.06
"""Outline of what is left that lies deeper than this (radii) in the whole piece is fracture, not rim."""
_TRIES: Final = 40


def _cut(rng: Rng, offset: float, normal: float, roughness: float, bow: float = 0.0, fall: float = 0.9) -> Image:
    """The side of a jagged line away from its normal; the line passes `offset` from the centre."""
    along = np.linspace(-2.2, 2.2, 140)
    out = offset + jagged(rng, len(along), roughness, fall) + bow * (along / 1.4) ** 2
    ends = np.array([-6.0, -6.0])
    x, y = math.cos(normal), math.sin(normal)
    along, out = np.concatenate([along, along[[-1, 0]]]), np.concatenate([out, ends])
    return fill(np.stack([x * out - y * along, y * out + x * along], axis=1))


def _bite(rng: Rng, direction: float, distance: float, radius: float, roughness: float) -> Image:
    angle = circle()
    edge = polar(angle, radius * (1.0 + wobble(rng, angle, 2.5 * roughness, 2, 20, 0.5)))
    edge[:, 0] *= rng.uniform(0.7, 1.3)
    return 1.0 - fill(edge + distance * np.array([math.cos(direction), math.sin(direction)]))


def _half(rng: Rng, roughness: float) -> Image:
    return _cut(rng, rng.uniform(-0.6, 0.7), rng.uniform(0.0, 2 * np.pi), roughness, rng.normal(0.0, 0.15))


def _bites(rng: Rng, roughness: float) -> Image:
    roughness = min(0.035, roughness)  # a bite out of a polar curve turns to spikes before a line does
    direction, distance = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.75, 1.0)
    kept = _bite(rng, direction, distance, rng.uniform(0.25, 0.6), roughness)
    if rng.random() < 0.25:
        kept *= _bite(rng, direction + rng.uniform(1.0, 5.0), distance, rng.uniform(0.2, 0.4), roughness)
    return kept


def _wedge(rng: Rng, roughness: float) -> Image:
    direction = rng.uniform(0.0, 2 * np.pi)
    first = _cut(rng, rng.normal(0.0, 0.22), direction, roughness)
    second = _cut(rng, rng.normal(0.0, 0.22), direction + rng.uniform(0.9, 2.4), roughness)
    return first * second if rng.random() < 0.6 else np.maximum(first, second)


def _corner(rng: Rng, roughness: float) -> Image:
    return _cut(rng, rng.uniform(0.5, 0.85), rng.uniform(0.0, 2 * np.pi), roughness, rng.normal(0.0, 0.2))


def _fragment(rng: Rng, roughness: float) -> Image:
    first = rng.uniform(0.0, 2 * np.pi)
    kept = np.ones_like(fill(np.zeros((3, 2))))
    for number in range(int(rng.integers(2, 5))):
        kept *= _cut(rng, rng.uniform(0.0, 0.55), first + number * 2 * np.pi / 3 + rng.normal(0.0, 0.5), roughness)
    return kept


def _snap(rng: Rng) -> Image:
    """A straight-sided piece snaps along a side or a row of holes: nearly parallel to it, with a ragged, crumbling edge."""
    normal = float(rng.integers(4)) * np.pi / 2 + rng.normal(0.0, 0.12)
    bow, fall = rng.normal(0.0, 0.06), rng.uniform(0.25, 0.6)
    return _cut(rng, rng.uniform(-0.4, 0.55), normal, rng.uniform(0.04, 0.09), bow, fall)


_WAYS: Final[tuple[Callable[[Rng, float], Image], ...]] = (_half, _half, _bites, _wedge, _fragment, _corner)


def broken(rng: Rng, whole: Image, kind: str) -> tuple[Image, Image]:
    """What is left of a piece, and the side of the fracture that was kept (1 there, 0 where it is gone).

    The remaining part is one piece within `LEFT`, and misses something deeper than `DEEPEST`. Cuts through soft or
    straight-edged goods are rough, or they would look like the end of a shorter piece (`ROUGHEST_SIDE`).
    """
    area, least = float(whole.sum()), 0.04 if kind in FLAT else 0.09
    roughness = float(rng.choice([0.02, 0.05, 0.10, 0.18]))
    for _ in range(_TRIES):
        if kind in STRAIGHT and rng.random() < SNAPS:
            kept = _snap(rng)
        else:
            kept = _WAYS[int(rng.integers(len(_WAYS)))](rng, max(roughness, least))
        left = _largest(whole * kept)
        share = float(left.sum()) / area
        deep = LEFT[0] < share < LEFT[1] and float(depth(whole * (1.0 - left)).max()) > DEEPEST / 2
        if deep and (kind not in STRAIGHT or _shows(whole, left)):
            return left, kept
    kept = _cut(rng, 0.0, rng.uniform(0.0, 2 * np.pi), least)
    return _largest(whole * kept), kept


def _shows(whole: Image, left: Image) -> bool:
    """Whether the fracture of a straight-sided piece can be told from a side of it; the sides lie along the canvas."""
    solid = (left > 0.5).astype(np.uint8)
    edge = solid - np.asarray(cv2.erode(solid, np.ones((3, 3), np.uint8)), np.uint8)
    y, x = np.nonzero((edge > 0) & (depth(whole) > _RIM))
    if len(x) < 3:
        return False
    spread, axes = np.linalg.eigh(np.cov(np.stack([x, y]) / RADIUS))
    turned = math.atan2(axes[1, 1], axes[0, 1]) % (np.pi / 2)
    oblique = min(turned, np.pi / 2 - turned)
    return math.hypot(math.sqrt(max(float(spread[0]), 0.0)) / ROUGHEST_SIDE, oblique / MOST_OBLIQUE_SIDE) > 1.0


def _largest(mask: Image) -> Image:
    """The largest connected part."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    if count <= 2:
        return mask
    part = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    return mask * cv2.dilate(part, np.ones((3, 3), np.uint8)).astype(np.float32)
