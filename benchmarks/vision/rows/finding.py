"""Items found on paper, by two kinds of photos."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.vision.photos import biscuits as photos
from benchmarks.vision.photos import match, picture
from benchmarks.vision.pictures import draw
from edge.vision.items import find_items


def biscuits(bench: Bench) -> Row:
    """Whole and broken biscuits of five photographers: precision and recall of boxes at an overlap of 0.5.

    Items at a photo's edge are not labelled: one that is found there and marked as cut off is neither right nor wrong.
    """
    right = wrong = missed = pictures = 0
    seconds = []
    beyond: list[str] = []
    for photo in photos(bench.data):
        pictures += 1
        started = time.thread_time()
        found = find_items(photo.image)
        seconds.append(time.thread_time() - started)
        pairs = match([item.box for item in found], [item.box for item in photo.items])
        extra = [k for k, item in enumerate(found) if k not in pairs and not item.cut_off]
        right += len(pairs)
        wrong += len(extra)
        missed += len(photo.items) - len(pairs)
        if extra or len(pairs) < len(photo.items):
            beyond.append(f"{photo.name} {len(extra)} more, {len(photo.items) - len(pairs)} missed")
        draw(
            bench.plots,
            f"find-{photo.name.removesuffix('.jpg')}",
            photo.image,
            [(item.contour, item.cut_off) for item in found],
            [item.box for item in photo.items],
        )
    return Row(
        f"biscuits, {pictures} photos of five photographers, {right + missed} labelled items",
        {
            "precision": round(right / (right + wrong), 4),
            "recall": round(right / (right + missed), 4),
            "ms a photo": round(1e3 * float(np.median(seconds)), 1),
        },
        (Floor("precision", 0.97), Floor("recall", 0.97)),
        notes=(
            "a few labels hold two pieces that touch",
            "; ".join(beyond),
        ),
    )


def whole(bench: Bench) -> Row:
    """Single whole biscuits, rings among them: one item each."""
    folder = require(bench.data / "images" / "whole")
    counts = []
    for path in sorted(folder.glob("*.jpg")):
        image = picture(path)
        found = find_items(image)
        counts.append(len(found))
        draw(bench.plots, f"whole-{path.stem}", image, [(item.contour, item.cut_off) for item in found])
    return Row(
        f"whole biscuits under a fixed camera, {len(counts)} photos",
        {"photos with one item": counts.count(1), "others": len(counts) - counts.count(1)},
        (Floor("others", 0, at_least=False),),
    )
