"""Drawn trays and belts: browned things of known shape and place on grounds of many kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

GROUNDS = ("paper", "metal", "brushed", "dark belt", "blue belt", "wood", "baking paper")


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing in a scene: its outline around the origin in pixels, where it lies, and its colour (BGR)."""

    outline: NDArray[np.float32]
    x: float
    y: float
    colour: tuple[int, int, int] = (80, 150, 205)

    @property
    def placed(self) -> NDArray[np.float32]:
        return self.outline + np.array((self.x, self.y), np.float32)

    @property
    def box(self) -> tuple[float, float, float, float]:
        low, high = self.placed.min(axis=0), self.placed.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def disc(radius: float) -> NDArray[np.float32]:
    return oval(radius, radius)


def oval(across: float, down: float, turn_deg: float = 0.0) -> NDArray[np.float32]:
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    points = np.stack((across * np.cos(angle), down * np.sin(angle)), axis=1)
    turn = np.radians(turn_deg)
    rotation = np.array(((np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))))
    return np.asarray(points @ rotation, np.float32)


def square(half: float) -> NDArray[np.float32]:
    return np.array(((-half, -half), (half, -half), (half, half), (-half, half)), np.float32)


def half_disc(radius: float) -> NDArray[np.float32]:
    """A disc that broke along a ragged line."""
    angle = np.linspace(0, np.pi, 60)
    rim = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    across = np.linspace(-radius, radius, 14)[1:-1]
    teeth = np.stack((across, radius * 0.06 * np.where(np.arange(12) % 2, 1, -1)), axis=1)
    return np.asarray(np.concatenate((rim, teeth)), np.float32)


def ground(kind: str, height: int, width: int, seed: int = 1) -> NDArray[np.float32]:
    """A surface in linear light, (height, width, 3), BGR 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = {
        "paper": (0.72, 0.74, 0.75),
        "metal": (0.30, 0.31, 0.31),
        "brushed": (0.28, 0.29, 0.29),
        "dark belt": (0.035, 0.03, 0.03),
        "blue belt": (0.30, 0.12, 0.05),
        "wood": (0.10, 0.22, 0.34),
        "baking paper": (0.40, 0.55, 0.62),
    }[kind]
    surface = np.ones((height, width, 1), np.float32) * np.array(base, np.float32)
    if kind == "brushed":
        surface *= (1 + 0.12 * cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 12, sigmaY=0.6))[
            ..., None
        ]
    if kind == "wood":
        surface *= 1 + 0.10 * np.sin(y / 9 + 2 * np.sin(x / 140))[..., None]
    return np.asarray(surface, np.float32)


def render(
    things: Sequence[Thing],
    height: int = 600,
    width: int = 800,
    kind: str = "paper",
    *,
    shadow: bool = True,
    vignette: float = 0.35,
    seed: int = 1,
) -> NDArray[np.uint8]:
    """A picture of things on a ground: a light from the left, soft shadows, the lens's falloff, noise."""
    rng = np.random.default_rng(seed)
    surface = ground(kind, height, width, seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cover = np.zeros((height, width), np.uint8)
    crust = np.zeros_like(surface)
    for thing in things:
        points = [np.rint((thing.placed - 0.5) * 16).astype(np.int32)]
        cv2.fillPoly(cover, points, 255, lineType=cv2.LINE_AA, shift=4)
        # A little wider than the cover, so that its soft rim has the thing's colour.
        cv2.polylines(crust, points, isClosed=True, color=_light(thing.colour), thickness=3, shift=4)
        cv2.fillPoly(crust, points, _light(thing.colour), shift=4)
    mask = (cover.astype(np.float32) / 255)[..., None]
    if shadow:
        cast = np.roll(mask[..., 0], (4, 6), (0, 1))
        surface *= 1 - 0.35 * np.asarray(cv2.GaussianBlur(cast, (0, 0), 4), np.float32)[..., None]
    grain = np.asarray(cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 3), np.float32)
    surface = surface * (1 - mask) + crust * np.clip(1 + 0.5 * grain, 0.6, 1.4)[..., None] * mask
    away = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.5
    surface *= (1 - vignette * away)[..., None] * (1 - 0.15 * x / width)[..., None]
    noisy = np.clip(surface, 0, 1) ** (1 / 2.2) * 255 + 2 * rng.standard_normal(surface.shape, np.float32)
    return np.asarray(np.clip(np.rint(cv2.GaussianBlur(noisy, (0, 0), 0.7)), 0, 255), np.uint8)


def _light(colour: tuple[int, int, int]) -> tuple[float, ...]:
    return tuple((value / 255) ** 2.2 for value in colour)


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of boxes."""
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[0] + one[2], other[0] + other[2]), min(one[1] + one[3], other[1] + other[3])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    return both / (one[2] * one[3] + other[2] * other[3] - both)
