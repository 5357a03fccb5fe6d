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
        beside: bytes that OpenCV takes to unpack it, at most, beside the frame of three bytes a pixel.
        alpha: whether parts of it may be transparent.
        multiplied: whether its colours come out of the decoder multiplied by its alpha.
        turned: how it is to be turned, as EXIF's orientation has it (1 to 8), where the decoder would not do it.
    """

    width: int
    height: int
    beside: int = 0
    alpha: bool = False
    multiplied: bool = False
    turned: int = 1
