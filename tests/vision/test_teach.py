"""Teaching: a handful of drawn goods, judged by the shipped net's eye and by measures; doubts are said and not hidden."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.trays import photo

from edge.vision.inspector import Inspector
from models.quality.classifier import Classifier
from models.quality.colour import White
from models.quality.example import Example, light_of
from models.quality.profile import read_profile, recognise, write_profile
from models.quality.teach import FEWEST, MOST, Profile

WARM, COLD, DIM = (0.6, 0.95, 1.1), (1.3, 1.0, 0.75), (0.6, 0.6, 0.6)
"""By how much linear blue, green and red are multiplied: a filament lamp, the sky, two thirds of a stop less."""


def lit(frame: NDArray[np.uint8], gains: tuple[float, float, float]) -> NDArray[np.uint8]:
    """The frame under another lamp, or exposed otherwise."""
    return White(gains).balanced(frame)


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(Classifier.shipped())


def examples(inspector: Inspector, kind: str, *seeds: int, ground: str = "dark belt") -> list[Example]:
    return [item.example for seed in seeds for item in inspector.inspect(photo(kind, seed, ground)).judged]


@pytest.fixture(scope="module")
def good(inspector: Inspector) -> list[Example]:
    return examples(inspector, "good", 1, 2)


@pytest.fixture(scope="module")
def bad(inspector: Inspector) -> list[Example]:
    return examples(inspector, "broken", 3, 4)


@pytest.fixture(scope="module")
def taught(good: list[Example]) -> Profile:
    return Profile.teach("rounds", "net", good)


def test_good_items_alone_are_enough_to_know_good_from_broken(
    inspector: Inspector, taught: Profile, bad: list[Example]
) -> None:
    new = [taught.judge(each) for each in examples(inspector, "good", 11, 12, 13)]
    assert sum(judgement.verdict == "reject" for judgement in new) == 0
    assert sum(judgement.verdict == "good" for judgement in new) >= 15
    broken = [taught.judge(each) for each in bad]
    assert all(judgement.verdict == "reject" for judgement in broken)
    assert all("shape" in judgement.reasons for judgement in broken)
    assert max(judgement.good for judgement in broken) < min(judgement.good for judgement in new)


def test_bad_items_beside_them_make_both_sides_sure(
    inspector: Inspector, good: list[Example], bad: list[Example]
) -> None:
    profile = Profile.teach("rounds", "net", good[:10], bad[:10])
    new = [profile.judge(each) for each in examples(inspector, "good", 11, 12)]
    broken = [profile.judge(each) for each in examples(inspector, "broken", 13, 14)]
    assert sum(judgement.verdict == "good" for judgement in new) >= 11
    assert sum(judgement.verdict == "reject" for judgement in broken) == 12
    assert all(0.5 <= judgement.confidence <= 1 for judgement in (*new, *broken))


def test_more_of_one_kind_does_not_favour_it(inspector: Inspector, good: list[Example], bad: list[Example]) -> None:
    profile = Profile.teach("rounds", "net", good, bad[:2])
    assert all(profile.judge(each).verdict == "reject" for each in examples(inspector, "broken", 13))
    assert sum(profile.judge(each).verdict == "good" for each in examples(inspector, "good", 11)) >= 5


def test_what_is_like_nothing_taught_is_never_good_even_where_the_bad_ones_were_quite_different(
    inspector: Inspector, good: list[Example], bad: list[Example]
) -> None:
    profile = Profile.teach("rounds", "net", good, bad)
    small = [profile.judge(each) for each in examples(inspector, "small", 21)]
    assert all(judgement.verdict != "good" for judgement in small)
    assert all(judgement.not_like_anything_taught for judgement in small)
    assert not any(profile.judge(each).not_like_anything_taught for each in examples(inspector, "good", 11))


def test_a_crust_far_too_dark_is_a_reject_where_the_net_confirms_it_and_else_a_question(
    inspector: Inspector, taught: Profile
) -> None:
    black = examples(inspector, "black", 31, ground="metal")
    same_light = [replace(each, light=taught.good[0].light, tint=taught.good[0].tint) for each in black]
    judged = [taught.judge(replace(each, baking=1.0)) for each in same_light]
    assert all(judgement.verdict == "reject" and "darker" in judgement.reasons for judgement in judged)
    # The measures of good ones with a black crust: nothing but the colour is strange.
    good = taught.good[0]
    measured = good.measured.copy()
    measured[26:] = black[0].measured[26:]
    strange = taught.judge(Example(measured, black[0].embedding, 0.0, good.light))
    assert strange.verdict == "unsure"
    assert strange.good < 0.5


def test_in_another_light_colours_are_not_judged_and_it_says_so(taught: Profile) -> None:
    item = taught.good[0]
    measured = item.measured.copy()
    measured[26] += 15
    bright = Example(measured, item.embedding, 0.1, None if item.light is None else item.light + 20)
    judgement = taught.judge(bright)
    assert judgement.verdict == "good"
    assert judgement.reasons == ("other_light",)
    assert judgement.departure.colour == 0
    burnt = taught.judge(replace(bright, baking=0.9))
    assert (burnt.verdict, burnt.reasons) == ("unsure", ("other_light",)), (
        "what the net calls burnt does not pass unseen"
    )
    assert taught.judge(replace(bright, light=item.light)).departure.colour > 1


@pytest.mark.parametrize("ground", ["dark belt", "metal", "paper"])
@pytest.mark.parametrize("gains", [WARM, COLD, DIM, (1.5, 1.5, 1.5)])
def test_under_another_lamp_or_exposure_good_ones_stay_good_and_broken_ones_rejects(
    inspector: Inspector, ground: str, gains: tuple[float, float, float]
) -> None:
    def seen(kind: str, *seeds: int) -> list[Example]:
        frames = [lit(photo(kind, seed, ground), gains) for seed in seeds]
        return [item.example for frame in frames for item in inspector.inspect(frame).judged]

    good, bad = (
        examples(inspector, "good", 1, 2, ground=ground),
        examples(inspector, "broken", 3, 4, ground=ground),
    )
    for profile in (Profile.teach("rounds", "net", good), Profile.teach("rounds", "net", good, bad)):
        whole = [profile.judge(each) for each in seen("good", 11, 12)]
        assert sum(judgement.verdict == "reject" for judgement in whole) == 0
        assert sum(judgement.verdict == "good" for judgement in whole) >= 10
        assert all("other_light" in judgement.reasons for judgement in whole)
        assert all(profile.judge(each).verdict != "good" for each in seen("broken", 13))


@pytest.mark.parametrize("gains", [(1.0, 1.0, 1.0), WARM, DIM])
def test_burnt_ones_that_differ_by_colour_alone_never_pass_as_good(
    inspector: Inspector, good: list[Example], gains: tuple[float, float, float]
) -> None:
    profile = Profile.teach("rounds", "net", good, examples(inspector, "black", 31, 32, ground="metal"))
    for ground in ("dark belt", "metal"):
        frame = lit(photo("black", 33, ground), gains)
        judged = [profile.judge(item.example).verdict for item in inspector.inspect(frame).judged]
        assert "good" not in judged


def test_what_the_net_says_of_baking_is_not_heard_where_it_says_so_of_the_good_ones(good: list[Example]) -> None:
    pale = [replace(each, baking=0.9) for each in good]
    measured = pale[0].measured.copy()
    measured[26] += 25
    lighter = replace(pale[0], measured=measured)
    elsewhere = replace(pale[0], light=90.0)
    for profile, verdicts in (
        (Profile.teach("iced", "net", pale), ("unsure", "good")),
        (Profile.teach("rounds", "net", good), ("reject", "unsure")),
    ):
        assert (profile.judge(lighter).verdict, profile.judge(elsewhere).verdict) == verdicts


def test_an_example_without_a_tint_is_compared_by_the_lightness_of_its_background(good: list[Example]) -> None:
    profile = Profile.teach("rounds", "net", good)
    one = replace(good[0], tint=None)
    assert not profile.judge(one).departure.other_light
    assert profile.judge(replace(one, light=70.0)).departure.other_light
    assert profile.judge(replace(good[0], tint=(0.0, 30.0))).departure.other_light
    assert not profile.judge(replace(good[0], light=None)).departure.other_light


def test_corrections_teach(inspector: Inspector, taught: Profile) -> None:
    small = examples(inspector, "small", 21, 22, 23)
    before = [taught.judge(each) for each in small[12:]]
    assert all(judgement.verdict != "good" for judgement in before)
    corrected = taught.corrected(good=small[:12])
    after = [corrected.judge(each) for each in small[12:]]
    assert sum(judgement.verdict == "good" for judgement in after) >= 5
    assert all(corrected.judge(each).verdict == "good" for each in taught.good)
    assert len(taught.good) == 12


def test_what_was_said_last_of_an_item_counts(good: list[Example], tmp_path: Path) -> None:
    doubtful, path = replace(good[-1], frame_px=0), tmp_path / "rounds.json"
    profile = Profile.teach("rounds", "a" * 64, good[:FEWEST])
    sides = []
    for verdict in ("good", "good", "reject", "good", "reject"):
        said = {"good" if verdict == "good" else "bad": [doubtful]}
        write_profile(profile.corrected(**said), path, "")
        profile = read_profile(path, "a" * 64)
        sides.append((len(profile.good) - FEWEST, len(profile.bad)))
    assert sides == [(1, 0), (1, 0), (0, 1), (1, 0), (0, 1)]
    with pytest.raises(ValueError, match=f"at least {FEWEST}"):
        profile.corrected(bad=[good[0]])


def test_the_nearest_profile_is_recognised_and_strangers_are_not(inspector: Inspector, taught: Profile) -> None:
    profiles = {"rounds": taught, "smalls": Profile.teach("smalls", "net", examples(inspector, "small", 21, 22))}
    assert recognise(profiles, examples(inspector, "good", 11)) == "rounds"
    assert recognise(profiles, examples(inspector, "mixed", 11)) == "rounds"
    assert recognise(profiles, examples(inspector, "small", 23)) == "smalls"
    assert recognise({"rounds": taught}, examples(inspector, "small", 23)) is None
    assert recognise({}, taught.good) is None
    assert recognise(profiles, []) is None


def test_too_few_good_items_are_refused_and_of_too_many_the_newest_stay(good: list[Example]) -> None:
    with pytest.raises(ValueError, match=f"at least {FEWEST}"):
        Profile.teach("rounds", "net", good[: FEWEST - 1])
    newest = replace(good[0], baking=0.25)
    many = Profile.teach("rounds", "net", [*[good[0]] * MOST, newest])
    assert len(many.good) == MOST
    assert many.good[-1] == newest


def test_taught_items_that_are_all_the_same_are_judged_by_what_measuring_scatters(good: list[Example]) -> None:
    profile = Profile.teach("rounds", "net", [good[0]] * 8)
    assert profile.judge(good[0]).verdict == "good"
    assert sum(profile.judge(each).verdict == "reject" for each in good) < 4


def test_sizes_are_compared_in_pictures_of_one_format_only(good: list[Example], taught: Profile) -> None:
    larger = good[0].measured.copy()
    larger[0] += 2.0
    assert "size" in taught.judge(replace(good[0], measured=larger)).reasons
    elsewhere = taught.judge(replace(good[0], measured=larger, frame_px=1234))
    assert elsewhere.verdict == "good"
    corrected = taught.corrected(good=[replace(good[1], frame_px=0)])
    assert "size" in corrected.judge(replace(good[0], measured=larger)).reasons
    cuts = Profile.teach("cuts", "net", [replace(each, frame_px=1000 + k) for k, each in enumerate(good)])
    assert cuts.judge(replace(good[0], measured=larger)).departure.size < 1


def test_light_is_that_of_the_background(inspector: Inspector) -> None:
    frame = photo("good", 1)
    contours = [item.found.contour for item in inspector.inspect(frame).items]
    dark, bright = light_of(frame, contours), light_of(photo("good", 1, "paper"), contours)
    assert dark is not None
    assert bright is not None
    assert dark[0] < 30
    assert bright[0] > 70
    warm = light_of(lit(photo("good", 1, "paper"), WARM), contours)
    assert warm is not None
    assert warm[2] > bright[2] + 10
    everything = np.array(((0, 0), (640, 0), (640, 480), (0, 480)), np.float32)
    assert light_of(frame, [everything]) is None
