"""Makes what was written in a folder survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Writes a folder's own entries to the disk: a new or renamed file is found after a power cut only then (fsync(2)).

    Raises:
        OSError: it is not there, or its disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
