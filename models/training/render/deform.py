"""Deforming a piece: lobes, folds, pinches, blow-outs, two that baked together.

The warped outline must differ from the original by more than a rotation, a stretch or a shear would make it
differ: an oval roll is a good roll.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from models.training.render.canvas import CENTRE, RADIUS, Image, Points, coordinates

Rng = np.random.Generator

UNLIKE: Final = 0.07
"""Least mean distance of the two outlines (share of the mean radius), both brought to unit inertia, at the best rotation."""
_TRIES: Final = 12
_BINS: Final = 90


def deformed(rng: Rng, whole: Image) -> Image:
    """The piece out of shape; its outline passes `UNLIKE`."""
    best, best_distance = whole, 0.0
    profile = outline_profile(whole)
    for _ in range(_TRIES):
        candidate = _two_together(rng, whole) if rng.random() < 0.18 else _warped(rng, whole)
        distance = unlikeness(profile, outline_profile(candidate))
        if distance > best_distance:
            best, best_distance = candidate, distance
        if distance > UNLIKE:
            break
    return best


def outline_profile(mask: Image) -> Points:
    """(90,) radii of the outline over its angle, after the shape was brought to unit inertia; 0 for an empty mask."""
    y, x = np.nonzero(mask > 0.5)
    if len(x) < 20:
        return np.zeros(_BINS)
    points = np.stack([x, y], axis=1).astype(np.float64)
    points -= points.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(points.T))
    points = points @ vectors / np.sqrt(np.maximum(values, 1e-6)) @ vectors.T
    bins = ((np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) + 0.5) * _BINS).astype(int) % _BINS
    radii = np.zeros(_BINS)
    np.maximum.at(radii, bins, np.hypot(*points.T))
    return radii / max(float(radii.mean()), 1e-9)


def unlikeness(one: Points, other: Points) -> float:
    """Mean absolute difference of two profiles at the best rotation."""
    turns = np.stack([np.roll(other, shift) for shift in range(_BINS)])
    return float(np.abs(turns - one).mean(axis=1).min())


def _warped(rng: Rng, whole: Image) -> Image:
    x, y = coordinates()
    turn = rng.uniform(0.0, 2 * np.pi)
    cos, sin = math.cos(turn), math.sin(turn)
    p, q = x * cos + y * sin, -x * sin + y * cos
    # No bends: what is round or long and bent looks like a good croissant, what is square like one with a side broken off.
    way = rng.choice(["bulge", "pinch", "lobes", "fold"])
    if way == "bulge":
        gain = rng.uniform(0.7, 1.0)
        bump = np.exp(-((p - 0.75) ** 2 + (q - rng.normal(0.0, 0.3)) ** 2) / 0.16)
        p, q = p * (1.15 - 0.55 * gain * bump) - 0.12 * gain * bump, q * (1.2 - 0.3 * bump)
    elif way == "pinch":
        waist = 1.0 - rng.uniform(0.42, 0.6) * np.exp(-(((p - rng.normal(0.0, 0.2)) / 0.3) ** 2))
        p, q = p * 0.9, q / waist
    elif way == "lobes":
        angle = np.arctan2(q, p)
        count = int(rng.integers(2, 5))
        stretch = 1.0 + rng.uniform(0.2, 0.32) * np.cos(count * angle) + 0.08 * np.cos(5 * angle + rng.uniform(0, 6))
        p, q = 1.1 * p / stretch, 1.1 * q / stretch
    else:
        shear = rng.uniform(0.3, 0.6) * rng.choice([-1, 1])
        p, q = (
            p + 0.7 * shear * q + rng.uniform(0.25, 0.38) * np.sin(rng.uniform(1.8, 2.7) * q),
            q * rng.uniform(1.0, 1.3),
        )
    map_x = ((p * cos - q * sin) * RADIUS + CENTRE - 0.5).astype(np.float32)
    map_y = ((p * sin + q * cos) * RADIUS + CENTRE - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(whole, map_x, map_y, cv2.INTER_LINEAR), np.float32)


def _two_together(rng: Rng, whole: Image) -> Image:
    """Two pieces that touched while baking."""
    out = np.zeros_like(whole)
    turn, apart = rng.uniform(0.0, 360.0), rng.uniform(0.36, 0.5) * RADIUS
    for side in (-1.0, 1.0):
        move = cv2.getRotationMatrix2D((CENTRE, CENTRE), turn + side * rng.uniform(0.0, 40.0), rng.uniform(0.5, 0.62))
        move[:, 2] = move[:, 2] + side * apart * np.array([math.cos(math.radians(turn)), math.sin(math.radians(turn))])
        out = np.maximum(out, cv2.warpAffine(whole, move, whole.shape[::-1], flags=cv2.INTER_AREA))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return np.asarray(cv2.morphologyEx(out, cv2.MORPH_CLOSE, kernel), np.float32)
