"""One process at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from wire.entry import JournalBusy, JournalError


class LockFile:
    """Holds `<path>.lock` by flock, which ends with the process however that ends.

    Raises:
        JournalBusy: somebody else holds it; the text names the process.
        JournalError: the lock file cannot be made, e.g. because the folder is missing.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(f"{path.name}.lock")
        try:
            self._fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise JournalError(f"{path}: {exc}") from exc
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise JournalBusy(f"{path} is in use by process {holder}") from exc
        # Only for the other's message, so a full disk must not get in the way.
        with suppress(OSError):
            os.truncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets go of it; the file stays, as removing it would race with the next holder."""
        os.close(self._fd)
