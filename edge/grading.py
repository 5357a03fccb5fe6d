"""Who grades a camera's pictures, and by which scale."""

from __future__ import annotations

from typing import NamedTuple

from edge.vision.calibration import Calibration
from edge.vision.decode import Image
from edge.vision.inspector import InspectedItem, Inspector
from models.quality.card import Card

MOST_MM = 100_000.0
"""The wire takes no longer good."""


class Grading(NamedTuple):
    """Who grades, the card of the model behind it, and how large a pixel of the crop is, where somebody has calibrated it."""

    inspector: Inspector
    card: Card
    calibration: Calibration | None = None

    def size_mm(self, item: InspectedItem, crop: Image) -> float | None:
        """Its longer side; None without a calibration, where it is cut off, or where it reaches to the plane's horizon."""
        if self.calibration is None or item.cut_off:
            return None
        length = round(self.calibration.size_mm(item.found.contour, crop.shape[1], crop.shape[0]).length, 2)
        return length if length <= MOST_MM else None
