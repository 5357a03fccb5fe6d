"""Photos that a command is given: files and folders, read one after the other; what is none is told and passed over."""

from __future__ import annotations

import argparse
import math
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.vision.decode import MAX_BYTES, Unreadable, decode

if TYPE_CHECKING:
    from edge.vision.geometry import BeltCrop

ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".gif",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
)
"""What is taken for a photo in a folder; those of a format that is not read are named as such and not passed over silently."""
GRADED, RULED = ".graded.png", ".corners.jpg"
"""Pictures that a command made; they are never read again."""
WITHOUT_COLOUR = "no colour is in it: crusts are graded by their colour"
_SMALLEST_PX = 32


@dataclass(frozen=True, slots=True)
class Photo:
    """One file.

    Args:
        path: as it was given, or found in a folder that was.
        image: (height, width, 3) uint8, BGR; None where it cannot be used.
        problem: why it cannot be used; names the file.
    """

    path: Path
    image: NDArray[np.uint8] | None = None
    problem: str = ""


def readable(path: Path) -> str:
    """A path as text that can be written anywhere: bytes of its name that are no UTF-8 are replaced."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def photos(given: Sequence[Path]) -> Iterator[Photo]:
    """Reads files, and the photos of folders in the order of their names."""
    for path in given:
        try:
            folder = path.is_dir()
            paths = sorted(each for each in path.iterdir() if _is_photo(each)) if folder else [path]
        except OSError as exc:
            yield Photo(path, problem=f"{path}: {_words(exc)}")
            continue
        if not paths:
            yield Photo(path, problem=f"{path}: no photos in this folder")
        for each in paths:
            yield read(each)


def read(path: Path) -> Photo:
    """Reads one file."""
    try:
        known = path.stat()
        if not stat.S_ISREG(known.st_mode):
            # A pipe or a device would be waited for, or never end.
            return Photo(path, problem=f"{path}: no file")
        if known.st_size > MAX_BYTES:
            return Photo(path, problem=f"{path}: {known.st_size} bytes, at most {MAX_BYTES}")
        image = decode(path.read_bytes(), str(path))
    except Unreadable as exc:
        return Photo(path, problem=str(exc))
    except OSError as exc:
        return Photo(path, problem=f"{path}: {_words(exc)}")
    if min(image.shape[:2]) < _SMALLEST_PX:
        height, width = image.shape[:2]
        return Photo(path, problem=f"{path}: {width} × {height} pixels are too few to find anything in")
    return Photo(path, image)


def cropped(photo: Photo, belt: BeltCrop | None) -> Photo:
    """The part between the corners; the whole photo without any."""
    if belt is None or photo.image is None:
        return photo
    try:
        return Photo(photo.path, belt.apply(photo.image))
    except ValueError as exc:
        return Photo(photo.path, problem=f"{photo.path}: {exc}")


def corners(text: str) -> BeltCrop:
    """The crop of `corner_points`."""
    from edge.vision.geometry import BeltCrop  # noqa: PLC0415  # needs OpenCV, which not every machine has

    return BeltCrop(corner_points(text))


def corner_points(text: str) -> list[tuple[float, float]]:
    """Eight numbers, x and y of four corners as fractions of the picture.

    Raises:
        ArgumentTypeError: not eight numbers, or not the corners of a belt.
    """
    from edge.vision.geometry import BeltCrop  # noqa: PLC0415  # as above

    try:
        numbers = [float(part) for part in text.replace(" ", ",").split(",") if part]
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: eight numbers with commas") from exc
    if len(numbers) != 8 or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"{text!r}: eight numbers with commas: x,y of four corners")
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    try:
        BeltCrop(points)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: {exc}") from exc
    return points


def _is_photo(path: Path) -> bool:
    """Whether a folder's entry is to be read; a folder in it is not, whatever its name."""
    return path.suffix.lower() in ENDINGS and not path.name.endswith((GRADED, RULED)) and not path.is_dir()


def _words(exc: OSError) -> str:
    return f"cannot be read: {exc.strerror or exc}"
