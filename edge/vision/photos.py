"""Pictures that appear in a folder, oldest first. A picture is taken up once it has stopped growing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge.vision.camera import BadPicture, CameraError, Frame
from edge.vision.decode import MAX_BYTES, Unreadable, decode

ENDINGS = (".jpg", ".jpeg", ".png")
SETTLED_NS = 300_000_000
"""A file that changed within the last moment may still be being written."""


class PhotoCamera:
    """Watches one folder.

    Args:
        name: of the camera.
        folder: where pictures appear.
        after_ns: modification time of the last picture taken up; None: those that lie there at the first opening are not
            new.
        monotonic_ns: the clock.
        wall_ns: this computer's own time, as files are dated by it.
    """

    live = False

    def __init__(
        self,
        name: str,
        folder: Path,
        after_ns: int | None,
        *,
        monotonic_ns: Callable[[], int],
        wall_ns: Callable[[], int],
    ) -> None:
        self._name = name
        self._folder = folder
        self._after_ns = after_ns
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._waiting: deque[tuple[int, Path]] = deque()
        self._open = False

    def open(self) -> None:
        """Reads the folder once.

        Raises:
            CameraError: it cannot be read.
        """
        files = self._files()
        if self._after_ns is None:
            self._after_ns = max((at for at, _ in files), default=0)
        self._waiting.clear()
        self._open = True

    def read(self) -> Frame | None:
        """The oldest picture that has not been taken up.

        Raises:
            CameraError: not open, or the folder cannot be read.
            BadPicture: no picture, damaged, or too large.
        """
        if not self._open or self._after_ns is None:
            raise CameraError(f"{self._name} is not open")
        if not self._waiting:
            settled = self._wall_ns() - SETTLED_NS
            self._waiting.extend(sorted((at, path) for at, path in self._files() if self._after_ns < at <= settled))
        while self._waiting:
            at, path = self._waiting.popleft()
            self._after_ns = at
            try:
                size = path.stat().st_size
                if size > MAX_BYTES:
                    raise BadPicture(f"{path.name}: {size} bytes, at most {MAX_BYTES}", at)
                image = decode(path.read_bytes(), path.name)
            except FileNotFoundError:
                continue
            except (Unreadable, OSError) as exc:
                raise BadPicture(str(exc), at) from exc
            return Frame(image, self._monotonic_ns(), self._name, at)
        return None

    def close(self) -> None:
        """Forgets what waits; it is found again."""
        self._waiting.clear()
        self._open = False

    def _files(self) -> list[tuple[int, Path]]:
        found = []
        try:
            for path in self._folder.iterdir():
                if path.suffix.lower() in ENDINGS:
                    # It may have been taken away since the folder was read.
                    with suppress(FileNotFoundError):
                        found.append((path.stat().st_mtime_ns, path))
        except OSError as exc:
            raise CameraError(f"{type(exc).__name__}: {exc}") from exc
        return found
