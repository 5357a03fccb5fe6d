"""Where the net looked: class activation maps (Zhou et al., Learning deep features for discriminative localization, CVPR 2016).

The net's last layers are a mean over places and a linear map, so the logit of a label is the mean of a map of logits,
which the model gives as an output of its own. What speaks for a label and against `good` is the difference of the two.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.quality.card import GOOD

_STRENGTH = 0.6
"""Largest share of the colour in an overlay."""
_WEAKEST = 1.0
"""A map whose highest value is below this is no ground for anything; it is scaled by this instead, and stays faint."""


def heat_map(
    maps: NDArray[np.float32], labels: tuple[str, ...], label: str, mask: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How much each pixel of a crop speaks for a label, 0 to 1, 0 outside of the item.

    Args:
        maps: (rows, columns, labels) of one crop, from `Grades.maps`.
        labels: the meaning of the last axis.
        label: what was found; for `good`, what speaks for it against the next best.
        mask: (side, side) of the crop.
    """
    chosen = labels.index(label)
    against = labels.index(GOOD)
    if chosen == against:
        ranked = np.argsort(maps.mean(axis=(0, 1)))[::-1]
        against = int(next(k for k in ranked if k != chosen))
    evidence = np.maximum(maps[..., chosen] - maps[..., against], 0.0).astype(np.float32)
    side = mask.shape[0]
    smooth = np.clip(cv2.resize(evidence, (side, side), interpolation=cv2.INTER_CUBIC), 0.0, None) * mask
    return np.asarray(smooth / np.float32(max(float(smooth.max()), _WEAKEST)), np.float32)


def overlay(rgb: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The crop with the heat in colours over it, (side, side, 3) uint8 RGB; cold places stay as they are."""
    colours = cv2.applyColorMap((heat * 255.0).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = (_STRENGTH * np.sqrt(heat))[..., None].astype(np.float32)
    mixed = rgb * (1.0 - share) + cv2.cvtColor(colours, cv2.COLOR_BGR2RGB) * share
    return np.asarray(np.clip(mixed, 0.0, 255.0), np.uint8)
