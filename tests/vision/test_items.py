"""Items are found whatever they lie on, each once, with its own outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.scenes import GROUNDS, Thing, disc, half_disc, oval, overlap, render, square

from edge.vision.items import FinderSettings, FoundItem, find_items, survey

ROLL = (75, 140, 200)
TRAY = [
    Thing(oval(60, 34), 130, 110, ROLL),
    Thing(disc(48), 330, 120, ROLL),
    Thing(square(42), 520, 110, (95, 165, 215)),
    Thing(half_disc(50), 680, 100, ROLL),
    Thing(oval(62, 34, 40), 150, 330, ROLL),
    Thing(disc(45), 360, 340, (60, 110, 170)),
    Thing(disc(26), 560, 330, ROLL),
    Thing(oval(58, 36, 90), 700, 420, ROLL),
    Thing(disc(50), 250, 500, (30, 60, 110)),
]


def same(found: list[FoundItem], things: list[Thing]) -> None:
    """Each thing is one item and each item one thing."""
    assert len(found) == len(things), [item.box for item in found]
    for thing in things:
        assert max(overlap(item.box, thing.box) for item in found) > 0.8, (thing.box, [item.box for item in found])


@pytest.mark.parametrize("kind", GROUNDS)
def test_all_things_are_found_on(kind: str) -> None:
    frame = render(TRAY, kind=kind)
    found = find_items(frame)
    same(found, TRAY)
    assert not any(item.cut_off for item in found)
    for thing in TRAY:
        item = max(found, key=lambda each: overlap(each.box, thing.box))
        assert item.area_px == pytest.approx(cv2.contourArea(thing.placed), rel=0.12)


def test_size_of_the_frame_does_not_matter() -> None:
    frame = render(TRAY)
    for scale in (0.5, 2.0, 3.1):
        scaled = cv2.resize(
            frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        found = find_items(np.asarray(scaled, np.uint8))
        assert len(found) == len(TRAY)
        for thing in TRAY:
            box = tuple(scale * side for side in thing.box)
            assert max(overlap(item.box, box) for item in found) > 0.8  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["paper", "dark belt", "brushed"])
def test_touching_items_are_separated(kind: str) -> None:
    pair = [Thing(disc(50), 150, 150), Thing(disc(50), 249, 150)]
    four = [Thing(disc(40), 450 + 79 * (k % 2), 150 + 79 * (k // 2)) for k in range(4)]
    rolls = [Thing(oval(70, 36), 200, 420), Thing(oval(70, 36), 200, 495), Thing(oval(70, 36, 90), 420, 450)]
    things = [*pair, *four, *rolls]
    same(find_items(render(things, kind=kind)), things)


def test_a_broken_items_bays_do_not_part_it() -> None:
    bitten = np.concatenate((disc(60)[8:82], oval(20, 30)[20:70][::-1] + np.array((45, 0), np.float32)))
    crescent = np.concatenate((disc(60)[:46], oval(60, 26)[:46][::-1]))
    things = [Thing(np.asarray(outline, np.float32), x, 200) for x, outline in ((150, bitten), (400, crescent))]
    things.append(Thing(half_disc(60), 620, 200))
    assert len(find_items(render(things))) == 3


def test_what_the_edge_cuts_is_marked_and_the_rest_is_not() -> None:
    inside = [Thing(disc(50), 300, 300), Thing(disc(50), 500, 250)]
    cut = [Thing(disc(50), 10, 150), Thing(disc(50), 790, 500), Thing(disc(50), 400, 590)]
    found = find_items(render([*inside, *cut]))
    assert len(found) == 5
    assert sum(item.cut_off for item in found) == 3
    for thing in inside:
        item = max(found, key=lambda each: overlap(each.box, thing.box))
        assert not item.cut_off


@pytest.mark.parametrize("kind", GROUNDS)
def test_an_empty_tray_is_empty(kind: str) -> None:
    seen = survey(render([], kind=kind))
    assert seen.items == []
    assert not seen.obstructed


def test_three_hundred_crumbs_are_counted_and_no_items() -> None:
    rng = np.random.default_rng(3)
    crumbs = [Thing(disc(float(rng.uniform(2.5, 4))), *rng.uniform((20, 20), (780, 580))) for _ in range(300)]
    goods = [Thing(disc(48), 200, 200), Thing(disc(48), 500, 380)]
    seen = survey(render([*crumbs, *goods], shadow=False))
    assert len(seen.items) == 2
    # Some lie on each other, some under the goods.
    assert 200 <= seen.crumbs <= 300
    alone = survey(render(crumbs, shadow=False), FinderSettings(smallest_share=0.001))
    assert alone.items == []


def test_a_hand_is_an_obstruction_and_no_item() -> None:
    hand = np.array(((0, 150), (400, 200), (450, 330), (380, 480), (0, 560)), np.float32)
    goods = Thing(disc(40), 650, 300)
    seen = survey(render([Thing(hand, 0, 0, (130, 160, 210)), goods], kind="metal"))
    assert seen.obstructed
    same(seen.items, [goods])
    assert not survey(render(TRAY, kind="metal")).obstructed


def test_a_ring_is_one_item_with_its_hole() -> None:
    frame = render([Thing(disc(60), 300, 300)], kind="dark belt")
    hole = render([], kind="dark belt")
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.circle(mask, (300, 300), 22, 1, cv2.FILLED)
    frame[mask > 0] = hole[mask > 0]
    (item,) = find_items(frame)
    assert item.area_px == pytest.approx(np.pi * 60**2, rel=0.08)


def test_black_corners_of_a_turned_frame_cut_items_off() -> None:
    frame = render(TRAY, kind="metal")
    turned = cv2.warpAffine(frame, cv2.getRotationMatrix2D((400, 300), 20, 0.85), (800, 600), borderValue=(12, 12, 12))
    found = find_items(np.asarray(turned, np.uint8))
    whole = [item for item in found if not item.cut_off]
    assert len(whole) == len(TRAY)


def test_a_spot_of_coloured_light_is_no_item() -> None:
    goods = [Thing(oval(80, 45), 250, 200), Thing(oval(80, 45), 520, 420)]
    frame = render(goods, kind="dark belt").astype(np.float32)
    glow = np.zeros(frame.shape[:2], np.float32)
    glow[420, 180] = glow[150, 640] = 1
    glow = np.asarray(cv2.GaussianBlur(glow, (0, 0), 14))
    frame[..., 2] += 60 * glow / glow.max()
    same(find_items(np.clip(frame, 0, 255).astype(np.uint8)), goods)


@pytest.mark.parametrize("kind", ["metal", "paper"])
def test_dark_gaps_between_items_are_no_part_of_them(kind: str) -> None:
    belt = Thing(np.array(((-330, -95), (330, -95), (330, 95), (-330, 95)), np.float32), 400, 300, (34, 30, 30))
    rolls = [Thing(oval(66, 34), 160 + 160 * (k % 4), 255 + 90 * (k // 4), ROLL) for k in range(8)]
    same(find_items(render([belt, *rolls], kind=kind)), rolls)


def without_colour(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


@pytest.mark.parametrize("kind", ["paper", "dark belt"])
def test_without_colour_things_are_found_by_their_edges_and_soft_shadows_are_none(kind: str) -> None:
    shade = np.ones((600, 800, 1), np.float32)
    shade[430:, 420:640] = 0.8
    soft = cv2.GaussianBlur(shade, (0, 0), 18)[..., None]
    for things in (TRAY, []):
        frame = render(things, kind=kind) * soft
        same(find_items(without_colour(np.asarray(frame, np.uint8))), things)


@settings(max_examples=12, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=12, unique=True),
    kind=st.sampled_from(GROUNDS),
    seed=st.integers(0, 1000),
)
def test_every_arrangement_is_found(places: list[tuple[int, int]], kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    things = []
    for column, row in places:
        outline = oval(float(rng.uniform(34, 50)), float(rng.uniform(28, 40)), float(rng.uniform(0, 180)))
        x, y = 75 + 130 * column + rng.uniform(-6, 6), 80 + 145 * row + rng.uniform(-8, 8)
        things.append(Thing(outline, float(x), float(y), ROLL))
    same(find_items(render(things, kind=kind, seed=seed)), things)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((100, 100), np.uint8),
        np.zeros((10, 100, 3), np.uint8),
        np.zeros((100, 100, 3), np.float32),
        np.zeros((100, 100, 4), np.uint8),
    ],
)
def test_what_is_no_frame_is_refused(frame: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="frame"):
        find_items(frame)


def test_pictures_of_no_tray_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    board = (np.indices((30, 40)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frames = [
        rng.integers(0, 256, (600, 800, 3)).astype(np.uint8),
        np.repeat(np.kron(board, np.ones((40, 40), np.uint8))[..., None], 3, axis=2),
        np.tile((np.arange(800) // 8 % 2 * 200).astype(np.uint8)[None, :, None], (600, 1, 3)),
        np.tile(np.linspace(0, 255, 800).astype(np.uint8)[None, :, None], (600, 1, 3)),
        np.concatenate((np.zeros((300, 800, 3), np.uint8), np.full((300, 800, 3), 255, np.uint8))),
        rng.integers(0, 256, (32, 32, 3)).astype(np.uint8),
        rng.integers(0, 256, (40, 3000, 3)).astype(np.uint8),
    ]
    for frame in frames:
        height, width = frame.shape[:2]
        for item in find_items(frame):
            x, y, across, down = item.box
            assert 0 <= x <= x + across <= width
            assert 0 <= y <= y + down <= height
            assert 0 < item.area_px <= width * height


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_frame_of_one_colour_holds_nothing(value: int) -> None:
    assert find_items(np.full((240, 320, 3), value, np.uint8)) == []


@pytest.mark.parametrize("wrong", [{"work_px": 50}, {"smallest_share": 0.0}, {"smallest_share": 0.7}])
def test_settings_that_find_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must lie"):
        FinderSettings(**wrong)  # type: ignore[arg-type]
