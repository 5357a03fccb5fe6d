"""Pictures that appear in a folder, oldest first, each once. A picture is taken up once it has stopped growing.

While the folder is watched a file is new that was not there before, whatever its date: the clock of a board may come up behind, an
upload may keep whole seconds, a copy its old date. Of what came while nobody looked only the dates tell.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path
from typing import NamedTuple

from edge.vision.camera import BadPicture, CameraError, Frame
from edge.vision.decode import MAX_BYTES, Unreadable, decode

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SETTLED_NS = 300_000_000
"""A file that changed within the last moment may still be being written."""
RECENT = 32
"""So many of the last pictures are known by name over a restart, as two may have the same date."""
AHEAD_NS = 86_400_000_000_000
"""A date farther ahead is none."""
TRIES = 2
"""A picture that was begun so often and never finished has ended the program, or a power cut did; it is not begun again."""
SPARE = 10_000
"""Files that are gone may be remembered so many beyond those that are there: a folder may come back."""


class _File(NamedTuple):
    """One picture as it lies there; written anew it is another one."""

    at_ns: int
    """When it was last written, as it says."""
    name: str
    size: int

    @property
    def key(self) -> str:
        return blake2s(f"{self.name}|{self.at_ns}|{self.size}".encode(errors="replace"), digest_size=6).hexdigest()


class PhotoCamera:
    """Watches one folder.

    Args:
        name: of the camera.
        folder: where pictures appear.
        position: of the last picture taken up, see `Frame.position`: the newest date, and which were the last ones; None: those that
            lie there at the first opening are not new.
        monotonic_ns: the clock.
        wall_ns: this computer's own time, as files are dated by it.
        begun: file that remembers which picture was begun, for the case that it ends the program; None: nothing does.
    """

    live = False

    def __init__(
        self,
        name: str,
        folder: Path,
        position: str | None,
        *,
        monotonic_ns: Callable[[], int],
        wall_ns: Callable[[], int],
        begun: Path | None = None,
    ) -> None:
        self._begun = begun
        self._name = name
        self._folder = folder
        self._newest_ns, self._recent = _parsed(position)
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._device: int | None = None
        # Hashes, as a folder may hold a hundred thousand.
        self._known: set[int] = set()
        self._growing: dict[_File, int] = {}
        self._waiting: deque[_File] = deque()
        self._open = False

    def open(self) -> None:
        """Reads the folder once.

        Raises:
            CameraError: it cannot be read.
        """
        self._waiting.clear()
        self._look()
        self._open = True

    def read(self) -> Frame | None:
        """The oldest picture that has not been taken up.

        Raises:
            CameraError: not open, or the folder cannot be read.
            BadPicture: no picture, damaged, or too large.
        """
        if not self._open:
            raise CameraError(f"{self._name} is not open")
        if not self._waiting:
            self._waiting.extend(sorted(file for file in self._look() if self._settled(file)))
        while self._waiting:
            file = self._waiting.popleft()
            path = self._folder / file.name
            position = self._take(file)
            try:
                size = path.stat().st_size
                if size > MAX_BYTES:
                    raise BadPicture(f"{path.name}: {size} bytes, at most {MAX_BYTES}", position)
                if self._tries(file) > TRIES:
                    why = f"{path.name}: the program ended {TRIES} times while this picture was looked at; it is left alone"
                    raise BadPicture(why, position)
                image = decode(path.read_bytes(), path.name)
            except FileNotFoundError:
                continue
            except (Unreadable, OSError) as exc:
                raise BadPicture(str(exc), position) from exc
            return Frame(image, self._monotonic_ns(), self._name, position)
        return None

    def _tries(self, file: _File) -> int:
        """How often this picture was begun, this time included.

        Written before it is decoded and left to the system to bring to disk: that outlives the process, and a power cut is no picture's fault.
        """
        if self._begun is None:
            return 1
        key, tries = "", ""
        with suppress(OSError, UnicodeDecodeError):
            key, _, tries = self._begun.read_text(encoding="ascii").partition(" ")
        count = int(tries) + 1 if key == file.key and tries.isdecimal() else 1
        # Where nothing can be written, pictures are looked at all the same.
        with suppress(OSError):
            self._begun.parent.mkdir(parents=True, exist_ok=True)
            self._begun.write_text(f"{file.key} {count}", encoding="ascii")
        return count

    def close(self) -> None:
        """Forgets what waits; it is found again."""
        self._waiting.clear()
        self._open = False

    def _look(self) -> list[_File]:
        """The files that are new."""
        files: list[_File] = []
        late: list[_File] = []
        far: dict[_File, int] = {}
        newest_ns, believed_ns = self._newest_ns, self._wall_ns() + AHEAD_NS
        try:
            device = self._folder.stat().st_dev
            with os.scandir(self._folder) as found:
                for entry in found:
                    if entry.name.lower().endswith(ENDINGS):
                        # It may have been taken away since the folder was read, or lead nowhere.
                        with suppress(OSError):
                            told = entry.stat()
                            files.append(_File(told.st_mtime_ns, entry.name, told.st_size))
                            if told.st_mtime_ns > believed_ns:
                                far[files[-1]] = told.st_ctime_ns
                            if newest_ns is not None and told.st_mtime_ns <= newest_ns < told.st_ctime_ns:
                                late.append(files[-1])
        except OSError as exc:
            raise CameraError(f"{type(exc).__name__}: {exc}") from exc
        if device != self._device:
            # At first, and where another disk lies in its place, as one that was mounted late: what is there was not put there just now.
            self._begin(files, late, far)
            self._device = device
        new = [file for file in files if hash(file) not in self._known]
        self._growing = {file: self._growing[file] for file in new if file in self._growing}
        if len(self._known) > 2 * len(files) + SPARE:
            self._known.intersection_update(map(hash, files))
        return new

    def _begin(self, files: Sequence[_File], late: Sequence[_File], far: Mapping[_File, int]) -> None:
        """Tells by the dates which of these were taken up earlier.

        Args:
            files: all that lie there.
            late: those of them that were put there after the newest date.
            far: when those came whose own date is too far ahead to be one.
        """
        if self._newest_ns is None:
            self._known.update(map(hash, files))
            self._newest_ns = max((file.at_ns for file in files if file not in far), default=None)
            self._recent = [file.key for file in far][-RECENT:]
            return
        recent = set(self._recent)
        new = [file for file in files if far.get(file, file.at_ns) > self._newest_ns and file.key not in recent]
        self._known.update(set(map(hash, files)).difference(map(hash, new)))
        left = sum(file.key not in recent for file in late)
        if left:
            logging.getLogger(__name__).warning(
                "%s: %d pictures may have come while nobody looked, with dates before the last one that was taken up: they are left alone",
                self._name,
                left,
            )

    def _settled(self, file: _File) -> bool:
        """Whether it has not changed for a moment, by its date or, where that is ahead of the clock, as it was seen."""
        if file.at_ns <= self._wall_ns() - SETTLED_NS:
            return True
        now_ns = self._monotonic_ns()
        return now_ns - self._growing.setdefault(file, now_ns) >= SETTLED_NS

    def _take(self, file: _File) -> str:
        """Remembers a file as taken up; the position after it."""
        self._known.add(hash(file))
        self._growing.pop(file, None)
        self._recent = [*self._recent, file.key][-RECENT:]
        if file.at_ns <= self._wall_ns() + AHEAD_NS:
            self._newest_ns = max(self._newest_ns or 0, file.at_ns)
        return " ".join((str(self._newest_ns or 0), *self._recent))


def _parsed(position: str | None) -> tuple[int | None, list[str]]:
    newest, *recent = (position or "").split(" ")
    return (int(newest), recent[-RECENT:]) if newest.isdecimal() else (None, [])
