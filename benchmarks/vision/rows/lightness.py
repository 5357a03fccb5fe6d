"""Crust colour of real crops that were darkened and lightened in steps: a simulation of burnt and underbaked, and called one.

Each biscuit of the photos is shifted in L* alone, in place and by its labelled box, so that everything from finding on runs as
always. What it should measure is computed apart: the shifted pixels inside of the item's outline in the unchanged photo, by
the formulas of CIE 15 in floating point.
"""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row
from benchmarks.vision.photos import Photo, biscuits, known, match
from edge.vision.items import find_items
from models.quality.measure import measure as measured

STEPS = (-36, -24, -12, 0, 8, 16)
"""Added to L*; what lies beyond black and white is clipped, as in a photo."""
EVERY = 6
"""Every so many photos are taken; all with `--full`."""


def measure(bench: Bench) -> Row:
    """Error of L* against the formula, and whether a darker item ever measured lighter."""
    errors: list[float] = []
    inverted = lost = items = 0
    for number, photo in enumerate(biscuits(bench.data)):
        if number % EVERY and not bench.full:
            continue
        read: dict[int, dict[int, float]] = defaultdict(dict)
        pairs = known(photo, find_items(photo.image))
        outlines = [item.contour for item, _ in pairs]
        for step in STEPS:
            shifted, truth = _shifted(photo, outlines, step)
            found = find_items(shifted)
            for k, j in match([item.box for item in found], [item.box for item, _ in pairs]).items():
                read[j][step] = measured(shifted, found[k].contour).lightness
                errors.append(abs(read[j][step] - truth[j]))
        items += len(pairs)
        for j in range(len(pairs)):
            values = [read[j][step] for step in STEPS if step in read[j]]
            lost += len(STEPS) - len(values)
            inverted += int((np.diff(values) <= 0).sum())
    return Row(
        f"real biscuits shifted in L* by {', '.join(str(step) for step in STEPS)}: a simulation; {items} items",
        {
            "L* error, worst": round(max(errors), 2),
            "L* error, mean": round(float(np.mean(errors)), 2),
            "inverted": inverted,
            "not found again": lost,
        },
        (Floor("L* error, worst", 2, at_least=False), Floor("inverted", 0, at_least=False)),
        notes=() if bench.full else (f"every {EVERY}th photo; all with --full",),
    )


def _shifted(photo: Photo, outlines: list[NDArray[np.float32]], step: int) -> tuple[NDArray[np.uint8], list[float]]:
    """The photo with all items shifted, and the true mean L* of each."""
    inside = np.zeros(photo.image.shape[:2], np.uint8)
    for outline in outlines:
        cv2.fillPoly(inside, [np.rint(outline - 0.5).astype(np.int32)], 1)
    lab = np.asarray(cv2.cvtColor(photo.image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)
    # A soft seam, as an item's edge in a photo is one.
    weight = np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.7), np.float32)
    lab[..., 0] = np.clip(lab[..., 0] + step * weight, 0, 100)
    back = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), np.float32)
    image = np.rint(np.clip(back, 0, 1) * 255).astype(np.uint8)
    truth = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)[..., 0]
    means = []
    for outline in outlines:
        own = np.zeros(inside.shape, np.uint8)
        cv2.fillPoly(own, [np.rint(outline - 0.5).astype(np.int32)], 1)
        means.append(float(truth[own > 0].mean()))
    return image, means
