"""The colour of a crust, as a colorimeter would say it: CIELAB under D65, and one figure for how brown it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_LUMA = np.array((0.0722, 0.7152, 0.2126))
"""Luminance of linear blue, green and red (IEC 61966-2-1)."""
_DARKER = 20.0
"""A dark spot is at least this much darker than its item's median, in L*."""
_BURNT = 30.0
"""L* of charred crust and below: the darkest that bread is baked to on purpose is about 35."""
_NEUTRAL = 0.2
"""A background whose linear channels lie within this share of their mean is taken for grey; a coloured one tells nothing."""
_DIMMEST, _BRIGHTEST = 0.02, 0.97
_TABLE = 256


@dataclass(frozen=True, slots=True)
class White:
    """By how much linear blue, green and red are to be multiplied.

    Args:
        gains: each above 0; (1, 1, 1) leaves a picture as it is.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        """Refuses what is no light."""
        if not all(0.05 <= gain <= 20 for gain in self.gains):
            raise ValueError(f"gains {self.gains} must lie between 0.05 and 20")

    def balanced(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture under white light; (height, width, 3) uint8, BGR in, BGR out."""
        if self.gains == (1.0, 1.0, 1.0):
            return image
        linear = _linear(np.arange(_TABLE) / 255.0)
        table = np.stack([_encoded(linear * gain) for gain in self.gains], axis=-1)
        return np.asarray(cv2.LUT(image, np.rint(table * 255).astype(np.uint8)[None]), np.uint8)


def white_of_patch(patch: NDArray[np.uint8], reflectance: float = 0.9) -> White:
    """From the picture of a reference patch: afterwards it has its true colour and brightness.

    Args:
        patch: (height, width, 3) uint8, BGR; nothing but the patch.
        reflectance: of the patch, 0.05 to 1; white card 0.9, a photographer's grey card 0.18.

    Raises:
        ValueError: no picture, a reflectance out of range, or a patch that is too dark or overexposed.
    """
    if not 0.05 <= reflectance <= 1:
        raise ValueError(f"reflectance {reflectance} must lie between 0.05 and 1")
    level = _level(patch)
    if level.min() < _DIMMEST or level.max() > _BRIGHTEST:
        raise ValueError(f"the reference patch is too dark or overexposed: {np.round(level, 3).tolist()} of full light")
    return White(_triple(reflectance / level))


def white_of_background(background: NDArray[np.uint8]) -> White:
    """From a background that is grey or white, however bright: afterwards it has no colour; brightness stays as it was.

    Args:
        background: (n, 1, 3) or (height, width, 3) uint8, BGR; pixels where no item is. A coloured background, and one
            too dark or overexposed, changes nothing.

    Raises:
        ValueError: no pixels.
    """
    level = _level(background)
    mean = float(level.mean())
    if level.min() < _DIMMEST or level.max() > _BRIGHTEST or np.abs(level / mean - 1).max() > _NEUTRAL:
        return White()
    return White(_triple(float(level @ _LUMA) / level))


@dataclass(frozen=True, slots=True)
class Colour:
    """What colour an item's surface has.

    Args:
        lightness: mean L*, 0 black to 100 white.
        a: mean a*, green to red.
        b: mean b*, blue to yellow.
        spread: standard deviation of L* over the item.
        dark_share: share of the item that is at least 20 L* darker than its median.
        burnt_share: share of the item below L* 30.
    """

    lightness: float
    a: float
    b: float
    spread: float
    dark_share: float
    burnt_share: float

    @property
    def browning_index(self) -> float:
        """0 for colourless, rising with browning: see `browning_index`."""
        return browning_index(self.lightness, self.a, self.b)


def colour_of(image: NDArray[np.uint8], inside: NDArray[np.bool_], white: White | None = None) -> Colour:
    """Colour of the pixels inside.

    Args:
        image: (height, width, 3) uint8, BGR in sRGB.
        inside: (height, width), which pixels belong to the item.
        white: what makes the light white; None: the picture is taken as it is.

    Raises:
        ValueError: no pixel is inside.
    """
    if not inside.any():
        raise ValueError("no pixel of the item")
    # Nothing is converted that is not looked at: the conversion costs more than all the rest.
    x, y, across, down = cv2.boundingRect(inside.view(np.uint8))
    window = slice(y, y + down), slice(x, x + across)
    part, mask = image[window], inside[window].view(np.uint8)
    lab = np.asarray(cv2.cvtColor(part if white is None else white.balanced(part), cv2.COLOR_BGR2LAB), np.uint8)
    # A histogram of L* instead of its pixels: a table of 256 is all that is needed of them.
    counts = np.ravel(cv2.calcHist([lab], [0], mask, [_TABLE], [0, _TABLE])).astype(np.float64)
    _, a, b, _ = cv2.mean(lab, mask)
    total = float(counts.sum())
    light = np.arange(_TABLE) * (100 / 255)
    mean = float(light @ counts) / total
    median = float(light[int(np.searchsorted(np.cumsum(counts), total / 2))])
    return Colour(
        lightness=mean,
        a=a - 128,
        b=b - 128,
        spread=float(np.sqrt(max(0.0, float(light**2 @ counts) / total - mean**2))),
        dark_share=float(counts[light <= median - _DARKER].sum()) / total,
        burnt_share=float(counts[light < _BURNT].sum()) / total,
    )


def browning_index(lightness: float, a: float, b: float) -> float:
    """How brown: BI = 100·(x − 0.31) / 0.172 with x = (a + 1.75·L) / (5.645·L + a − 3.012·b).

    Palou, López-Malo, Barbosa-Cánovas, Welti-Chanes and Swanson, Polyphenoloxidase activity and color of blanched and high
    hydrostatic pressure treated banana puree, J. Food Science 64, 1999. It rises without bound as L* falls; it is kept to
    0 to 1000.

    >>> round(browning_index(80.0, 2.0, 25.0), 1), round(browning_index(50.0, 15.0, 30.0), 1)
    (38.0, 107.8)
    """
    below = 5.645 * lightness + a - 3.012 * b
    if below <= 1e-6:
        return 1000.0
    return min(1000.0, max(0.0, 100 * ((a + 1.75 * lightness) / below - 0.31) / 0.172))


def _level(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Median linear light of blue, green and red, 0 to 1."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"pixels (height, width, 3), not {pixels.shape}")
    return _linear(np.median(pixels.reshape(-1, 3), axis=0) / 255.0)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    blue, green, red = (float(np.clip(value, 0.05, 20)) for value in values)
    return blue, green, red


def _linear(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light from sRGB, both 0 to 1 (IEC 61966-2-1)."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """SRGB from light, which is clipped to 0 to 1."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
