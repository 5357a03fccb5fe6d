"""All that a ruler and a colorimeter say of one item. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.quality.colour import Colour, White, colour_of
from models.quality.crop import Crop, item_crop
from models.quality.shape import NAMES as SHAPE_NAMES
from models.quality.shape import Contour, Shape, shape_of

VERSION = 1
"""Of the vector: profiles taught with another version cannot judge."""
NAMES = (
    "log_area",
    *SHAPE_NAMES,
    "lightness",
    "a",
    "b",
    "lightness_spread",
    "dark_share",
    "burnt_share",
)
"""Names of what `Measurements.vector` holds, in its order."""
_INSIDE = 0.999
"""Pixels of a crop with at least this much of the item, and their neighbours too, show nothing else."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """An item's colour and shape; sizes in pixels of the frame.

    Args:
        colour: of its surface.
        shape: of its outline.
    """

    colour: Colour
    shape: Shape

    @property
    def lightness(self) -> float:
        """Mean L* of the crust, 0 to 100."""
        return self.colour.lightness

    @property
    def browning_index(self) -> float:
        """See `colour.browning_index`."""
        return self.colour.browning_index

    @property
    def vector(self) -> NDArray[np.float32]:
        """(32,) float32 as in `NAMES`: what items are compared by when a product is taught."""
        colour = self.colour
        shades = (
            colour.lightness,
            colour.a,
            colour.b,
            colour.spread,
            colour.dark_share,
            colour.burnt_share,
        )
        return np.concatenate(((np.log(self.shape.size.area),), self.shape.vector, shades)).astype(np.float32)


def measure(
    frame: NDArray[np.uint8], contour: Contour, white: White | None = None, crop: Crop | None = None
) -> Measurements:
    """Measures one item.

    Args:
        frame: (height, width, 3) uint8, BGR.
        contour: (n, 2) float32, its outline in pixels of the frame.
        white: what makes the light white; None: colours as the camera gives them.
        crop: the item's crop, where it has been made already.

    Raises:
        ValueError: no such frame or contour, or an item of less than a pixel.
    """
    seen = crop if crop is not None else item_crop(frame, contour)
    bgr = np.asarray(cv2.cvtColor(seen.rgb, cv2.COLOR_RGB2BGR), np.uint8)
    inside = cv2.erode((seen.mask >= _INSIDE).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if not inside.any():
        inside = seen.mask > 0
    return Measurements(colour_of(bgr, np.asarray(inside, np.bool_), white), shape_of(contour))
