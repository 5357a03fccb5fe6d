"""What was taught on photos, asked of the same kinds of photos in another form: other lamp, exposure, size, compression, border.

The forms are simulations, made of real photos. Nothing is chosen by form, photographer or product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.vision.forms import FORMS, Form, saved
from benchmarks.vision.photos import biscuits, match, picture
from benchmarks.vision.rows.teaching import PRODUCTS, TAUGHT, TAUGHT_WHOLE
from edge.vision.decode import decode
from edge.vision.inspector import Inspector
from models.quality.classifier import Classifier, Verdict
from models.quality.example import Example
from models.quality.teach import Profile
from werkpuls.closeup import inspect

EVERY = 3
"""Every so many photos of biscuits are judged in each form; all with `--full`."""
FEWEST = 5
_SAME = Form(lambda photo: photo, quality=95)


@dataclass(frozen=True, slots=True)
class _Item:
    """A photographer or product, the photo and number of the item in it, whether it is good, and what is known of it."""

    of: str
    key: tuple[str, int]
    good: bool
    example: Example


def measure(bench: Bench) -> Row:
    """Balanced accuracy on biscuits and false rejects of whole ones, by form."""
    inspector = Inspector(Classifier.shipped())
    taught, whole = list(_biscuits(inspector, bench, _SAME)), list(_whole(inspector, bench, _SAME))
    figures: dict[str, float] = {}
    notes = []
    for name, form in FORMS.items():
        balanced = _balanced(taught, list(_biscuits(inspector, bench, form, 1 if bench.full else EVERY)))
        verdicts = _verdicts(whole, list(_whole(inspector, bench, form)))
        reject, unsure = (100 * verdicts.count(kind) / len(verdicts) for kind in ("reject", "unsure"))
        figures[f"{name}: balanced accuracy"] = round(balanced, 3)
        figures[f"{name}: rejects %"] = round(reject, 1)
        notes.append(f"{name}: {unsure:.1f} % of whole ones unsure")
    accuracies = [value for name, value in figures.items() if name.endswith("accuracy")]
    rejects = [value for name, value in figures.items() if name.endswith("%")]
    return Row(
        f"photos in {len(FORMS)} other forms than they were taught in, a simulation",
        {"balanced accuracy, lowest form": min(accuracies), "rejects %, highest form": max(rejects), **figures},
        (Floor("balanced accuracy, lowest form", 0.95), Floor("rejects %, highest form", 5, at_least=False)),
        notes=tuple(notes),
    )


def _biscuits(inspector: Inspector, bench: Bench, form: Form, every: int = 1) -> Iterator[_Item]:
    for number, photo in enumerate(biscuits(bench.data)):
        if number % every:
            continue
        height, width = photo.image.shape[:2]
        image = decode(saved(form, photo.image), photo.name)
        result, place = inspect(inspector, image)
        boxes = []
        for item in result.judged:
            outline = place.in_photo(item.found.contour) / np.array((image.shape[1], image.shape[0]))
            low, high = outline.min(axis=0), outline.max(axis=0)
            x, y, across, down = form.back((*low.tolist(), *(high - low).tolist()), width, height)
            boxes.append((x * width, y * height, across * width, down * height))
        for k, j in match(boxes, [item.box for item in photo.items]).items():
            yield _Item(photo.group, (photo.name, j), photo.items[j].whole, result.judged[k].example)


def _whole(inspector: Inspector, bench: Bench, form: Form) -> Iterator[_Item]:
    for path in sorted(require(bench.data / "images" / "whole").glob("*.jpg")):
        name = _product(path)
        items = inspect(inspector, decode(saved(form, picture(path)), path.name))[0].judged
        if items:
            largest = max(items, key=lambda item: item.found.area_px)
            yield _Item(name, (path.name, 0), good=True, example=largest.example)


def _product(path: Path) -> str:
    number = int(path.stem.rpartition("-")[2])
    return next((name for name, (first, last) in PRODUCTS.items() if first <= number <= last), "others")


def _balanced(taught: Sequence[_Item], asked: Sequence[_Item]) -> float:
    """Mean over photographers; an unsure item counts as wrong, and the taught ones are not asked."""
    found = []
    for group in sorted({item.of for item in taught}):
        rng = np.random.default_rng(0)
        lessons = []
        for good in (True, False):
            kind = [item for item in taught if item.of == group and item.good is good]
            lessons.append([kind[k] for k in rng.permutation(len(kind))[:TAUGHT]])
        profile = Profile.teach(group, "", *([item.example for item in lesson] for lesson in lessons))
        known = {item.key for lesson in lessons for item in lesson}
        rest = [item for item in asked if item.of == group and item.key not in known]
        shares = []
        rights: tuple[tuple[bool, Verdict], ...] = ((True, "good"), (False, "reject"))
        for good, right in rights:
            verdicts = [profile.judge(item.example).verdict for item in rest if item.good is good]
            shares.append(verdicts.count(right) / len(verdicts))
        found.append(float(np.mean(shares)))
    return float(np.mean(found))


def _verdicts(taught: Sequence[_Item], asked: Sequence[_Item]) -> list[Verdict]:
    """Of each product with enough photos: the first eight are taught and the rest asked; of few, all are taught and asked."""
    found: list[Verdict] = []
    for product in sorted({item.of for item in taught}):
        lesson = [item for item in taught if item.of == product][:TAUGHT_WHOLE]
        if len(lesson) < FEWEST:
            continue
        profile = Profile.teach(product, "", [item.example for item in lesson])
        rest = [item for item in asked if item.of == product]
        if len(rest) >= TAUGHT_WHOLE + 4:
            known = {item.key for item in lesson}
            rest = [item for item in rest if item.key not in known]
        found += [profile.judge(item.example).verdict for item in rest]
    return found
