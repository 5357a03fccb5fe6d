"""Disk space: the ballast, the free-disk bound, and what to do when the disk is really full.

Evicting needs space too: the pages it changes go to the write-ahead log first. So a ballast file lies beside the
journal; when the disk is full it is released, the eviction runs in its room, the file shrinks, and the ballast is made
anew once there is room again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wire.entry import JournalError, JournalFull, Row
from wire.journal_file import DiskFull, JournalFile

_ATTEMPTS = 4
_LEAST_CHUNK = 64 * 1024


def free_disk_bytes(path: Path) -> int:
    """Bytes that this process may still write to the file system of `path`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


class Ballast:
    """A file that only takes up room."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self.size = size
        self.held = path.exists() and path.stat().st_size >= size

    def make(self) -> None:
        """Allocates it; without effect when the file system refuses."""
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
        except OSError:
            self.release()
        else:
            self.held = True

    def release(self) -> bool:
        """Gives its room back; whether there was any."""
        held, self.held = self.held, False
        self._path.unlink(missing_ok=True)
        return held


class Room:
    """Commits to a journal file within the disk's space."""

    def __init__(
        self, file: JournalFile, *, ballast: Ballast, min_free_bytes: int, free_bytes: Callable[[Path], int]
    ) -> None:
        self._file = file
        self._ballast = ballast
        self._min_free = min_free_bytes
        self._free_bytes = free_bytes
        self._folder = file.path.parent
        self._log = logging.getLogger(__name__)
        self._keep_ballast(self._free_bytes(self._folder))

    def commit(self, rows: Sequence[Row], state: Mapping[str, str], *, read_to: int) -> None:
        """`JournalFile.commit` that makes room first; raises `JournalFull` where that fails."""
        # Eviction has transactions of its own, in which nothing of the batch may be but where readers are.
        positions = {key: value for key, value in state.items() if key.startswith("reader:")}
        if rows:
            self._hold_free_disk(positions, read_to)
        for attempt in range(_ATTEMPTS):
            try:
                self._file.commit(rows, state, read_to=read_to)
                break
            except DiskFull as exc:
                if attempt == _ATTEMPTS - 1 or not self._relieve(rows, positions, read_to, attempt):
                    raise JournalFull(f"{self._file.path}: the disk is full and nothing is left to evict") from exc
        self._tidy(positions, read_to)

    def _tidy(self, positions: Mapping[str, str], read_to: int) -> None:
        """After a commit: what goes wrong here must not look as if the commit had failed."""
        try:
            self._file.fold_long_log()
        except DiskFull:
            with suppress(JournalError):
                self._relieve((), positions, read_to, 0)
        except (JournalError, OSError) as exc:
            self._log.warning("%s: the write-ahead log stays long: %s", self._file.path, exc)

    def _hold_free_disk(self, positions: Mapping[str, str], read_to: int) -> None:
        free = self._free_bytes(self._folder)
        # Without the ballast its room must stay free: on a disk that is full to the last byte nothing can be evicted.
        floor = self._min_free if self._ballast.held else max(self._min_free, self._ballast.size + self._chunk())
        if free < floor:
            # First what costs nothing: free pages, and the write-ahead log, which is up to 4 MB.
            try:
                self._file.shrink()
                free = self._free_bytes(self._folder)
                if free < floor:
                    wanted = floor - free + self._chunk()
                    evicted = self._file.release(wanted, positions, read_to=read_to)
                    if not evicted and self._free_bytes(self._folder) < self._min_free:
                        raise JournalFull(
                            f"{self._file.path}: {free} bytes free on disk, {self._min_free} wanted, nothing to evict"
                        )
                    free = self._free_bytes(self._folder)
            except DiskFull:
                self._relieve((), positions, read_to, 0)
        self._keep_ballast(free)

    def _relieve(self, rows: Sequence[Row], positions: Mapping[str, str], read_to: int, attempt: int) -> bool:
        """Releases the ballast and evicts in its room; whether trying again makes sense."""
        progress = self._ballast.release()
        try:
            # The log's pages go into the file first, which may have to grow for them; then the log is cut.
            self._file.shrink()
            if rows or attempt:
                # Twice the batch: its pages lie in the log first and in the file later.
                wanted = 2 * sum(len(row[6]) + 256 for row in rows) + (self._chunk() << attempt)
                progress |= self._evict(wanted, positions, read_to)
            self._ballast.make()
            if not self._ballast.held:
                progress |= self._evict(self._ballast.size, positions, read_to)
                self._ballast.make()
        except DiskFull:
            self._log.warning("%s: the disk is full, and there is no room to evict either", self._file.path)
        return progress

    def _evict(self, wanted_bytes: int, positions: Mapping[str, str], read_to: int) -> bool:
        self._log.warning("%s: the disk is full, evicting about %d bytes", self._file.path, wanted_bytes)
        return self._file.release(wanted_bytes, positions, read_to=read_to)

    def _chunk(self) -> int:
        """How much more than needed is evicted for the disk's sake, so that the next commits need nothing."""
        return min(self._file.bound.chunk_bytes, max(_LEAST_CHUNK, self._file.bytes // 16))

    def _keep_ballast(self, free: int) -> None:
        if not self._ballast.held and free >= max(self._min_free, self._chunk()) + self._ballast.size:
            self._ballast.make()
