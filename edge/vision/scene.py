"""A small drawn scene: trays of rolls on steel, as a fixed camera sees one after the other. Cheap enough for a node.

Not what trains the model: that is `models.training.render`, whose crust colours this one shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.render.colour import crust_lab, linear

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
_GAMMA = 2.2
_STEEL = (0.30, 0.31, 0.32)
"""Linear red, green and blue of brushed steel."""
_EXPOSURE = 1.1
_NOISE = 1.6
"""Standard deviation of a sensor's noise in grey values."""
_STOCK = 64
"""By so many pixels the stock of noise is larger than a picture: 4096 places to take one from."""
_SIDE = 160
"""Rolls are drawn this large and brought to the size they have in the picture."""
_BAND = 64
"""Rows that are worked on at once."""
_BURNT = 0.30
"""Added to the browning of a burnt roll."""


@dataclass(frozen=True, slots=True)
class Roll:
    """One roll of a tray: its label and its box, x, y, width and height in pixels."""

    label: str
    box: tuple[int, int, int, int]


def tray(
    rng: np.random.Generator, size: tuple[int, int], browning: float, rejects: float = 0.0, count: int = 12
) -> tuple[Image, list[Roll]]:
    """A tray without a sensor's noise.

    Args:
        rng: the same state draws the same tray.
        size: width and height in pixels, at least 160 by 120.
        browning: of the crust, 0 dough to 1 char; 0.5 is well baked.
        rejects: share of rolls that are broken or burnt.
        count: rolls, 0 to 40; as many as there is room for.

    Returns:
        (height, width, 3) uint8 BGR, and what lies where.
    """
    width, height = size
    light = _ground(rng, width, height)
    columns = max(1, round(np.sqrt(max(count, 1) * width / height)))
    rows = max(1, -(-count // columns))
    pitch = min(width / (columns + 0.3), height / (rows + 0.3))
    rolls = []
    for number in range(count):
        column, row = number % columns, number // columns
        radius = pitch * rng.uniform(0.33, 0.38)
        x = (column + 0.5) * width / columns + rng.uniform(-0.04, 0.04) * pitch
        y = (row + 0.5) * height / rows + rng.uniform(-0.04, 0.04) * pitch
        label = "good" if rng.random() >= rejects else ("broken", "burnt")[int(rng.integers(2))]
        shown = browning + rng.normal(0.0, 0.012) + (_BURNT if label == "burnt" else 0.0)
        rolls.append(Roll(label, _lay(light, _roll(rng, shown, broken=label == "broken"), (x, y, radius))))
    image = np.empty(light.shape, np.uint8)
    for rows in _bands(height):
        encoded = np.clip(light[rows] * _EXPOSURE, 0, 1) ** (1 / _GAMMA)
        image[rows] = np.rint(encoded * 255)[..., ::-1]
    return image, rolls


def noisy(rng: np.random.Generator, image: Image) -> Image:
    """The picture as a sensor delivers it: no two are alike."""
    noise = np.empty(image.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, np.zeros(3), np.full(3, _NOISE))
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


class Grain:
    """The same from a stock of noise, each time another part of it: for who looks many times a second on a small computer.

    Args:
        rng: the same state gives the same grain.
        size: width and height of the pictures.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        self._rng = rng
        width, height = size
        self._stock = np.empty((height + _STOCK, width + _STOCK, 3), np.int8)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(self._stock, np.zeros(3), np.full(3, _NOISE))

    def over(self, image: Image) -> Image:
        """A new picture with it, of an (height, width, 3) uint8 one."""
        x, y = self._rng.integers(_STOCK, size=2)
        part = self._stock[y : y + image.shape[0], x : x + image.shape[1]]
        return np.asarray(cv2.add(image, part, dtype=cv2.CV_8U), np.uint8)


def _ground(rng: np.random.Generator, width: int, height: int) -> Floats:
    """Brushed steel with the lamp's falloff, linear red, green, blue."""
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    falloff = 1.05 - 0.25 * (((x / width) - 0.45) ** 2 + ((y / height) - 0.5) ** 2)
    noise = np.empty((height, width), np.float32)
    for rows in _bands(height):
        noise[rows] = rng.normal(0, 1, noise[rows].shape)
    shade = np.asarray(cv2.GaussianBlur(noise, (0, 0), 6.0, sigmaY=0.6), np.float32)
    shade *= np.float32(0.08)
    shade += 1
    shade *= falloff
    return np.asarray(shade[..., None] * np.array(_STEEL, np.float32), np.float32)


def _bands(height: int) -> list[slice]:
    """A node has not the memory for a large picture in large numbers several times over."""
    return [slice(top, top + _BAND) for top in range(0, height, _BAND)]


def _roll(rng: np.random.Generator, browning: float, *, broken: bool) -> tuple[Floats, Floats]:
    """A roll from above, filling the square but for a rim: linear light (side, side, 3) and coverage (side, side)."""
    y, x = (np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32) + 0.5) / (_SIDE / 2) - 1
    squeeze = np.float32(rng.uniform(0.9, 1.0))
    angle = np.arctan2(y, x * squeeze)
    phase = rng.uniform(0, 2 * np.pi)
    rim = 0.94 * (1 + 0.012 * np.sin(2 * angle + phase) + 0.008 * np.sin(3 * angle + 2 * phase))
    far = np.hypot(x, y / squeeze) / rim
    mask = np.clip((1 - far) * _SIDE / 4 + 0.5, 0, 1)
    rise = np.sqrt(np.clip(1 - far**2, 0, 1))
    patches = cv2.GaussianBlur(rng.normal(0, 1, (_SIDE, _SIDE)).astype(np.float32), (0, 0), 9.0)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (_SIDE, _SIDE)).astype(np.float32), (0, 0), 1.5)
    brown = browning + 0.05 * (rise - 0.7) + 0.5 * 0.03 * patches / max(float(patches.std()), 1e-6) + 0.02 * grain
    light = linear(crust_lab(np.asarray(brown, np.float32)))
    shade = 0.45 + 0.55 * rise * (1 + 0.18 * (-x - y) * (1 - rise))
    light = np.asarray(light * shade[..., None], np.float32)
    if broken:
        turn, depth = rng.uniform(0, 2 * np.pi), rng.uniform(-0.1, 0.35)
        along = x * np.cos(turn) + y * np.sin(turn)
        across = -x * np.sin(turn) + y * np.cos(turn)
        edge = depth + 0.06 * np.sin(7 * across + phase) + 0.03 * np.sin(19 * across)
        mask = mask * np.clip((edge - along) * _SIDE / 4 + 0.5, 0, 1)
        crumb = np.clip((along - edge + 0.12) * 12, 0, 1)[..., None]
        light = light * (1 - crumb) + np.array((0.72, 0.60, 0.42), np.float32) * crumb
    return np.asarray(light, np.float32), np.asarray(mask, np.float32)


def _lay(scene: Floats, roll: tuple[Floats, Floats], place: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """Draws a roll and its shadow into the scene; its box."""
    x, y, radius = place
    side = max(8, round(2 * radius))
    light, mask = (cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in roll)
    left, top = round(x - side / 2), round(y - side / 2)
    height, width = scene.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    shadow = cv2.GaussianBlur(np.roll(mask, (side // 16, side // 16), (0, 1)), (0, 0), max(1.0, side / 24))
    under = scene[y0:y1, x0:x1]
    under *= 1 - 0.45 * (shadow[part] * (1 - mask[part]))[..., None]
    share = mask[part][..., None]
    under *= 1 - share
    under += light[part] * share
    rows, columns = np.flatnonzero((mask > 0.5).any(axis=1)), np.flatnonzero((mask > 0.5).any(axis=0))
    if not len(rows):
        return left, top, 0, 0
    return left + int(columns[0]), top + int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
