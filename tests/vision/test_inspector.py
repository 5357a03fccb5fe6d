"""The inspector: what it says of a frame, and that a profile has the last word on what it was taught for."""

from __future__ import annotations

import numpy as np
import pytest
from support.scenes import Thing, disc, render
from support.trays import photo

from edge.vision.calibration import Calibration
from edge.vision.inspector import InspectionResult, Inspector, ProfileMismatch, Setting, taught_grade
from models.quality.classifier import Classifier, decide
from models.quality.novelty import Departure
from models.quality.teach import Judgement, Profile, Reason
from wire.messages import Item

PLANE = Calibration(np.diag((512.0, 384.0, 1.0)), 0.1, 4)
"""0.8 mm a pixel of a frame of 640 by 480."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.shipped()


@pytest.fixture(scope="module")
def rounds(classifier: Classifier) -> Profile:
    inspector = Inspector(classifier)
    good = [item.example for seed in (1, 2) for item in inspector.inspect(photo("good", seed)).judged]
    return Profile.teach("rounds", classifier.card.sha256, good)


def test_without_a_profile_every_item_has_what_the_net_says(classifier: Classifier) -> None:
    result = Inspector(classifier).inspect(photo("mixed", 5))
    assert len(result.items) == 6
    assert not result.obstructed
    for item in result.items:
        grade = decide(item.probabilities, classifier.card)
        assert (item.label, item.verdict, item.confidence) == (grade.label, grade.verdict, grade.confidence)
        assert item.size_mm is None
        assert item.judgement is None
        assert item.why == ()
        assert 0 < item.lightness < 100


def test_with_a_profile_it_decides_and_says_why(classifier: Classifier, rounds: Profile) -> None:
    result = Inspector(classifier, profile=rounds).inspect(photo("mixed", 5))
    above, below = result.items[:3], result.items[3:]
    assert all(item.verdict == "good" and item.label == "good" and item.why == () for item in above)
    assert all(item.verdict == "reject" and item.label != "good" and "shape" in item.why for item in below)


def test_judging_afterwards_is_judging_at_once(classifier: Classifier, rounds: Profile) -> None:
    inspector = Inspector(classifier)
    frame = photo("mixed", 6)
    afterwards = inspector.judged_by(inspector.inspect(frame), rounds)
    inspector.profile = rounds
    at_once = inspector.inspect(frame)
    said = [
        [(item.label, item.verdict, item.confidence, item.why) for item in result.items]
        for result in (afterwards, at_once)
    ]
    assert said[0] == said[1]


def test_cut_off_items_are_marked_and_not_judged(classifier: Classifier, rounds: Profile) -> None:
    frame = render([Thing(disc(46), 10, 200), Thing(disc(46), 320, 240)], 480, 640, "dark belt")
    result = Inspector(classifier, Setting(plane=PLANE), rounds).inspect(frame)
    cut = [item for item in result.items if item.cut_off]
    assert len(cut) == 1
    assert (cut[0].verdict, cut[0].confidence, cut[0].size_mm, cut[0].judgement) == ("unsure", 0.0, None, None)
    assert len(result.judged) == 1


def test_size_is_the_longer_side_in_mm_where_the_camera_is_calibrated(classifier: Classifier) -> None:
    frame = render([Thing(disc(50), 320, 240)], 480, 640, "dark belt")
    (item,) = Inspector(classifier, Setting(plane=PLANE)).inspect(frame).items
    assert item.size_mm == pytest.approx(80, abs=2)


def test_a_profile_of_another_net_is_refused_and_the_one_before_stays(classifier: Classifier, rounds: Profile) -> None:
    inspector = Inspector(classifier, profile=rounds)
    other = Profile.teach("others", "b" * 64, rounds.good)
    with pytest.raises(ProfileMismatch, match="another net"):
        inspector.profile = other
    assert inspector.profile is rounds
    with pytest.raises(ProfileMismatch, match="another net"):
        inspector.judged_by(InspectionResult((), 0, obstructed=False, light=None), other)


def test_an_empty_tray_has_no_items_and_crumbs_are_none(classifier: Classifier) -> None:
    empty = Inspector(classifier).inspect(render([], 480, 640, "dark belt"))
    assert empty.items == ()
    rng = np.random.default_rng(1)
    crumbs = [Thing(disc(2), *rng.uniform((10, 10), (630, 470))) for _ in range(300)]
    crumbled = Inspector(classifier).inspect(render([Thing(disc(46), 320, 240), *crumbs], 480, 640, "dark belt"))
    assert len(crumbled.judged) == 1
    assert crumbled.crumbs > 50


def test_what_it_says_fits_the_message(classifier: Classifier, rounds: Profile) -> None:
    for profile in (None, rounds):
        for item in Inspector(classifier, Setting(plane=PLANE), profile).inspect(photo("mixed", 7)).items:
            sent = Item(
                box=item.box,
                label=item.label,
                verdict=item.verdict,
                confidence=item.confidence,
                lightness=item.lightness,
                size_mm=item.size_mm,
                cut_off=item.cut_off,
            )
            assert all(0 <= share <= 1 for share in sent.box)
            assert sent.box[0] + sent.box[2] <= 1
            assert sent.box[1] + sent.box[3] <= 1


@pytest.mark.parametrize(
    ("reason", "label"),
    [("shape", "cracked"), ("size", "cracked"), ("darker", "burnt"), ("lighter", "underbaked"), ("like_bad", "burnt")],
)
def test_the_reason_and_the_net_name_the_defect(reason: Reason, label: str) -> None:
    labels = ("good", "broken", "burnt", "underbaked", "cracked", "deformed", "foreign_object")
    probabilities = np.array((0.4, 0.1, 0.3, 0.02, 0.15, 0.02, 0.01), np.float32)
    departure = Departure(0, 2, 0, 0, other_light=False)
    bad = Judgement("reject", 0.9, 0.1, not_like_anything_taught=True, reasons=(reason,), departure=departure)
    assert taught_grade(bad, labels, probabilities).label == label
    fine = Judgement("good", 0.9, 0.9, not_like_anything_taught=False, reasons=(), departure=departure)
    assert taught_grade(fine, labels, probabilities).label == "good"
