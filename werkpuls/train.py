"""`werkpuls train`: makes the classifier's weights, or continues them on a firm's own labelled photos."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.quality.card import Card, ModelRefused, read_card
from models.quality.classifier import WEIGHTS
from models.training.labels import LABELS
from werkpuls.words import Words

if TYPE_CHECKING:
    from models.training.dataset import Box, Dataset

EXAMPLE = "werkpuls train photos --out our-goods"
DONE, PROBLEM, WRONG_USE = 0, 1, 2

CALIBRATION_SEED, TEST_SEED = 1_000_001, 1_000_002
"""Seeds of the crops for calibration and for test, which no `--seed` of training may be."""
HELD_BACK = 5
"""Of every five photos of a label the second is kept for the test."""
OWN_SHARE = 1.0
"""A firm's own crops are repeated until they are about this many times the rendered ones."""
LIMITS = (
    "Trained on rendered pictures alone: what the renderer does not draw, the net has never seen.",
    "Goods that are nearly black or nearly white when they are well baked look burnt or underbaked to it; teach such a product.",
    "Deformed means an outline that no common good has; a wrong size is measured, not graded by the net.",
    "It sees the upper side only, and one piece at a time.",
)

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    folder = words.say("value.dir")
    parser.add_argument(
        "photos", nargs="?", type=Path, metavar=folder, help=words.say("train.photos", names=", ".join(LABELS))
    )
    parser.add_argument("--out", type=Path, default=Path("weights"), metavar=folder, help=words.say("train.out"))
    parser.add_argument("--from", dest="start", type=Path, metavar=folder, help=words.say("train.start"))
    parser.add_argument("--rendered", type=int, metavar="N", help=words.say("train.rendered"))
    parser.add_argument("--checks", type=int, default=4000, metavar="N", help=words.say("train.checks"))
    parser.add_argument("--steps", type=int, metavar="N", help=words.say("train.steps"))
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=words.say("train.seed"))
    parser.add_argument("--threads", type=int, default=2, metavar="N", help=words.say("train.threads"))
    parser.add_argument("--cache", type=Path, metavar=folder, help=words.say("train.cache"))
    parser.add_argument("--name", default="goods", metavar=words.say("value.name"), help=words.say("train.name"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Trains; 1 where photos or weights are not what they must be, 2 where TensorFlow is missing or options contradict."""
    count = args.rendered if args.rendered is not None else 40000 if args.photos is None else 2000
    steps = args.steps if args.steps is not None else 3000 if args.photos is None else 300
    if count < 0 or args.checks < 1 or steps < 1 or args.threads < 1 or (args.photos is None and count == 0):
        return _say(words.say("train.not_positive"), WRONG_USE)
    if args.seed < 0 or args.seed in (CALIBRATION_SEED, TEST_SEED):
        return _say(words.say("train.bad_seed", seed=args.seed), WRONG_USE)
    if importlib.util.find_spec("tensorflow") is None:
        return _say(words.say("train.tensorflow"), WRONG_USE)
    from models.training.photos import PhotosRefused  # noqa: PLC0415  # needs OpenCV, which not every machine has

    try:
        card = _train(args, count, steps)
    except (ModelRefused, PhotosRefused) as exc:
        return _say(words.told(exc), PROBLEM)
    figures = ", ".join(f"{name} {value:.3f}" for name, value in card.figures.items())
    sys.stdout.write(f"{args.out / 'goods.tflite'}: {figures}\n")
    return DONE


def _train(args: argparse.Namespace, count: int, steps: int) -> Card:
    from models.training.cache import Cache  # noqa: PLC0415  # as above
    from models.training.dataset import PART, joined, rendered  # noqa: PLC0415  # as above
    from models.training.fit import continue_training, train  # noqa: PLC0415  # needs TensorFlow
    from models.training.recipe import Story, make, unpack  # noqa: PLC0415  # as above

    begun = time.monotonic()
    own, held_back = (None, None) if args.photos is None else _own(args.photos)
    folder = args.start or (None if own is None else WEIGHTS)
    before = None if folder is None else read_card(folder / "goods.json")
    kept = None if args.cache is None else Cache(args.cache, cropper)
    checks = [joined([*rendered(seed, args.checks, cropper, kept)]) for seed in (CALIBRATION_SEED, TEST_SEED)]
    parts = rendered(args.seed, count, cropper, kept)
    number = -(-count // PART)
    if folder is None or before is None:
        weights = train(parts, number, steps, args.seed, threads=args.threads)
    else:
        weights = unpack(folder, before)
        copies = [] if own is None else [own] * max(1, round(OWN_SHARE * count / len(own)))
        weights = continue_training(
            weights, chain(copies, parts), number + len(copies), steps, args.seed, threads=args.threads
        )
    log.info("trained after %.0f s", time.monotonic() - begun)
    story = Story(
        name=args.name,
        data=_data(args, count, own, before),
        limits=LIMITS,
        command=_command(args, count, steps, before),
    )
    return make(weights, checks[0], checks[1] if held_back is None else held_back, story, args.out)


def _own(folder: Path) -> tuple[Dataset, Dataset]:
    """A firm's crops for training, and those of every fifth photo of a label for test."""
    from models.training.dataset import joined  # noqa: PLC0415  # needs OpenCV
    from models.training.photos import PhotosRefused, crops_of, labelled_photos  # noqa: PLC0415  # as above

    parts: tuple[list[Dataset], list[Dataset]] = ([], [])
    seen: Counter[int] = Counter()
    for path, data in crops_of(labelled_photos(folder), cropper):
        if data is None:
            log.warning("%s shows no piece, or is no picture; it is left out", path)
            continue
        label = int(data.labels[0])
        parts[seen[label] % HELD_BACK == 1].append(data)
        seen[label] += 1
    if not parts[0] or not parts[1]:
        raise PhotosRefused(f"{folder} has too few photos with pieces on them: each label needs two")
    return joined(parts[0]), joined(parts[1])


def cropper(picture: NDArray[np.uint8]) -> list[tuple[Box, NDArray[np.uint8]]]:
    """The pieces that the node's finder sees whole."""
    from edge.vision.items import find_items  # noqa: PLC0415  # needs OpenCV
    from models.quality.crop import item_crop  # noqa: PLC0415  # as above

    return [(item.box, item_crop(picture, item.contour).rgb) for item in find_items(picture) if not item.cut_off]


def _data(args: argparse.Namespace, count: int, own: Dataset | None, before: Card | None) -> str:
    text = f"{count} rendered crops of the renderer in models.training.render, seed {args.seed}; no photo"
    if own is not None:
        text = f"{len(own)} crops of own labelled photos, and {count} rendered ones of seed {args.seed}"
    if before is not None:
        text = f"First: {before.data} Then: {text}"
    return f"{text}. Calibrated on {args.checks} rendered crops of another seed."


def _command(args: argparse.Namespace, count: int, steps: int, before: Card | None) -> str:
    words: list[Any] = ["werkpuls train"]
    if args.photos is not None:
        words.append(args.photos.name)
    words += ["--rendered", count, "--checks", args.checks, "--steps", steps, "--seed", args.seed]
    if before is None:
        return " ".join(map(str, words))
    return f"{before.command} --out first; {' '.join(map(str, words))} --from first"


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code
