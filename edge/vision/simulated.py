"""A camera without a camera: one tray of rolls after the other, with a sensor's noise. For demonstrations and tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from edge.vision.camera import CameraError, Frame
from edge.vision.decode import Image
from edge.vision.scene import noisy, tray

WELL_BAKED = 0.5
REJECTS = 0.02
"""Share of rolls that come out broken or burnt."""


class SimulatedCamera:
    """Looks at a tray, which is exchanged for the next one now and then.

    Args:
        name: of the camera.
        size: of the picture, width and height.
        monotonic_ns: the clock.
        tray_s: how long a tray lies there; the first and last tenths of it the place is empty.
        browning: of the next tray's crust, 0 dough to 1 char.
        rejects: share of bad rolls.
        seed: the same seed shows the same trays.
    """

    live = True

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        *,
        monotonic_ns: Callable[[], int],
        tray_s: float = 10.0,
        browning: Callable[[], float] = lambda: WELL_BAKED,
        rejects: float = REJECTS,
        seed: int = 1,
    ) -> None:
        self._name = name
        self._size = size
        self._monotonic_ns = monotonic_ns
        self._tray_ns = round(tray_s * 1e9)
        self._browning = browning
        self._rejects = rejects
        self._seed = seed
        self._began_ns = 0
        self._shown: tuple[int, bool, Image] | None = None
        self._noise: np.random.Generator | None = None

    def open(self) -> None:
        """The first tray has just come."""
        self._began_ns = self._monotonic_ns() - self._tray_ns // 8
        self._noise = np.random.default_rng(self._seed)

    def read(self) -> Frame:
        """What lies there now.

        Raises:
            CameraError: not open.
        """
        if self._noise is None:
            raise CameraError(f"{self._name} is not open")
        now_ns = self._monotonic_ns()
        number, within = divmod(now_ns - self._began_ns, self._tray_ns)
        empty = not 0.1 <= within / self._tray_ns < 0.9
        if self._shown is None or self._shown[:2] != (number, empty):
            rng = np.random.default_rng((self._seed, number))
            image, _ = tray(rng, self._size, self._browning(), self._rejects, count=0 if empty else 12)
            self._shown = (number, empty, image)
        return Frame(noisy(self._noise, self._shown[2]), now_ns, self._name)

    def close(self) -> None:
        """Nothing is seen any more."""
        self._noise, self._shown = None, None


def browning_from(path: Path) -> Callable[[], float]:
    """Browning as a file says, one number from 0 to 1, read for each tray; well baked where it says nothing usable."""

    def read() -> float:
        with suppress(OSError, ValueError):
            found = float(path.read_text(encoding="ascii"))
            if 0 <= found <= 1:
                return found
        return WELL_BAKED

    return read
