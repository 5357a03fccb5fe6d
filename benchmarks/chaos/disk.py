"""A small disk for one node's state that can be filled to the last byte: a tmpfs of its own, which only root may mount."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

CHUNK = 64 * 1024


class SmallDisk:
    """A tmpfs of `megabytes` at `folder`."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._megabytes = megabytes
        self._mounted = False

    @staticmethod
    def why_not() -> str:
        """Why there can be none here; empty when there can."""
        if os.geteuid() != 0:
            return "not root"
        return "" if shutil.which("mount") else "no mount command"

    def mount(self) -> str:
        """Mounts it; why that did not work, or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "tmpfs", str(self.folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self._mounted = done.returncode == 0
        return "" if self._mounted else done.stderr.strip() or "mount failed"

    def fill(self) -> int:
        """Takes every free byte; returns how many are taken now."""
        with (self.folder / "filler").open("ab") as file:
            for size in (CHUNK, 4096, 1):
                while _write(file.fileno(), size):
                    pass
            return file.tell()

    def release(self) -> None:
        """Gives it back."""
        (self.folder / "filler").unlink(missing_ok=True)

    def unmount(self) -> None:
        """Its content is gone then."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)
            self._mounted = False


def _write(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, b"\0" * size) == size
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        return False
