"""Which product lies under a camera, and what was taught of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge.camera_options import CameraOptions, ProductTime
from edge.products import Products
from edge.vision.inspector import Inspector
from edge.vision.scene import noisy, tray
from models.quality.classifier import Classifier
from models.quality.example import Example
from models.quality.profile import read_profile, write_profile
from models.quality.teach import Profile

AT_4, AT_5, AT_9, AT_23 = 240, 300, 540, 1380


@pytest.fixture(scope="module")
def grader() -> Classifier:
    return Classifier.shipped()


def options(**more: object) -> CameraOptions:
    return CameraOptions(name="tray", machine="oven", type="simulated", **more)  # type: ignore[arg-type]  # by name


SCHEDULE = [ProductTime(start="04:30", product="rolls"), ProductTime(start="08:00", product="loaves")]


def examples(grader: Classifier, browning: float) -> list[Example]:
    rng = np.random.default_rng(2)
    frame = noisy(rng, tray(rng, (480, 360), browning)[0])
    return [item.example for item in Inspector(grader).inspect(frame).judged]


def test_the_schedule_says_what_lies_there_until_a_person_does_and_from_its_next_turn_on_again() -> None:
    products = Products(options(times=SCHEDULE), "net", None)
    assert [products.name(minute) for minute in (AT_5, AT_9, AT_23, AT_4, None)] == [
        "rolls",
        "loaves",
        "loaves",
        "loaves",
        "goods",
    ]
    products.say("pretzels", AT_5)
    again = Products(options(times=SCHEDULE), "net", products.state)
    assert [again.name(minute) for minute in (AT_5, None, AT_9, AT_5)] == ["pretzels", "pretzels", "loaves", "rolls"]
    alone = Products(options(product="buns"), "net", "rubbish")
    assert alone.name(AT_5) == "buns"
    alone.say("pretzels", None)
    assert alone.name(AT_9) == "pretzels"


def test_a_product_is_recognised_by_what_was_taught_and_strangers_are_not(tmp_path: Path, grader: Classifier) -> None:
    net = grader.card.sha256
    pale, brown = examples(grader, 0.35), examples(grader, 0.7)
    write_profile(Profile.teach("pale", net, pale), tmp_path / "pale.json", "")
    write_profile(Profile.teach("brown", net, brown), tmp_path / "brown.json", "")
    products = Products(options(recognise=True, profiles=tmp_path), net, None)
    assert products.see(examples(grader, 0.7)) == "brown"
    assert products.name(AT_5) == "brown"
    assert products.see(examples(grader, 0.35)) == "pale"
    assert Products(options(recognise=True), net, None, tmp_path).see(examples(grader, 0.7)) == "brown"
    assert Products(options(recognise=True), net, None, tmp_path / "not yet").see(examples(grader, 0.7)) is None
    assert products.see([]) is None
    assert products.name(AT_5) == "goods"


def test_a_correction_is_learned_a_changed_file_read_anew_and_one_of_another_net_refused(
    tmp_path: Path, grader: Classifier
) -> None:
    net = grader.card.sha256
    good, burnt = examples(grader, 0.5), examples(grader, 0.85)
    path = tmp_path / "rolls.json"
    write_profile(Profile.teach("rolls", net, good), path, "")
    products = Products(options(product="rolls", profiles=tmp_path), net, None)
    before = products.profile("rolls")
    assert before is not None
    assert products.called("rolls") == products.called("loaves") == ""
    assert products.teach("rolls", burnt[0], good=False, made="2026-11-26T20:00:00Z")
    after = products.profile("rolls")
    assert after is not None
    assert (len(before.bad), len(after.bad)) == (0, 1)
    assert len(read_profile(path, net).bad) == 1
    assert not products.teach("loaves", burnt[0], good=False, made="")
    assert products.trouble == ""
    write_profile(Profile.teach("Brötchen hell", net, good), path, "")
    os.utime(path, ns=(2, 2))
    assert products.profile("rolls") is not None
    assert products.called("rolls") == "Brötchen hell"
    write_profile(Profile.teach("rolls", "0" * 64, good), path, "")
    os.utime(path, ns=(1, 1))
    assert products.profile("rolls") is None
    assert "another net" in products.trouble


def test_what_was_taught_and_what_is_configured_can_be_chosen_by_what_people_call_it(
    tmp_path: Path, grader: Classifier
) -> None:
    taught = Profile.teach("Brötchen hell", grader.card.sha256, examples(grader, 0.3))
    write_profile(taught, tmp_path / "broetchen-hell.json", "")
    write_profile(taught, tmp_path / "No Name.json", "")
    (tmp_path / "broken.json").write_text("{")
    products = Products(options(times=SCHEDULE, product="buns", profiles=tmp_path), "net", None)
    known = {"broetchen-hell": "Brötchen hell", "broken": "", "buns": "", "loaves": "", "rolls": ""}
    assert products.known() == known
    products.say("pretzels", AT_5)
    assert products.known() == {**known, "pretzels": ""}
    for number in range(80):
        (tmp_path / f"p{number}.json").write_text("{")
    assert len(products.known()) == 64
