"""`werkpuls teach`: makes a product's profile from a handful of photos, or adds to it."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.quality.card import ModelRefused
from models.quality.classifier import WEIGHTS, Classifier
from models.quality.runtime import RuntimeUnavailable
from werkpuls.options import needs_opencv
from werkpuls.pictures import WITHOUT_COLOUR, colourless, corners, cropped, photos
from wire.messages import NAME_PATTERN
from wire.naming import plain_name

if TYPE_CHECKING:
    from edge.vision.inspector import Inspector
    from models.quality.doubts import Doubt, NetSays
    from models.quality.example import Example
    from models.quality.teach import Profile

SUMMARY = "teach a product with a handful of photos"
EXAMPLE = "werkpuls teach rolls --good photos/good --bad photos/bad"
DONE, PROBLEM, WRONG_USE = 0, 1, 2


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
    before = parser.add_mutually_exclusive_group()
    before.add_argument("--add", action="store_true", help="add to what the profile was taught before")
    before.add_argument("--replace", action="store_true", help="forget what the profile was taught before")
    parser.add_argument(
        "--json", action="store_true", help="say what was taught, and what is doubtful, as one JSON line"
    )
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
    problem = _problem(args)
    if problem:
        return _say(problem, WRONG_USE)
    from edge.vision.inspector import Inspector  # noqa: PLC0415  # needs OpenCV
    from models.quality.profile import SUFFIX, ProfileRefused, read_profile, write_profile  # noqa: PLC0415  # as above
    from models.quality.teach import Profile  # noqa: PLC0415  # as above

    started = time.monotonic()
    path: Path = args.profile if args.profile.suffix == SUFFIX else args.profile.with_name(args.profile.name + SUFFIX)
    if not (args.add or args.replace) and os.path.lexists(path):
        return _say(f"{path}: is there already: --add adds to it, --replace teaches it anew", WRONG_USE)
    try:
        classifier = Classifier.load(args.weights / "goods.tflite", args.weights / "goods.json")
        before = read_profile(path, classifier.card.sha256) if args.add else None
    except (ModelRefused, ProfileRefused, RuntimeUnavailable) as exc:
        return _say(str(exc), PROBLEM)
    inspector = Inspector(classifier)
    good, bad = (_lesson(inspector, given, args) for given in (args.good, args.bad))
    if args.bad and not bad.examples:
        return _say("no whole item is on the photos of bad items", PROBLEM)
    try:
        if before is None:
            profile = Profile.teach(args.product or path.stem, classifier.card.sha256, good.examples, bad.examples)
        else:
            profile = before.corrected(good.examples, bad.examples)
        card = write_profile(profile, path, datetime.now(UTC).isoformat(timespec="seconds"))
    except (ValueError, OSError) as exc:
        found = f"found on the photos: {len(good.examples)} good, {len(bad.examples)} bad"
        return _say(f"{path}: {exc}; {found}", PROBLEM)
    doubts = _doubts(profile, good, bad)
    for doubt in doubts:
        _say(doubt["text"], DONE)
    seconds = time.monotonic() - started
    if args.json:
        said = {"profile": str(path), "product": card.product, "good": card.good, "bad": card.bad, "doubts": doubts}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{path}: {card.product}, {card.good} good and {card.bad} bad items, {seconds:.1f} s\n")
    return DONE


def _problem(args: argparse.Namespace) -> str:
    """Why it cannot be taught as asked; empty where it can."""
    name = args.profile.name.removesuffix(".json")
    if not args.good and not (args.add and args.bad):
        return "--good is needed: photos of good items (with --add, --bad alone will do)"
    if not args.add and not re.match(NAME_PATTERN, name):
        return (
            f"{name}: the file's name is the product's for a camera, and that has small letters, digits, - and _, at most 63: "
            f"call it {plain_name(name) or 'goods'}.json; what people call it is told with --product"
        )
    return needs_opencv()


@dataclass(slots=True)
class _Lesson:
    """Items of one kind, and how many of them the shipped net calls what."""

    examples: list[Example] = field(default_factory=list)
    net_good: int = 0
    net_reject: int = 0

    @property
    def net(self) -> NetSays:
        """The same as counts."""
        from models.quality.doubts import NetSays  # noqa: PLC0415  # needs OpenCV

        return NetSays(len(self.examples), self.net_good, self.net_reject)


def _lesson(inspector: Inspector, given: Sequence[Path], args: argparse.Namespace) -> _Lesson:
    """Whole items on photos; photos that cannot be used, or show none, are named and left out."""
    from werkpuls.closeup import inspect  # noqa: PLC0415  # needs OpenCV

    lesson = _Lesson()
    for photo in photos(given):
        seen = cropped(photo, args.corners)
        if seen.image is None:
            _say(seen.problem, PROBLEM)
            continue
        if colourless(seen.image):
            _say(f"{photo.path}: {WITHOUT_COLOUR}", PROBLEM)
        items = inspect(inspector, seen.image)[0].judged
        if not items:
            _say(f"{photo.path}: no whole item is on it", PROBLEM)
        lesson.examples += [item.example for item in items]
        lesson.net_good += sum(item.verdict == "good" for item in items)
        lesson.net_reject += sum(item.verdict == "reject" for item in items)
    return lesson


def _doubts(profile: Profile, good: _Lesson, bad: _Lesson) -> list[dict[str, Any]]:
    """What may be wrong with what was taught, with its counts and in words."""
    from models.quality.doubts import doubts  # noqa: PLC0415  # needs OpenCV

    return [_worded(doubt) for doubt in doubts(profile, good.net, bad.net)]


def _worded(doubt: Doubt) -> dict[str, Any]:
    from models.quality.doubts import ADVISED  # noqa: PLC0415  # see above

    if doubt.code == "few":
        text = f"only {doubt.good} good items: with {ADVISED} to 20 it knows better what is usual"
        return {"code": doubt.code, "good": doubt.good, "text": text}
    if doubt.code == "in_both":
        text = f"{doubt.good} items were taught as good and as bad: the same photo is in both folders"
        return {"code": doubt.code, "items": doubt.good, "text": text}
    counts = {"code": doubt.code, "good": doubt.good, "bad": doubt.bad}
    if doubt.code == "mixed_up":
        text = f"of the taught items, {doubt.good} good ones look bad and {doubt.bad} bad ones look good: "
        return {**counts, "text": text + "are they in the right folder?"}
    parts = [f"{doubt.good} of {doubt.of_good} good items for bad"] if doubt.of_good else []
    parts += [f"{doubt.bad} of {doubt.of_bad} bad items for good"] if doubt.of_bad else []
    text = f"without this profile, the net takes {' and '.join(parts)}: "
    swapped = doubt.of_good and doubt.of_bad
    ask = "are the folders swapped?" if swapped else "right for a product that it does not know; else look again"
    return {**counts, "text": text + ask}


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code
