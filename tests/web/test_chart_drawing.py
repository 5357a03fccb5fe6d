"""A control chart is drawn whatever its figures are."""

from __future__ import annotations

import math

import pytest
from support.goods import point

from gateway.web.chart_drawing import HEIGHT, draw


@pytest.mark.parametrize("value", [0.0, -1e-300, 55.0, 1e6, 1e18])
def test_figures_that_are_all_the_same_lie_in_the_middle(value: float) -> None:
    limits = dict.fromkeys(("drift_low", "drift_high", "jump_low", "jump_high"), value)
    drawn = draw([point(value, expected=value, **limits)] * 3)
    assert [float(dot.y) for dot in drawn.dots] == [pytest.approx(HEIGHT / 2, rel=0.2)] * 3
    assert drawn.low < drawn.high


def test_the_largest_figures_that_are_let_in_stay_within_the_drawing() -> None:
    drawn = draw([point(value, expected=0.0, jump_low=-1e6, jump_high=1e6) for value in (-1e6, 0.0, 1e6)])
    heights = [float(dot.y) for dot in drawn.dots]
    assert all(math.isfinite(height) and 0 <= height <= HEIGHT for height in heights)
    assert heights == sorted(heights, reverse=True)
