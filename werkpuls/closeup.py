"""Photos of one item that reach as far as the item does: they are given a margin, or nobody could tell it from its background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge.vision.inspector import InspectionResult, Inspector

_MARGIN = 0.2
"""Of the longer side."""
_CORNER = 0.04
"""Of a side: the part of each corner that shows the background, as no item but a square one reaches into it."""
_SPANS = 0.7
"""An item on a belt is cut off by a side or two; a photo that was cut to its item is spanned by it, across and down."""


def inspect(inspector: Inspector, image: NDArray[np.uint8]) -> tuple[InspectionResult, int]:
    """All items of a photo.

    Args:
        inspector: of them.
        image: (height, width, 3) uint8, BGR.

    Returns:
        What it says, in coordinates of the photo with a margin all around, and how wide that margin is in pixels: 0 unless
        the photo was cut to its one item.
    """
    result = inspector.inspect(image)
    if result.judged and not result.obstructed:
        return result, 0
    height, width = image.shape[:2]
    margin = round(_MARGIN * max(height, width))
    closer = inspector.inspect(_framed(image, margin))
    if len(closer.items) != 1 or closer.items[0].cut_off:
        return result, 0
    _, _, across, down = closer.items[0].found.box
    return (closer, margin) if across > _SPANS * width and down > _SPANS * height else (result, 0)


def _framed(image: NDArray[np.uint8], margin: int) -> NDArray[np.uint8]:
    """With a margin in the colour of the corners."""
    down, across = (max(2, round(_CORNER * side)) for side in image.shape[:2])
    corners = np.concatenate(
        [
            part.reshape(-1, 3)
            for rows in (image[:down], image[-down:])
            for part in (rows[:, :across], rows[:, -across:])
        ]
    )
    colour = [float(value) for value in np.median(corners, axis=0)]
    framed = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(framed, np.uint8)
