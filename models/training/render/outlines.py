"""Outlines of the kinds of goods, as coverage of the canvas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from models.training.render.canvas import Image, Points, fill, strokes, wobble

Rng = np.random.Generator
_ANGLES: Final = 480


def circle() -> Points:
    """Angles of a closed curve, (n,) rad."""
    return np.linspace(0.0, 2.0 * np.pi, _ANGLES, endpoint=False)


def polar(angle: Points, radius: Points) -> Points:
    """A closed curve from its radii at these angles."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def rounded(half_width: float, half_height: float, corner: float) -> Points:
    """A rectangle with round corners, evenly sampled along its outline."""
    quarter = np.deg2rad(np.linspace(0.0, 90.0, 20))
    corners = []
    for sign_x, sign_y, turn in ((1, 1, 0.0), (-1, 1, 0.5), (-1, -1, 1.0), (1, -1, 1.5)):
        angle = quarter + turn * np.pi
        centre = (sign_x * (half_width - corner), sign_y * (half_height - corner))
        corners.append(np.stack([centre[0] + corner * np.cos(angle), centre[1] + corner * np.sin(angle)], axis=1))
    path = np.concatenate([*corners, corners[0][:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.linspace(0.0, along[-1], _ANGLES, endpoint=False)
    return np.stack([np.interp(at, along, path[:, 0]), np.interp(at, along, path[:, 1])], axis=1)


def pushed_out(path: Points, offset: Points) -> Points:
    """The curve moved along its normals."""
    tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    return path + normal * offset[:, None]


def _teeth(rng: Rng, angle: Points, share: float) -> Points:
    """A scalloped or serrated edge, with this probability; otherwise 0."""
    if rng.random() > share:
        return np.zeros_like(angle)
    count, size = int(rng.integers(14, 50)), rng.uniform(0.008, 0.03) * rng.choice([-1, 1])
    if rng.random() < 0.5:
        return np.asarray(size * (2.0 * np.abs(np.cos(count * angle / 2.0)) - 1.0))
    return np.asarray(size * np.cos(count * angle))


def disc(rng: Rng) -> Points:
    """A round biscuit: nearly a circle, its edge plain, scalloped or serrated."""
    angle = circle()
    squeeze, turn = rng.uniform(0.93, 1.0), rng.uniform(0.0, np.pi)
    radius = 1.0 / np.sqrt(np.cos(angle - turn) ** 2 + (np.sin(angle - turn) / squeeze) ** 2)
    return polar(
        angle, radius * (1.0 + _teeth(rng, angle, 0.4) + wobble(rng, angle, rng.choice([0.003, 0.008, 0.014])))
    )


def rectangle(rng: Rng) -> Points:
    """A square or oblong biscuit: sharp to round corners, barrel-shaped, a little skewed."""
    squeeze = float(rng.choice([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.45, 0.8)]))
    half = 0.82
    path = rounded(half, half * squeeze, half * squeeze * rng.uniform(0.04, 0.4))
    phase = circle()
    path = pushed_out(
        path, _teeth(rng, phase, 0.3) * 0.8 + wobble(rng, phase, rng.choice([0.003, 0.008, 0.014]), 3, 14, 0.6)
    )
    x, y = path.T
    barrel, keystone, skew = rng.normal(0.0, 0.025, 3)
    x, y = x * (1 + keystone * y) * (1 + barrel * (y * y - 0.4)), y * (1 + barrel * (x * x - 0.4))
    return np.stack([x + skew * y, y], axis=1)


def cookie(rng: Rng) -> Points:
    """A drop cookie: round, spread unevenly."""
    angle = circle()
    return polar(angle, 0.95 * (1.0 + wobble(rng, angle, rng.uniform(0.012, 0.03), 2, 16, 0.7)))


def roll(rng: Rng) -> Points:
    """A bread roll: a superellipse, round to long."""
    angle = circle()
    squeeze, power = rng.uniform(0.45, 1.0), rng.uniform(2.0, 2.7)
    radius = (np.abs(np.cos(angle)) ** power + (np.abs(np.sin(angle)) / squeeze) ** power) ** (-1.0 / power)
    return polar(angle, radius * (1.0 + wobble(rng, angle, 0.012, 2, 6)))


def loaf(rng: Rng) -> Points:
    """A loaf: long, straight sides, round ends."""
    squeeze = rng.uniform(0.4, 0.75)
    path = rounded(0.95, 0.95 * squeeze, squeeze * rng.uniform(0.45, 0.85))
    return pushed_out(path, wobble(rng, circle(), 0.01, 2, 6))


def croissant(rng: Rng) -> Points:
    """A crescent with pointed ends, its edge stepped by the wraps."""
    t = np.linspace(-1.0, 1.0, 80)
    bend = rng.uniform(0.25, 0.75)
    x, y = t * 0.85, bend * 0.8 * (t * t - 0.45)
    width = rng.uniform(0.28, 0.4) * np.sqrt(np.maximum(1.0 - np.abs(t) ** rng.uniform(1.6, 2.4), 0.0)) + 0.03
    width = width * (1.0 + 0.05 * np.cos(t * np.pi * rng.integers(4, 8)))
    dx, dy = np.gradient(x), np.gradient(y)
    length = np.hypot(dx, dy)
    side = np.stack([-dy / length, dx / length], axis=1) * width[:, None]
    spine = np.stack([x, y], axis=1)
    return np.concatenate([spine + side, (spine - side)[::-1]])


def ring(rng: Rng) -> Image:
    """A ring or a biscuit with a round, hexagonal or scalloped hole."""
    outer = disc(rng) if rng.random() < 0.8 else cookie(rng)
    angle = circle()
    corners = int(rng.choice([0, 0, 6, 8]))
    radius = np.full_like(angle, rng.uniform(0.18, 0.42))
    if corners:
        sector = 2.0 * np.pi / corners
        radius *= math.cos(sector / 2.0) / np.cos(angle % sector - sector / 2.0)
    hole = polar(angle, radius * (1.0 + wobble(rng, angle, 0.02))) + rng.normal(0.0, 0.025, 2)
    return fill(outer) * (1.0 - fill(hole))


def pretzel(rng: Rng) -> Image:
    """A strand laid in two loops, its ends on the belly."""
    turn = np.linspace(-0.8, 0.8, 120) * np.pi
    thick = rng.uniform(0.20, 0.27)
    loop = np.stack([0.95 * np.sin(turn), 0.15 + 0.70 * np.cos(turn)], axis=1)
    along = np.linspace(0.0, 1.0, 40)
    arms = []
    for end, side in ((loop[0], 1.0), (loop[-1], -1.0)):
        x = end[0] + (0.42 * side - end[0]) * along + 0.1 * side * np.sin(along * np.pi)
        arms.append(np.stack([x, end[1] + (0.62 - end[1]) * along], axis=1))
    return strokes(
        [(loop - [0.0, 0.15]) * 0.85, *((arm - [0.0, 0.15]) * 0.85 for arm in arms)], [thick, 0.8 * thick, 0.8 * thick]
    )


def _filled(path: Callable[[Rng], Points]) -> Callable[[Rng], Image]:
    return lambda rng: fill(path(rng))


SILHOUETTES: Final[Mapping[str, Callable[[Rng], Image]]] = {
    "round": _filled(disc),
    "square": _filled(rectangle),
    "cookie": _filled(cookie),
    "ring": ring,
    "roll": _filled(roll),
    "loaf": _filled(loaf),
    "croissant": _filled(croissant),
    "pretzel": pretzel,
}
SHARES: Final[Mapping[str, float]] = {
    "round": 0.25, "square": 0.24, "cookie": 0.11, "ring": 0.07, "roll": 0.13, "loaf": 0.06, "croissant": 0.06, "pretzel": 0.08,
}  # fmt: skip
"""How often each kind is drawn."""
FLAT: Final = frozenset({"round", "square", "cookie", "ring"})
"""Biscuits: flat, with an edge; the others are risen."""


def silhouette(rng: Rng, kind: str) -> Image:
    """Coverage of the canvas by a whole piece of this kind."""
    return SILHOUETTES[kind](rng)


def any_kind(rng: Rng) -> str:
    """A kind, as often as `SHARES` says."""
    return str(rng.choice(list(SHARES), p=list(SHARES.values())))
