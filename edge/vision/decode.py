"""From the bytes of a picture file to a frame. What is damaged, too large or no picture is refused before it costs memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.vision.formats import END_OF_JPEG, JPEG, scan, stated
from edge.vision.stated import CUT_SHORT, Stated

Image = NDArray[np.uint8]
"""(height, width, 3) uint8, BGR."""
MAX_BYTES: Final = 50_000_000
MAX_PIXELS: Final = 60_000_000
MAX_UNPACKED: Final = 200_000_000
"""Bytes that unpacking may take. With the file and the daemon itself that stays below `MemoryMax` of systemd/werkpuls-watch.service."""
LARGE_PIXELS: Final = 1_800_000
"""A picture with more is reduced by 2, 4 or 8 while it is decoded, at a third of the cost: items stay about as large as their
crops, and no figure on the biscuits changes by it."""
_FILL = 128
_MORE = bytes(range(255)) * 4
"""Anything but a marker: blocks of any look."""


class Unreadable(Exception):
    """A file that is no picture; the text says which and why."""


def decode(data: bytes, name: str, *, whole: bool = False) -> Image:
    """A picture file as a frame, turned as its EXIF says, 16 bits and CMYK brought to 8 bits of BGR, transparent parts white.

    Args:
        data: the file.
        name: for the error.
        whole: at its full size, however large it is: something will be cut out of it.

    Raises:
        Unreadable: nothing that `edge.vision.formats` knows, cut short, damaged, larger than `MAX_BYTES` or `MAX_PIXELS`,
            or unpacking it would take more than `MAX_UNPACKED`.
    """
    import cv2  # noqa: PLC0415  # 40 MB, and only who takes pictures needs it

    if len(data) > MAX_BYTES:
        raise Unreadable(f"{name}: {len(data)} bytes, at most {MAX_BYTES}")
    try:
        said = stated(data)
    except (struct.error, IndexError) as exc:
        raise Unreadable(f"{name}: {CUT_SHORT}") from exc
    except ValueError as exc:
        raise Unreadable(f"{name}: {exc}") from exc
    pixels = said.width * said.height
    if not 0 < pixels <= MAX_PIXELS:
        raise Unreadable(f"{name}: {said.width} × {said.height} pixels, at most {MAX_PIXELS}")
    reduction = 1 if whole else next((step for step in (1, 2, 4) if pixels <= LARGE_PIXELS * step * step), 8)
    # libjpeg alone reduces while it unpacks.
    taken = 3 * pixels // (reduction * reduction if data.startswith(JPEG) else 1) + said.beside
    if taken > MAX_UNPACKED:
        raise Unreadable(
            f"{name}: {said.width} × {said.height} pixels of this kind take {taken // 1_000_000} MB to unpack, "
            f"at most {MAX_UNPACKED // 1_000_000}; save it smaller or as a plain JPEG"
        )
    flag = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[reduction]
    try:
        image = _on_white(data, said, reduction) if said.alpha else cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as exc:
        raise Unreadable(f"{name}: {exc.err or 'damaged'}") from exc
    if image is None:
        raise Unreadable(f"{name}: damaged")
    if data.startswith(JPEG) and _may_be_filled(image) and _wants_more(data, image, flag):
        raise Unreadable(f"{name}: {CUT_SHORT}")
    return np.asarray(image, np.uint8)


def _on_white(data: bytes, said: Stated, reduction: int) -> NDArray[np.generic] | None:
    """A picture with transparency as it would look on paper: what lies below transparent parts is anything, black mostly."""
    import cv2  # noqa: PLC0415  # as above

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        return None
    size = tuple(max(1, side // reduction) for side in image.shape[1::-1])
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if reduction > 1 else image
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)
    if image.ndim < 3:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        *colours, alpha = cv2.split(image)
        white = cv2.bitwise_not(alpha)
        if not said.multiplied:
            colours = [cv2.multiply(each, alpha, scale=1 / 255) for each in colours]
        image = cv2.merge([cv2.add(each, white) for each in colours])
    turn = _TURNS.get(said.turned)
    return np.asarray(image if turn is None else np.ascontiguousarray(turn(image)))


_TURNS: Final[Mapping[int, Callable[[NDArray[np.generic]], NDArray[np.generic]]]] = MappingProxyType(
    {
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        4: lambda image: image[::-1],
        5: lambda image: image.transpose(1, 0, 2),
        6: lambda image: np.rot90(image, -1),
        7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90,
    }
)
"""What EXIF's orientations ask for (CIPA DC-008, 4.6.4)."""


def reduced(image: Image) -> Image:
    """A frame of a camera halved as often as `decode` would have done it; smaller ones as they are."""
    import cv2  # noqa: PLC0415  # as above

    while image.shape[0] * image.shape[1] > LARGE_PIXELS:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return image


def encode(image: Image, quality: int = 85) -> bytes:
    """A frame as JPEG.

    Args:
        image: (height, width, 3) uint8, BGR.
        quality: 1 to 100.

    Raises:
        ValueError: it cannot be encoded.
    """
    import cv2  # noqa: PLC0415  # as above

    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be encoded")
    return bytes(data)


def _may_be_filled(image: NDArray[np.generic]) -> bool:
    """Whether the end of a picture is what libjpeg puts where it has found no data: middle grey. A background may be it as well.

    The end is at any of the four sides, as EXIF may have turned the picture.
    """
    return any((edge == _FILL).all() for edge in (image[-1], image[:, -1], image[0], image[:, 0]))


def _wants_more(data: bytes, image: NDArray[np.generic], flag: int) -> bool:
    """Whether a JPEG's last scan ends too early, though its end is marked: only then does more data change the picture.

    A decoder that has all its blocks passes over what follows them.
    """
    import cv2  # noqa: PLC0415  # as above

    end = data.find(END_OF_JPEG, scan(data)[0])
    more = np.frombuffer(data[:end] + _MORE + data[end:], np.uint8)
    longer = cv2.imdecode(more, flag)
    return longer is None or not np.array_equal(longer, image)
