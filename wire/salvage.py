"""Opening a journal: the lock, a new file, and what becomes of a damaged one."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from wire.entry import JournalBusy
from wire.journal_file import FORMAT, SCHEMA, Bound, JournalFile, connect, state_crc


class Lock:
    """Holds `<path>.lock` by flock, which ends with the process however it ends.

    Raises:
        JournalBusy: somebody else holds it; the text names the process.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(f"{path.name}.lock")
        self._fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as exc:
            holder = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise JournalBusy(f"{path} is in use by process {holder}") from exc

    def release(self) -> None:
        """Lets go of it; the file stays, as removing it would race with the next holder."""
        os.close(self._fd)


def mark_suspect(path: Path, reason: str) -> None:
    """Remembers beside the journal that its file is damaged."""
    path.with_name(f"{path.name}.suspect").write_text(reason + "\n", encoding="utf-8")


def open_sound(path: Path, bound: Bound) -> JournalFile:
    """Opens a journal's file, making it when there is none."""
    if not path.exists():
        make(path, {"log": secrets.token_hex(8), "format": FORMAT})
    return JournalFile(path, bound)


def make(path: Path, state: Mapping[str, str]) -> None:
    """Writes a new journal under another name and moves it into place complete."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    db = connect(draft)
    db.executescript(SCHEMA)
    db.executemany(
        "INSERT INTO state (key, value, revision, crc) VALUES (?,?,0,?)",
        [(key, value, state_crc(key, value, 0)) for key, value in state.items()],
    )
    db.close()
    draft.rename(path)
