"""What counts as goods: small ones after large ones do, what is left on an emptied tray does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.counting import MOST_PRODUCTS, Counting

SIZE = (1600, 1200)
LOAF, BISCUIT, SPRINKLE = (620, 260), (74, 74), (30, 25)
# Of an emptied tray: as large as a biscuit and smaller, each another size.
CRUMBS = [(25, 22), (80, 75), (50, 40), (28, 26), (36, 30), (110, 40), (24, 60)]


def thing(size: tuple[int, int], *, cut_off: bool = False) -> Any:
    return SimpleNamespace(found=SimpleNamespace(box=(0, 0, *size), area_px=0.78 * size[0] * size[1]), cut_off=cut_off)


def count(counting: Counting, things: list[tuple[int, int]], product: str = "bread", pictures: int = 1) -> int:
    counted = [
        len(counting.count([thing(size) for size in things], product, size=SIZE, taken_ns=at).items)
        for at in range(pictures)
    ]
    return counted[-1]


@pytest.fixture
def morning() -> Counting:
    """A morning of loaves, four a tray."""
    made = Counting(None, None)
    assert count(made, [LOAF] * 4, pictures=50) == 4
    return made


def test_small_goods_that_are_announced_count_at_once(morning: Counting) -> None:
    assert count(morning, [BISCUIT] * 2, "biscuit") == 2
    assert count(morning, [LOAF], "bread") == 1
    assert count(morning, [*[BISCUIT] * 2, SPRINKLE], "biscuit", pictures=20) == 3, "a biscuit's crumb is smaller"
    assert count(morning, [BISCUIT], "bread") == 0


def test_small_goods_that_nobody_announced_count_where_most_are_of_one_size(morning: Counting) -> None:
    assert count(morning, [BISCUIT] * 2) == 0
    assert count(morning, [LOAF, *[BISCUIT] * 2]) == 1
    # Two of them touch.
    assert count(morning, [*[BISCUIT] * 30, (140, 78)]) == 31
    assert count(morning, [BISCUIT] * 2) == 2, "from then on these are the goods"
    assert count(morning, [LOAF] * 4) == 4


def test_what_is_left_on_an_emptied_tray_never_becomes_goods(morning: Counting) -> None:
    before = morning.crumbs
    assert count(morning, CRUMBS, pictures=100) == 0
    assert morning.crumbs == before + 100 * len(CRUMBS)
    assert count(morning, [SPRINKLE] * 40, pictures=100) == 0, "alike, and far too small beside a loaf"
    assert count(morning, [SPRINKLE] * 40, "biscuit") == 0, "also of a product that was never seen"
    assert count(morning, [(19, 19)] * 40, "biscuit") == 0


def test_how_large_goods_are_is_known_after_a_restart_until_it_is_learned_anew(morning: Counting) -> None:
    assert count(morning, [BISCUIT] * 3, "biscuit") == 3
    again = Counting(None, morning.state)
    assert count(again, CRUMBS) == 0
    assert count(again, [BISCUIT], "biscuit") == 1
    again.forget("bread")
    assert count(again, [BISCUIT] * 2, "bread") == 2
    assert count(Counting(None, "no state"), CRUMBS) == len(CRUMBS)


def test_one_wrong_picture_does_not_say_how_large_goods_are(morning: Counting) -> None:
    assert count(morning, [(1500, 1100)]) == 1
    assert count(morning, [(250, 120)] * 2) == 2


def test_what_is_cut_off_says_nothing_of_a_size() -> None:
    counting = Counting(None, None)
    for at in range(20):
        counting.count([thing((60, 400), cut_off=True)], "bread", size=SIZE, taken_ns=at)
    assert counting.state == "{}"


def test_its_memory_is_bounded_and_hardly_changes() -> None:
    counting, rng = Counting(None, None), np.random.default_rng(0)
    states = set()
    for _ in range(200):
        count(counting, [(200, round(100 + rng.normal())) for _ in range(6)])
        states.add(counting.state)
    assert len(states) < 12, "it is not written with every picture"
    for number in range(3 * MOST_PRODUCTS):
        count(counting, [LOAF], f"p{number}")
    assert counting.state.count(":") == MOST_PRODUCTS
