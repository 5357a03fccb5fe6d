"""On a moving belt each item is counted once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scenes import Thing, disc, oval, render

from edge.vision.items import FoundItem, find_items
from edge.vision.tracking import Tracker


def item(x: float, y: float, width: float = 60, height: float = 40, *, cut_off: bool = False) -> FoundItem:
    contour = oval(width / 2, height / 2) + np.array((x, y), np.float32)
    return FoundItem((x - width / 2, y - height / 2, width, height), contour, 0.78 * width * height, cut_off)


def seen(places: list[tuple[float, float]], width: int = 800, half: float = 30) -> list[FoundItem]:
    """What a camera of this width sees of items at these places; at its edges it sees parts."""
    found = []
    for x, y in places:
        left, right = max(x - half, 0.0), min(x + half, float(width))
        if right - left > 8:
            found.append(item((left + right) / 2, y, right - left, cut_off=left == 0 or right == width))
    return found


def test_the_same_item_keeps_its_number_and_is_counted_once() -> None:
    tracker = Tracker()
    numbers = set()
    for step in range(8):
        (tracked,) = tracker.track([item(100 + 40 * step, 200)])
        numbers.add(tracked.number)
        assert tracked.new is (step == 0)
    assert numbers == {1}
    assert tracker.counted == 1


@settings(max_examples=20, deadline=None)
@given(
    speed=st.floats(15, 90),
    gaps=st.lists(st.floats(180, 400), min_size=3, max_size=10),
    rows=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_a_whole_run_is_counted_exactly(speed: float, gaps: list[float], rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = -np.cumsum(gaps) - 100
    places = [(float(x), 100 + 150 * row + float(rng.uniform(-10, 10))) for x in starts for row in range(rows)]
    tracker = Tracker()
    length = float(-starts.min()) + 1000
    for step in range(int(length / speed) + 2):
        now = seen([(x + speed * step + float(rng.normal(0, 0.7)), y) for x, y in places])
        tracker.track([now[k] for k in rng.permutation(len(now))])
    assert tracker.counted == len(places)


def test_an_item_that_one_frame_missed_is_not_counted_again() -> None:
    tracker = Tracker()
    for step in range(10):
        places = [(100.0 + 50 * step, 100.0), (160.0 + 50 * step, 250.0), (90.0 + 50 * step, 400.0)]
        if step == 4:
            places.pop(1)
        tracker.track(seen(places))
    assert tracker.counted == 3


def test_a_belt_that_stands_counts_nothing_again() -> None:
    tracker = Tracker()
    places = [(100.0 + 150 * k, 200.0) for k in range(5)]
    for step in range(12):
        moved = 60.0 * min(step, 4)
        tracker.track(seen([(x + moved, y) for x, y in places]))
    assert tracker.counted == 5


def test_equal_rows_that_move_by_most_of_their_distance_are_counted_with_the_belts_speed() -> None:
    tracker = Tracker(expected=(90.0, 0.0))
    for step in range(12):
        tracker.track(seen([(-1500 + 100.0 * k + 90 * step, 200.0) for k in range(15)], half=20))
    whole_by_then = sum(-1500 + 100.0 * k + 90 * 11 - 20 > 0 for k in range(15))
    assert tracker.counted == whole_by_then


def test_what_is_cut_off_is_counted_when_it_is_seen_whole() -> None:
    tracker = Tracker()
    first = tracker.track([item(10, 200, 20, cut_off=True)])
    assert not first[0].new
    assert tracker.counted == 0
    tracker.track([item(10, 200, 20, cut_off=True), item(300, 100)])
    assert tracker.counted == 1


def test_rendered_belt_is_counted_exactly() -> None:
    rng = np.random.default_rng(5)
    rolls = [(-60.0 - 150 * k, 90.0 + 120 * (k % 3) + float(rng.uniform(-8, 8))) for k in range(9)]
    outlines = [
        oval(float(rng.uniform(40, 50)), float(rng.uniform(26, 34)), float(rng.uniform(-15, 15))) for _ in rolls
    ]
    tracker = Tracker()
    for step in range(20):
        things = [Thing(o, x + 100 * step, y) for o, (x, y) in zip(outlines, rolls, strict=True)]
        visible = [thing for thing in things if -50 < thing.x < 690]
        tracker.track(find_items(render(visible, 420, 640, "dark belt", seed=step)))
    assert tracker.counted == len(rolls)


def test_nothing_is_tracked_in_empty_frames() -> None:
    tracker = Tracker()
    assert tracker.track([]) == []
    tracker.track(find_items(render([Thing(disc(40), 300, 300)])))
    assert tracker.track([]) == []
    assert tracker.counted == 1


def belt_of(seed: int, columns: int = 12) -> list[tuple[float, float]]:
    """Two uneven rows of items, the first about to come in from the left."""
    rng = np.random.default_rng(seed)
    x, places = -60.0, []
    for _ in range(columns):
        places += [(x + float(rng.uniform(-10, 10)), 100 + 200 * row + float(rng.uniform(-8, 8))) for row in range(2)]
        x -= 180 * float(rng.uniform(1.0, 1.5))
    return places


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_belt_that_stops_and_starts_again_counts_exactly(seed: int) -> None:
    places, tracker, moved = belt_of(seed), Tracker(), 0.0
    steps = (70, 70, 0, 0, 0, 70, 35, 70)
    for number in range(90):
        tracker.track(seen([(x + moved, y) for x, y in places], 640), size=(640, 420))
        moved += steps[number % len(steps)]
    assert abs(tracker.counted - len(places)) <= 1, "a start after a long stop may be taken for another one"


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), late=st.lists(st.integers(1, 3), min_size=5, max_size=9))
def test_frames_that_a_busy_computer_left_out_make_no_difference(seed: int, late: list[int]) -> None:
    places, tracker, seconds = belt_of(seed), Tracker(timed=True), 0
    for number in range(100):
        found = seen([(x + 60.0 * seconds, y) for x, y in places], 640)
        tracker.track(found, size=(640, 420), taken_ns=1_000_000_000 * (5 + seconds))
        # The belt's speed is seen first.
        seconds += late[number % len(late)] if number > 6 else 1
    assert tracker.counted == len(places)


def test_three_hundred_items_in_a_frame_cost_neither_time_nor_memory() -> None:
    rng = np.random.default_rng(2)
    places = [(20.0 + 39 * (k % 20), 20.0 + 39 * (k // 20)) for k in range(300)]
    tracker = Tracker()
    for step in range(3):
        found = [item(x + 8 * step, y, 24, 20) for x, y in places]
        tracker.track([found[k] for k in rng.permutation(300)], size=(1000, 640))
    assert tracker.counted == 300
