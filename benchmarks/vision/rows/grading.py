"""The shipped model: real biscuits it has never seen, rendered goods of another seed, integers against floats, another processor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.condition.row import Bench, Floor, Row
from benchmarks.vision.photos import biscuits as photos
from benchmarks.vision.photos import known
from edge.vision.items import find_items
from models.quality.card import GOOD
from models.quality.classifier import WEIGHTS, Classifier, Grades, decide
from models.quality.crop import item_crop
from models.training.dataset import PART, Dataset, joined, rendered_part
from models.training.evaluate import figures, good_against_bad
from models.training.net import forward
from models.training.recipe import unpack
from werkpuls.train import cropper

SEED = 20_260_000
"""Of the rendered test set; training, calibration and the card's own test have others."""
OTHER_PYTHON = "WERKPULS_AARCH64"
"""Environment variable: the command of a Python for aarch64 with the camera packages, as `sh deploy/runtime.sh aarch64` prints it."""
OLD_RUNTIME = "WERKPULS_TFLITE"
"""The same of a Python 3.11 with tflite-runtime and numpy 1; `sh deploy/runtime.sh tflite`."""


def biscuits(bench: Bench) -> Row:
    """Good against broken by the weights that ship; no photo trained them, and nothing was chosen by photographer."""
    classifier = Classifier.shipped()
    crops: list[NDArray[np.uint8]] = []
    whole: list[bool] = []
    groups: list[str] = []
    for photo in photos(bench.data):
        for item, labelled in known(photo, [item for item in find_items(photo.image) if not item.cut_off]):
            crops.append(item_crop(photo.image, item.contour).rgb)
            whole.append(labelled.whole)
            groups.append(photo.group)
    grades = classifier.classify(np.stack(crops))
    verdicts = np.array([decide(row, classifier.card).verdict for row in grades.probabilities])
    good, group = np.array(whole), np.array(groups)
    measured = good_against_bad(good, verdicts)
    named = np.where(grades.probabilities[:, grades.labels.index(GOOD)] > 0.5, "good", "reject")
    by_group = {name: good_against_bad(good[group == name], named[group == name]) for name in sorted(set(groups))}
    _sheet(
        bench.plots,
        "graded-wrong",
        [crop for crop, g, v in zip(crops, good, verdicts, strict=True) if v != ("good" if g else "reject")],
    )
    return Row(
        f"biscuits, {len(crops)} items, shipped weights",
        {
            "balanced accuracy": round(measured["balanced_good_bad"], 4),
            "unsure": round(measured["unsure"], 4),
            "without unsure": round(good_against_bad(good, named)["balanced_good_bad"], 4),
            "sold though broken": int(((verdicts == "good") & ~good).sum()),
            "wasted though whole": int(((verdicts == "reject") & good).sum()),
        },
        (Floor("balanced accuracy", 0.95), Floor("unsure", 0.03, at_least=False)),
        notes=(
            "by photographer, nobody unsure: "
            + ", ".join(f"{k} {v['balanced_good_bad']:.3f}" for k, v in by_group.items()),
        ),
    )


def rendered(bench: Bench) -> Row:
    """Recall of every label on goods rendered with a seed of their own."""
    data = _test_set(bench)
    classifier = Classifier.shipped()
    started = time.thread_time()
    grades = classifier.classify(data.crops)
    milliseconds = 1e3 * (time.thread_time() - started) / len(data)
    measured = figures(data, grades, classifier.card)
    _sheet(bench.plots, "rendered-wrong", list(data.crops[grades.probabilities.argmax(axis=1) != data.labels]))
    recalls = {name: value for name, value in measured.items() if name.startswith("recall_")}
    return Row(
        f"rendered test set, {len(data)} items",
        {**measured, "ms an item": round(milliseconds, 3)},
        tuple(Floor(name, 0.95) for name in recalls),
        notes=(f"{classifier.card.views} views of each item are graded",),
    )


def integers(bench: Bench) -> Row:
    """What the step from floats to integers costs, on one view of the rendered test set."""
    data = _test_set(bench)
    classifier = Classifier.shipped()
    weights = unpack(WEIGHTS, classifier.card)
    floats = np.concatenate([forward(weights, data.crops[at : at + 50])[0] for at in range(0, len(data), 50)])
    grades: Grades = classifier.classify(data.crops, views=1)
    right = [float((said.argmax(axis=1) == data.labels).mean()) for said in (floats, grades.probabilities)]
    same = float((floats.argmax(axis=1) == grades.probabilities.argmax(axis=1)).mean())
    return Row(
        f"int8 against float, {len(data)} rendered items",
        {
            "float accuracy": round(right[0], 4),
            "int8 accuracy": round(right[1], 4),
            "loss in points": round(100 * (right[0] - right[1]), 2),
            "same label": round(same, 4),
        },
        (Floor("loss in points", 0.5, at_least=False),),
        notes=("float: the checkpoint in numpy; int8: the shipped file",),
    )


def processors(bench: Bench) -> Row:
    """The same verdicts by another processor's Python."""
    return _both(
        bench,
        "the same verdicts on x86-64 and aarch64",
        OTHER_PYTHON,
        "aarch64",
        "machine",
        Floor("same verdicts", 1.0),
    )


def runtimes(bench: Bench) -> Row:
    """The same verdicts by the older runtime."""
    return _both(
        bench, "the same verdicts by both runtimes", OLD_RUNTIME, "tflite", "runtime", Floor("same verdicts", 0.99)
    )


def _both(bench: Bench, title: str, variable: str, kind: str, told: str, floor: Floor) -> Row:
    """500 rendered crops, graded here and by the Python that an environment variable names."""
    command = os.environ.get(variable)
    if not command:
        return Row(
            title, skipped=f"{variable} names no Python; sh deploy/runtime.sh {kind} makes one ready and prints it"
        )
    data = _test_set(bench)
    with tempfile.TemporaryDirectory() as folder:
        crops, here, there = (Path(folder) / name for name in ("crops.npy", "here.npz", "there.npz"))
        np.save(crops, data.crops[:500])
        for python, out in (([sys.executable], here), (shlex.split(command), there)):
            subprocess.run([*python, "-m", "benchmarks.vision.verdicts", str(crops), str(out)], check=True)
        with np.load(here) as one, np.load(there) as other:
            who = f"{one[told]} and {other[told]}"
            same = float((one["verdicts"] == other["verdicts"]).mean())
            widest = float(np.abs(one["probabilities"] - other["probabilities"]).max())
    return Row(
        f"the same verdicts: {who}",
        {"same verdicts": round(same, 4), "largest difference of a probability": round(widest, 4)},
        (floor,),
    )


def _test_set(bench: Bench) -> Dataset:
    """2000 crops, three times as many with `--full`."""
    return joined([rendered_part(SEED, part, cropper, PART) for part in range(3 if bench.full else 1)])


def _sheet(folder: Path | None, name: str, crops: list[NDArray[np.uint8]]) -> None:
    """Crops side by side, at most 160."""
    if folder is None or not crops:
        return
    folder.mkdir(parents=True, exist_ok=True)
    shown = crops[:160]
    shown += [np.full_like(shown[0], 118)] * (-len(shown) % 16)
    sheet = np.vstack([np.hstack(shown[at : at + 16]) for at in range(0, len(shown), 16)])
    cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
