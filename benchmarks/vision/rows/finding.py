"""Items found on paper, by two kinds of photos."""

from __future__ import annotations

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.vision.photos import biscuits as photos
from benchmarks.vision.photos import match, picture
from benchmarks.vision.pictures import draw
from edge.vision.items import find_items


def biscuits(bench: Bench) -> Row:
    """Whole and broken biscuits of five photographers: precision and recall of boxes at an overlap of 0.5.

    Items at a photo's edge are not labelled: one that is found there and marked as cut off is neither right nor wrong.
    """
    return _on_paper(bench, grey=False)


def grey(bench: Bench) -> Row:
    """The same photos turned grey, as a camera without colours would see them: a simulation."""
    return _on_paper(bench, grey=True)


def _on_paper(bench: Bench, *, grey: bool) -> Row:
    right = wrong = missed = pictures = 0
    seconds = []
    beyond: list[str] = []
    for photo in photos(bench.data):
        image = _without_colour(photo.image) if grey else photo.image
        pictures += 1
        started = time.thread_time()
        found = find_items(image)
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
            f"find-{'grey-' if grey else ''}{photo.name.removesuffix('.jpg')}",
            image,
            [(item.contour, item.cut_off) for item in found],
            [item.box for item in photo.items],
        )
    floor = 0.95 if grey else 0.97
    return Row(
        f"biscuits, {pictures} photos of five photographers{' turned grey' if grey else ''}, {right + missed} labelled items",
        {
            "precision": round(right / (right + wrong), 4),
            "recall": round(right / (right + missed), 4),
            "ms a photo": round(1e3 * float(np.median(seconds)), 1),
        },
        (Floor("precision", floor), Floor("recall", floor)),
        notes=(
            "a few labels hold two pieces that touch",
            "; ".join(beyond),
        ),
    )


def _without_colour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


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
