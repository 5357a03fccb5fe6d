"""Pictures with outlines drawn in: they are looked at before figures are believed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

GREEN, RED, BLUE = (0, 200, 0), (0, 0, 255), (255, 80, 0)


def draw(
    folder: Path | None,
    name: str,
    image: NDArray[np.uint8],
    outlines: Iterable[tuple[NDArray[np.float32], bool]],
    boxes: Iterable[tuple[float, float, float, float]] = (),
) -> None:
    """Writes `<folder>/<name>.jpg`: outlines in green, those that are cut off in red, labelled boxes in blue.

    Without a folder nothing is drawn.
    """
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    shown = image.copy()
    thick = max(1, round(max(image.shape[:2]) / 600))
    for x, y, width, height in boxes:
        cv2.rectangle(shown, (round(x), round(y)), (round(x + width), round(y + height)), BLUE, thick)
    for outline, cut_off in outlines:
        cv2.polylines(shown, [np.rint(outline).astype(np.int32)], True, RED if cut_off else GREEN, thick)
    cv2.imwrite(str(folder / f"{name}.jpg"), shown)
