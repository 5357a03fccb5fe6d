"""The camera: vignetting, white balance, exposure, focus, sensor noise, tone curve, JPEG."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.render.canvas import Image, blur

Rng = np.random.Generator


def photograph(rng: Rng, scene: Image) -> NDArray[np.uint8]:
    """(h, w, 3) linear red, green, blue as an 8-bit BGR picture that went through JPEG.

    Photons count as a Poisson process and the amplifier adds its own noise (EMVA 1288), so noise grows with the root of
    the light; colours err by what automatic white balance errs.
    """
    height, width = scene.shape[:2]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    turn = rng.uniform(0.0, 2 * np.pi)
    falloff = 1.0 - np.float32(rng.uniform(0.0, 0.4)) * 2.0 * (x * x + y * y)
    falloff += np.float32(rng.uniform(0.0, 0.2)) * (x * np.float32(math.cos(turn)) + y * np.float32(math.sin(turn)))
    gains = np.exp(rng.normal(0.0, [0.055, 0.015, 0.07]) + rng.normal(-0.03, 0.14)).astype(np.float32)
    light = scene * falloff[..., None] * gains
    if rng.random() < 0.8:
        light = blur(light, rng.uniform(0.3, 0.95))
    photons, floor = rng.uniform(1e-5, 3e-4), rng.uniform(1e-7, 1e-5)
    spread = np.sqrt(np.maximum(light, 0.0) * np.float32(photons) + np.float32(floor))
    light = light + rng.standard_normal(light.shape, dtype=np.float32) * spread
    shown = cv2.pow(np.clip(light, 0.0, 1.0), 1.0 / (2.2 * rng.uniform(0.92, 1.08)))
    if rng.random() < 0.5:
        shown = (shown - 0.5) * np.float32(rng.uniform(0.95, 1.2)) + 0.5
    if rng.random() < 0.5:
        grey = shown.mean(axis=-1, keepdims=True)
        shown = grey + (shown - grey) * np.float32(rng.uniform(0.8, 1.4))
    picture = np.ascontiguousarray((np.clip(shown, 0.0, 1.0)[..., ::-1] * 255.0 + 0.5).astype(np.uint8))
    quality = int(rng.integers(60, 97))
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
