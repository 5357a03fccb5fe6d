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
"""(height, width, 3) float32: brightness, warmth (red against blue), green against magenta; natural logarithms."""

_FLOOR = 0.012
"""Added to linear light (0 to 1) before its logarithm: a camera's black is not darker than this."""
_GAMMA = 2.2
_MIX = np.array(((1 / 3, 1 / 3, 1 / 3), (-1.0, 0.0, 1.0), (0.5, -1.0, 0.5)), np.float32)
"""From logarithms of blue, green and red to the planes."""
_TOLERANCE = np.array((0.25, 0.10, 0.06), np.float32)
"""How far pixels of one background differ from each other in the planes, roughly."""
_CELLS = 96
"""The background is fitted to a picture of this width."""
_CANDIDATES = 12
_SEEN = np.array((3.0, 2.0, 2.0), np.float32)
_FITS = ((1, 3.0), (1, 2.5), (3, 2.5), (6, 2.0), (6, 1.6), (6, 1.4), (6, 1.4))
"""Terms of the polynomial (constant, plane, quadric) and how many tolerances away a pixel still belongs to it."""
_FEWEST = 30
_BRIGHTER, _SHADOW, _DARKER, _WARM, _GREEN = 0.30, 0.90, 0.35, 0.16, 0.10
"""Units of departure, in logarithms. Up to 0.9 darker (a factor of 0.4) is a shadow."""


@dataclass(frozen=True, slots=True)
class Background:
    """A quadric for each plane: `terms[row power][column power]` (3, 3, 3) float64, coordinates from -1 to 1."""

    terms: NDArray[np.float64]

    def planes(self, height: int, width: int) -> Planes:
        """The background of a frame of this size."""
        down, across = _powers(height), _powers(width)
        return np.einsum("hi,ijc,wj->hwc", down, self.terms, across, optimize=True).astype(np.float32)


def planes(image: NDArray[np.uint8]) -> Planes:
    """Logarithms of light, brightness apart from colour.

    Args:
        image: (height, width, 3) uint8, BGR.
    """
    taken: Planes = cv2.transform(cv2.LUT(image, _logarithms()), _MIX)
    return taken


def fit(seen: Planes) -> Background:
    """The background of a frame: what its smooth parts have most in common, and how it changes over the frame."""
    height = max(8, round(_CELLS * seen.shape[0] / seen.shape[1]))
    small = cv2.resize(seen, (_CELLS, height), interpolation=cv2.INTER_AREA)
    cells = small.reshape(-1, 3)
    x, y = np.meshgrid(np.linspace(-1, 1, _CELLS), np.linspace(-1, 1, height))
    basis = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=-1).reshape(-1, 6)
    terms = np.zeros((6, 3))
    terms[0] = _commonest(cells[_smooth(small)])
    for count, reach in _FITS:
        away = np.abs(cells - basis @ terms) / _TOLERANCE
        near = (away < reach * np.array((1.5, 1.0, 1.0))).all(axis=1)
        if near.sum() < _FEWEST:
            break
        chosen = basis[near][:, :count]
        # A little ridge on all but the constant: where only one side of a frame shows background, it is not to run away.
        ridge = 1e-3 * len(chosen) * np.diag([0.0] + [0.01] * (count - 1))
        terms = np.zeros((6, 3))
        terms[:count] = np.linalg.solve(chosen.T @ chosen + ridge, chosen.T @ cells[near])
    one, across, down, across2, both, down2 = terms
    zero = np.zeros(3)
    return Background(np.array(((one, across, across2), (down, both, zero), (down2, zero, zero))))


def departure(seen: Planes, background: Background) -> NDArray[np.float32]:
    """How unlike the background each pixel is, (height, width) float32, 0 and up; about 1 is where an item begins."""
    apart = seen - background.planes(*seen.shape[:2])
    light = apart[..., 0]
    strange = np.maximum(light * (1 / _BRIGHTER), (-light - _SHADOW) * (1 / _DARKER))
    np.maximum(strange, 0.0, out=strange)
    squares = strange * strange
    for plane, unit in ((1, _WARM), (2, _GREEN)):
        squares += np.square(apart[..., plane] * np.float32(1 / unit))
    root: NDArray[np.float32] = cv2.sqrt(squares)
    return root


def _commonest(smooth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colour that most smooth cells share; of two that are about as common, the less coloured."""
    step = _TOLERANCE * np.array((2, 1, 1), np.float32)
    bins, counts = np.unique(np.round(smooth / step).astype(np.int32), axis=0, return_counts=True)
    candidates = bins[np.argsort(-counts)[:_CANDIDATES]] * step
    near = np.abs(smooth[None] - candidates[:, None]) < _TOLERANCE * _SEEN
    votes = near.all(axis=2).sum(axis=1) / (1 + 1.5 * np.abs(candidates[:, 1]))
    best: NDArray[np.float32] = candidates[int(np.argmax(votes))]
    return best


def _smooth(small: Planes) -> NDArray[np.bool_]:
    """Which cells lie in the smoother half, (cells,) bool."""
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    rough = ((across**2 + down**2) / _TOLERANCE**2).sum(axis=-1).ravel()
    calm: NDArray[np.bool_] = rough <= np.median(rough)
    return calm


def _powers(count: int) -> NDArray[np.float64]:
    place = np.linspace(-1, 1, count)
    return np.stack((np.ones(count), place, place**2), axis=1)


@cache
def _logarithms() -> NDArray[np.float32]:
    return np.log((np.arange(256) / 255.0) ** _GAMMA + _FLOOR).astype(np.float32)
