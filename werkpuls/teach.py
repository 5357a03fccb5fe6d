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
from werkpuls.pictures import WITHOUT_COLOUR, corners, cropped, photos
from werkpuls.words import Words
from wire.messages import NAME_PATTERN
from wire.naming import plain_name

if TYPE_CHECKING:
    from edge.vision.inspector import Inspector
    from models.quality.doubts import Doubt, NetSays
    from models.quality.example import Example

EXAMPLE = "werkpuls teach rolls --good photos/good --bad photos/bad"
DONE, PROBLEM, WRONG_USE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    folder = words.say("value.dir")
    parser.add_argument("profile", type=Path, metavar=words.say("value.profile"), help=words.say("teach.profile"))
    parser.add_argument("--good", nargs="+", type=Path, default=(), metavar=folder, help=words.say("teach.good"))
    parser.add_argument("--bad", nargs="+", type=Path, default=(), metavar=folder, help=words.say("teach.bad"))
    parser.add_argument("--product", metavar=words.say("value.name"), help=words.say("teach.product"))
    before = parser.add_mutually_exclusive_group()
    before.add_argument("--add", action="store_true", help=words.say("teach.add"))
    before.add_argument("--replace", action="store_true", help=words.say("teach.replace"))
    parser.add_argument("--json", action="store_true", help=words.say("teach.json"))
    parser.add_argument("--corners", type=corners, metavar="X,Y,X,Y,X,Y,X,Y", help=words.say("common.corners"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS, metavar=folder, help=words.say("common.weights"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Teaches; 0 done, 1 photos or the profile cannot be used and nothing was written, 2 wrong use."""
    problem = _problem(args, words)
    if problem:
        return _say(problem, WRONG_USE)
    from edge.vision.inspector import Inspector  # noqa: PLC0415  # needs OpenCV
    from models.quality.doubts import doubts  # noqa: PLC0415  # as above
    from models.quality.profile import SUFFIX, ProfileRefused, read_profile, write_profile  # noqa: PLC0415  # as above
    from models.quality.teach import Profile  # noqa: PLC0415  # as above

    started = time.monotonic()
    path: Path = args.profile if args.profile.suffix == SUFFIX else args.profile.with_name(args.profile.name + SUFFIX)
    if not (args.add or args.replace) and os.path.lexists(path):
        return _say(words.say("teach.there", path=path), WRONG_USE)
    try:
        classifier = Classifier.load(args.weights / "goods.tflite", args.weights / "goods.json")
        before = read_profile(path, classifier.card.sha256) if args.add else None
    except (ModelRefused, ProfileRefused, RuntimeUnavailable) as exc:
        return _say(words.told(exc), PROBLEM)
    inspector = Inspector(classifier)
    good, bad = (_lesson(inspector, given, args, words) for given in (args.good, args.bad))
    if args.bad and not bad.examples:
        return _say(words.say("teach.no_bad"), PROBLEM)
    try:
        if before is None:
            profile = Profile.teach(args.product or path.stem, classifier.card.sha256, good.examples, bad.examples)
        else:
            profile = before.corrected(good.examples, bad.examples)
        card = write_profile(profile, path, datetime.now(UTC).isoformat(timespec="seconds"))
    except (ValueError, OSError) as exc:
        counts = {"good": len(good.examples), "bad": len(bad.examples)}
        return _say(words.say("teach.found", path=path, what=words.told(exc), **counts), PROBLEM)
    found = doubts(profile, good.net, bad.net)
    for doubt in found:
        _say(_worded(doubt, words), DONE)
    seconds = time.monotonic() - started
    if args.json:
        said = {
            "profile": str(path),
            "product": card.product,
            "good": card.good,
            "bad": card.bad,
            "doubts": [_told(doubt) for doubt in found],
        }
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        done = words.say(
            "teach.done",
            path=path,
            product=card.product,
            good=card.good,
            bad=card.bad,
            seconds=words.number(seconds, 1),
        )
        sys.stdout.write(done + "\n")
    return DONE


def _problem(args: argparse.Namespace, words: Words) -> str:
    """Why it cannot be taught as asked; empty where it can."""
    name = args.profile.name.removesuffix(".json")
    if not args.good and not (args.add and args.bad):
        return words.say("teach.needs_good")
    if not args.add and not re.match(NAME_PATTERN, name):
        return words.say("teach.bad_name", name=name, better=plain_name(name) or "goods")
    return needs_opencv(words)


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


def _lesson(inspector: Inspector, given: Sequence[Path], args: argparse.Namespace, words: Words) -> _Lesson:
    """Whole items on photos; photos that cannot be used, or show none, are named and left out."""
    from edge.vision.grey import colourless  # noqa: PLC0415  # needs OpenCV
    from werkpuls.closeup import inspect  # noqa: PLC0415  # as above

    lesson = _Lesson()
    for photo in photos(given):
        seen = cropped(photo, args.corners)
        if seen.image is None:
            _say(words.told(seen.problem), PROBLEM)
            continue
        if colourless(seen.image):
            _say(words.told(f"{photo.path}: {WITHOUT_COLOUR}"), PROBLEM)
        items = inspect(inspector, seen.image)[0].judged
        if not items:
            _say(words.say("teach.no_item", photo=photo.path), PROBLEM)
        lesson.examples += [item.example for item in items]
        lesson.net_good += sum(item.verdict == "good" for item in items)
        lesson.net_reject += sum(item.verdict == "reject" for item in items)
    return lesson


def _worded(doubt: Doubt, words: Words) -> str:
    """A doubt for a person."""
    from models.quality.doubts import ADVISED  # noqa: PLC0415  # needs OpenCV

    if doubt.code == "few":
        return words.say("teach.few", good=doubt.good, advised=ADVISED)
    if doubt.code == "in_both":
        return words.say("teach.in_both", items=doubt.good)
    counts = {"good": doubt.good, "bad": doubt.bad}
    if doubt.code == "mixed_up":
        return words.say("teach.mixed_up", **counts)
    kind = (
        "teach.net_swapped"
        if doubt.of_good and doubt.of_bad
        else "teach.net_odd"
        if doubt.of_good
        else "teach.net_passed"
    )
    return words.say(kind, **counts, of_good=doubt.of_good, of_bad=doubt.of_bad)


def _told(doubt: Doubt) -> dict[str, Any]:
    """A doubt for `--json`: its code, its counts, and the same in English."""
    counts = {"good": doubt.good, "bad": doubt.bad}
    if doubt.code == "few":
        counts = {"good": doubt.good}
    elif doubt.code == "in_both":
        counts = {"items": doubt.good}
    return {"code": doubt.code, **counts, "text": _worded(doubt, Words("en"))}


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code
