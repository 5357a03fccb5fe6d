"""Sizes of goods as they go on the wire."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from edge.grading import MOST_MM, Grading
from edge.vision.calibration import Calibration


def size(mm_across: float, *, cut_off: bool = False) -> float | None:
    """Of a thing of half a frame's width, where the frame shows so many mm."""
    contour = np.array(((25, 25), (75, 25), (75, 75), (25, 75)), np.float32)
    item: Any = SimpleNamespace(cut_off=cut_off, found=SimpleNamespace(contour=contour))
    nobody: Any = None
    plane = Calibration(np.diag((mm_across, mm_across, 1.0)), 0.1, 9)
    return Grading(nobody, nobody, plane).size_mm(item, np.zeros((100, 100, 3), np.uint8))


def test_a_size_that_the_wire_does_not_take_is_none() -> None:
    assert size(400.0) == 200.0
    assert size(400.0, cut_off=True) is None
    assert size(4 * MOST_MM) is None, "the plane's horizon, or a calibration of something else"
