"""From the bytes of a picture file to a frame. What is damaged, too large or no picture is refused before it costs memory."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(height, width, 3) uint8, BGR."""
MAX_BYTES: Final = 50_000_000
MAX_PIXELS: Final = 60_000_000
LARGE_PIXELS: Final = 1_800_000
"""A picture with more is reduced by 2, 4 or 8 while it is decoded, at a third of the cost: items stay about as large as their
crops, and no figure on the biscuits changes by it."""
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_OTHERS: Final = (
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphe", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
)
"""Where in a file which bytes stand for which other format."""
_END = b"\xff\xd9"
_FILL = 128
_MORE = bytes(range(255)) * 4
"""Anything but a marker: blocks of any look."""
_CUT_SHORT = "it ends in the middle of the picture"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_SCAN = 0xDA


class Unreadable(Exception):
    """A file that is no picture; the text says which and why."""


def decode(data: bytes, name: str, *, whole: bool = False) -> Image:
    """A JPEG or PNG picture as a frame, turned as its EXIF says, 16 bits and CMYK brought to 8 bits of BGR.

    Args:
        data: the file.
        name: for the error.
        whole: at its full size, however large it is: something will be cut out of it.

    Raises:
        Unreadable: no JPEG or PNG, cut short, damaged, or larger than `MAX_BYTES` or `MAX_PIXELS`.
    """
    import cv2  # noqa: PLC0415  # 40 MB, and only who takes pictures needs it

    if len(data) > MAX_BYTES:
        raise Unreadable(f"{name}: {len(data)} bytes, at most {MAX_BYTES}")
    try:
        width, height = _size(data)
    except (ValueError, struct.error, IndexError) as exc:
        raise Unreadable(f"{name}: {exc or 'damaged'}") from exc
    if not 0 < width * height <= MAX_PIXELS:
        raise Unreadable(f"{name}: {width} × {height} pixels, at most {MAX_PIXELS}")
    reduction = 1 if whole else next((step for step in (1, 2, 4) if width * height <= LARGE_PIXELS * step * step), 8)
    flag = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[reduction]
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as exc:
        raise Unreadable(f"{name}: {exc.err or 'damaged'}") from exc
    if image is None:
        raise Unreadable(f"{name}: damaged")
    if data.startswith(_JPEG) and _may_be_filled(image) and _wants_more(data, image, flag):
        raise Unreadable(f"{name}: {_CUT_SHORT}")
    return np.asarray(image, np.uint8)


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

    end = data.find(_END, _scan(data)[0])
    more = np.frombuffer(data[:end] + _MORE + data[end:], np.uint8)
    longer = cv2.imdecode(more, flag)
    return longer is None or not np.array_equal(longer, image)


def _size(data: bytes) -> tuple[int, int]:
    """Width and height that the file states; raises ValueError where it is neither format or ends too early.

    Decoders fill what is missing with grey and say nothing.
    """
    if data.startswith(_PNG):
        _walk(data)
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if not data.startswith(_JPEG):
        other = next((name for at, mark, name in _OTHERS if data.startswith(mark, at)), None)
        raise ValueError("neither JPEG nor PNG" + (f" but {other}: save it as one of them" if other else ""))
    begun, size = _scan(data)
    if data.rfind(_END) < begun:
        raise ValueError(_CUT_SHORT)
    return size


def _walk(data: bytes) -> None:
    """Goes from chunk to chunk of a PNG to its end; raises ValueError where it has none.

    What follows its end, as some programs leave it there, is no part of it.
    """
    at = len(_PNG)
    # Each chunk: length of its content, name, content, checksum.
    while at + 12 <= len(data):
        (length,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        at += 12 + length
        if name == b"IEND" and at <= len(data):
            return
    raise ValueError(_CUT_SHORT)


def _scan(data: bytes) -> tuple[int, tuple[int, int]]:
    """Where a JPEG's first scan begins, and its width and height; raises ValueError, struct.error or IndexError where there is none."""
    at, size = 2, (0, 0)
    while True:
        # Each segment: FF, marker, length of two bytes that counts itself, content.
        if data[at] != 0xFF:
            raise ValueError("damaged")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = width, height
        at += 2 + length
        if marker == _SCAN:
            return at, size
