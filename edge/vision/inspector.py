"""From a frame to graded items: find, cut out, measure, grade, and let the product's profile have its say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.vision.calibration import Calibration
from edge.vision.items import FinderSettings, FoundItem, survey
from edge.vision.white import Patch
from models.quality.card import GOOD, Card
from models.quality.classifier import Grade, Grades, Verdict, decide
from models.quality.colour import White
from models.quality.crop import SIDE, Crop, item_crop
from models.quality.example import Example, Lab, example, light_of
from models.quality.measure import Measurements, measure
from models.quality.teach import Judgement, Profile

_SHAPES = ("broken", "cracked", "deformed", "foreign_object")
"""Labels that an outline can stand for; of these the net chooses when a profile says that the outline is wrong."""


class Grader(Protocol):
    """What the inspector needs of a classifier."""

    @property
    def card(self) -> Card:
        """Of the model."""

    def classify(self, crops: NDArray[np.uint8], views: int | None = None) -> Grades:
        """Grades of (n, side, side, 3) uint8 RGB crops."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the camera is and what it sees.

    Args:
        plane: where the frame that is inspected lies; None where nobody has calibrated the camera.
        white: what makes its light white; None: colours as the camera gives them.
        patch: a reference patch in the frame, which goes before `white` and is no item.
        finder: what counts as an item.
    """

    plane: Calibration | None = None
    white: White | None = None
    patch: Patch | None = None
    finder: FinderSettings = field(default_factory=FinderSettings)


@dataclass(frozen=True, slots=True)
class InspectedItem:
    """One item.

    Args:
        found: where it is.
        box: x, y, width, height as fractions of the frame.
        label: one of the card's labels.
        verdict: of the profile where there is one, else of the net; `unsure` for what is cut off.
        confidence: of good or of not good, whichever the label says, 0 to 1; 0 for what is cut off, as nobody judged it.
        lightness: L* of the crust, 0 to 100.
        size_mm: its longer side; None where nobody has calibrated the camera, or it is cut off.
        measurements: its colour and shape.
        crop: its picture.
        example: for teaching and correcting.
        maps: (rows, columns, labels) of the net, for a heat map; None where the model has none.
        labels: of the net.
        probabilities: (labels,) of the net.
        judgement: of the profile; None without one.
    """

    found: FoundItem
    box: tuple[float, float, float, float]
    label: str
    verdict: Verdict
    confidence: float
    lightness: float
    size_mm: float | None
    measurements: Measurements
    crop: Crop
    example: Example
    maps: NDArray[np.float32] | None
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    judgement: Judgement | None

    @property
    def cut_off(self) -> bool:
        """Whether it reaches over the frame's edge; then it is not judged."""
        return self.found.cut_off

    @property
    def why(self) -> tuple[str, ...]:
        """Codes of what speaks against it, for the catalogue; empty without a profile and for good items."""
        return self.judgement.reasons if self.judgement is not None else ()


@dataclass(frozen=True, slots=True)
class InspectionResult:
    """All items of a frame, from top to bottom.

    Args:
        items: that were found.
        crumbs: things too small for an item.
        obstructed: something large is in the picture that is no item.
        light: colour of the background; None where none is seen.
    """

    items: tuple[InspectedItem, ...]
    crumbs: int
    obstructed: bool
    light: Lab | None

    @property
    def judged(self) -> tuple[InspectedItem, ...]:
        """Items that are whole in the frame."""
        return tuple(item for item in self.items if not item.cut_off)


class Inspector:
    """Grades frames.

    Args:
        grader: the classifier.
        setting: of the camera.
        profile: of the product; None: the net decides alone.

    Raises:
        ProfileMismatch: the profile was made with another net.
    """

    def __init__(self, grader: Grader, setting: Setting | None = None, profile: Profile | None = None) -> None:
        self._grader = grader
        self._setting = setting or Setting()
        self.profile = profile

    @property
    def profile(self) -> Profile | None:
        """Of the product that lies under the camera now."""
        return self._profile

    @profile.setter
    def profile(self, profile: Profile | None) -> None:
        if profile is not None:
            self._match(profile)
        self._profile = profile

    def inspect(self, frame: NDArray[np.uint8]) -> InspectionResult:
        """All items of a frame.

        Args:
            frame: (height, width, 3) uint8, BGR, at least 32 by 32, cropped to the belt or tray already.

        Raises:
            ValueError: no such frame.
        """
        seen = survey(frame, self._setting.finder)
        patch, white = self._setting.patch, self._setting.white
        if patch is not None:
            seen = replace(seen, items=[item for item in seen.items if not patch.is_it(item, frame)])
            white = patch.white(frame) or white
        crops = [item_crop(frame, item.contour) for item in seen.items]
        stack = np.stack([crop.rgb for crop in crops]) if crops else np.zeros((0, SIDE, SIDE, 3), np.uint8)
        grades = self._grader.classify(stack)
        light = light_of(frame, [item.contour for item in seen.items])
        items = [self._item(frame, seen.items[k], crops[k], (grades, k), light, white) for k in range(len(crops))]
        return InspectionResult(tuple(items), seen.crumbs, seen.obstructed, light)

    def judged_by(self, result: InspectionResult, profile: Profile) -> InspectionResult:
        """A result anew, as a profile judges it, without looking at the frame again.

        Raises:
            ProfileMismatch: the profile was made with another net.
        """
        self._match(profile)
        return replace(result, items=tuple(_judged(item, profile) for item in result.items))

    def _match(self, profile: Profile) -> None:
        if profile.net != self._grader.card.sha256:
            raise ProfileMismatch(
                f"the profile {profile.product!r} was taught with another net than {self._grader.card.name!r}; teach it anew"
            )

    def _item(
        self,
        frame: NDArray[np.uint8],
        found: FoundItem,
        crop: Crop,
        graded: tuple[Grades, int],
        light: Lab | None,
        white: White | None,
    ) -> InspectedItem:
        grades, row = graded
        probabilities = grades.probabilities[row]
        height, width = frame.shape[:2]
        measured = measure(frame, found.contour, white, crop)
        seen = example(measured, height * width, grades.embedding[row], (grades.labels, probabilities), light)
        grade = decide(probabilities, self._grader.card)
        plane = self._setting.plane if not found.cut_off else None
        item = InspectedItem(
            found=found,
            box=_fractions(found.box, width, height),
            label=grade.label,
            verdict="unsure" if found.cut_off else grade.verdict,
            confidence=0.0 if found.cut_off else grade.confidence,
            lightness=min(100.0, max(0.0, measured.lightness)),
            size_mm=plane.size_mm(found.contour, width, height).length if plane is not None else None,
            measurements=measured,
            crop=crop,
            example=seen,
            maps=grades.maps[row] if grades.maps is not None else None,
            probabilities=probabilities,
            labels=grades.labels,
            judgement=None,
        )
        return item if self._profile is None else _judged(item, self._profile)


class ProfileMismatch(Exception):
    """A profile that was made with another net than the one that is to judge by it."""


def _judged(item: InspectedItem, profile: Profile) -> InspectedItem:
    """The item as a profile sees it; one that is cut off stays as it is."""
    if item.cut_off:
        return item
    judgement = profile.judge(item.example)
    grade = taught_grade(judgement, item.labels, item.probabilities)
    return replace(item, label=grade.label, verdict=grade.verdict, confidence=grade.confidence, judgement=judgement)


def taught_grade(judgement: Judgement, labels: Sequence[str], probabilities: NDArray[np.float32]) -> Grade:
    """A profile's judgement as a grade: it says good or not, what it says speaks against it and the net name the defect."""
    if judgement.good >= 0.5:
        return Grade(GOOD, judgement.verdict, judgement.confidence)
    first = judgement.reasons[0] if judgement.reasons else "look"
    if first == "darker":
        label = "burnt"
    elif first == "lighter":
        label = "underbaked"
    else:
        allowed = _SHAPES if first in ("shape", "size") else tuple(name for name in labels if name != GOOD)
        possible = [name for name in allowed if name in labels] or [name for name in labels if name != GOOD]
        label = max(possible, key=lambda name: float(probabilities[labels.index(name)]))
    return Grade(label if label in labels else labels[-1], judgement.verdict, judgement.confidence)


def _fractions(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    x, y = min(1.0, max(0.0, box[0] / width)), min(1.0, max(0.0, box[1] / height))
    return x, y, min(1.0 - x, box[2] / width), min(1.0 - y, box[3] / height)
