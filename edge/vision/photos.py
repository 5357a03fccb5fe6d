"""Pictures that appear in a folder, oldest first. A picture is taken up once it has stopped growing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Grey: TypeAlias = NDArray[np.uint8]
ENDINGS = (".jpg", ".jpeg", ".png")
MAX_BYTES = 50_000_000
MAX_PIXELS = 60_000_000
SETTLED_NS = 300_000_000
"""A file that changed within the last moment may still be being written."""


class Unreadable(Exception):
    """A file that is no picture; the text says which and why."""


class NoDecoder(Exception):
    """Neither OpenCV nor Pillow is installed."""


class PhotoFolder:
    """Watches one folder.

    Args:
        folder: where pictures appear.
        after_ns: modification time of the last picture taken up; None: those that lie there now are not new.
        wall_ns: this computer's own time, as files are dated by it.
    """

    def __init__(self, folder: Path, after_ns: int | None, wall_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._wall_ns = wall_ns
        self._decode = decoder()
        self.after_ns = after_ns if after_ns is not None else max((at for at, _ in self._files()), default=0)

    def new(self) -> list[Path]:
        """Pictures that have come since the last call, oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        settled = self._wall_ns() - SETTLED_NS
        found = sorted((at, path) for at, path in self._files() if self.after_ns < at <= settled)
        if found:
            self.after_ns = found[-1][0]
        return [path for _, path in found]

    def grey(self, path: Path) -> Grey:
        """A picture's grey values, (height, width) uint8.

        Raises:
            Unreadable: no picture, damaged, or too large.
        """
        try:
            size = path.stat().st_size
            grey = self._decode(path) if size <= MAX_BYTES else None
        except Unreadable:
            raise
        except Exception as exc:  # decoders raise whatever a damaged file leads them to
            raise Unreadable(f"{path.name}: {exc}") from exc
        if grey is None:
            raise Unreadable(f"{path.name}: {size} bytes, at most {MAX_BYTES}")
        return grey

    def _files(self) -> list[tuple[int, Path]]:
        found = []
        for path in self._folder.iterdir():
            if path.suffix.lower() in ENDINGS:
                # It may have been taken away since the folder was read.
                with suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime_ns, path))
        return found


def decoder() -> Callable[[Path], Grey]:
    """The decoder that is installed: OpenCV, or Pillow.

    Raises:
        NoDecoder: neither.
    """
    for module, make in (("cv2", _opencv), ("PIL.Image", _pillow)):
        try:
            return make(importlib.import_module(module))
        except ImportError:
            continue
    raise NoDecoder("pictures need OpenCV (pip install 'werkpuls[camera]') or Pillow")


def _opencv(cv2: Any) -> Callable[[Path], Grey]:
    def decode(path: Path) -> Grey:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        grey: Grey | None = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if grey is None or grey.size > MAX_PIXELS:
            raise Unreadable(f"{path.name}: not a picture, or larger than {MAX_PIXELS} pixels")
        return grey

    return decode


def _pillow(image: Any) -> Callable[[Path], Grey]:
    def decode(path: Path) -> Grey:
        with image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Unreadable(f"{path.name}: {opened.width} × {opened.height} pixels, at most {MAX_PIXELS}")
            return np.asarray(opened.convert("L"), np.uint8)

    return decode
