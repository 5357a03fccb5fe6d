"""An item's outline as numbers: how round, how symmetric, how whole. Pure; nothing depends on size or rotation but the size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.float32]
"""(n, 2) float32, x and y of an outline in order, in any unit of length."""

_ANGLES = 128
_HARMONICS = 12
_SMOOTH = 0.012
"""An outline is smoothed by this share of its size before its length is taken: pixels are no teeth."""
_MOMENTS = 4
NAMES = (
    "solidity",
    "roundness",
    "rectangularity",
    "disc_share",
    "aspect",
    "ellipticity",
    "turn_asymmetry",
    "mirror_asymmetry",
    "raggedness",
    *(f"moment_{k + 1}" for k in range(_MOMENTS)),
    *(f"harmonic_{k + 1}" for k in range(_HARMONICS)),
)
"""Names of what `Shape.vector` holds, in its order."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large an outline is, in its own unit of length.

    Args:
        length: longer side of the smallest rectangle around it, at any angle.
        width: the shorter side.
        area: in square units.
    """

    length: float
    width: float
    area: float


@dataclass(frozen=True, slots=True)
class Shape:
    """What an outline looks like.

    Args:
        size: in the outline's unit.
        roundness: 4π·area / (perimeter of the convex hull)², 1 for a disc, 0.785 for a square (ISO 9276-6 calls its root
            circularity; the hull keeps teeth of a broken edge out, which solidity and raggedness tell).
        symmetry: 1 for an outline that a half turn and some mirror map onto itself, 0 for one whose halves differ by as
            much as its mean radius.
        solidity: area against that of the convex hull, 0 to 1.
        vector: (25,) float32 as in `NAMES`, for comparing items with each other.
    """

    size: Size
    roundness: float
    symmetry: float
    solidity: float
    vector: NDArray[np.float32]


def size_of(contour: Contour) -> Size:
    """Length, width and area.

    Raises:
        ValueError: no outline with an area.
    """
    return _size(_checked(contour))


def _size(points: Contour) -> Size:
    sides = cv2.minAreaRect(points)[1]
    return Size(float(max(sides)), float(min(sides)), float(cv2.contourArea(points)))


def shape_of(contour: Contour) -> Shape:
    """Measures an outline.

    Moments are the first four of Hu (Visual pattern recognition by moment invariants, IRE Trans. Inf. Theory 8, 1962), as
    −sign·lg; harmonics are the Fourier amplitudes of the radius over the angle, seen from the centre of gravity, in shares
    of the mean radius (Zahn and Roskies, IEEE Trans. Comput. C-21, 1972, in their simplest form).

    Raises:
        ValueError: no outline with an area.
    """
    points = _checked(contour)
    size = _size(points)
    hull = cv2.convexHull(points)
    hull_area, hull_perimeter = float(cv2.contourArea(hull)), float(cv2.arcLength(hull, closed=True))
    smooth = cv2.approxPolyDP(points, _SMOOTH * float(np.sqrt(size.area)), closed=True)
    perimeter = float(cv2.arcLength(smooth, closed=True))
    moments = cv2.moments(points)
    radius = _radii(points[:, 0], moments["m10"] / moments["m00"], moments["m01"] / moments["m00"])
    turned = float(np.abs(radius[: _ANGLES // 2] - radius[_ANGLES // 2 :]).mean())
    mirrored = _mirrored(radius)
    solidity = min(1.0, size.area / hull_area)
    roundness = min(1.0, 4 * np.pi * size.area / hull_perimeter**2)
    vector = (
        solidity,
        roundness,
        size.area / max(size.length * size.width, 1e-9),
        size.area / (np.pi * cv2.minEnclosingCircle(points)[1] ** 2),
        size.width / size.length,
        _ellipticity(moments),
        turned,
        mirrored,
        float(np.log(perimeter / hull_perimeter)),
        *_hu(moments),
        *np.abs(np.fft.rfft(radius))[1 : _HARMONICS + 1] / (_ANGLES / 2),
    )
    return Shape(
        size=size,
        roundness=roundness,
        symmetry=max(0.0, 1.0 - (turned + mirrored) / 2),
        solidity=solidity,
        vector=np.array(vector, np.float32),
    )


def _checked(contour: Contour) -> Contour:
    """The outline as OpenCV wants it, (n, 1, 2)."""
    if contour.ndim != 2 or contour.shape[1] != 2 or len(contour) < 3 or not np.isfinite(contour).all():
        raise ValueError(f"an outline of at least 3 points (n, 2), not {contour.shape}")
    points = np.ascontiguousarray(contour, np.float32).reshape(-1, 1, 2)
    if cv2.contourArea(points) <= 0:
        raise ValueError("an outline without an area")
    return points


def _radii(points: NDArray[np.float32], x: float, y: float) -> NDArray[np.float64]:
    """Distance from the centre at equal angles, (128,), mean 1."""
    across, down = points[:, 0] - x, points[:, 1] - y
    angle = np.arctan2(down, across)
    order = np.argsort(angle)
    angle, away = angle[order], np.sqrt(across * across + down * down)[order]
    # Once around and a little more on both sides.
    angle = np.concatenate(((angle[-1] - 2 * np.pi,), angle, (angle[0] + 2 * np.pi,)))
    away = np.concatenate((away[-1:], away, away[:1]))
    radius = np.interp(_angles(), angle, away)
    return np.asarray(radius / radius.mean(), np.float64)


def _mirrored(radius: NDArray[np.float64]) -> float:
    """Mean difference of the radius from its mirror image, about the axis where they differ least."""
    coarse = radius[::2]
    apart = coarse.take(_mirrors())
    apart -= coarse
    return float(np.abs(apart, out=apart).sum(axis=1).min()) / len(coarse)


@cache
def _angles() -> NDArray[np.float64]:
    return np.linspace(-np.pi, np.pi, _ANGLES, endpoint=False)


@cache
def _mirrors() -> NDArray[np.int64]:
    """Which angle each angle is mapped to, for each axis."""
    places = np.arange(_ANGLES // 2)
    return np.asarray((places[:, None] - places[None, :]) % len(places), np.int64)


def _ellipticity(moments: dict[str, float]) -> float:
    """Area against that of the ellipse with the same second moments; 1 for an ellipse, 0.955 for a square."""
    area = moments["m00"]
    product = moments["mu20"] * moments["mu02"] - moments["mu11"] ** 2
    return area / (4 * np.pi * float(np.sqrt(max(product, 1e-12))) / area)


def _hu(moments: dict[str, float]) -> NDArray[np.float64]:
    first = np.asarray(cv2.HuMoments(moments), np.float64).ravel()[:_MOMENTS]
    return np.asarray(-np.sign(first) * np.log10(np.abs(first) + 1e-10), np.float64)
