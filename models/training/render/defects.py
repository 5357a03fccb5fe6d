"""Defects of the surface: burnt, underbaked, cracked. Breaking and deforming are about the outline and have their own files."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from models.training.render.canvas import Image, blur, coordinates, jagged, noise, strokes
from models.training.render.crust import Crust

Rng = np.random.Generator

BURNT: Final = 0.84
"""Median browning of a burnt piece, or of its burnt side, is at least this: dark brown to black."""
RAW: Final = 0.11
"""Browning of an underbaked piece is at most about this: still the colour of dough."""

_LEAST_AREA: Final = 150.0
"""Pixels of the canvas that a crack covers on the piece, or it is drawn again elsewhere."""


def burn(rng: Rng, crust: Crust, whole: Image) -> None:
    """Browns the crust until it is burnt, all over or from one side; in place."""
    level = rng.uniform(BURNT, 0.97)
    contrast = (crust.browning - float(np.median(crust.browning[whole > 0.5]))) * np.float32(rng.uniform(0.3, 0.9))
    black = np.clip(level + contrast, 0.74, 1.0)
    if rng.random() < 0.35:
        x, y = coordinates()
        turn = rng.uniform(0.0, 2 * np.pi)
        side = (x * math.cos(turn) + y * math.sin(turn)) + rng.uniform(0.1, 0.7)
        share = (1.0 / (1.0 + np.exp(-5.0 * side))).astype(np.float32)
        black = crust.browning * (1.0 - share) + (black + np.float32(0.04)) * share
    crust.browning = np.clip(black, 0.0, 1.0)


def underbake(rng: Rng, crust: Crust) -> None:
    """Takes the browning back to dough: pale, even, with hardly a darker edge; in place."""
    even = crust.browning - float(crust.browning.mean())
    crust.browning = np.clip(rng.uniform(0.0, RAW - 0.02) + 0.15 * even, 0.0, RAW + 0.03).astype(np.float32)


def crack(rng: Rng, lab: Image, relief: Image, mask: Image) -> tuple[Image, Image]:
    """A crack or two from the rim into the piece: dark, a few percent of the radius wide, narrowing to its end.

    Returns:
        The colours with the crack, and the coverage that is left where it opens the rim. Relief is changed in place.
    """
    total = np.zeros_like(mask)
    for _ in range(int(rng.integers(1, 3))):
        for _ in range(12):
            line = _one_crack(rng)
            if float((line * mask).sum()) > _LEAST_AREA:
                break
        total = np.maximum(total, line)
    shade = np.float32(rng.uniform(0.75, 1.0)) * total
    lab = lab.copy()
    lab[..., 0] *= 1.0 - 0.85 * shade
    lab[..., 1:] *= (1.0 - 0.6 * total)[..., None]
    lips = np.clip(blur(total, 2.0) - total, 0.0, 1.0)
    lab[..., 0] += lips * np.float32(rng.uniform(0.0, 20.0))
    relief -= total * np.float32(2.5)
    rim = np.clip(1.0 - blur(mask, 3.0), 0.0, 1.0)
    return lab, mask * (1.0 - np.clip(total * rim * 3.0, 0.0, 1.0))


def _one_crack(rng: Rng) -> Image:
    normal, offset = rng.uniform(0.0, 2 * np.pi), rng.uniform(-0.35, 0.35)
    along = np.linspace(-1.2, rng.uniform(0.2, 1.2), 60)
    out = offset + jagged(rng, len(along), rng.uniform(0.05, 0.14))
    x, y = math.cos(normal), math.sin(normal)
    path = np.stack([x * out - y * along, y * out + x * along], axis=1)
    widest, taper = rng.uniform(0.065, 0.12), rng.uniform(0.3, 0.5)
    pieces = [path[k : k + 6] for k in range(0, len(path) - 1, 5)]
    widths = [widest * (1.0 - k / len(pieces)) ** taper for k in range(len(pieces))]
    return blur(strokes(pieces, widths), 0.5)


def crumb(rng: Rng, lab: Image, relief: Image, kept: Image, mask: Image, *, soft: bool) -> Image:
    """The pale crumb that shows along a fracture; relief is changed in place.

    Args:
        rng: where the chances come from.
        lab: CIELAB of the crust.
        relief: height in pixels.
        kept: 1 on the side of the fracture that stayed.
        mask: coverage by what is left.
        soft: bread and pastry, whose crumb is wider and shows more than a biscuit's.
    """
    near = blur(1.0 - kept, rng.uniform(1.5, 4.0) if soft else rng.uniform(0.7, 1.8))
    weight = (
        np.clip(near * np.float32(rng.uniform(1.0, 2.4)), 0.0, 1.0)
        * np.float32(rng.uniform(0.6 if soft else 0.2, 0.95))
        * (mask > 0.2)
    )
    relief += noise(rng, 3.0, 1) * weight * np.float32(2.0)
    colour = np.array([rng.uniform(70, 88), rng.uniform(0, 5), rng.uniform(14, 30)], np.float32)
    share = weight[..., None]
    return np.asarray(lab * (1.0 - share) + share * colour, np.float32)
