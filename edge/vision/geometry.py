"""The crop to a belt or a tray by its four corners, straightened as if seen from right above. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_SMALLEST_PX = 32


class BeltCrop:
    """The part of a frame between four corners, and the way back.

    Args:
        corners: x and y as fractions of the frame's width and height, 0 to 1, of the top left, top right, bottom right
            and bottom left corner, as they are to be in the straightened picture.

    Raises:
        ValueError: not four corners, outside of the frame, or not in this order around a convex figure.
    """

    def __init__(self, corners: Sequence[tuple[float, float]]) -> None:
        points = np.asarray(corners, np.float64)
        if points.shape != (4, 2):
            raise ValueError(f"four corners of x and y, not {points.shape}")
        if not (np.isfinite(points).all() and points.min() >= 0 and points.max() <= 1):
            raise ValueError("corners are fractions of the frame, 0 to 1")
        sides = np.roll(points, -1, axis=0) - points
        after = np.roll(sides, -1, axis=0)
        if not (sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0] > 1e-6).all():
            raise ValueError("corners go round: top left, top right, bottom right, bottom left")
        self._corners = points

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the straightened picture of a frame of this size: the means of opposite sides' lengths.

        Raises:
            ValueError: the crop of such a frame is smaller than 32 pixels.
        """
        left_top, right_top, right_bottom, left_bottom = self._corners * (width, height)
        across = (np.hypot(*(right_top - left_top)) + np.hypot(*(right_bottom - left_bottom))) / 2
        down = (np.hypot(*(left_bottom - left_top)) + np.hypot(*(right_bottom - right_top))) / 2
        size = round(float(across)), round(float(down))
        if min(size) < _SMALLEST_PX:
            raise ValueError(f"the crop is {size[0]} by {size[1]} pixels, at least {_SMALLEST_PX} by {_SMALLEST_PX}")
        return size

    def apply(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The straightened crop.

        Args:
            frame: (height, width, 3) uint8.

        Raises:
            ValueError: the crop of such a frame is smaller than 32 pixels.
        """
        height, width = frame.shape[:2]
        size = self.size(width, height)
        # OpenCV's coordinates are those of pixel centres, ours those of corners.
        move = _SHIFT_BACK @ self._matrix(width, height) @ _SHIFT
        return np.asarray(cv2.warpPerspective(frame, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def to_frame(self, points: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """Where points of the crop are in a frame of this size: (n, 2) x and y in pixels, there and back."""
        back = np.linalg.inv(self._matrix(width, height))
        return np.asarray(cv2.perspectiveTransform(points[None], back)[0], np.float32)

    def to_fractions(self) -> NDArray[np.float64]:
        """From fractions of the crop to fractions of the frame, (3, 3); the same for frames of all sizes."""
        unit = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), np.float32)
        return np.asarray(cv2.getPerspectiveTransform(unit, np.asarray(self._corners, np.float32)), np.float64)

    def _matrix(self, width: int, height: int) -> NDArray[np.float64]:
        """From pixels of the frame to pixels of the crop, (3, 3)."""
        across, down = self.size(width, height)
        target = np.array(((0, 0), (across, 0), (across, down), (0, down)), np.float32)
        source = np.asarray(self._corners * (width, height), np.float32)
        return np.asarray(cv2.getPerspectiveTransform(source, target), np.float64)


_SHIFT = np.array(((1.0, 0.0, 0.5), (0.0, 1.0, 0.5), (0.0, 0.0, 1.0)))
_SHIFT_BACK = np.array(((1.0, 0.0, -0.5), (0.0, 1.0, -0.5), (0.0, 0.0, 1.0)))
