"""What a picture file states of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CUT_SHORT: Final = "it ends in the middle of the picture"
NOT_READ: Final = "its packing or its kind of colours is not known here; save it as JPEG or PNG"


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says of its picture.

    Args:
        width: pixels.
        height: pixels.
        alpha: whether parts of it may be transparent.
    """

    width: int
    height: int
    alpha: bool = False
