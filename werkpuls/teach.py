"""`werkpuls teach`: makes a product's profile from a handful of photos, or adds to it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models.quality.card import ModelRefused
from models.quality.classifier import WEIGHTS, Classifier
from models.quality.runtime import RuntimeUnavailable
from werkpuls.options import needs_opencv
from werkpuls.pictures import corners, cropped, photos

if TYPE_CHECKING:
    from edge.vision.inspector import Inspector
    from models.quality.example import Example
    from models.quality.teach import Profile

SUMMARY = "teach a product with a handful of photos"
EXAMPLE = "werkpuls teach rolls --good photos/good --bad photos/bad"
DONE, PROBLEM, WRONG_USE = 0, 1, 2
ADVISED = 8
"""Good items below which a profile is made, with a warning."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument(
        "profile", type=Path, metavar="PROFILE", help="file to write, .json is added where it has no ending"
    )
    parser.add_argument(
        "--good",
        nargs="+",
        type=Path,
        default=(),
        metavar="DIR",
        help="photos of good items, one or many items on each: 8 to 20 items are enough",
    )
    parser.add_argument(
        "--bad", nargs="+", type=Path, default=(), metavar="DIR", help="photos of bad items; may be left out"
    )
    parser.add_argument("--product", metavar="NAME", help="what it is called (default: the file's name)")
    parser.add_argument("--add", action="store_true", help="add to what the profile was taught before")
    parser.add_argument(
        "--corners",
        type=corners,
        metavar="X,Y,X,Y,X,Y,X,Y",
        help="look only at the belt or tray: top left, top right, bottom right, bottom left as fractions of the photo",
    )
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, metavar="DIR", help="goods.tflite and goods.json (default: shipped)"
    )


def run(args: argparse.Namespace) -> int:
    """Teaches; 0 done, 1 photos or the profile cannot be used and nothing was written, 2 wrong use."""
    problem = needs_opencv()
    if not args.good and not (args.add and args.bad):
        problem = "--good is needed: photos of good items (with --add, --bad alone will do)"
    if problem:
        return _say(problem, WRONG_USE)
    from edge.vision.inspector import Inspector  # noqa: PLC0415  # needs OpenCV
    from models.quality.profile import SUFFIX, ProfileRefused, read_profile, write_profile  # noqa: PLC0415  # as above
    from models.quality.teach import Profile  # noqa: PLC0415  # as above

    started = time.monotonic()
    path: Path = args.profile if args.profile.suffix == SUFFIX else args.profile.with_name(args.profile.name + SUFFIX)
    try:
        classifier = Classifier.load(args.weights / "goods.tflite", args.weights / "goods.json")
        before = read_profile(path, classifier.card.sha256) if args.add else None
    except (ModelRefused, ProfileRefused, RuntimeUnavailable) as exc:
        return _say(str(exc), PROBLEM)
    inspector = Inspector(classifier)
    good, bad = (_examples(inspector, given, args) for given in (args.good, args.bad))
    if args.bad and not bad:
        return _say("no whole item is on the photos of bad items", PROBLEM)
    try:
        if before is None:
            profile = Profile.teach(args.product or path.stem, classifier.card.sha256, good, bad)
        else:
            profile = before.corrected(good, bad)
        card = write_profile(profile, path, datetime.now(UTC).isoformat(timespec="seconds"))
    except (ValueError, OSError) as exc:
        return _say(f"{path}: {exc}; found on the photos: {len(good)} good, {len(bad)} bad", PROBLEM)
    _warn(profile)
    seconds = time.monotonic() - started
    sys.stdout.write(f"{path}: {card.product}, {card.good} good and {card.bad} bad items, {seconds:.1f} s\n")
    return DONE


def _examples(inspector: Inspector, given: Sequence[Path], args: argparse.Namespace) -> list[Example]:
    """Whole items on photos; photos that cannot be used, or show none, are named and left out."""
    from werkpuls.closeup import inspect  # noqa: PLC0415  # needs OpenCV

    found = []
    for photo in photos(given):
        seen = cropped(photo, args.corners)
        if seen.image is None:
            _say(seen.problem, PROBLEM)
            continue
        items = inspect(inspector, seen.image)[0].judged
        if not items:
            _say(f"{photo.path}: no whole item is on it", PROBLEM)
        found += [item.example for item in items]
    return found


def _warn(profile: Profile) -> None:
    """Says that they are few, and which taught items the profile itself would not call what they were called: somebody may have mixed them up."""
    if len(profile.good) < ADVISED:
        _say(f"only {len(profile.good)} good items: with {ADVISED} to 20 it knows better what is usual", DONE)
    wrong = sum(profile.judge(each).verdict == "reject" for each in profile.good)
    missed = sum(profile.judge(each).verdict == "good" for each in profile.bad)
    if wrong or missed:
        _say(
            f"of the taught items, {wrong} good ones look bad and {missed} bad ones look good: are they in the right folder?",
            DONE,
        )


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code
