"""A wall clock that can be stepped under one process: libfaketime, preloaded.

Only the wall clock moves, as with NTP or a person's `date -s`; monotonic clocks go on (`FAKETIME_DONT_FAKE_MONOTONIC`).
"""

from __future__ import annotations

import os
from pathlib import Path

LIBRARIES = (Path("/usr/lib"), Path("/usr/local/lib"))
SHARED = Path("/dev/shm")  # noqa: S108  # where shm_open and sem_open keep what they are given
NAME = "libfaketimeMT.so.1"
_REPAIR = '''"""libfaketime 0.9.10 shifts absolute times given to clock_nanosleep even on clocks it was told to leave alone, so that
Python's time.sleep fails with EINVAL; waiting for nothing with select is the same without that call."""
import select, time
time.sleep = lambda seconds: select.select([], [], [], max(seconds, 0.0)) and None
'''


def library() -> Path | None:
    """Debian's libfaketime, if it is installed."""
    found = [
        path for folder in LIBRARIES for path in (*folder.glob(f"*/faketime/{NAME}"), *folder.glob(f"faketime/{NAME}"))
    ]
    return found[0] if found else None


class WallClock:
    """The offset file of one process's clock.

    Args:
        folder: for its files.
        preload: the library.
    """

    def __init__(self, folder: Path, preload: Path) -> None:
        self._file = folder / "wallclock"
        self._repair = folder / "wallclock-python"
        self._preload = preload
        self.offset_s = 0.0
        self.steps = 0

    def environment(self) -> dict[str, str]:
        """What the process needs; writes the files."""
        self._repair.mkdir(exist_ok=True)
        (self._repair / "sitecustomize.py").write_text(_REPAIR, encoding="utf-8")
        self._write(0.0)
        paths = [str(self._repair), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "LD_PRELOAD": str(self._preload),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def set(self, offset_s: float) -> None:
        """Steps the clock so that it is that far from the true one, seconds."""
        self._write(offset_s)
        self.steps += offset_s != self.offset_s
        self.offset_s = offset_s

    def clean(self, pid: int) -> None:
        """Removes the shared memory that the library leaves behind when its process is killed."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            (SHARED / name).unlink(missing_ok=True)

    def _write(self, offset_s: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+.0f}\n", encoding="ascii")
        new.replace(self._file)
