"""What a handful of taught items is worth, by several random draws; the rest is judged.

Nothing is chosen by photographer or product. An `unsure` item counts as judged wrongly.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.vision.photos import biscuits as photos
from benchmarks.vision.photos import match, picture
from edge.vision.inspector import InspectedItem, Inspector
from models.quality.classifier import Classifier
from models.quality.example import Example
from models.quality.teach import Profile

DRAWS = 5
"""With `--full` four times as many."""
TAUGHT = 10
"""Good and bad items of one photographer."""
TAUGHT_WHOLE = 8
PRODUCTS = {"cookies": (1, 16), "digestives": (17, 34), "rings": (35, 85), "jam rings": (86, 90)}
"""File numbers of the fixed camera's photos: runs of what looks like one product, told apart by looking at them in their
order. The rings are of several shades, and in some photos the exposure is another."""


def biscuits(bench: Bench) -> Row:
    """Ten good and ten broken biscuits of one photographer, or ten good ones alone, and the rest of that photographer's."""
    inspector = Inspector(Classifier.shipped())
    seen: dict[str, list[tuple[Example, bool]]] = {}
    for photo in photos(bench.data):
        judged = inspector.inspect(photo.image).judged
        pairs = match([item.found.box for item in judged], [item.box for item in photo.items])
        seen.setdefault(photo.group, []).extend(
            (judged[k].example, photo.items[j].whole) for k, j in sorted(pairs.items())
        )
    balanced: dict[str, list[float]] = {}
    ranked: dict[str, list[float]] = {}
    seconds = []
    for group, items in sorted(seen.items()):
        for draw in range(DRAWS * (4 if bench.full else 1)):
            rng = np.random.default_rng(draw)
            good, bad = (
                [items[k][0] for k in rng.permutation([k for k, each in enumerate(items) if each[1] is whole])]
                for whole in (True, False)
            )
            started = time.thread_time()
            profile = Profile.teach(group, "", good[:TAUGHT], bad[:TAUGHT])
            verdicts = [[profile.judge(each).verdict for each in rest[TAUGHT:]] for rest in (good, bad)]
            seconds.append(time.thread_time() - started)
            balanced.setdefault(group, []).append(
                (verdicts[0].count("good") / len(verdicts[0]) + verdicts[1].count("reject") / len(verdicts[1])) / 2
            )
            alone = Profile.teach(group, "", good[:TAUGHT])
            ranked.setdefault(group, []).append(
                auc([alone.judge(each).good for each in bad], [alone.judge(each).good for each in good[TAUGHT:]])
            )
    means = {group: float(np.mean(values)) for group, values in balanced.items()}
    aucs = {group: float(np.mean(values)) for group, values in ranked.items()}
    return Row(
        f"biscuits, {TAUGHT} good and {TAUGHT} broken taught, or {TAUGHT} good; {len(means)} photographers, {len(seconds)} draws",
        {
            "balanced accuracy, mean": round(float(np.mean([*means.values()])), 4),
            "balanced accuracy, lowest photographer": round(min(means.values()), 4),
            "balanced accuracy, lowest draw": round(min(map(min, balanced.values())), 4),
            "AUC, mean": round(float(np.mean([*aucs.values()])), 4),
            "AUC, lowest photographer": round(min(aucs.values()), 4),
            "AUC, lowest draw": round(min(map(min, ranked.values())), 4),
            "s to learn and judge": round(float(np.median(seconds)), 3),
        },
        (
            Floor("balanced accuracy, mean", 0.97),
            Floor("balanced accuracy, lowest photographer", 0.95),
            Floor("AUC, mean", 0.96),
            Floor("AUC, lowest photographer", 0.93),
        ),
        notes=(
            "by photographer: " + ", ".join(f"{group} {means[group]:.3f} / {aucs[group]:.3f}" for group in means),
            "an unsure item counts as wrong",
        ),
    )


def auc(low: Sequence[float], high: Sequence[float]) -> float:
    """How often one of the second kind has the higher score; ties count half.

    >>> auc([0.1, 0.2], [0.2, 0.9])
    0.875
    """
    one, other = np.asarray(low)[:, None], np.asarray(high)[None]
    return float(((other > one) + 0.5 * (other == one)).mean())


def whole(bench: Bench) -> Row:
    """Eight good ones of a product are taught; every reject among the rest is false."""
    inspector = Inspector(Classifier.shipped())
    seen: dict[str, list[Example]] = {}
    for path in sorted(require(bench.data / "images" / "whole").glob("*.jpg")):
        number = int(path.stem.rpartition("-")[2])
        name = next((name for name, (first, last) in PRODUCTS.items() if first <= number <= last), None)
        judged = inspector.inspect(picture(path)).judged
        if name is not None and judged:
            seen.setdefault(name, []).append(_largest(judged).example)
    counts = np.zeros(3, np.int64)
    by_product, few = [], []
    for name, items in seen.items():
        if len(items) < TAUGHT_WHOLE + 4:
            few.append(f"{name} {len(items)}")
            continue
        own = np.zeros(3, np.int64)
        for draw in range(DRAWS * (4 if bench.full else 1)):
            # The first draw is how a baker would do it: the first eight.
            order = np.random.default_rng(draw).permutation(len(items)) if draw else np.arange(len(items))
            own += _counts([items[k] for k in order])
        by_product.append(f"{name} {own[1]} rejects and {own[2]} unsure of {own[0]}")
        counts += own
    mixed = np.zeros(3, np.int64)
    everything = [each for items in seen.values() for each in items]
    for draw in range(DRAWS * (4 if bench.full else 1)):
        mixed += _counts([everything[k] for k in np.random.default_rng(draw).permutation(len(everything))])
    return Row(
        f"whole biscuits under a fixed camera, {TAUGHT_WHOLE} taught, {counts[0]} judged in {DRAWS} draws or more",
        {
            "rejects %": round(100 * float(counts[1] / max(1, counts[0])), 2),
            "unsure %": round(100 * float(counts[2] / max(1, counts[0])), 2),
            "mixed products as one, rejects %": round(100 * float(mixed[1] / max(1, mixed[0])), 2),
            "mixed products as one, unsure %": round(100 * float(mixed[2] / max(1, mixed[0])), 2),
        },
        (Floor("rejects %", 3, at_least=False),),
        notes=("; ".join(by_product), f"too few photos to teach and judge: {', '.join(few) or 'none'}"),
    )


def seconds(bench: Bench) -> Row:
    """From twenty photo files to a profile on disk, as `werkpuls teach` does it, in a process of its own."""
    files = sorted(require(bench.data / "images" / "whole").glob("*.jpg"))[:20]
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "werkpuls", "teach", str(Path(folder) / "p"), "--good", *map(str, files)]
        started = time.monotonic()
        subprocess.run(words, check=True, capture_output=True)
        taken = time.monotonic() - started
    return Row(
        f"teaching with {len(files)} photos, from start to end of the command",
        {"s": round(taken, 2)},
        (Floor("s", 5, at_least=False),),
        notes=("wall clock: other work on this machine slows it",),
    )


def _counts(items: Sequence[Example]) -> NDArray[np.int64]:
    """Of the items after the taught ones: how many, how many rejected, how many unsure."""
    profile = Profile.teach("whole", "", items[:TAUGHT_WHOLE])
    verdicts = [profile.judge(each).verdict for each in items[TAUGHT_WHOLE:]]
    return np.array((len(verdicts), verdicts.count("reject"), verdicts.count("unsure")), np.int64)


def _largest(items: Sequence[InspectedItem]) -> InspectedItem:
    return max(items, key=lambda item: item.found.area_px)
