"""The labelled photos: boxes by photo, and which found item is which labelled one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Missing, require
from edge.vision.items import FoundItem

Box = tuple[float, float, float, float]
"""x, y, width, height; in any unit."""
SAME = 0.5
"""Two boxes with at least this intersection over union are the same item."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled item.

    Args:
        box: in pixels of the photo.
        whole: whether it is a whole biscuit; else it is broken.
    """

    box: Box
    whole: bool


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo with what lies in it.

    Args:
        name: of the file.
        group: the photographer.
        image: (height, width, 3) uint8, BGR.
        items: all labelled items.
    """

    name: str
    group: str
    image: NDArray[np.uint8]
    items: tuple[Labelled, ...]


def biscuits(data: Path) -> Iterator[Photo]:
    """The photos of whole and broken biscuits, in the order of their names.

    Raises:
        Missing: they are not there.
    """
    folder = require(data / "images" / "biscuits")
    rows: dict[str, list[dict[str, str]]] = {}
    with require(folder / "labels.csv").open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            rows.setdefault(row["photo"], []).append(row)
    for name in sorted(rows):
        image = picture(folder / name)
        height, width = image.shape[:2]
        items = tuple(
            Labelled(
                (
                    float(row["x"]) * width,
                    float(row["y"]) * height,
                    float(row["w"]) * width,
                    float(row["h"]) * height,
                ),
                row["label"] == "whole",
            )
            for row in rows[name]
        )
        yield Photo(name, rows[name][0]["group"], image, items)


def picture(path: Path) -> NDArray[np.uint8]:
    """A photo, (height, width, 3) uint8, BGR.

    Raises:
        Missing: there is none.
    """
    image = cv2.imread(str(require(path)))
    if image is None:
        raise Missing(f"{path} is no picture")
    return np.asarray(image, np.uint8)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1.

    >>> overlap((0, 0, 2, 2), (1, 0, 2, 2))
    0.3333333333333333
    """
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[0] + one[2], other[0] + other[2]), min(one[1] + one[3], other[1] + other[3])
    both = max(0.0, right - left) * max(0.0, bottom - top)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def match(found: Sequence[Box], labelled: Sequence[Box]) -> dict[int, int]:
    """Which labelled item each found one is, each used once, the best overlaps first; those that are none are missing."""
    pairs = sorted(((overlap(a, b), k, j) for k, a in enumerate(found) for j, b in enumerate(labelled)), reverse=True)
    taken: dict[int, int] = {}
    for value, k, j in pairs:
        if value >= SAME and k not in taken and j not in taken.values():
            taken[k] = j
    return taken


def known(photo: Photo, items: Sequence[FoundItem]) -> list[tuple[FoundItem, Labelled]]:
    """Found items that are labelled ones, with their labels."""
    pairs = match([item.box for item in items], [item.box for item in photo.items])
    return [(items[k], photo.items[j]) for k, j in sorted(pairs.items())]
