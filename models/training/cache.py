"""Rendered parts kept in a folder, each under a name that says what made it: another renderer, finder or crop makes other parts."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from models.training import dataset, labels, render
from models.training.dataset import Cropper, Dataset, rendered_part

PROBE: Final = 200
"""Crops that are made to see whether finder and crop, NumPy and OpenCV are the same: what changes less than one in so many is not seen."""
PROBE_SEED: Final = 1_000_003
UNFINISHED: Final = ".unfinished"
ABANDONED_S: Final = 3600.0
"""A file takes seconds to be written; what is older was left by a process that ended in the middle."""


class Cache:
    """Finished parts of rendered crops, `SEED-PART-MAKER.npz`.

    Args:
        folder: made when the first part is kept.
        cropper: that makes the crops.
    """

    def __init__(self, folder: Path, cropper: Cropper) -> None:
        self._folder = folder
        self._maker = maker(cropper)

    def load(self, seed: int, part: int) -> Dataset | None:
        """A part that was kept; None where this renderer and this cropper have made none, or it cannot be read."""
        try:
            with np.load(self._path(seed, part), allow_pickle=False) as kept:
                return Dataset(kept["crops"], kept["labels"])
        except (OSError, ValueError, KeyError, BadZipFile):
            return None

    def keep(self, seed: int, part: int, made: Dataset) -> None:
        """Keeps a part, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"*{UNFINISHED}"):
            with suppress(OSError):
                if left.stat().st_mtime < time.time() - ABANDONED_S:
                    left.unlink()
        path = self._path(seed, part)
        unfinished = path.with_suffix(f".{os.getpid()}{UNFINISHED}")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, crops=made.crops, labels=made.labels)
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _path(self, seed: int, part: int) -> Path:
        return self._folder / f"{seed}-{part}-{self._maker}.npz"


def maker(cropper: Cropper) -> str:
    """What makes the crops: the renderer by its text, all that comes after it by what it makes of some pictures."""
    digest = blake2s(digest_size=6)
    for folder in render.__path__:
        for source in sorted(Path(folder).glob("*.py")):
            digest.update(source.read_bytes())
    for module in (dataset, labels):
        digest.update(Path(str(module.__file__)).read_bytes())
    probe = rendered_part(PROBE_SEED, 0, cropper, PROBE)
    digest.update(probe.crops.tobytes())
    digest.update(probe.labels.tobytes())
    return digest.hexdigest()
