"""What a frame looks like where no item is, and how far each pixel departs from it. Pure.

Light that changes over a surface multiplies what the surface reflects, so that everything is done with logarithms of linear
light: a lamp's falloff, a lens's vignette and a shadow then only add to the brightness and leave the two colour differences
as they are. Baked goods are yellower than any tray, belt or paper, or at least brighter, or much darker than a shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]
"""(3, height, width) float32: brightness, warmth (red against blue), green against magenta; natural logarithms."""

_FLOOR = 0.012
"""Added to linear light (0 to 1) before its logarithm: a camera's black is not darker than this."""
_GAMMA = 2.2
_TOLERANCE = np.array((0.25, 0.10, 0.06), np.float32)
"""How far pixels of one background differ from each other in the planes, roughly."""
_CELLS = 36
"""The background is fitted to a picture whose longer side is reduced to this."""
_CANDIDATES = 8
_SEEN = np.array((3.0, 2.0, 2.0), np.float32)
_WIDER = np.array((1.5, 1.0, 1.0), np.float32)
_FITS = ((1, 3.0), (3, 2.5), (6, 2.0), (6, 1.4))
"""Terms of the polynomial (constant, plane, quadric) and how many tolerances away a pixel still belongs to it."""
_FEWEST = 30
_BLACK, _FLAT = 40, 2
"""What a program fills empty corners with is at most this bright, and after compression differs by this much."""
_BLANK_LEAST, _BLANK_MOST = 0.02, 0.5
_BRIGHTER, _SHADOW, _DARKER, _WARM, _GREEN = 0.30, 0.90, 0.35, 0.16, 0.10
"""Units of departure, in logarithms. Up to 0.9 darker (a factor of 0.4) is a shadow."""
_ROWS = 64
_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Background:
    """A quadric for each plane: `terms[plane][row power][column power]` (3, 3, 3) float32, coordinates from -1 to 1."""

    terms: NDArray[np.float32]

    def planes(self, height: int, width: int, rows: slice = _ALL) -> Planes:
        """The background of a frame of this size, or of some rows of it."""
        return np.asarray(_powers(height)[rows] @ self.terms @ _powers(width).T, np.float32)


def planes(image: NDArray[np.uint8]) -> Planes:
    """Logarithms of light, brightness apart from colour.

    Args:
        image: (height, width, 3) uint8, BGR.
    """
    table = _logarithms()
    blue, green, red = (cv2.LUT(channel, table) for channel in cv2.split(image))
    taken = np.empty((3, *image.shape[:2]), np.float32)
    both = cv2.add(blue, red)
    cv2.addWeighted(both, 1 / 3, green, 1 / 3, 0.0, dst=taken[0])
    cv2.subtract(red, blue, dst=taken[1])
    cv2.addWeighted(both, 0.5, green, -1.0, 0.0, dst=taken[2])
    return taken


def blank(image: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Where a picture that was turned or straightened shows nothing: flat black that reaches into a corner.

    Args:
        image: (height, width, 3) uint8, BGR.

    Returns:
        (height, width) bool, or None where there is nothing of the kind. Black that covers half of a picture is a tray.
    """
    height, width = image.shape[:2]
    filled = np.zeros((height + 2, width + 2), np.uint8)
    how = cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 1 << 8
    spread = (_FLAT, _FLAT, _FLAT)
    for x, y in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        if image[y, x].max() <= _BLACK and not filled[y + 1, x + 1]:
            cv2.floodFill(image, filled, (x, y), (0, 0, 0), spread, spread, how)
    share = np.count_nonzero(filled) / (height * width)
    if not _BLANK_LEAST < share < _BLANK_MOST:
        return None
    rim = cv2.dilate(filled, np.ones((7, 7), np.uint8))
    return np.asarray(rim[1:-1, 1:-1] > 0, np.bool_)


def fit(image: NDArray[np.uint8], without: NDArray[np.bool_] | None = None) -> Background:
    """The background of a frame: what its smooth parts have most in common, and how it changes over the frame.

    Args:
        image: (height, width, 3) uint8, BGR.
        without: (height, width) bool, pixels that are not looked at.
    """
    factor = _CELLS / max(image.shape[:2])
    coarse = image
    while min(coarse.shape[:2]) >= 4 * _CELLS:
        half = (coarse.shape[1] // 2, coarse.shape[0] // 2)
        coarse = np.asarray(cv2.resize(coarse, half, interpolation=cv2.INTER_AREA), np.uint8)
    size = (max(8, round(image.shape[1] * factor)), max(8, round(image.shape[0] * factor)))
    small = planes(np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_AREA), np.uint8))
    cells = small.reshape(3, -1)
    smooth = _smooth(small)
    if without is None:
        usable = np.ones(cells.shape[1], np.bool_)
    else:
        usable = np.asarray(cv2.resize(without.astype(np.uint8), size, interpolation=cv2.INTER_AREA) == 0).ravel()
    x, y = np.meshgrid(np.linspace(-1, 1, size[0], dtype=np.float32), np.linspace(-1, 1, size[1], dtype=np.float32))
    basis = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y)).reshape(6, -1)
    terms = np.zeros((3, 6), np.float32)
    terms[:, 0] = _commonest(cells[:, smooth & usable if (smooth & usable).any() else smooth])
    for count, reach in _FITS:
        away = np.abs(cells - terms[:, :count] @ basis[:count])
        near = (away < (reach * _TOLERANCE * _WIDER)[:, None]).all(axis=0) & usable
        if np.count_nonzero(near) < _FEWEST:
            break
        chosen = basis[:count, near]
        # A little ridge on all but the constant: where only one side of a frame shows background, it is not to run away.
        ridge = 1e-3 * chosen.shape[1] * np.diag([0.0] + [0.01] * (count - 1))
        terms = np.zeros((3, 6), np.float32)
        terms[:, :count] = np.linalg.solve(chosen @ chosen.T + ridge, chosen @ cells[:, near].T).T
    one, across, down, across2, both, down2 = terms.T
    zero = np.zeros(3, np.float32)
    matrix = np.array(((one, across, across2), (down, both, zero), (down2, zero, zero)))
    return Background(np.asarray(np.moveaxis(matrix, 2, 0), np.float32))


@dataclass(frozen=True, slots=True)
class Departure:
    """How unlike the background each pixel is.

    Args:
        strange: (height, width) float32, 0 and up; about 1 is where an item begins.
        light: (height, width) float32, how much brighter, in natural logarithms.
    """

    strange: NDArray[np.float32]
    light: NDArray[np.float32]


def departure(image: NDArray[np.uint8], background: Background) -> Departure:
    """Compares a frame with its background.

    Args:
        image: (height, width, 3) uint8, BGR.
        background: of it.
    """
    height, width = image.shape[:2]
    found = Departure(np.empty((height, width), np.float32), np.empty((height, width), np.float32))
    # Some rows at a time: what is worked on stays in the processor's cache.
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        seen = planes(image[rows])
        seen -= background.planes(height, width, rows)
        light, warm, green = seen
        found.light[rows] = light
        strange = found.strange[rows]
        np.multiply(light, np.float32(1 / _BRIGHTER), out=strange)
        light += np.float32(_SHADOW)
        light *= np.float32(-1 / _DARKER)
        np.maximum(strange, light, out=strange)
        np.maximum(strange, 0.0, out=strange)
        np.square(strange, out=strange)
        warm *= np.float32(1 / _WARM)
        green *= np.float32(1 / _GREEN)
        strange += np.square(warm, out=warm)
        strange += np.square(green, out=green)
        np.sqrt(strange, out=strange)
    return found


def darkness(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of departure that is due to being darker than a shadow can make the background; of `Departure.light`."""
    return np.asarray(np.maximum((light + np.float32(_SHADOW)) * np.float32(-1 / _DARKER), 0.0), np.float32)


def _commonest(smooth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colour that most smooth cells, (3, n), share; of two that are about as common, the less coloured."""
    step = (_TOLERANCE * np.array((2, 1, 1), np.float32))[:, None]
    bins = np.round(smooth / step).astype(np.int64)
    low = bins.min(axis=1, keepdims=True)
    spans = tuple(np.ravel(bins.max(axis=1, keepdims=True) - low + 1))
    codes, counts = np.unique(np.ravel_multi_index(tuple(bins - low), spans), return_counts=True)
    frequent = codes[np.argsort(-counts, kind="stable")[:_CANDIDATES]]
    candidates = (np.stack(np.unravel_index(frequent, spans)) + low) * step
    near = np.ones((candidates.shape[1], smooth.shape[1]), np.bool_)
    for cells, colours, reach in zip(smooth, candidates, _TOLERANCE * _SEEN, strict=True):
        near &= np.abs(cells - colours[:, None]) < reach
    votes = near.sum(axis=1) / (1 + 1.5 * np.abs(candidates[1]))
    return np.asarray(candidates[:, int(np.argmax(votes))], np.float32)


def _smooth(small: Planes) -> NDArray[np.bool_]:
    """Which cells lie in the smoother half, (cells,) bool."""
    rough = np.zeros(small.shape[1:], np.float32)
    for plane, tolerance in zip(small, _TOLERANCE, strict=True):
        across, down = cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)
        rough += np.asarray((across * across + down * down) / tolerance**2, np.float32)
    # By the lower of two middle ones it is the same half; numpy's median loads its masked arrays, a megabyte.
    flat, middle = rough.ravel(), (rough.size - 1) // 2
    return np.asarray(flat <= np.partition(flat, middle)[middle], np.bool_)


def _powers(count: int) -> NDArray[np.float32]:
    place = np.linspace(-1, 1, count, dtype=np.float32)
    return np.stack((np.ones_like(place), place, place * place), axis=1)


@cache
def _logarithms() -> NDArray[np.float32]:
    return np.log((np.arange(256) / 255.0) ** _GAMMA + _FLOOR).astype(np.float32)
