"""Is it a picture at all? What a frame says about the camera rather than about the goods. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WIDEST = 1280
"""Frames are averaged down to at most this many pixels in width, so that sharpness is comparable between cameras."""


@dataclass(frozen=True, slots=True)
class Measure:
    """`brightness` is the mean grey value, 0 to 255; `sharpness` the variance of the Laplacian."""

    brightness: float
    sharpness: float


def measure(grey: NDArray[np.uint8]) -> Measure:
    """Brightness and sharpness of a frame.

    The Laplacian is the 4-neighbour one, its variance the focus measure of Pech-Pacheco et al., Diatom autofocusing in
    brightfield microscopy, ICPR 2000.

    Args:
        grey: (height, width) uint8, at least 3 by 3.

    Raises:
        ValueError: not two-dimensional, or too small.
    """
    if grey.ndim != 2 or min(grey.shape) < 3:
        raise ValueError(f"a grey frame of at least 3 by 3 pixels, not {grey.shape}")
    step = -(-grey.shape[1] // WIDEST)
    height, width = grey.shape[0] // step, grey.shape[1] // step
    if step > 1 and min(height, width) >= 3:
        blocks = grey[: height * step, : width * step].reshape(height, step, width, step)
        frame = blocks.mean(axis=(1, 3), dtype=np.float32)
        brightness, laplacian = float(frame.mean()), cv2.Laplacian(frame, cv2.CV_32F)
    else:
        brightness, laplacian = float(grey.mean()), cv2.Laplacian(grey, cv2.CV_16S)
    _, deviation = cv2.meanStdDev(laplacian[1:-1, 1:-1])
    return Measure(brightness, sharpness=float(deviation[0, 0]) ** 2)
