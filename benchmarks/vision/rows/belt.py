"""Bread rolls on a belt: turned copies of real frames, with machinery around and in front of the belt.

Boxes were drawn by hand, for each photo the part of the belt between four corners, and in it every roll that lies in the part
whole. A roll that the guard rail's rod crosses counts, though an item that hangs together with something at the edge may be
marked as cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.vision.photos import Box, match, picture
from benchmarks.vision.pictures import draw
from edge.vision.geometry import BeltCrop
from edge.vision.items import find_items


@dataclass(frozen=True, slots=True)
class Belt:
    """Corners (top left, top right, bottom right, bottom left) and rolls' left, top, right, bottom; all in pixels."""

    corners: tuple[tuple[int, int], ...]
    rolls: tuple[tuple[int, int, int, int], ...]


BELTS: Mapping[str, Belt] = {
    "rolls_1.jpg": Belt(
        ((107, 209), (1243, 0), (1191, 203), (214, 420)),
        (
            (168, 252, 269, 311),
            (295, 230, 409, 290),
            (425, 209, 548, 269),
            (570, 171, 699, 238),
            (715, 141, 846, 210),
            (879, 106, 1011, 177),
            (1030, 66, 1161, 138),
            (201, 311, 300, 366),
            (325, 287, 436, 348),
            (451, 267, 568, 326),
            (589, 240, 711, 302),
            (759, 203, 888, 268),
            (894, 171, 1022, 239),
            (1051, 134, 1175, 203),
        ),
    ),
    "rolls_2.jpg": Belt(
        ((204, 144), (1505, 150), (1559, 388), (177, 399)),
        (
            (210, 168, 324, 223),
            (353, 159, 469, 214),
            (500, 153, 628, 204),
            (655, 151, 781, 203),
            (812, 153, 941, 203),
            (963, 155, 1089, 204),
            (1120, 159, 1239, 208),
            (1263, 163, 1374, 210),
            (1386, 169, 1490, 218),
            (197, 231, 315, 285),
            (335, 230, 462, 285),
            (500, 225, 630, 279),
            (653, 221, 784, 274),
            (818, 221, 949, 275),
            (971, 223, 1098, 275),
            (1273, 231, 1383, 283),
            (1410, 236, 1510, 289),
            (827, 324, 963, 386),
        ),
    ),
    "rolls_3.jpg": Belt(
        ((364, 315), (1366, 9), (1425, 177), (552, 426)),
        (
            (515, 254, 636, 330),
            (663, 204, 788, 279),
            (815, 156, 939, 231),
            (1096, 78, 1213, 148),
            (1241, 43, 1351, 106),
            (533, 316, 660, 398),
            (679, 267, 806, 347),
            (841, 223, 968, 299),
            (987, 177, 1114, 250),
            (1136, 138, 1255, 209),
            (1278, 102, 1389, 166),
        ),
    ),
}


def measure(bench: Bench) -> Row:
    """Rolls found inside the belt's corners, and what else was found there."""
    folder = require(bench.data / "images" / "belt")
    rolls = found_rolls = marked = others = anyhow = 0
    for name, belt in BELTS.items():
        image = picture(folder / name)
        height, width = image.shape[:2]
        crop = BeltCrop([(x / width, y / height) for x, y in belt.corners])
        items = find_items(crop.apply(image))
        outlines = [crop.to_frame(item.contour, width, height) for item in items]
        boxes: list[Box] = [
            (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
            for low, high in ((outline.min(axis=0), outline.max(axis=0)) for outline in outlines)
        ]
        labelled: list[Box] = [(x, y, right - x, bottom - y) for x, y, right, bottom in belt.rolls]
        pairs = match(boxes, labelled)
        rolls += len(labelled)
        found_rolls += len(pairs)
        marked += sum(items[k].cut_off for k in pairs)
        anyhow += len(match([item.box for item in find_items(image)], labelled))
        others += sum(not item.cut_off for k, item in enumerate(items) if k not in pairs)
        shown = [(np.asarray(belt.corners, np.float32), False)]
        shown += [(outline, item.cut_off) for outline, item in zip(outlines, items, strict=True)]
        draw(bench.plots, f"belt-{name.removesuffix('.jpg')}", image, shown, labelled)
    return Row(
        f"bread rolls on a belt, {len(BELTS)} photos, corners and boxes by hand",
        {
            "rolls": rolls,
            "missed": rolls - found_rolls,
            "something else": others,
            "of the rolls marked as cut off": marked,
            "share found without corners": round(anyhow / rolls, 3),
        },
        (
            Floor("missed", 0, at_least=False),
            Floor("something else", 0, at_least=False),
            Floor("share found without corners", 0.85),
        ),
    )
