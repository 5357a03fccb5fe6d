"""One piece with its label: an outline, a crust, toppings, the defect, and the light on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from models.training.render import defects
from models.training.render.breaks import STRAIGHT, broken
from models.training.render.canvas import CENTRE, Image, depth
from models.training.render.colour import crust_lab, linear
from models.training.render.crust import crust
from models.training.render.deform import deformed
from models.training.render.foreign import foreign
from models.training.render.lighting import Light
from models.training.render.outlines import FLAT, any_kind, silhouette
from models.training.render.toppings import topped

Rng = np.random.Generator

ALONE = 0.6
"""Share of the foreign objects that lie by themselves; the others lie on a good piece."""
_NOT_DRAWN = {"deformed": frozenset({"croissant", "pretzel", "ring"}), "cracked": frozenset({"pretzel"})}
"""Kinds on which a label could not be seen: any curve can be a good croissant's, a ring or a strand that is warped or cracked
through is a broken one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`light` (h, w, 3) linear red, green, blue; `mask` (h, w) its coverage; `alone` for a foreign object by itself."""

    light: Image
    mask: Image
    alone: bool = False


def piece(rng: Rng, label: str, lamp: Light, kind: str | None = None) -> Piece:
    """A piece that deserves this label.

    Args:
        rng: where all chances come from: the same state draws the same piece.
        label: one of `labels.LABELS`.
        lamp: the light, as seen from the canvas.
        kind: one of `outlines.SILHOUETTES`; None draws any.
    """
    if label == "foreign_object" and rng.random() < ALONE:
        return Piece(*foreign(rng, lamp), alone=True)
    kind = kind or any_kind(rng)
    while kind in _NOT_DRAWN.get(label, ()):
        kind = any_kind(rng)
    whole = silhouette(rng, kind)
    if label == "deformed":
        whole = deformed(rng, whole)
    inside = depth(whole)
    surface = crust(rng, kind, inside)
    if label == "burnt":
        defects.burn(rng, surface, whole)
    elif label == "underbaked":
        defects.underbake(rng, surface)
    colours = topped(
        rng, kind, crust_lab(surface.browning), surface.relief, plain=label in ("burnt", "underbaked", "foreign_object")
    )
    mask = whole
    if label == "broken":
        mask, kept = broken(rng, whole, kind)
        colours = defects.crumb(rng, colours, surface.relief, kept, mask, soft=kind not in FLAT or kind in STRAIGHT)
    elif label == "cracked":
        colours, mask = defects.crack(rng, colours, surface.relief, whole)
    seen = np.clip(linear(colours) * lamp.on(surface.body + surface.relief)[..., None], 0.0, 1.4)
    if label == "foreign_object":
        seen, mask = _with_object(rng, lamp, seen, mask)
    return Piece(seen, np.clip(mask, 0.0, 1.0))


def _with_object(rng: Rng, lamp: Light, seen: Image, mask: Image) -> tuple[Image, Image]:
    """A foreign object on the piece, its centre on it."""
    thing, cover = foreign(rng, lamp, on_goods=True)
    inside = depth(mask)
    y, x = np.nonzero(inside > 0.6 * float(inside.max()))
    spot = int(rng.integers(len(x))) if len(x) else 0
    target = np.array([x[spot], y[spot]], np.float64) if len(x) else np.array([CENTRE, CENTRE])
    move = cv2.getRotationMatrix2D((CENTRE, CENTRE), rng.uniform(0.0, 360.0), rng.uniform(0.27, 0.42))
    move[:, 2] = move[:, 2] + (target - CENTRE)
    size = mask.shape[::-1]
    thing, cover = (np.asarray(cv2.warpAffine(a, move, size, flags=cv2.INTER_AREA), np.float32) for a in (thing, cover))
    share = cover[..., None]
    return seen * (1.0 - share) + thing * share, np.maximum(mask, cover)


def turned_lamp(lamp: Light, degrees: float) -> Light:
    """The lamp as seen from a canvas that will be laid turned by this angle (counter-clockwise on the picture)."""
    return lamp.turned(-math.radians(degrees))
