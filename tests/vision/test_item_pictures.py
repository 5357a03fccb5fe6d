"""What people say of single items: the last word on each counts, in whatever order it arrives."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from edge.item_pictures import LONGEST, MOST_TEXT, About, Asked, ItemPictures
from edge.vision.inspector import Inspector
from edge.vision.retention import Lessons, PictureStore
from edge.vision.scene import noisy, tray
from models.quality.classifier import Classifier

INSPECTION = "i-1a2b"


@pytest.mark.parametrize("kept", [True, False], ids=["pictures are kept", "no picture is kept"])
def test_a_verdict_that_arrives_after_a_later_one_of_the_same_item_changes_nothing(tmp_path: Path, kept: bool) -> None:  # noqa: FBT001  # a parameter of the test
    store = PictureStore(
        tmp_path / "pictures", days=10, max_mb=10, wall_ns=time.time_ns, monotonic_ns=time.monotonic_ns
    )
    pictures = ItemPictures("tray", store, Lessons(tmp_path / "lessons"), None, kept=kept)
    grader = Classifier.shipped()
    rng = np.random.default_rng(2)
    frame = noisy(rng, tray(rng, (480, 360), 0.6)[0])
    pictures.keep(About(INSPECTION, "b", "rolls"), Inspector(grader).inspect(frame).items, frame, grader.card.labels)
    first = pictures.correct(INSPECTION, 0, "reject", "Anna", 100)
    last = pictures.correct(INSPECTION, 0, "good", "Bernd", 300)
    assert first is not None
    assert last is not None
    assert last.before == "reject"
    with pytest.raises(ValueError, match=f"a later verdict on item 0 of {INSPECTION} holds, it is good"):
        pictures.correct(INSPECTION, 0, "reject", "Anna", 200)
    other = pictures.correct(INSPECTION, 1, "reject", "Anna", 200)
    assert other is not None
    assert other.lessons == "1 good, 1 bad lessons"
    assert pictures.corrections == 3


def test_in_a_lesson_all_whole_items_are_pictured_as_far_as_message_and_lesson_have_room(tmp_path: Path) -> None:
    store = PictureStore(
        tmp_path / "pictures", days=10, max_mb=10, wall_ns=time.time_ns, monotonic_ns=time.monotonic_ns
    )
    pictures = ItemPictures("tray", store, Lessons(tmp_path / "lessons"), None, kept=True)
    grader = Classifier.shipped()
    rng = np.random.default_rng(3)
    frame = noisy(rng, tray(rng, (1600, 1200), 0.6, count=20)[0])
    items = Inspector(grader).inspect(frame).items
    assert len(items) >= 15
    nets = tuple(item.verdict for item in items)
    labels = grader.card.labels
    for room, most in ((40, 12), (4, 4), (0, 0)):
        shown = pictures.shown(items, frame, labels, Asked(room, nets))
        assert min(most, 6) <= len(shown) <= most
        assert all(each.picture and not each.seen and len(each.picture) <= LONGEST for each in shown.values())
        assert sum(len(each.picture) for each in shown.values()) <= MOST_TEXT
    pictures.keep(About(INSPECTION, "b", "brezel"), items, frame, labels, Asked(40, nets))
    held = pictures.held(INSPECTION, 0)
    assert held is not None
    assert (held.net, held.product, held.embedding != []) == (nets[0], "brezel", True)
    with pytest.raises(ValueError, match="no inspection's id"):
        pictures.held("../ledger", 0)
