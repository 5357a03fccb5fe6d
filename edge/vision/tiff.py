"""What a TIFF file states of its picture, with all that a decoder would take at its word (Adobe, TIFF revision 6.0, 1992). Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from edge.vision.stated import CUT_SHORT, NOT_READ, Stated

_KIND, _WIDTH, _HEIGHT, _BITS, _PACKING, _COLOURS = 254, 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _STRIP_BYTES, _PLANES = 273, 277, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _FORMAT = 322, 323, 324, 325, 339
_TURNED, _STRIP_HEIGHT, _MORE_SAMPLES = 274, 278, 338
_ASSOCIATED, _UNASSOCIATED = 1, 2
"""What a sample beyond the colours is: alpha, by which the colours are multiplied already or not."""
_SIZES: Final = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4)}
"""Types of fields that are needed: BYTE, SHORT, LONG."""
_PACKINGS: Final = (1, 5, 7, 8, 32773, 32946)
"""None, LZW, JPEG, Deflate, PackBits, and Deflate by its older number."""
_READABLE: Final = (0, 1, 2, 3, 5, 6)
"""White is zero, black is zero, RGB, palette, CMYK, YCbCr."""
_REDUCED: Final = 1
"""Bit of a page that is another one's thumbnail."""
_MOST_PAGES, _MOST_VALUES, _LARGEST_TILE = 8, 100_000, 4096
_WANTED: Final = frozenset(
    {_KIND, _WIDTH, _HEIGHT, _BITS, _PACKING, _COLOURS, _STRIPS, _SAMPLES, _STRIP_BYTES, _PLANES}
    | {_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _FORMAT, _TURNED, _STRIP_HEIGHT, _MORE_SAMPLES}
)

Fields = Mapping[int, tuple[int, ...]]


def stated(data: bytes) -> Stated:
    """Width and height of a TIFF with one picture of 8 or 16 bits.

    Args:
        data: the file.

    Raises:
        ValueError: cut short, several pictures, or packed in a way that is not read; says which.
        struct.error: it ends within its header.
    """
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    picture: Fields = {}
    for _ in range(_MOST_PAGES):
        if not at:
            break
        fields, at = _directory(data, at, order)
        if _one(fields, _KIND, 0) & _REDUCED:
            continue
        if picture:
            raise ValueError("several pages in one file; save each as a picture of its own")
        picture = fields
    return _checked(data, picture)


def orientation(exif: bytes) -> int:
    """How a picture is to be turned, from its EXIF, which is a TIFF by its form; 1, not at all, where that says nothing or is damaged."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        turned = _one(_directory(exif, at, order)[0], _TURNED, 1)
    except (ValueError, struct.error):
        return 1
    return turned if 1 <= turned <= 8 else 1


def _directory(data: bytes, at: int, order: str) -> tuple[Fields, int]:
    """The fields of one page by their tags, and where the next page is; 0 after the last."""
    (count,) = struct.unpack_from(order + "H", data, at)
    found: dict[int, tuple[int, ...]] = {}
    for number in range(count):
        # Each field: tag, type, how many values, and the values, or where they are when four bytes do not hold them.
        entry = at + 2 + 12 * number
        tag, kind, many = struct.unpack_from(order + "HHI", data, entry)
        if tag not in _WANTED or tag in found or kind not in _SIZES:
            continue
        if many > _MOST_VALUES:
            raise ValueError(NOT_READ)
        letter, size = _SIZES[kind]
        place = entry + 8
        if many * size > 4:
            (place,) = struct.unpack_from(order + "I", data, place)
        if place + many * size > len(data):
            raise ValueError(CUT_SHORT)
        found[tag] = struct.unpack_from(f"{order}{many}{letter}", data, place)
    (following,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
    return found, following


def _checked(data: bytes, fields: Fields) -> Stated:
    bits = set(fields.get(_BITS, (1,)))
    if not (
        bits in ({8}, {16})
        and 1 <= _one(fields, _SAMPLES, 1) <= 4
        and _one(fields, _PACKING, 1) in _PACKINGS
        and _one(fields, _COLOURS, 1) in _READABLE
        and set(fields.get(_FORMAT, (1,))) == {1}
        and _one(fields, _PLANES, 1) == 1
        # Room for a whole tile is taken, however small the picture is.
        and max(_one(fields, _TILE_WIDTH, 0), _one(fields, _TILE_HEIGHT, 0)) <= _LARGEST_TILE
    ):
        raise ValueError(NOT_READ)
    places = fields.get(_STRIPS, fields.get(_TILES, ()))
    lengths = fields.get(_STRIP_BYTES, fields.get(_TILE_BYTES, ()))
    if len(places) != len(lengths) or not places:
        raise ValueError("damaged")
    if any(place + length > len(data) for place, length in zip(places, lengths, strict=True)):
        raise ValueError(CUT_SHORT)
    width, height = _one(fields, _WIDTH, 0), _one(fields, _HEIGHT, 0)
    samples, sample_bytes = _one(fields, _SAMPLES, 1), max(bits) // 8
    more = _one(fields, _MORE_SAMPLES, 0)
    alpha = samples == 4 and more in (_ASSOCIATED, _UNASSOCIATED)
    # It is unpacked strip by strip or tile by tile, with four channels and a little more.
    part = min(_one(fields, _STRIP_HEIGHT, height), height) * width
    if _TILES in fields:
        part = _one(fields, _TILE_WIDTH, 0) * _one(fields, _TILE_HEIGHT, 0)
    beside = part * (4 * sample_bytes + 1)
    if alpha:
        # Two frames of four channels.
        beside = max(beside, width * height * (8 * sample_bytes - 3))
    # As it is packed, it is held besides.
    beside += max(lengths)
    # Of 8 bits libtiff multiplies the colours itself.
    return Stated(width, height, beside, alpha, alpha and (sample_bytes == 1 or more == _ASSOCIATED))


def _one(fields: Fields, tag: int, default: int) -> int:
    return next(iter(fields.get(tag, ())), default)
