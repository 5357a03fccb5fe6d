"""A photo with what was found drawn in: an outline around each item, and beside it the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Boxes = NDArray[np.int64]
"""(n, 4) x, y, width, height in pixels."""
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "good": (60, 160, 40),
    "reject": (40, 40, 210),
    "unsure": (0, 150, 230),
    "cut_off": (130, 130, 130),
}
"""BGR by verdict. Words stand beside them, as not everybody tells green from red."""
BELT: Colour = (200, 120, 0)
"""BGR of the line around what was looked at."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SPELLED = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "–": "-", "…": "..."}
"""How German is written in ASCII: the fonts of OpenCV before version 5 have nothing else."""
_UNICODE_SINCE = 5
_WHITE: Colour = (255, 255, 255)
_LINES, _LEAST_PX = (36, 42, 50, 60), 10
"""A line of text is so much smaller than the picture, the largest for which there is room, and no smaller than can be read."""
_LINES_PER_ITEM = 6
"""Of many small items the words are to leave something to be seen."""
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


def graded(image: Image, marks: Sequence[Mark], belt: NDArray[np.float32] | None = None) -> Image:
    """A copy with all marks; the words of one item cover no other's where there is room.

    Args:
        image: (height, width, 3) uint8, BGR.
        marks: what to draw.
        belt: (4, 2) corners in pixels of what was looked at; None: the whole picture.
    """
    shown = image.copy()
    outlines = [np.rint(mark.contour).astype(np.int32) for mark in marks]
    boxes = np.array([cv2.boundingRect(outline) for outline in outlines], np.int64).reshape(-1, 4)
    line, corners = _arranged(image, [mark.words for mark in marks], boxes)
    thick = max(1, round(line / 9))
    if belt is not None:
        cv2.polylines(shown, [np.rint(belt).astype(np.int32)], isClosed=True, color=BELT, thickness=2 * thick)
    for mark, outline, box in zip(marks, outlines, boxes, strict=True):
        cv2.polylines(shown, [outline], isClosed=True, color=COLOURS[mark.kind], thickness=thick, lineType=cv2.LINE_AA)
        cv2.rectangle(shown, (int(box[0]), int(box[1])), tuple(map(int, box[:2] + box[2:])), COLOURS[mark.kind], thick)
    for mark, corner in zip(marks, corners, strict=True):
        _write(shown, corner, mark, line)
    return shown


def _arranged(image: Image, words: Sequence[Sequence[str]], boxes: Boxes) -> tuple[int, list[tuple[int, int]]]:
    """Height of a line of text, and where each item's words stand: as large as there is room for."""
    corners: list[tuple[int, int]] = []
    line = 0
    for lines in _LINES:
        line = _line(image, boxes, lines)
        corners, covered = _placed([_size(each, line) for each in words], boxes, image)
        if not covered:
            break
    return line, corners


def _placed(sizes: Sequence[tuple[int, int]], boxes: Boxes, image: Image) -> tuple[list[tuple[int, int]], int]:
    """Upper left corners of all words, and how many pixels of other words and of items they cover."""
    taken = np.zeros((0, 4), np.int64)
    covered = 0
    for number, size in enumerate(sizes):
        others = np.delete(boxes, number, axis=0)
        corner = _place(size, boxes[number], others, taken, image)
        covered += _covered(corner, size, taken) + _covered(corner, size, boxes)
        taken = np.vstack((taken, (*corner, *size)))
    return [(int(left), int(top)) for left, top, _, _ in taken], covered


def _line(image: Image, boxes: Boxes, lines: int) -> int:
    """Height of a line of text in pixels, of which so many make the picture's side, or fewer."""
    line = float(np.sqrt(image.shape[0] * image.shape[1])) / lines
    if len(boxes):
        line = min(line, float(np.median(boxes[:, 2:].max(axis=1))) / _LINES_PER_ITEM)
    return max(_LEAST_PX, round(line))


def _place(size: tuple[int, int], own: Boxes, others: Boxes, taken: Boxes, image: Image) -> tuple[int, int]:
    """Where an item's words stand: above it, below it, beside it or on it.

    That is wherever they cover least of other words, then of other items, then of itself.
    """
    (height, width), (across, down) = image.shape[:2], size
    x, y, wide, high = map(int, own)
    lefts, tops = (x, x + wide - across, x + (wide - across) // 2), (y - down, y + high, y, y + high - down)
    places = [(min(max(0, left), max(0, width - across)), top) for top in tops for left in lefts]
    middle = y + (high - down) // 2
    places += [(left, top) for left in (x + wide, x - across) for top in (middle, y, y + high - down)]
    inside = [each for each in places if _fits(each, size, width, height)] or [(0, 0)]
    return min(inside, key=lambda each: tuple(_covered(each, size, boxes) for boxes in (taken, others, own[None])))


def _fits(corner: tuple[int, int], size: tuple[int, int], width: int, height: int) -> bool:
    """Whether words in this place lie within the picture; such as are wider than it begin at its left."""
    (left, top), (across, down) = corner, size
    return left >= 0 and top >= 0 and top + down <= height and (left + across <= width or left == 0)


def _size(words: Sequence[str], line: int) -> tuple[int, int]:
    scale = _scale(line)
    widest = max((cv2.getTextSize(_plain(text), _FONT, scale, _thick(line))[0][0] for text in words), default=0)
    pad = round(_PAD * line)
    return widest + 2 * pad, round(1.5 * line * len(words)) + pad


def _scale(line: int) -> float:
    return float(cv2.getFontScaleFromHeight(_FONT, line, 1))


def _thick(line: int) -> int:
    return max(1, round(line / 12))


def _covered(corner: tuple[int, int], size: tuple[int, int], boxes: Boxes) -> int:
    """Pixels of boxes that words in this place would cover."""
    low = np.maximum(boxes[:, :2], corner)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], np.add(corner, size))
    return int(np.maximum(high - low, 0).prod(axis=1).sum())


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
