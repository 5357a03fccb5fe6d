"""Photos as they come: with a border around them, small ones, and such of one item that reach as far as the item does."""

from __future__ import annotations

from dataclasses import dataclass
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
_SMALL, _ENLARGED = 480, 800
"""Of the longer side: a photo below the first is enlarged to the second, as outlines of a few pixels are found ragged."""
_FLAT, _FLAT_SHARE = 10, 0.995
"""A line of a border: so much of it is within so many steps of its colour."""
_OTHER, _OTHER_SHARE = 8, 0.9
"""What a border is around begins with a line of which so much is more than so many steps away from its colour; a plain
background ends at an item's outermost point."""
_NARROWEST_PX, _SEAM_PX = 4, 2
_MOST = 0.5
"""No border takes more of a side."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a photo the picture lies that was inspected.

    Args:
        x: of its left edge in pixels of the photo.
        y: of its upper edge.
        scale: how many of its pixels make one of the photo.
    """

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    @property
    def moved(self) -> bool:
        """Whether it is not the photo itself."""
        return (self.x, self.y, self.scale) != (0.0, 0.0, 1.0)

    def in_photo(self, outline: NDArray[np.float32]) -> NDArray[np.float32]:
        """An outline in pixels of the photo."""
        return np.asarray(outline / self.scale + (self.x, self.y), np.float32)


def inspect(inspector: Inspector, photo: NDArray[np.uint8]) -> tuple[InspectionResult, Place]:
    """All items of a photo.

    Args:
        inspector: of them.
        photo: (height, width, 3) uint8, BGR.

    Returns:
        What it says, in coordinates of the picture that it was shown: the photo without its border, enlarged where it is small, and
        with a margin all around where it was cut to its one item.
    """
    left, top, right, bottom = _inside(photo)
    image, scale = _enlarged(photo[top:bottom, left:right])
    place = Place(left, top, scale)
    result = inspector.inspect(image)
    if result.judged and not result.obstructed:
        return result, place
    height, width = image.shape[:2]
    margin = round(_MARGIN * max(height, width))
    closer = inspector.inspect(_framed(image, margin))
    if len(closer.items) != 1 or closer.items[0].cut_off:
        return result, place
    _, _, across, down = closer.items[0].found.box
    if across <= _SPANS * width or down <= _SPANS * height:
        return result, place
    return closer, Place(left - margin / scale, top - margin / scale, scale)


def _enlarged(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    longer = max(image.shape[:2])
    if longer >= _SMALL:
        return np.ascontiguousarray(image), 1.0
    scale = _ENLARGED / longer
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8), scale


def _inside(photo: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a border of one colour is around; all of the photo where there is none."""
    height, width = photo.shape[:2]
    left, right = _depth(photo.transpose(1, 0, 2)), width - _depth(photo.transpose(1, 0, 2)[::-1])
    top, bottom = _depth(photo), height - _depth(photo[::-1])
    if right - left < _MOST * width or bottom - top < _MOST * height or (right - left, bottom - top) == (width, height):
        return 0, 0, width, height
    inner = photo[top:bottom, left:right]
    sides = (
        (left > 0, photo[0, 0], inner[:, 0]),
        (right < width, photo[0, -1], inner[:, -1]),
        (top > 0, photo[0, 0], inner[0]),
        (bottom < height, photo[-1, 0], inner[-1]),
    )
    if any(there and not _begins(line, colour) for there, colour, line in sides):
        return 0, 0, width, height
    return left, top, right, bottom


def _depth(lines: NDArray[np.uint8]) -> int:
    """How many of the first lines are of one colour, with those along their seam; 0 for fewer than a border has."""
    colour = np.median(lines[0], axis=0)
    deepest = round(_MOST * len(lines)) + 1
    depth = next((n for n in range(deepest) if not _flat(lines[n], colour)), deepest)
    return depth + _SEAM_PX if depth >= _NARROWEST_PX else 0


def _flat(line: NDArray[np.uint8], colour: NDArray[np.float64]) -> bool:
    return bool((np.abs(line - colour).max(axis=1) <= _FLAT).mean() >= _FLAT_SHARE)


def _begins(line: NDArray[np.uint8], colour: NDArray[np.uint8]) -> bool:
    return bool((np.abs(line.astype(np.int16) - colour).max(axis=1) > _OTHER).mean() >= _OTHER_SHARE)


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
