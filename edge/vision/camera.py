"""The contract of a camera: whatever delivers pictures of goods is one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class CameraError(Exception):
    """No picture can be had now: it vanished, hangs or is not there. It is closed, and opened again after a while."""


class CameraConfigError(Exception):
    """It can never work as configured; the text says why."""


class BadPicture(Exception):
    """This one picture is no picture; the next one may be.

    Args:
        text: which and why.
        position: see `Frame.position`.
    """

    def __init__(self, text: str, position: str | None = None) -> None:
        super().__init__(text)
        self.position = position


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    Args:
        image: (height, width, 3) uint8, BGR, at least 32 by 32; nobody else writes to it.
        taken_ns: monotonic time.
        camera: its name.
        position: where a source that keeps its pictures goes on after a restart, in its own words; None: it keeps none.
    """

    image: NDArray[np.uint8]
    taken_ns: int
    camera: str
    position: str | None = None


class Camera(Protocol):
    """Opened, read and closed by one thread. After `close` it can be opened again."""

    def open(self) -> None:
        """Gets ready.

        Raises:
            CameraError: not now.
            CameraConfigError: never.
        """

    def read(self) -> Frame | None:
        """The newest picture, or the next one of a source that keeps them; None where there is nothing new.

        Raises:
            CameraError: not open, or it has vanished.
            BadPicture: what came is no picture.
        """

    def close(self) -> None:
        """Lets everything go; without effect when it is not open. Never raises."""

    @property
    def live(self) -> bool:
        """Whether its pictures carry a sensor's noise, so that two alike mean that it is frozen."""
