"""What lies on good pieces: chocolate, seeds, sugar, icing, flour, and the scoring of bread."""

from __future__ import annotations

import math

import cv2
import numpy as np

from models.training.render.canvas import RADIUS, SIZE, Image, blur, coordinates, coverage, fixed, noise, pixels, wobble
from models.training.render.colour import mix
from models.training.render.outlines import circle, polar

Rng = np.random.Generator

_SEEDS = ((86.0, 2.0, 14.0), (20.0, 2.0, 2.0), (92.0, 0.0, 2.0))
"""CIELAB of sesame, poppy and sugar."""


def topped(rng: Rng, kind: str, lab: Image, relief: Image, *, plain: bool) -> Image:
    """The piece with its toppings; relief is changed in place.

    Args:
        rng: where the chances come from.
        kind: one of the renderer's kinds.
        lab: (h, w, 3) CIELAB of the crust.
        relief: (h, w) height in pixels.
        plain: no dark or pale toppings, on which the label could not be seen.
    """
    if kind in ("roll", "loaf") and rng.random() < 0.6:
        lab = _scored(rng, lab, relief)
    if plain:
        return lab
    if kind in ("cookie", "round", "ring") and rng.random() < (0.5 if kind == "cookie" else 0.06):
        lab = _chocolate(rng, lab)
    if rng.random() < (0.3 if kind in ("roll", "loaf", "ring", "cookie") else 0.06):
        lab = _seeds(rng, lab)
    if kind == "ring" and rng.random() < 0.3:
        icing = (
            rng.uniform(70.0, 88.0),
            rng.uniform(14.0, 28.0),
            rng.uniform(-4.0, 6.0),
        )  # pink: white would look like dough
        lab = mix(lab, np.full((SIZE, SIZE), 0.85, np.float32), icing)
    if rng.random() < 0.08:
        dusting = np.clip(noise(rng, RADIUS * 0.5, 3) - 0.4, 0.0, 1.0) * np.float32(rng.uniform(0.2, 0.7))
        lab = mix(lab, dusting, (92.0, 0.0, 5.0))
    return lab


def _spots(rng: Rng, count: int, spread: float) -> list[tuple[float, float]]:
    """Points evenly over a disc, in radii."""
    turn, out = rng.uniform(0.0, 2 * np.pi, count), spread * np.sqrt(rng.random(count))
    return [(float(d * math.cos(t)), float(d * math.sin(t))) for t, d in zip(turn, out, strict=True)]


def _chocolate(rng: Rng, lab: Image) -> Image:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    angle = circle()[::12]
    for spot in _spots(rng, int(rng.integers(3, 16)), 0.85):
        edge = polar(angle, rng.uniform(0.05, 0.15) * (1.0 + wobble(rng, angle, 0.15, 2, 5)))
        cv2.fillPoly(mask, [fixed(pixels(edge + np.array(spot)))], (255,), cv2.LINE_AA, 4)
    return mix(lab, blur(coverage(mask), 0.6), (rng.uniform(22.0, 38.0), 8.0, 9.0))


def _seeds(rng: Rng, lab: Image) -> Image:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    size = rng.uniform(1.0, 2.0)
    for x, y in _spots(rng, int(rng.integers(10, 60)), 0.8):
        centre = (round(x * RADIUS + SIZE / 2), round(y * RADIUS + SIZE / 2))
        cv2.ellipse(
            mask, centre, (max(1, round(1.4 * size)), round(size)), rng.uniform(0, 180), 0, 360, (255,), -1, cv2.LINE_AA
        )
    return mix(lab, coverage(mask), _SEEDS[int(rng.integers(len(_SEEDS)))])


def _scored(rng: Rng, lab: Image, relief: Image) -> Image:
    """Cuts of the baker's blade: soft, pale and wide where the crust opened."""
    x, y = coordinates()
    tilt, width = rng.uniform(-0.8, 0.8), rng.uniform(0.04, 0.09)
    cuts = np.zeros((SIZE, SIZE), np.float32)
    count = int(rng.integers(1, 5))
    for number in range(count):
        line = (x - (number - (count - 1) / 2) * 0.45 + tilt * y) / np.float32(width)
        cuts = np.maximum(cuts, np.exp(-line * line) * (np.abs(y) < 0.5))
    relief -= cuts * np.float32(rng.uniform(0.6, 1.8))
    lab = lab.copy()
    lab[..., 0] += cuts * np.float32(rng.uniform(5.0, 14.0))
    return lab
