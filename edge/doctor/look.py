"""What came of looking through one camera for a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.vision.decode import Image


@dataclass(frozen=True, slots=True)
class Look:
    """What a camera showed, or why it showed nothing."""

    width: int = 0
    height: int = 0
    brightness: float = 0.0
    """Mean grey value of what is between the corners, 0 to 255."""
    sharpness: float = 0.0
    """Variance of the Laplacian of the same, 640 pixels wide."""
    fault: str = ""
    """One of the values of `FAULTS` in `edge.doctor.pictures`; empty for a picture that can be graded."""
    error: str = ""
    image: Image | None = None
    """The whole picture, BGR."""

    @property
    def silent(self) -> bool:
        """Nothing was wrong, and no picture came."""
        return self.image is None and not self.error
