"""How large a pixel is: from the printed sheet or a card of known size to millimetres on the tray or belt.

The camera may look at the plane at an angle; a homography takes that out. It does not take out a lens's distortion, nor that an
item's top is nearer to the camera than the plane it lies on: 20 mm of height under a camera 600 mm above make 3 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.vision.geometry import BeltCrop
from edge.vision.items import find_items
from edge.vision.marker import corners_mm, detect
from models.quality.shape import Size, size_of

FORMAT = 1
_WORST_MM = 3.0
"""Points that fit a plane worse than this were not found on one."""
_ASPECT_OFF = 0.02
"""Smaller pictures of the same camera are rounded to whole pixels."""
_RECTANGULAR = 0.9
_QUAD_SMOOTH = 0.03


class CalibrationError(Exception):
    """A photo without what it is calibrated by, or a file that is no calibration; the text says what is wrong."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    matrix: list[float]
    residual_mm: float
    points: int
    aspect: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The plane that a camera looks at.

    Args:
        matrix: (3, 3) float64, homography from fractions of the frame's width and height to mm on the plane.
        residual_mm: root mean square distance of the known points from where they should be.
        points: how many there were.
        aspect: width by height of the photo it was made from; None where that is not known.
    """

    matrix: NDArray[np.float64]
    residual_mm: float
    points: int
    aspect: float | None = None

    def fits(self, width: int, height: int) -> bool:
        """Whether a frame has the shape that was calibrated; one of another shape is cut or turned, and its sizes are wrong."""
        return self.aspect is None or abs(width / height / self.aspect - 1) <= _ASPECT_OFF

    def to_mm(self, contour: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
        """A contour on the plane: (n, 2) pixels of a frame of this size, to (n, 2) mm."""
        fractions = contour.astype(np.float64) / (width, height)
        return np.asarray(cv2.perspectiveTransform(fractions[None], self.matrix)[0], np.float32)

    def size_mm(self, contour: NDArray[np.float32], width: int, height: int) -> Size:
        """Length and width in mm and area in mm² of what lies inside a contour.

        Raises:
            ValueError: no outline with an area.
        """
        return size_of(self.to_mm(contour, width, height))

    def mm_per_px(self, width: int, height: int) -> float:
        """Width of a pixel in the middle of a frame of this size."""
        middle = np.array(((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)), np.float32)
        square = middle + np.array((width / 2, height / 2), np.float32)
        return float(np.sqrt(self.size_mm(square, width, height).area))

    def within(self, crop: BeltCrop) -> Calibration:
        """The same plane for the straightened crop."""
        return Calibration(self.matrix @ crop.to_fractions(), self.residual_mm, self.points)

    def save(self, path: Path) -> None:
        """Writes it as JSON.

        Raises:
            OSError: it cannot be written.
        """
        file = _File(FORMAT, self.matrix.ravel().tolist(), round(self.residual_mm, 4), self.points, self.aspect)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Reads what `save` wrote.

        Raises:
            CalibrationError: it cannot be read, or is no calibration.
        """
        try:
            file = msgspec.json.decode(path.read_bytes(), type=_File)
        except OSError as exc:
            raise CalibrationError(f"{path}: no calibration: {exc.strerror or exc}") from exc
        except msgspec.ValidationError as exc:
            raise CalibrationError(f"{path}: no calibration: not what werkpuls calibrate writes") from exc
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise CalibrationError(f"{path}: no calibration: not JSON") from exc
        matrix = np.array(file.matrix, np.float64)
        if file.format != FORMAT or matrix.shape != (9,) or not np.isfinite(matrix).all():
            raise CalibrationError(f"{path}: no calibration of format {FORMAT}")
        square = matrix.reshape(3, 3)
        if abs(np.linalg.det(square)) < 1e-9:
            raise CalibrationError(f"{path}: its plane has no area")
        return cls(square, file.residual_mm, file.points, file.aspect)


def by_sheet(image: NDArray[np.uint8], scale: float = 1.0) -> Calibration:
    """From a photo of the printed sheet lying on the tray or belt; one marker is enough, four are better.

    Args:
        image: (height, width, 3) uint8, BGR; the whole frame of the camera.
        scale: side of a printed marker against 50 mm, where the printer changed it.

    Raises:
        CalibrationError: no marker, or markers that do not lie in one plane.
    """
    markers = detect(image)
    if not markers:
        raise CalibrationError("no marker of the printed sheet is in the photo, or it is blurred, too small or cut off")
    seen = np.concatenate([corners for _, corners in sorted(markers.items())])
    real = np.concatenate([corners_mm(number, scale) for number in sorted(markers)])
    return _fitted(seen, real, image)


def by_card(image: NDArray[np.uint8], long_mm: float, short_mm: float) -> Calibration:
    """From a photo of a rectangle of known size, a bank card for one, alone on the tray or belt.

    Args:
        image: (height, width, 3) uint8, BGR; the whole frame of the camera.
        long_mm: its longer side.
        short_mm: its shorter side.

    Raises:
        CalibrationError: no rectangle.
        ValueError: sides that are none.
    """
    if not 0 < short_mm <= long_mm:
        raise ValueError(f"a card of {long_mm} by {short_mm} mm; the longer side comes first")
    for item in sorted(find_items(image), key=lambda each: -each.area_px):
        size = size_of(item.contour)
        hull = cv2.convexHull(item.contour)
        smooth = _QUAD_SMOOTH * float(cv2.arcLength(hull, closed=True))
        quad = np.asarray(cv2.approxPolyDP(hull, smooth, closed=True), np.float64).reshape(-1, 2)
        if item.cut_off or len(quad) != 4 or size.area < _RECTANGULAR * cv2.contourArea(quad.astype(np.float32)):
            continue
        corners = _sides(item.contour, quad)
        around = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
        if around[0] + around[2] < around[1] + around[3]:
            corners = np.roll(corners, -1, axis=0)
        real = np.array(((0, 0), (long_mm, 0), (long_mm, short_mm), (0, short_mm)))
        return _fitted(corners, real, image)
    raise CalibrationError("no rectangle lies free and whole in the photo")


def _sides(contour: NDArray[np.float32], quad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners where straight lines through the four sides meet: a card's own corners are rounded."""
    lines = []
    for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        along = end - start
        length = float(np.hypot(*along))
        place = (contour - start) @ along / length**2
        away = np.abs((contour - start) @ np.array((-along[1], along[0])) / length)
        own = contour[(place > 0.15) & (place < 0.85) & (away < 0.05 * length)]
        if len(own) < 2:
            return quad
        vx, vy, x, y = np.ravel(cv2.fitLine(own, cv2.DIST_L2, 0, 0.01, 0.01)).tolist()
        lines.append((np.array((x, y)), np.array((vx, vy))))
    corners = []
    for (point, way), (other, other_way) in zip([lines[-1], *lines[:-1]], lines, strict=True):
        step = np.linalg.solve(np.stack((way, -other_way), axis=1), other - point)[0]
        corners.append(point + step * way)
    return np.array(corners)


def _fitted(seen: NDArray[np.float64], real: NDArray[np.float64], image: NDArray[np.uint8]) -> Calibration:
    height, width = image.shape[:2]
    fractions = seen / (width, height)
    matrix, _ = cv2.findHomography(fractions, real, 0)
    if matrix is None:
        raise CalibrationError("the known points do not span a plane")
    back = np.asarray(cv2.perspectiveTransform(fractions[None], matrix)[0], np.float64)
    residual = float(np.sqrt(np.square(back - real).sum(axis=1).mean()))
    if residual > _WORST_MM:
        raise CalibrationError(f"the markers do not lie in one plane: {residual:.1f} mm off; press the sheet flat")
    return Calibration(np.asarray(matrix, np.float64), residual, len(seen), round(width / height, 4))
