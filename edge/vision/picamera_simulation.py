"""picamera2 without a board: what `edge.vision.picamera_child` uses of its API, with state.

Names, order of calls and answers follow the picamera2 manual (Raspberry Pi Ltd, 2024) and libcamera's controls. It refuses what the real
one refuses: configuring while it runs, capturing before it was started, exposure times while the automatic one is on. How it misbehaves
is said by the environment variable `WERKPULS_CAMERA_FAULT`: `none_there`, `hangs_after_N`, `dies_after_N`.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.vision.scene import noisy, tray

FAULT = "WERKPULS_CAMERA_FAULT"
_FRAME_S = 1 / 30
_TARGET_US, _START_US = 12_000.0, 3_000.0
"""Exposure that this scene's light asks for, and what the automatic one starts with."""
_CONTROLS = frozenset({"AeEnable", "AwbEnable", "ExposureTime", "AnalogueGain", "ColourGains", "FrameRate"})


class Picamera2:
    """One simulated camera.

    Args:
        camera_num: which one; only 0 is there.
    """

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num >= len(self.global_camera_info()):
            raise IndexError("list index out of range")
        self._configuration: dict[str, Any] | None = None
        self._running = False
        self._frames = 0
        self._automatic = {"AeEnable": True, "AwbEnable": True}
        self._exposure_us = _START_US
        self._gains = (1.0, 1.0)
        self._rng = np.random.default_rng(7)
        self._scene: NDArray[np.uint8] | None = None

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        """What the board sees."""
        if os.environ.get(FAULT) == "none_there":
            return []
        return [{"Model": "imx708", "Location": 2, "Rotation": 180, "Id": "/base/soc/i2c0mux/imx708@1a", "Num": 0}]

    def create_video_configuration(self, main: dict[str, Any], buffer_count: int = 6) -> dict[str, Any]:
        """A configuration; the size is rounded down to even numbers, as the hardware wants it."""
        if main["format"] not in ("RGB888", "BGR888", "XRGB8888", "YUV420"):
            raise RuntimeError(f"Format {main['format']} not supported")
        width, height = main["size"]
        rounded = {"format": main["format"], "size": (width // 2 * 2, height // 2 * 2)}
        return {"use_case": "video", "main": rounded, "buffer_count": buffer_count}

    def configure(self, configuration: dict[str, Any]) -> None:
        """Takes a configuration."""
        if self._running:
            raise RuntimeError("Camera must be stopped before configuring")
        self._configuration = configuration
        size = configuration["main"]["size"]
        self._scene, _ = tray(np.random.default_rng(1), size, 0.5)

    def start(self) -> None:
        """Delivers pictures from now on."""
        if self._configuration is None:
            raise RuntimeError("Camera has not been configured")
        self._running = True

    def set_controls(self, controls: dict[str, Any]) -> None:
        """Takes effect with the next picture."""
        unknown = set(controls) - _CONTROLS
        if unknown:
            raise RuntimeError(f"Control {min(unknown)} is not advertised by libcamera")
        self._automatic.update({name: bool(controls[name]) for name in self._automatic if name in controls})
        if "ExposureTime" in controls and not self._automatic["AeEnable"]:
            self._exposure_us = float(controls["ExposureTime"])
        if "ColourGains" in controls and not self._automatic["AwbEnable"]:
            self._gains = (float(controls["ColourGains"][0]), float(controls["ColourGains"][1]))

    def capture_metadata(self) -> dict[str, Any]:
        """Of the next picture."""
        self._next()
        return {
            "ExposureTime": round(self._exposure_us),
            "AnalogueGain": 1.5,
            "DigitalGain": 1.0,
            "ColourGains": self._gains,
            "AeLocked": not self._automatic["AeEnable"] or abs(self._exposure_us - _TARGET_US) < 100,
            "SensorTimestamp": time.monotonic_ns(),
            "Lux": 420.0,
        }

    def capture_array(self, name: str = "main") -> NDArray[np.uint8]:
        """The next picture, (height, width, 3) uint8; of RGB888 in the order blue, green, red."""
        if self._configuration is None or name != "main":
            raise RuntimeError(f"Stream {name} is not defined")
        self._next()
        if self._scene is None:
            raise RuntimeError("Camera has not been configured")
        level = np.clip(self._scene * np.float32(self._exposure_us / _TARGET_US), 0, 255).astype(np.uint8)
        image = noisy(self._rng, level)
        return image if self._configuration["main"]["format"] == "RGB888" else np.ascontiguousarray(image[..., ::-1])

    def stop(self) -> None:
        """Delivers nothing any more."""
        self._running = False

    def close(self) -> None:
        """Gives the camera back."""
        self._configuration = None

    def _next(self) -> None:
        if not self._running:
            raise RuntimeError("Camera has not been started")
        kind, _, after = os.environ.get(FAULT, "").rpartition("_after_")
        if kind and self._frames >= int(after):
            if kind == "hangs":
                time.sleep(3600)
            os._exit(139)
        time.sleep(_FRAME_S)
        self._frames += 1
        if self._automatic["AeEnable"]:
            self._exposure_us += 0.4 * (_TARGET_US - self._exposure_us)
        if self._automatic["AwbEnable"]:
            self._gains = (self._gains[0] + 0.4 * (1.9 - self._gains[0]), self._gains[1] + 0.4 * (1.6 - self._gains[1]))
