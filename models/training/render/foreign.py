"""Things that are no goods: nuts, rings, bars, shards, clips, stones, rags; metal, plastic, glass."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from models.training.render.canvas import (
    RADIUS,
    SIZE,
    Image,
    Points,
    blur,
    coordinates,
    depth,
    fill,
    noise,
    strokes,
    wobble,
)
from models.training.render.colour import linear
from models.training.render.lighting import Light
from models.training.render.outlines import circle, polar, rounded

Rng = np.random.Generator

_SHAPES: Final = ("nut", "washer", "bar", "shard", "stone", "wire", "rag")
_MATERIALS: Final = ("metal", "blue", "green", "red", "violet", "white", "black")


def foreign(rng: Rng, light: Light, *, on_goods: bool = False) -> tuple[Image, Image]:
    """Linear light and coverage of one foreign object, as large as the canvas allows.

    Args:
        rng: where the chances come from.
        light: the lamp.
        on_goods: it will lie on a piece, where only what no topping looks like can be told from one.
    """
    shape = str(rng.choice(_SHAPES[:5] if on_goods else _SHAPES))
    material = str(rng.choice(_MATERIALS[:5] if on_goods else _MATERIALS))
    if material in ("white", "black") and shape in ("rag", "shard", "stone"):
        material = "blue"  # what is black or white and of any shape could be goods, burnt or raw
    mask = _mask(rng, shape, on_goods=on_goods)
    lab = np.empty((SIZE, SIZE, 3), np.float32)
    lab[:] = _colour(rng, material)
    lab[..., 0] += noise(rng, rng.uniform(3.0, 15.0), 1) * np.float32(rng.uniform(0.5, 4.0))
    if material == "metal":
        x, y = coordinates()
        turn = rng.uniform(0.0, 2 * np.pi)
        lab[..., 0] += 18.0 * np.cos((x * math.cos(turn) + y * math.sin(turn)) * np.float32(rng.uniform(2.0, 8.0)))
    height = np.minimum(depth(mask), 0.1) * np.float32(RADIUS)
    return np.asarray(linear(lab) * light.on(height)[..., None], np.float32), mask


def _colour(rng: Rng, material: str) -> tuple[float, float, float]:
    ranges: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
        "metal": ((50, 80), (-1, 1), (-3, 2)),
        "blue": ((25, 60), (-5, 20), (-55, -25)),
        "green": ((30, 65), (-50, -25), (5, 40)),
        "red": ((32, 52), (48, 60), (15, 35)),
        "violet": ((25, 50), (25, 50), (-45, -20)),
        "white": ((88, 97), (-1, 1), (-3, 1)),
        "black": ((4, 14), (-1, 1), (-2, 2)),
    }
    low = ranges[material]
    return rng.uniform(*low[0]), rng.uniform(*low[1]), rng.uniform(*low[2])


def _mask(rng: Rng, shape: str, *, on_goods: bool) -> Image:
    angle = circle()
    if shape in ("nut", "washer"):
        sides = np.arange(6) * np.pi / 3 if shape == "nut" else angle
        hole = fill(polar(angle, np.full_like(angle, rng.uniform(0.3, 0.6))))
        return fill(polar(sides, np.full_like(sides, 0.95))) * (1.0 - hole)
    if shape == "bar":
        width = rng.uniform(0.18 if on_goods else 0.08, 0.3)
        mask = fill(rounded(0.95, 0.95 * width, 0.6 * width))
        if rng.random() < 0.5:  # a head: a screw, a rivet, a nail
            head = polar(angle, np.full_like(angle, rng.uniform(1.4, 2.2) * width)) * 0.95 - [0.95 - 1.2 * width, 0.0]
            mask = np.maximum(mask, fill(head))
        return mask
    if shape == "wire":
        knots: Points = rng.normal(0.0, 0.42, (6, 2))
        at = np.linspace(0.0, 5.0, 100)
        path = np.stack([np.interp(at, range(6), knots[:, k]) for k in (0, 1)], axis=1)
        smooth = cv2.blur(path, (1, 15))
        return strokes([np.clip(smooth, -1.0, 1.0)], [rng.uniform(0.06, 0.16)])
    if shape == "rag":
        return fill(polar(angle, 0.8 * (1.0 + wobble(rng, angle, 0.3, 2, 7))))
    corners = np.sort(rng.uniform(0.0, 2 * np.pi, int(rng.integers(5 if on_goods else 3, 9))))
    return blur(
        fill(polar(corners, 0.95 * rng.uniform(0.7 if on_goods else 0.4, 1.0, len(corners)))),
        0.5 if shape == "shard" else 1.5,
    )
