"""`werkpuls classify`: finds and grades every item of photos, as JSON lines or as pictures with words."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.wording import Wording
from models.quality.card import ModelRefused
from models.quality.classifier import WEIGHTS, Classifier
from models.quality.runtime import RuntimeUnavailable
from werkpuls.options import needs_opencv
from werkpuls.pictures import GRADED, WITHOUT_COLOUR, Photo, corners, cropped, photos, readable
from werkpuls.words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.vision.calibration import Calibration
    from edge.vision.geometry import BeltCrop
    from edge.vision.inspector import InspectedItem, InspectionResult, Inspector
    from models.quality.teach import Profile
    from werkpuls.closeup import Place

EXAMPLE = "werkpuls classify trays/ --profile rolls.json --json"
DONE, PROBLEM, WRONG_USE = 0, 1, 2
_DIGITS = 5
BLOCKED = "camera_blocked"
_FOREIGN = "foreign_object"
_ASTRAY, _ASTRAY_SHARE = 4, 0.25
"""From so many items, and such a share of all, that are cut off or no goods, more than a belt or tray is in the photos."""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    file, folder = words.say("value.file"), words.say("value.dir")
    parser.add_argument("photos", nargs="+", type=Path, metavar=f"{file}|{folder}", help=words.say("classify.photos"))
    parser.add_argument("--profile", type=Path, metavar=words.say("value.profile"), help=words.say("classify.profile"))
    parser.add_argument("--json", action="store_true", help=words.say("classify.json"))
    parser.add_argument("--out", type=Path, metavar=folder, help=words.say("classify.out", ending=GRADED))
    parser.add_argument("--corners", type=corners, metavar="X,Y,X,Y,X,Y,X,Y", help=words.say("common.corners"))
    parser.add_argument("--calibration", type=Path, metavar=file, help=words.say("classify.calibration"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS, metavar=folder, help=words.say("common.weights"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Grades; 0 done, 1 a photo, profile, calibration or model cannot be used (the other photos are graded), 2 wrong use."""
    if problem := needs_opencv(words):
        return _say(problem, WRONG_USE)
    from edge.vision.calibration import CalibrationError  # noqa: PLC0415  # needs OpenCV
    from models.quality.profile import ProfileRefused  # noqa: PLC0415  # as above

    try:
        desk = _Desk(args, words)
    except (CalibrationError, ModelRefused, ProfileRefused, RuntimeUnavailable) as exc:
        return _say(words.told(exc), PROBLEM)
    if args.out is not None and not args.json:
        try:
            args.out.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            return _say(words.told(f"{args.out}: cannot be made: {exc.strerror or exc}"), WRONG_USE)
    code = DONE
    for photo in photos(args.photos):
        seen = cropped(photo, args.corners)
        problem = seen.problem or desk.grade(photo, seen)
        if problem:
            code = _say(words.told(problem), PROBLEM)
    if args.corners is None and (hint := desk.counted.hint(words)):
        _say(hint, code)
    return code


@dataclass(slots=True)
class _Counted:
    """Items of all photos, and those that speak for things beside a belt or tray."""

    items: int = 0
    cut_off: int = 0
    foreign: int = 0

    def add(self, items: Sequence[InspectedItem]) -> None:
        self.items += len(items)
        self.cut_off += sum(item.cut_off for item in items)
        self.foreign += sum(not item.cut_off and item.label == _FOREIGN for item in items)

    def hint(self, words: Words) -> str:
        """What to try; empty where nothing speaks for it."""
        astray = self.cut_off + self.foreign
        if astray < max(_ASTRAY, _ASTRAY_SHARE * self.items):
            return ""
        return words.say("classify.hint", items=self.items, cut_off=self.cut_off, foreign=self.foreign)


def _plane(file: Path | None) -> Calibration | None:
    from edge.vision.calibration import Calibration  # noqa: PLC0415  # needs OpenCV

    return None if file is None else Calibration.load(file)


class _Desk:
    """Model, profiles and words, and what is done with one photo after the other."""

    def __init__(self, args: argparse.Namespace, told: Words) -> None:
        from edge.vision.inspector import Inspector, Setting  # noqa: PLC0415  # needs OpenCV

        classifier = Classifier.load(args.weights / "goods.tflite", args.weights / "goods.json")
        self._profiles = _profiles(args.profile, classifier.card.sha256)
        self._plane = _plane(args.calibration)
        self._within = self._plane if self._plane is None or args.corners is None else self._plane.within(args.corners)
        setting = Setting(plane=self._within)
        self._inspector: Inspector = Inspector(classifier, setting)
        self._belt: BeltCrop | None = args.corners
        self._json: bool = args.json
        self._out: Path | None = args.out
        self._told = told
        self._words = Wording(told.language)
        self._made: set[Path] = set()
        self.counted = _Counted()

    def grade(self, photo: Photo, seen: Photo) -> str:
        """Writes what is to be said of one photo; returns why it could not, or nothing."""
        if photo.image is None or seen.image is None:
            return photo.problem
        result, place = self._result(seen.image)
        self._warn(photo.path, photo.image, seen.image, obstructed=result.obstructed)
        self.counted.add(result.items)
        height, width = photo.image.shape[:2]
        if self._plane is not None and not self._plane.fits(width, height):
            _say(self._told.say("classify.not_calibrated", photo=photo.path, width=width, height=height), PROBLEM)
        outlines = [place.in_photo(item.found.contour) for item in result.items]
        if self._within is not None and place.moved:
            result = _sized(result, outlines, self._within, seen.image)
        if self._belt is not None:
            outlines = [self._belt.to_frame(outline, width, height) for outline in outlines]
        if self._json:
            items = [
                report(item, _box(outline, width, height)) for item, outline in zip(result.items, outlines, strict=True)
            ]
            sys.stdout.write(json.dumps({"image": readable(photo.path), "items": items}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return ""
        return self._draw(photo.path, photo.image, result, outlines)

    def _warn(self, path: Path, frame: NDArray[np.uint8], crop: NDArray[np.uint8], *, obstructed: bool) -> None:
        """Says where a camera's picture would not be graded, as it is dark, say, or a hand is in it.

        Whether it is sharp is for eyes to say: a camera has a limit of its own for that.
        """
        from edge.vision.camera_check import CameraCheck, CheckLimits  # noqa: PLC0415  # needs OpenCV
        from edge.vision.grey import colourless  # noqa: PLC0415  # as above

        if colourless(crop):
            _say(self._told.told(f"{path}: {WITHOUT_COLOUR}"), PROBLEM)
        fault = CameraCheck(CheckLimits(blurred_below=0.0), live=False).look(frame, crop)
        if fault is not None:
            name = self._words.cause(fault.cause).name
            _say(f"{path}: {name} ({fault.cause}: {self._told.told(fault.detail)})", PROBLEM)
        elif obstructed:
            _say(f"{path}: {self._words.cause(BLOCKED).name} ({BLOCKED})", PROBLEM)

    def _result(self, image: NDArray[np.uint8]) -> tuple[InspectionResult, Place]:
        from models.quality.profile import recognise  # noqa: PLC0415  # needs OpenCV
        from werkpuls.closeup import inspect  # noqa: PLC0415  # as above

        if len(self._profiles) == 1:
            self._inspector.profile = next(iter(self._profiles.values()))
        result, place = inspect(self._inspector, image)
        if len(self._profiles) > 1:
            name = recognise(self._profiles, [item.example for item in result.judged])
            if name is not None:
                result = self._inspector.judged_by(result, self._profiles[name])
        return result, place

    def _draw(
        self,
        path: Path,
        image: NDArray[np.uint8],
        result: InspectionResult,
        outlines: list[NDArray[np.float32]],
    ) -> str:
        import cv2  # noqa: PLC0415  # not every machine has it

        from werkpuls.graded import Mark, graded  # noqa: PLC0415  # as above

        marks = [
            Mark(outline, "cut_off" if item.cut_off else item.verdict, self._lines(item))
            for item, outline in zip(result.items, outlines, strict=True)
        ]
        target = self._target(path)
        done, data = cv2.imencode(".png", graded(image, marks, self._edge(image)))
        if not done:
            return f"{target}: the picture cannot be encoded"
        try:
            target.write_bytes(data.tobytes())
        except OSError as exc:
            return f"{target}: cannot be written: {exc.strerror or exc}"
        counts = Counter(item.verdict for item in result.judged)
        summary = str(self._words.catalogue["grading"]["summary"]).format(
            image=readable(path),
            items=len(result.items),
            good=counts["good"],
            reject=counts["reject"],
            unsure=counts["unsure"],
            cut_off=len(result.items) - len(result.judged),
            picture=readable(target),
        )
        sys.stdout.write(summary + "\n")
        return ""

    def _target(self, path: Path) -> Path:
        """Where a photo's picture goes: to no other photo's of this call, though they be of one name."""
        folder = self._out if self._out is not None else path.parent
        names = (f"{path.stem}{number}{GRADED}" for number in chain(("",), (f"-{again}" for again in count(2))))
        target = next(folder / name for name in names if folder / name not in self._made)
        self._made.add(target)
        return target

    def _edge(self, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """The belt's corners in pixels of the photo; None without any."""
        if self._belt is None:
            return None
        height, width = image.shape[:2]
        across, down = self._belt.size(width, height)
        return self._belt.to_frame(
            np.array(((0, 0), (across, 0), (across, down), (0, down)), np.float32), width, height
        )

    def _lines(self, item: InspectedItem) -> list[str]:
        words: dict[str, Any] = self._words.catalogue["grading"]
        if item.cut_off:
            return [str(words["cut_off"])]
        sure = f"{round(100 * item.confidence)} %"
        label = str(words["labels"].get(item.label, item.label))
        if item.verdict == "unsure":
            lines = [str(words["verdicts"]["unsure"]), f"{label}? {sure}"]
        else:
            lines = [f"{label} {sure}"]
        if item.size_mm is not None:
            lines.append(f"{self._words.number(item.size_mm)} mm")
        return [*lines, *(str(words["reasons"][reason]) for reason in item.why[:1] if item.verdict != "good")]


def report(item: InspectedItem, box: tuple[float, float, float, float]) -> dict[str, Any]:
    """An item of a JSON line; its box as fractions of the photo."""
    return {
        "box": [round(value, _DIGITS) for value in box],
        "label": item.label,
        "verdict": item.verdict,
        "confidence": round(item.confidence, _DIGITS),
        "lightness": round(item.lightness, 2),
        "size_mm": None if item.size_mm is None else round(item.size_mm, 1),
        "cut_off": item.cut_off,
    }


def _profiles(path: Path | None, net: str) -> dict[str, Profile]:
    from models.quality.profile import SUFFIX, ProfileRefused, read_profile  # noqa: PLC0415  # needs OpenCV

    if path is None:
        return {}
    if not path.is_dir():
        path = path if path.exists() or path.suffix else path.with_suffix(SUFFIX)
        return {path.stem: read_profile(path, net)}
    found = {each.stem: read_profile(each, net) for each in sorted(path.glob(f"*{SUFFIX}"))}
    if not found:
        raise ProfileRefused(f"{path}: no profiles in this folder")
    return found


def _sized(
    result: InspectionResult, outlines: list[NDArray[np.float32]], plane: Calibration, image: NDArray[np.uint8]
) -> InspectionResult:
    """The result with sizes as the outlines have them in the picture that was calibrated."""
    height, width = image.shape[:2]
    return replace(
        result,
        items=tuple(
            item if item.size_mm is None else replace(item, size_mm=plane.size_mm(outline, width, height).length)
            for item, outline in zip(result.items, outlines, strict=True)
        ),
    )


def _box(outline: NDArray[np.float32], width: int, height: int) -> tuple[float, float, float, float]:
    low, high = outline.min(axis=0), outline.max(axis=0)
    x, y = (min(1.0, max(0.0, float(value))) for value in low / (width, height))
    right, bottom = (min(1.0, max(0.0, float(value))) for value in high / (width, height))
    return x, y, right - x, bottom - y


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code
