"""A camera without a camera: one tray of rolls after the other, with a sensor's noise. For demonstrations and tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge.vision.camera import CameraError, Frame
from edge.vision.decode import Image
from edge.vision.scene import Grain, tray

WELL_BAKED = 0.5
REJECTS = 0.02
"""Share of rolls that come out broken or burnt."""
ROLLS = 12
"""On a tray."""
_EMPTY = 0.15
"""Share of a tray's time before and after it in which the place is empty: also a busy computer has to see that."""


class Loads(NamedTuple):
    """The oven whose goods are seen."""

    came: Callable[[], bool]
    """Whether a load has come out since this was asked last; asked at each picture."""
    trays: int
    """So many come from each load, then the place is empty until the next one."""


class SimulatedCamera:
    """Looks at a tray, which is exchanged for the next one now and then.

    Args:
        name: of the camera.
        size: of the picture, width and height.
        monotonic_ns: the clock.
        tray_s: from one tray to the next; about a third of it the place is empty.
        browning: of the next tray's crust, 0 dough to 1 char.
        loads: of an oven; None: trays come without end.
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
        loads: Loads | None = None,
        rejects: float = REJECTS,
        seed: int = 1,
    ) -> None:
        self._name = name
        self._size = size
        self._monotonic_ns = monotonic_ns
        self._tray_ns = round(tray_s * 1e9)
        self._browning = browning
        self._loads = loads
        self._rejects = rejects
        self._seed = seed
        self._began_ns: int | None = None
        self._earlier = 0
        """Trays of earlier loads."""
        self._shown: tuple[int, bool, Image] | None = None
        self._grain: Grain | None = None

    def open(self) -> None:
        """The first tray has just come; with oven loads it comes with the next one."""
        self._grain = Grain(np.random.default_rng(self._seed), self._size)
        self._began_ns, self._earlier = None, 0
        if self._loads is None:
            self._began_ns = self._monotonic_ns() - self._tray_ns // 5
        else:
            self._loads.came()

    def read(self) -> Frame:
        """What lies there now.

        Raises:
            CameraError: not open.
        """
        if self._grain is None:
            raise CameraError(f"{self._name} is not open")
        now_ns = self._monotonic_ns()
        number, lies = self._tray(now_ns)
        if self._shown is None or self._shown[:2] != (number, lies):
            rng = np.random.default_rng((self._seed, number))
            image, _ = tray(rng, self._size, self._browning(), self._rejects, count=ROLLS if lies else 0)
            self._shown = (number, lies, image)
        return Frame(self._grain.over(self._shown[2]), now_ns, self._name)

    def close(self) -> None:
        """Nothing is seen any more."""
        self._grain, self._shown = None, None

    def _tray(self, now_ns: int) -> tuple[int, bool]:
        """Number of the tray, from 0, and whether it lies there."""
        loads = self._loads
        if loads is not None and loads.came():
            self._earlier += 0 if self._began_ns is None else loads.trays
            self._began_ns = now_ns
        if self._began_ns is None:
            return 0, False
        number, within = divmod(now_ns - self._began_ns, self._tray_ns)
        lies = _EMPTY <= within / self._tray_ns < 1 - _EMPTY
        if loads is None:
            return number, lies
        return self._earlier + min(number, loads.trays - 1), lies and number < loads.trays


class BrowningFile:
    """A file with one number from 0 to 1, written anew, as a whole, for each oven load.

    Args:
        path: of the file, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def browning(self) -> float:
        """What it says; well baked where it says nothing usable."""
        with suppress(OSError, ValueError):
            found = float(self._path.read_text(encoding="ascii"))
            if 0 <= found <= 1:
                return found
        return WELL_BAKED

    def came(self) -> bool:
        """Whether it is another file than when this was asked last."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        before, self._seen = self._seen, (status.st_ino, status.st_mtime_ns)
        return before != self._seen
