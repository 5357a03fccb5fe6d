"""A photo with what was found drawn in: an outline around each item, and beside it the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "good": (60, 160, 40),
    "reject": (40, 40, 210),
    "unsure": (0, 150, 230),
    "cut_off": (130, 130, 130),
}
"""BGR by verdict. Words stand beside them, as not everybody tells green from red."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SPELLED = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "–": "-", "…": "..."}
"""How German is written in ASCII: the fonts of OpenCV before version 5 have nothing else."""
_UNICODE_SINCE = 5
_WHITE: Colour = (255, 255, 255)
_LINES_PER_HEIGHT = 52
"""A line of text is so much smaller than the picture is high or wide."""
_PAD = 0.25


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn for one item.

    Args:
        contour: (n, 2) float32 in pixels of the photo.
        kind: key of `COLOURS`.
        words: lines of text.
    """

    contour: NDArray[np.float32]
    kind: str
    words: Sequence[str]


def graded(image: Image, marks: Sequence[Mark]) -> Image:
    """A copy with all marks; the words of one item cover no other's where there is room.

    Args:
        image: (height, width, 3) uint8, BGR.
        marks: what to draw.
    """
    shown = image.copy()
    height, width = image.shape[:2]
    line = max(9, round(min(height, width) / _LINES_PER_HEIGHT))
    thick = max(1, round(line / 9))
    for mark in marks:
        outline = np.rint(mark.contour).astype(np.int32)
        x, y, across, down = cv2.boundingRect(outline)
        cv2.polylines(shown, [outline], isClosed=True, color=COLOURS[mark.kind], thickness=thick, lineType=cv2.LINE_AA)
        cv2.rectangle(shown, (x, y), (x + across, y + down), COLOURS[mark.kind], thick)
    taken: list[tuple[int, int, int, int]] = []
    for mark in marks:
        x, y, across, down = cv2.boundingRect(np.rint(mark.contour).astype(np.int32))
        size = _size(mark.words, line)
        # Above the item, below it, in its upper part: the first place that is free and inside the picture.
        places = [(x, y - size[1]), (x, y + down), (x, y), (x, y + down - size[1])]
        places = [(min(max(0, left), max(0, width - size[0])), top) for left, top in places]
        inside = [each for each in places if each[1] >= 0 and each[1] + size[1] <= height] or [(0, 0)]
        free = [each for each in inside if not any(_cover((*each, *size), other) for other in taken)]
        left, top = (free or inside)[0]
        taken.append((left, top, *size))
        _write(shown, (left, top), mark, line)
    return shown


def _size(words: Sequence[str], line: int) -> tuple[int, int]:
    scale = _scale(line)
    widest = max((cv2.getTextSize(_plain(text), _FONT, scale, _thick(line))[0][0] for text in words), default=0)
    pad = round(_PAD * line)
    return widest + 2 * pad, round(1.5 * line * len(words)) + pad


def _scale(line: int) -> float:
    return float(cv2.getFontScaleFromHeight(_FONT, line, 1))


def _thick(line: int) -> int:
    return max(1, round(line / 12))


def _cover(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _write(shown: Image, corner: tuple[int, int], mark: Mark, line: int) -> None:
    width, height = _size(mark.words, line)
    pad = round(_PAD * line)
    cv2.rectangle(shown, corner, (corner[0] + width, corner[1] + height), COLOURS[mark.kind], cv2.FILLED)
    for number, text in enumerate(mark.words):
        base = (corner[0] + pad, corner[1] + pad + round(line * (1.5 * number + 1.1)))
        cv2.putText(shown, _plain(text), base, _FONT, _scale(line), _WHITE, _thick(line), cv2.LINE_AA)


def _plain(text: str) -> str:
    """Text that the font can draw."""
    if int(cv2.__version__.partition(".")[0]) >= _UNICODE_SINCE:
        return text
    mapped = "".join(_SPELLED.get(letter, letter) for letter in text)
    return mapped.encode("ascii", "replace").decode("ascii")
