"""Small pictures stay for days and within megabytes; corrected ones become lessons."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from edge.vision.retention import DAY_NS, Kept, Lessons, PictureStore
from edge.vision.small_picture import LARGEST_PX, small_picture

NOW = time.time_ns()


def kept(number: int, **more: object) -> Kept:
    facts = {
        "inspection": f"i-{number:04x}",
        "item": 3,
        "product": "rolls",
        "batch": "b",
        "box": (0.1, 0.1, 0.8, 0.8),
        "label": "burnt",
        "verdict": "reject",
        "confidence": 0.9,
    }
    return Kept(**{**facts, **more})  # type: ignore[arg-type]  # by name


def age(folder: Path, number: int, days: float) -> None:
    for path in folder.glob(f"i-{number:04x}-*"):
        os.utime(path, ns=(NOW - round(days * DAY_NS),) * 2)


def test_what_is_too_old_goes_and_then_the_oldest_until_the_rest_fits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pictures"
    store = PictureStore(folder, days=10, max_mb=1, wall_ns=lambda: NOW, monotonic_ns=lambda: 0)
    assert store.tidy() == 0
    for number in range(6):
        store.keep(kept(number), b"x" * 120_000, b"y" * 50_000 if number % 2 else None)
        age(folder, number, 12 - 2 * number)
    (folder / "holiday.jpg").write_bytes(b"z" * 2_000_000)
    caplog.set_level("INFO")
    assert store.tidy() == 1
    assert "1 pictures deleted, 1 because of their age" in caplog.text
    assert store.find("i-0000", 3) is None
    found = store.find("i-0001", 3)
    assert found == (kept(1), b"x" * 120_000)
    for number in range(6, 9):
        store.keep(kept(number), b"x" * 300_000)
        age(folder, number, 0)
    ours = [path for path in folder.iterdir() if path.name != "holiday.jpg"]
    assert sum(path.stat().st_size for path in ours) <= 1_000_000
    assert store.find("i-0008", 3) is not None
    assert store.find("i-0001", 3) is None
    assert not list(folder.glob("i-0001*"))
    assert (folder / "holiday.jpg").exists()
    assert store.deleted >= 3


def test_on_a_node_that_is_switched_off_at_night_what_is_too_old_goes_where_the_time_is_known(tmp_path: Path) -> None:
    told: dict[str, int | None] = {"wall": NOW, "monotonic": 0, "known": NOW}

    def begun() -> PictureStore:
        return PictureStore(
            tmp_path,
            days=10,
            max_mb=1,
            wall_ns=lambda: told["wall"] or 0,
            monotonic_ns=lambda: told["monotonic"] or 0,
            known_ns=lambda: told["known"],
        )

    begun().keep(kept(1), b"x")
    age(tmp_path, 1, 0)
    left = {}
    for day in (9, 11):
        told.update(wall=NOW + day * DAY_NS, known=NOW + day * DAY_NS, monotonic=0)
        begun().tidy()
        left[day] = len(list(tmp_path.glob("*.jpg")))
    assert left == {9: 1, 11: 0}
    begun().keep(kept(2), b"x")
    age(tmp_path, 2, 0)
    for known in (NOW, None):
        told.update(wall=NOW + 27_000 * DAY_NS, known=known)
        assert begun().tidy() == 0, "only where both say the same"


def test_a_clock_that_jumps_ahead_takes_no_picture_until_it_has_stayed_there_for_a_day(tmp_path: Path) -> None:
    clock = {"wall": NOW, "monotonic": 0}

    def begun() -> PictureStore:
        return PictureStore(
            tmp_path, days=10, max_mb=1, wall_ns=lambda: clock["wall"], monotonic_ns=lambda: clock["monotonic"]
        )

    def wait(days: float) -> None:
        for one in clock:
            clock[one] += round(days * DAY_NS)

    store = begun()
    store.keep(kept(1), b"x")
    assert store.tidy() == 0
    clock["wall"] += 27_000 * DAY_NS
    assert store.tidy() == 0
    store.keep(kept(2), b"x")
    os.utime(tmp_path / "i-0002-3.jpg", ns=(clock["wall"],) * 2)
    wait(0.5)
    assert store.tidy() == 0
    clock["wall"] -= 27_000 * DAY_NS
    assert store.tidy() == 0, "it came back"
    wait(9)
    assert store.tidy() == 0
    wait(1)
    assert store.tidy() == 1, "days go on"
    # Off for a month: the clock is right, and what is too old goes a day later.
    store.keep(kept(3), b"x")
    (tmp_path / "i-0002-3.jpg").unlink()
    os.utime(tmp_path / "i-0003-3.jpg", ns=(clock["wall"],) * 2)
    wait(30)
    store = begun()
    assert store.tidy() == 0
    wait(1)
    assert store.tidy() == 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "i-", "i-XY", "i-00/../00", "", "i-" + "0" * 60])
def test_an_inspections_name_from_outside_leads_to_no_other_file(name: str, tmp_path: Path) -> None:
    store = PictureStore(tmp_path, days=1, max_mb=1, wall_ns=lambda: NOW, monotonic_ns=lambda: 0)
    with pytest.raises(ValueError, match="no inspection"):
        store.find(name, 0)


def test_damaged_facts_are_as_good_as_none(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, days=1, max_mb=1, wall_ns=lambda: NOW, monotonic_ns=lambda: 0)
    store.keep(kept(1), b"x")
    (tmp_path / "i-0001-3.json").write_text("{")
    assert store.find("i-0001", 3) is None


def test_a_lesson_lies_where_teaching_takes_it_and_follows_a_change_of_mind(tmp_path: Path) -> None:
    lessons = Lessons(tmp_path / "lessons", most=3)
    assert lessons.counts("rolls") == (0, 0)
    path = lessons.add(kept(1, corrected="good"), b"x")
    assert path == tmp_path / "lessons" / "rolls" / "good" / "i-0001-3.jpg"
    lessons.add(kept(1, corrected="reject"), b"x")
    assert lessons.counts("rolls") == (0, 1)
    for number in range(2, 7):
        lessons.add(kept(number, corrected="good"), b"x")
    assert lessons.counts("rolls") == (3, 1)


def test_a_small_picture_shows_the_item_and_a_little_around_it() -> None:
    frame = np.zeros((1000, 2000, 3), np.uint8)
    frame[300:700, 400:1200] = 200
    picture, (x, y, width, height) = small_picture(frame, (400.0, 300.0, 800.0, 400.0))
    assert max(picture.shape) == LARGEST_PX
    rows, columns = np.nonzero(picture[..., 0] > 100)
    assert columns.min() == pytest.approx(x * picture.shape[1], abs=1.5)
    assert rows.max() + 1 == pytest.approx((y + height) * picture.shape[0], abs=1.5)
    assert width > 0.7
    corner, box = small_picture(frame, (0.0, 0.0, 30.0, 20.0))
    assert corner.shape[0] < 40
    assert box[:2] == (0.0, 0.0)
