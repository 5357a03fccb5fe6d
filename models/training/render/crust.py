"""The crust of a piece: how brown each point is, its relief, and the patterns that belong to good pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.training.render.canvas import RADIUS, SIZE, Image, coordinates, noise
from models.training.render.outlines import FLAT

Rng = np.random.Generator

BASE: Final = {
    "round": (0.28, 0.58), "square": (0.26, 0.52), "cookie": (0.30, 0.60), "ring": (0.26, 0.56), "roll": (0.34, 0.60),
    "loaf": (0.40, 0.64), "croissant": (0.38, 0.60), "pretzel": (0.48, 0.66),
}  # fmt: skip
"""Browning of a well-baked piece, before its spots and edges."""
THICKNESS: Final = {
    "round": 0.10, "square": 0.08, "cookie": 0.22, "ring": 0.25, "roll": 0.7, "loaf": 0.7, "croissant": 0.5, "pretzel": 0.4,
}  # fmt: skip
"""Width of the rounded edge in radii."""
WELL_BAKED: Final = (0.22, 0.72)
"""Bounds of browning on a piece that is neither under- nor overbaked."""


@dataclass(slots=True)
class Crust:
    """The surface of one piece: browning 0 to 1, relief in pixels of height, the rounded body under it."""

    browning: Image
    relief: Image
    body: Image


def crust(rng: Rng, kind: str, depth: Image) -> Crust:
    """A well-baked surface for a piece of this kind.

    Args:
        rng: where the chances come from.
        kind: one of the renderer's kinds.
        depth: distance to the outline before anything broke off, in radii: a crust does not know that it will be broken.
    """
    edge = THICKNESS[kind]
    rise = np.sqrt(np.clip(1.0 - (1.0 - np.minimum(depth / edge, 1.0)) ** 2, 0.0, 1.0))
    body = rise * np.float32(edge * RADIUS * rng.uniform(0.5, 1.0))
    browning = np.full((SIZE, SIZE), rng.uniform(*BASE[kind]), np.float32)
    browning += np.exp(-depth / rng.uniform(0.03, 0.15)) * np.float32(rng.uniform(-0.06, 0.16))
    browning += noise(rng, RADIUS * rng.uniform(0.3, 1.0)) * np.float32(rng.uniform(0.005, 0.05))
    browning += noise(rng, rng.uniform(2.5, 8.0), 1) * np.float32(rng.uniform(0.005, 0.03))
    x, y = coordinates()
    if kind in FLAT:
        if rng.random() < 0.5:  # blisters brown first
            field, start = noise(rng, RADIUS * rng.uniform(0.12, 0.45)), rng.uniform(0.1, 1.4)
            browning += np.clip((field - start) / rng.uniform(0.25, 0.8), 0.0, 1.0) * np.float32(
                rng.uniform(0.05, 0.34)
            )
        if rng.random() < 0.25:  # hotter on one side of the oven
            turn = rng.uniform(0.0, 2 * np.pi)
            browning += (x * math.cos(turn) + y * math.sin(turn)) * np.float32(rng.uniform(0.02, 0.09))
    else:
        browning += (rise - 0.6) * np.float32(rng.uniform(0.05, 0.22))
    relief = noise(rng, rng.uniform(3.0, 9.0)) * np.float32(rng.uniform(0.0, 0.8))
    relief += noise(rng, RADIUS * rng.uniform(0.2, 0.6)) * np.float32(rng.uniform(0.0, 1.4))
    surface = Crust(np.clip(browning, *WELL_BAKED), relief, body)
    _pattern(rng, kind, surface, depth)
    return surface


def _pattern(rng: Rng, kind: str, surface: Crust, depth: Image) -> None:
    """Docking holes, waffle, stamped rims and letters, wraps, the crackle of a cookie."""
    choice = rng.random()
    if kind in ("round", "square"):
        if choice < 0.35:
            _docking(rng, surface)
        elif choice < 0.55:
            _waffle(rng, surface)
        elif choice < 0.72:
            line = np.exp(-(((depth - rng.uniform(0.06, 0.2)) / 0.022) ** 2))
            surface.relief -= line * np.float32(2.0)
            surface.browning += line * np.float32(rng.uniform(-0.03, 0.08))
        elif choice < 0.82:
            letters = np.clip(np.abs(noise(rng, RADIUS * 0.22, 1)) * 4.0 - 2.0, 0.0, 1.0) * (depth > 0.3)
            surface.relief -= letters * np.float32(rng.uniform(0.8, 2.0))
    if kind == "cookie" and choice < 0.6:  # soft and pale, unlike a crack that runs through
        field = np.abs(noise(rng, RADIUS * rng.uniform(0.15, 0.35)))
        line = np.exp(-((field / rng.uniform(0.06, 0.14)) ** 2)) * (
            noise(rng, RADIUS * 0.6, 1) > rng.uniform(-1.0, 0.7)
        )
        surface.relief -= line * np.float32(rng.uniform(0.6, 1.8))
        surface.browning += line * np.float32(rng.uniform(-0.06, 0.06))
    if kind == "croissant":
        x, y = coordinates()
        wraps = np.cos(2 * np.pi * x / rng.uniform(0.25, 0.45) + 1.2 * np.sin(2.0 * y))
        surface.relief += wraps * np.float32(2.0)
        surface.browning += np.clip(wraps, 0.0, 1.0) * np.float32(rng.uniform(0.02, 0.08))


def _turned(rng: Rng) -> tuple[Image, Image]:
    x, y = coordinates()
    turn = rng.uniform(0.0, np.pi)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    return x * cos + y * sin, y * cos - x * sin


def _docking(rng: Rng, surface: Crust) -> None:
    p, q = _turned(rng)
    pitch, size = rng.uniform(0.2, 0.42), rng.uniform(0.018, 0.04)
    row = np.floor(p / pitch)
    stagger = 0.5 * (row % 2) if rng.random() < 0.5 else np.zeros_like(row)
    off_p, off_q = (p / pitch) % 1.0 - 0.5, (q / pitch + stagger) % 1.0 - 0.5
    holes = np.exp(-(off_p * off_p + off_q * off_q) * np.float32((pitch / size) ** 2)).astype(np.float32)
    surface.relief -= holes * np.float32(rng.uniform(1.0, 3.0))
    surface.browning += holes * np.float32(rng.uniform(-0.04, 0.2))


def _waffle(rng: Rng, surface: Crust) -> None:
    p, q = _turned(rng)
    pitch = 2 * np.pi / rng.uniform(0.12, 0.25)
    bars = np.maximum(np.cos(p * pitch), np.cos(q * pitch)).astype(np.float32)
    surface.relief += bars * np.float32(rng.uniform(0.5, 1.8))
    surface.browning += bars * np.float32(rng.uniform(-0.05, 0.05))
