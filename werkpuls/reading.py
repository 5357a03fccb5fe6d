"""Which files a command reads, so that it writes over none of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge.recordings.container import MEMBER

OVERWRITTEN = "is itself read and would be overwritten, another file has to be named"
"""What is told of a file that was named for both."""


def recording_file(name: str) -> Path:
    """The file on the disk that holds a recording, also where a member of it is named (`runs.zip!run1.csv`)."""
    path = Path(name)
    return path if path.exists() else Path(name.partition(MEMBER)[0])


def is_read(out: Path | None, files: Iterable[Path | None]) -> bool:
    """Whether `out` is one of the files that are read, also by another name: a link, or another way to its folder."""
    return out is not None and any(file is not None and _same(out, file) for file in files)


def _same(out: Path, file: Path) -> bool:
    try:
        # Where nothing is kept, as in /dev/null, nothing is lost.
        return out.is_file() and out.samefile(file)
    except (OSError, ValueError):
        return False
