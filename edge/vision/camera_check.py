"""Is it a picture at all? What frames say about the camera rather than about the goods; a picture that fails is not graded.

One picture tells that there is no light, or that something covers the lens. That the camera was knocked, that a spot sits on its
lens, or that it delivers the same picture for ever shows only beside earlier ones, which are kept here as a few small arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.measure import Measure, measure

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
_FLAT = 1.0
"""Standard deviation of grey values, over a picture of 32 by 24, of what shows nothing at all: something lies on the lens."""
_PLAIN = 4.0
"""The same of what shows too little to be blurred: an empty tray in even light."""
_EDGES = 0.04
"""Sharpness as a share of the square of that contrast: photos of goods have 0.06 and more, blurred ones below 0.03."""
_WIDTH = 640
"""Sharpness is read from a picture reduced to this width, so that a sensor's noise is no sharpness."""
_SAME = 5
"""So many live pictures without a single different pixel are one frozen picture."""
_ROWS, _COLUMNS = 6, 8
_LEARN = 12
"""Pictures from which the usual is learned."""
_FOLLOW = 0.1
"""How far the short memory moves with each picture: about ten of them."""
_DULL = 0.25
"""A tile with less than this share of its usual detail, while the others keep theirs, has something on the lens."""
_DETAILED = 8.0
"""Tiles with less detail than this (variance of the Laplacian) show nothing that could be lost."""
_KEEPS = 0.5
_WORST = 0.5
"""When more of the tiles than this are dull it is not a spot."""
_MOVED = 0.02
"""Shift of what stands still, in shares of the frame's width."""
_CERTAIN = 0.15
"""Below this height of the correlation's peak a shift is not to be trusted (Foroosh et al., IEEE Trans. Image Proc. 11, 2002)."""
_SMALL = (160, 120)
_LEAST_AROUND = 0.08
"""A crop that leaves less of the frame than this leaves nothing that stands still."""


class Fault(NamedTuple):
    """What is wrong with the camera: a cause of the catalogue, and the figure that says so."""

    cause: str
    feature: str
    value: float
    limit: float

    @property
    def detail(self) -> str:
        """In English."""
        return f"{self.feature} {self.value:.4g}, limit {self.limit:.4g}"


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """Where a picture stops being one.

    Args:
        dark_below: mean grey value, 0 to 255.
        bright_above: the same.
        blurred_below: variance of the Laplacian of a picture 640 pixels wide that shows something; one with little contrast
            needs less.
    """

    dark_below: float = 25.0
    bright_above: float = 235.0
    blurred_below: float = 20.0


class CameraCheck:
    """One camera's memory.

    Args:
        limits: see `CheckLimits`.
        live: whether two pictures that are alike mean that the camera is frozen.
        corners: of the crop, fractions of the frame; what lies outside stands still. None: nobody knows what does.
    """

    def __init__(
        self, limits: CheckLimits, *, live: bool, corners: Sequence[tuple[float, float]] | None = None
    ) -> None:
        self._limits = limits
        self._live = live
        self._still = _around(corners)
        self._last: int | None = None
        self._same = 0
        self._scene: Floats | None = None
        self._usual: Floats | None = None
        self._recent: Floats | None = None
        self._learned = 0

    def forget(self) -> None:
        """The camera was opened anew, perhaps elsewhere: learns again what is usual."""
        self._last, self._same = None, 0
        self._scene, self._usual, self._recent, self._learned = None, None, None, 0

    def look(self, frame: Image, crop: Image) -> Fault | None:
        """What is wrong with this picture; None where it can be graded.

        Args:
            frame: (height, width, 3) uint8, BGR, the whole picture.
            crop: the part of it in which the goods are.
        """
        grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
        fault = self._frozen(grey) or self._plain(grey)
        if fault is not None:
            return fault
        return self._moved(frame) or self._dirty(grey)

    def _plain(self, grey: Image) -> Fault | None:
        """What one picture tells."""
        limits, found = self._limits, figures(grey)
        if found.brightness < limits.dark_below:
            return Fault("camera_dark", "brightness", found.brightness, limits.dark_below)
        if found.brightness > limits.bright_above:
            return Fault("camera_overexposed", "brightness", found.brightness, limits.bright_above)
        contrast = float(cv2.resize(grey, (32, 24), interpolation=cv2.INTER_AREA).std())
        if contrast < _FLAT and found.sharpness < limits.blurred_below:
            return Fault("camera_blocked", "contrast", contrast, _FLAT)
        least = min(limits.blurred_below, _EDGES * contrast**2)
        if contrast >= _PLAIN and found.sharpness < least:
            return Fault("camera_blurred", "sharpness", found.sharpness, least)
        return None

    def _frozen(self, grey: Image) -> Fault | None:
        if not self._live:
            return None
        # Every pixel counts: a sensor's noise differs in thousands of them.
        now = hash(grey[::2, ::2].tobytes())
        self._same = self._same + 1 if now == self._last else 1
        self._last = now
        return Fault("camera_frozen", "same_pictures", float(self._same), float(_SAME)) if self._same >= _SAME else None

    def _moved(self, frame: Image) -> Fault | None:
        if self._still is None:
            return None
        small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), _SMALL, interpolation=cv2.INTER_AREA)
        scene = np.asarray(small, np.float32)
        edges = np.hypot(cv2.Sobel(scene, cv2.CV_32F, 1, 0), cv2.Sobel(scene, cv2.CV_32F, 0, 1)) * self._still
        scene = np.asarray(edges / max(float(edges.max()), 1e-6), np.float32)
        if self._scene is None:
            self._scene = scene
            return None
        (across, down), peak = cv2.phaseCorrelate(self._scene, scene)
        shift = float(np.hypot(across, down)) / _SMALL[0]
        if peak >= _CERTAIN and shift > _MOVED:
            return Fault("camera_moved", "shift", shift, _MOVED)
        if peak >= _CERTAIN:
            # Light changes slowly over a day; what stands still does not wander with it.
            self._scene = np.asarray(self._scene + _FOLLOW / 10 * (scene - self._scene), np.float32)
        return None

    def _dirty(self, grey: Image) -> Fault | None:
        tiles = _detail(grey)
        if self._learned < _LEARN:
            self._learned += 1
            # What a tile showed in every picture: on a belt goods come and go, and where there are none nothing is lost.
            self._usual = tiles if self._usual is None else np.minimum(self._usual, tiles)
            before = self._recent if self._recent is not None else np.zeros_like(tiles)
            self._recent = np.asarray(before + (tiles - before) / self._learned, np.float32)
            return None
        if self._usual is None or self._recent is None:
            return None
        self._recent = np.asarray(self._recent + _FOLLOW * (tiles - self._recent), np.float32)
        telling = self._usual > _DETAILED
        if telling.sum() < telling.size // 4:
            return None
        share = self._recent[telling] / self._usual[telling]
        dull = share < _DULL
        if dull.any() and dull.mean() < _WORST and float(np.median(share)) > _KEEPS:
            return Fault("camera_dirty", "detail", float(share.min()), _DULL)
        return None


def figures(picture: Image) -> Measure:
    """Brightness and sharpness, as they are compared with `CheckLimits`, of a picture in BGR or grey."""
    grey = picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return measure(_reduced(grey))


def _reduced(grey: Image) -> Image:
    height, width = grey.shape
    if width <= _WIDTH:
        return grey
    size = (_WIDTH, max(3, round(height * _WIDTH / width)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _around(corners: Sequence[tuple[float, float]] | None) -> Floats | None:
    """Where things stand still, (120, 160) 0 to 1 with soft borders; None where that is too little."""
    if corners is None:
        return None
    size = np.array(_SMALL, np.float64)
    mask = np.ones(_SMALL[::-1], np.uint8)
    cv2.fillPoly(mask, [np.rint(np.asarray(corners) * size).astype(np.int32)], 0)
    mask = np.asarray(cv2.erode(mask, np.ones((5, 5), np.uint8)), np.uint8)
    if float(mask.mean()) < _LEAST_AROUND:
        return None
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.0), np.float32)


def _detail(grey: Image) -> Floats:
    """Variance of the Laplacian by tile, (6, 8)."""
    small = cv2.resize(grey, (_COLUMNS * 40, _ROWS * 40), interpolation=cv2.INTER_AREA)
    edges = np.asarray(cv2.Laplacian(small, cv2.CV_32F), np.float32)
    tiles = edges.reshape(_ROWS, 40, _COLUMNS, 40)
    return np.asarray(tiles.var(axis=(1, 3)), np.float32)
