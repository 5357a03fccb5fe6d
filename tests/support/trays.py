"""Drawn trays for teaching: whole goods, broken ones, darker ones, other products, and their photos in folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from support.scenes import Thing, disc, half_disc, oval, render

CRUST = (80, 150, 205)
SIZE = (480, 640)
"""Height and width of a photo."""


def whole(x: float, y: float, rng: np.random.Generator, colour: tuple[int, int, int] = CRUST) -> Thing:
    """A round, never perfectly."""
    radius = rng.normal(46, 0.8)
    return Thing(oval(radius, radius * rng.normal(0.97, 0.01), rng.uniform(0, 180)), x, y, _near(colour, rng))


def broken(x: float, y: float, rng: np.random.Generator) -> Thing:
    """Half of one."""
    turn = np.radians(rng.uniform(0, 360))
    rotation = np.array(((np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))))
    return Thing(np.asarray(half_disc(46) @ rotation, np.float32), x, y, _near(CRUST, rng))


def small(x: float, y: float, rng: np.random.Generator) -> Thing:
    """Whole, of the same crust, and half as wide."""
    return Thing(disc(24), x, y, _near(CRUST, rng))


def photo(kind: str, seed: int, ground: str = "dark belt", size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Six pieces of a kind: `good`, `broken`, `small`, `black` or `mixed` (three good above three broken ones)."""
    rng = np.random.default_rng(seed)
    things = []
    for row in range(2):
        for column in range(3):
            x, y = 110 + 210 * column + rng.uniform(-25, 25), 120 + 240 * row + rng.uniform(-25, 25)
            if kind == "black":
                things.append(whole(x, y, rng, (18, 22, 30)))
            elif kind == "small":
                things.append(small(x, y, rng))
            elif kind == "broken" or (kind == "mixed" and row == 1):
                things.append(broken(x, y, rng))
            else:
                things.append(whole(x, y, rng))
    return render(things, *size, ground, vignette=0.1, seed=seed)


def folder(path: Path, kind: str, count: int, seed: int = 0) -> Path:
    """Photos of a kind in a folder."""
    path.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(path / f"{number:02}.jpg"), photo(kind, seed + number))
    return path


def _near(colour: tuple[int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    shade = rng.normal(1, 0.02)
    blue, green, red = (int(np.clip(value * shade, 0, 255)) for value in colour)
    return blue, green, red
