"""A reference patch in the picture: its true colour makes every frame's light white. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.vision.items import FoundItem
from models.quality.colour import White, white_of_patch


@dataclass(frozen=True, slots=True)
class Patch:
    """Where a white or grey card lies in the frame that is inspected.

    Args:
        box: x, y, width, height as fractions of the frame; nothing but the card is inside.
        reflectance: of the card, 0.05 to 1: white card 0.9, a photographer's grey card 0.18.

    Raises:
        ValueError: a box outside of the frame or without an area, or an impossible reflectance.
    """

    box: tuple[float, float, float, float]
    reflectance: float = 0.9

    def __post_init__(self) -> None:
        """Refuses what is no patch."""
        x, y, width, height = self.box
        if not (x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 and y + height <= 1):
            raise ValueError(f"a patch inside of the picture as fractions x, y, width, height, not {self.box}")
        if not 0.05 <= self.reflectance <= 1:
            raise ValueError(f"reflectance {self.reflectance} must lie between 0.05 and 1")

    def white(self, frame: NDArray[np.uint8]) -> White | None:
        """What makes this frame's light white; None where the patch is too dark or overexposed to tell."""
        x, y, width, height = self._pixels(frame)
        seen = frame[round(y) : max(round(y + height), round(y) + 1), round(x) : max(round(x + width), round(x) + 1)]
        try:
            return white_of_patch(seen, self.reflectance)
        except ValueError:
            return None

    def is_it(self, item: FoundItem, frame: NDArray[np.uint8]) -> bool:
        """Whether a found item is the card itself."""
        x, y, width, height = self._pixels(frame)
        left, top, across, down = item.box
        return left <= x + width / 2 <= left + across and top <= y + height / 2 <= top + down

    def _pixels(self, frame: NDArray[np.uint8]) -> tuple[float, float, float, float]:
        high, wide = frame.shape[:2]
        x, y, width, height = self.box
        return x * wide, y * high, width * wide, height * high
