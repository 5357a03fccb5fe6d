"""Photos as they might have come as well: under another lamp, exposed otherwise, turned, compressed, small, with a border.

Each form is made of a real photo and is a simulation; where an item lies in it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.vision.photos import Box
from models.quality.colour import White

Image = NDArray[np.uint8]
_BORDER = 0.05


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Args:
        change: a photo, (height, width, 3) uint8 BGR, brought into it.
        back: a box in fractions of the changed photo as fractions of the photo; width and height of the photo beside it.
        quality: of the JPEG that it is saved as.
        light: whether it is another light than that of the photo.
    """

    change: Callable[[Image], Image]
    back: Callable[[Box, int, int], Box] = lambda box, _width, _height: box
    quality: int = 92
    light: bool = False


def saved(form: Form, photo: Image) -> bytes:
    """The file of a photo in this form."""
    done, data = cv2.imencode(".jpg", form.change(photo), [cv2.IMWRITE_JPEG_QUALITY, form.quality])
    if not done:
        raise ValueError("the picture cannot be encoded")
    return bytes(data)


def _lit(blue: float, green: float, red: float) -> Form:
    return Form(White((blue, green, red)).balanced, light=True)


def _turned(photo: Image) -> Image:
    return np.ascontiguousarray(np.rot90(photo))


def _turned_back(box: Box, _width: int, _height: int) -> Box:
    x, y, width, height = box
    return 1 - y - height, x, height, width


def _bordered(photo: Image) -> Image:
    wide = _width_of_border(photo.shape[1], photo.shape[0])
    framed = cv2.copyMakeBorder(photo, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    return np.asarray(framed, np.uint8)


def _without_border(box: Box, width: int, height: int) -> Box:
    wide = _width_of_border(width, height)
    across, down = width + 2 * wide, height + 2 * wide
    x, y, w, h = box
    return (x * across - wide) / width, (y * down - wide) / height, w * across / width, h * down / height


def _width_of_border(width: int, height: int) -> int:
    return round(_BORDER * max(width, height))


def _halved(photo: Image) -> Image:
    return np.asarray(cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _noisy(photo: Image) -> Image:
    noise = np.random.default_rng(0).normal(0, 8, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


FORMS: Mapping[str, Form] = {
    "warm lamp": _lit(0.62, 0.95, 1.12),
    "cold lamp": _lit(1.3, 1.0, 0.78),
    "0.7 EV lighter": _lit(1.62, 1.62, 1.62),
    "0.7 EV darker": _lit(0.62, 0.62, 0.62),
    "turned": Form(_turned, _turned_back),
    "JPEG 50": Form(lambda photo: photo, quality=50),
    "half as large": Form(_halved),
    "border": Form(_bordered, _without_border),
    "blurred": Form(lambda photo: np.asarray(cv2.GaussianBlur(photo, (0, 0), 1.5), np.uint8)),
    "noise": Form(_noisy),
}
