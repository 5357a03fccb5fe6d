"""What a picture file states of itself, read before anything is decoded: a decoder fills what is missing and takes what room it is told."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from edge.vision.stated import CUT_SHORT, NOT_READ, Stated
from edge.vision.tiff import orientation
from edge.vision.tiff import stated as tiff

JPEG: Final = b"\xff\xd8\xff"
END_OF_JPEG: Final = b"\xff\xd9"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN: Final = 0xDA
_WITH_ALPHA: Final = (4, 6)
"""Colour types of a PNG (ISO/IEC 15948, 11.2.2)."""
_HEIC: Final = (
    "the format HEIC is not read; set the telephone's camera to JPEG (iPhone: Settings, Camera, Formats, Most Compatible; "
    "others: High efficiency off) or save the photo as JPEG"
)
_OTHERS: Final = (
    (0, b"GIF8", "the format GIF is not read; save it as JPEG or PNG"),
    (4, b"ftypavif", "the format AVIF is not read; save it as JPEG or PNG"),
    (4, b"ftypavis", "the format AVIF is not read; save it as JPEG or PNG"),
    (4, b"ftyphe", _HEIC),
    (4, b"ftypmif1", _HEIC),
    (4, b"ftypmsf1", _HEIC),
)
"""Where in a file which bytes stand for a format that is not read, and what to say."""


def stated(data: bytes) -> Stated:
    """Size, transparency and what unpacking takes of a JPEG, PNG, WebP, BMP or TIFF file.

    Args:
        data: the file.

    Raises:
        ValueError: another format, cut short, an animation, several pages, or packed in a way that is not read; says which.
        struct.error: it ends within its header.
        IndexError: the same.
    """
    for at, mark, reader in _READERS:
        if data.startswith(mark, at):
            return reader(data)
    known = next((said for at, mark, said in _OTHERS if data.startswith(mark, at)), None)
    raise ValueError(known or "no JPEG, PNG, WebP, BMP or TIFF")


def scan(data: bytes) -> tuple[int, Stated]:
    """Where a JPEG's first scan begins, and what it states; raises ValueError, struct.error or IndexError where there is none."""
    at, width, height, kept = 2, 0, 0, False
    samples: list[int] = []
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
            # Of each colour: number, samples across and down in four bits each, table.
            samples = [(data[at + 11 + 3 * k] >> 4) * (data[at + 11 + 3 * k] & 15) for k in range(data[at + 9])]
            kept = marker in _PROGRESSIVE
        if marker == _SCAN:
            # Where one scan does not hold all, libjpeg keeps two bytes a sample of the whole picture, also of one that is reduced.
            kept = kept or data[at + 4] < len(samples)
            share = sum(samples) / max(samples, default=1)
            return at + 2 + length, Stated(width, height, round(2 * share * width * height) if kept else 0)
        at += 2 + length


def _jpeg(data: bytes) -> Stated:
    begun, said = scan(data)
    if data.rfind(END_OF_JPEG) < begun:
        raise ValueError(CUT_SHORT)
    return said


def _png(data: bytes) -> Stated:
    """Goes from chunk to chunk to its end; what follows that, as some programs leave it there, is no part of it."""
    width, height, bits, kind, turned = 0, 0, 0, 0, 1
    transparent = animated = False
    at = len(_PNG)
    # Each chunk: length of its content, name, content, checksum.
    while at + 12 <= len(data):
        (length,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        if name == b"IHDR":
            width, height, bits, kind = struct.unpack(">IIBB", data[at + 8 : at + 18])
        elif name == b"eXIf":
            turned = orientation(data[at + 8 : at + 8 + length])
        transparent = transparent or name == b"tRNS"
        animated = animated or name == b"acTL"
        at += 12 + length
        if name == b"IEND" and at <= len(data):
            alpha = transparent or kind in _WITH_ALPHA
            # With it OpenCV makes two frames of four channels as deep as the file, and of an animation twice as many.
            frames = (16 if bits == 16 else 8) * (2 if animated else 1)
            beside = width * height * (frames - 3) if alpha or animated else 0
            return Stated(width, height, beside, alpha, turned=turned)
    raise ValueError(CUT_SHORT)


def _webp(data: bytes) -> Stated:
    """Reads all chunks of a WebP (RFC 9649): the canvas, and the picture, of which neither is to be larger than it seems."""
    (size,) = struct.unpack("<I", data[4:8])
    if size + 8 > len(data):
        raise ValueError(CUT_SHORT)
    width = height = 0
    alpha = lossless = False
    turned = 1
    for name, content in _chunks(data[: size + 8]):
        across = down = 0
        if name == b"VP8X":
            if content[0] & 0x02:
                raise ValueError("an animation; save one picture of it")
            across, down = 1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little")
            alpha = alpha or bool(content[0] & 0x10)
        elif name == b"VP8 ":
            across, down = (each & 0x3FFF for each in struct.unpack("<HH", content[6:10]))
        elif name == b"VP8L":
            (bits,) = struct.unpack("<I", content[1:5])
            across, down = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            alpha, lossless = alpha or bool(bits >> 28 & 1), True
        elif name == b"EXIF":
            turned = orientation(content.removeprefix(b"Exif\0\0"))
        width, height = max(width, across), max(height, down)
    # Two frames of four channels; without transparency libwebp has one of them, where it is lossless.
    beside = width * height * (5 if alpha else 4 if lossless else 0)
    return Stated(width, height, beside, alpha, turned=turned)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content, one after the other, each padded to even length."""
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        if at + 8 + length > len(data):
            raise ValueError(CUT_SHORT)
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _bmp(data: bytes) -> Stated:
    """Reads a BMP's header (Microsoft, BITMAPINFOHEADER). Its fourth channel is most often no alpha, and never taken for one."""
    (begun,), (header,) = struct.unpack("<I", data[10:14]), struct.unpack("<I", data[14:18])
    if header == 12:
        width, height, _, bits = struct.unpack("<HHHH", data[18:26])
        packed = 0
    else:
        width, height, _, bits, packed = struct.unpack("<iiHHI", data[18:34])
    height = abs(height)
    if packed not in (0, 3) or width < 0:
        raise ValueError(NOT_READ)
    if begun + (width * bits + 31) // 32 * 4 * height > len(data):
        raise ValueError(CUT_SHORT)
    return Stated(width, height)


_READERS: Final[tuple[tuple[int, bytes, Callable[[bytes], Stated]], ...]] = (
    (0, JPEG, _jpeg),
    (0, _PNG, _png),
    (8, b"WEBP", _webp),
    (0, b"BM", _bmp),
    (0, b"II*\0", tiff),
    (0, b"MM\0*", tiff),
)
