"""Colours of the renderer: CIELAB (D65) to linear light, and the colours a crust passes through while it browns."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from models.training.render.canvas import Image

GAMMA: Final = 2.2

MAILLARD: Final = np.array(
    [
        # browning, L*, a*, b*
        [0.00, 86, 0, 15],
        [0.10, 84, 1, 20],
        [0.25, 79, 4, 29],
        [0.40, 70, 9, 38],
        [0.55, 60, 13, 40],
        [0.70, 48, 16, 34],
        [0.82, 34, 13, 21],
        [0.92, 22, 6, 9],
        [1.00, 13, 1, 3],
    ],
    np.float32,
)
"""From dough (0) over gold (0.4) and brown (0.7) to char (1): lightness falls throughout, while a* and b* rise and fall
again, as measured on crusts by Purlis and Salvadori, Bread browning kinetics during baking, J. Food Eng. 2007."""


def crust_lab(browning: Image) -> Image:
    """(h, w) browning, 0 to 1, as (h, w, 3) CIELAB."""
    table = np.stack([np.interp(np.linspace(0, 1, 512), MAILLARD[:, 0], MAILLARD[:, k]) for k in (1, 2, 3)], axis=-1)
    steps = np.clip(browning * 511.0, 0, 511).astype(np.int32)
    return np.asarray(table.astype(np.float32)[steps], np.float32)


def linear(lab: Image) -> Image:
    """CIELAB as linear red, green, blue from 0 to 1; colours that a screen cannot show are cut."""
    bounded = np.clip(lab, np.array([0, -60, -60], np.float32), np.array([98, 60, 70], np.float32))
    shown = np.clip(cv2.cvtColor(bounded, cv2.COLOR_Lab2RGB), 0.0, 1.0)
    return np.asarray(cv2.pow(shown, GAMMA), np.float32)


def mix(image: Image, weight: Image, colour: tuple[float, float, float] | Image) -> Image:
    """The image with `weight` of a colour over it."""
    share = weight[..., None]
    return np.asarray(image * (1.0 - share) + share * np.asarray(colour, np.float32), np.float32)
