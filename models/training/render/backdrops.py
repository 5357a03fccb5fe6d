"""What goods lie on: paper, dark and blue belts, metal, wood, baking paper, as linear light."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.training.render.canvas import Image, blur, noise
from models.training.render.colour import linear

Rng = np.random.Generator

_KINDS: Final = ("paper", "dark_belt", "metal", "wood", "blue_belt", "baking_paper")
_SHARES: Final = (0.32, 0.24, 0.12, 0.08, 0.12, 0.12)


def backdrop(rng: Rng, height: int, width: int) -> Image:
    """(height, width, 3) linear light of an empty surface."""
    kind = str(rng.choice(_KINDS, p=_SHARES))
    lab = np.empty((height, width, 3), np.float32)
    lab[:] = _colour(rng, kind)
    lightness = noise(rng, 0.4 * width, 2, (height, width)) * np.float32(rng.uniform(0.0, 1.5))
    if kind in ("metal", "wood"):
        shape = (height, 1) if rng.random() < 0.5 else (1, width)
        grain = np.broadcast_to(rng.standard_normal(shape, dtype=np.float32), (height, width)).copy()
        grain = blur(grain, rng.uniform(0.7, 2.0))
        lightness += grain / np.float32(grain.std() + 1e-6) * np.float32(rng.uniform(0.5, 2.5))
    if kind == "dark_belt" and rng.random() < 0.4:
        ribs = np.clip(np.cos(np.arange(width, dtype=np.float32) / np.float32(rng.uniform(3.0, 9.0))), 0.0, 1.0)
        lightness += ribs * np.float32(rng.uniform(1.0, 4.0))
    lightness += noise(rng, rng.uniform(1.5, 4.0), 1, (height, width)) * np.float32(rng.uniform(0.1, 0.8))
    lab[..., 0] += lightness
    return linear(lab)


def _colour(rng: Rng, kind: str) -> tuple[float, float, float]:
    match kind:
        case "paper":
            return rng.uniform(80.0, 97.0), rng.normal(0.0, 1.2), rng.normal(0.0, 2.5)
        case "dark_belt":
            return rng.uniform(6.0, 30.0), rng.normal(0.0, 1.0), rng.normal(0.0, 2.0)
        case "metal":
            return rng.uniform(40.0, 75.0), 0.0, rng.normal(0.0, 2.0)
        case "wood":
            return rng.uniform(35.0, 60.0), rng.uniform(3.0, 8.0), rng.uniform(10.0, 18.0)
        case "blue_belt":
            return rng.uniform(30.0, 55.0), rng.uniform(-8.0, 2.0), rng.uniform(-35.0, -18.0)
        case _:
            return rng.uniform(70.0, 88.0), rng.uniform(0.0, 4.0), rng.uniform(4.0, 12.0)
