"""The canvas of one piece: coordinates, filled outlines, noise fields and jagged lines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""(height, width) or (height, width, 3) float32; light is linear, coverage is 0 to 1."""
Points = NDArray[np.float64]
"""(n, 2) in radii of the canvas, its centre at 0, y downwards."""

SIZE: Final = 144
"""Pixels of a canvas's side."""
RADIUS: Final = 58.0
"""Pixels from the centre to the edge of a round piece."""
CENTRE: Final = SIZE / 2
_SHIFT: Final = 4


@lru_cache(maxsize=1)
def coordinates() -> tuple[Image, Image]:
    """X and y of every pixel's centre in radii; read only."""
    line = (np.arange(SIZE, dtype=np.float32) + 0.5 - CENTRE) / np.float32(RADIUS)
    x, y = np.meshgrid(line, line)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def pixels(points: Points) -> Points:
    """Radii to pixels."""
    return points * RADIUS + CENTRE


def fill(points: Points) -> Image:
    """Coverage of the canvas by a polygon."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [fixed(pixels(points))], (255,), cv2.LINE_AA, _SHIFT)
    return coverage(mask)


def fixed(points: Points) -> Any:
    """Pixels as the fixed-point numbers that OpenCV draws with (4 fractional bits)."""
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def strokes(lines: Sequence[Points], widths: Sequence[float]) -> Image:
    """Coverage by polylines of these widths, in radii."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for line, width in zip(lines, widths, strict=True):
        thickness = max(1, round(width * RADIUS))
        cv2.polylines(mask, [fixed(pixels(line))], False, (255,), thickness, cv2.LINE_AA, _SHIFT)
    return coverage(mask)


def coverage(mask: NDArray[np.uint8]) -> Image:
    """0 to 255 as 0 to 1."""
    return mask.astype(np.float32) * np.float32(1 / 255)


def blur(image: Image, sigma_px: float) -> Image:
    """A Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)


def depth(mask: Image) -> Image:
    """Distance to the outline inside of a mask, in radii."""
    inside = (mask > 0.5).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3), np.float32) / np.float32(RADIUS)


def noise(
    rng: np.random.Generator, cell: float, octaves: int = 2, shape: tuple[int, int] = (SIZE, SIZE), fall: float = 0.5
) -> Image:
    """Smooth noise with mean about 0 and a standard deviation of 1; the coarsest cell is `cell` pixels wide."""
    height, width = shape
    out = np.zeros(shape, np.float32)
    gain = 1.0
    for _ in range(octaves):
        rows, columns = max(4, round(height / cell) + 2), max(4, round(width / cell) + 2)
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        out += np.float32(gain) * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        gain *= fall
        cell = max(cell / 2, 1.5)
    return out / np.float32(out.std() + 1e-6)


def wobble(
    rng: np.random.Generator, angle: Points, size: float, lowest: int = 2, highest: int = 9, fall: float = 1.0
) -> Points:
    """A periodic random curve over the angle (rad), harmonics `lowest` to `highest` falling with their number."""
    orders = np.arange(lowest, highest + 1)
    gains = rng.normal(0.0, 1.0, len(orders)) / orders**fall
    phases = rng.uniform(0.0, 2.0 * np.pi, len(orders))
    curve: Points = np.cos(np.outer(angle, orders) + phases) @ gains
    return curve * (size / 1.2)


def jagged(rng: np.random.Generator, count: int, roughness: float, fall: float = 0.9) -> Points:
    """A fractal line of `count` values: sums over six octaves, the finer the smaller by 2**-fall (Mandelbrot 1982)."""
    line = np.zeros(count)
    at = np.linspace(0.0, 1.0, count)
    for octave in range(1, 7):
        knots = 2**octave + 1
        line += np.interp(at, np.linspace(0.0, 1.0, knots), rng.normal(0.0, 1.0, knots)) * 0.5 ** (octave * fall)
    return line * roughness
