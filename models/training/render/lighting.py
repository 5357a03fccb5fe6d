"""Light on a surface: one lamp with a direction, and what the room scatters. Lambert's law on a height field."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from models.training.render.canvas import Image, blur


@dataclass(frozen=True, slots=True)
class Light:
    """The lamp of a frame: where it stands (rad) and which share of the light comes from everywhere."""

    azimuth: float
    elevation: float
    ambient: float

    @classmethod
    def somewhere(cls, rng: np.random.Generator) -> Light:
        """Any lamp that one would take pictures under."""
        elevation = math.radians(rng.uniform(35.0, 80.0))
        return cls(rng.uniform(0.0, 2 * math.pi), elevation, rng.uniform(0.35, 0.8))

    def turned(self, angle: float) -> Light:
        """The same lamp seen from a canvas that will be turned by this angle (rad)."""
        return Light(self.azimuth - angle, self.elevation, self.ambient)

    def on(self, height_px: Image) -> Image:
        """Light that each point of the surface receives, 1 on a level one."""
        surface = blur(height_px, 0.8)
        slope_x = cv2.Sobel(surface, cv2.CV_32F, 1, 0, scale=1 / 8)
        slope_y = cv2.Sobel(surface, cv2.CV_32F, 0, 1, scale=1 / 8)
        x, y = math.cos(self.elevation) * math.cos(self.azimuth), math.cos(self.elevation) * math.sin(self.azimuth)
        z = math.sin(self.elevation)
        lambert = (z - slope_x * x - slope_y * y) / (np.sqrt(slope_x * slope_x + slope_y * slope_y + 1.0) * z)
        return np.asarray(self.ambient + (1.0 - self.ambient) * np.clip(lambert, 0.0, 1.6), np.float32)
