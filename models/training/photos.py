"""A firm's own labelled photos as crops: `DIR/<label>/*.jpg`, each photo with one piece or several of that label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.training.dataset import Cropper, Dataset
from models.training.labels import LABELS

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
LARGEST_BYTES: Final = 60_000_000


class PhotosRefused(Exception):
    """The folder is none of labelled photos; the text says what is missing."""


def labelled_photos(folder: Path) -> list[tuple[Path, str]]:
    """The photos below a folder with their labels, in the order of their names.

    Raises:
        PhotosRefused: no such folder, a subfolder that is no label, or no photos.
    """
    if not folder.is_dir():
        raise PhotosRefused(f"{folder} is no folder")
    strangers = sorted(
        p.name for p in folder.iterdir() if p.is_dir() and p.name not in LABELS and not p.name.startswith(".")
    )
    if strangers:
        raise PhotosRefused(
            f"{folder} has subfolders that are no labels: {', '.join(strangers)}; labels are {', '.join(LABELS)}"
        )
    photos = [
        (path, label)
        for label in LABELS
        for path in sorted((folder / label).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not photos:
        raise PhotosRefused(f"{folder} has no photos in subfolders named after labels: {', '.join(LABELS)}")
    return photos


def crops_of(photos: list[tuple[Path, str]], cropper: Cropper) -> Iterator[tuple[Path, Dataset | None]]:
    """Each photo with the crops of its pieces; None where it cannot be read or shows none."""
    for path, label in photos:
        content = path.read_bytes() if path.stat().st_size <= LARGEST_BYTES else b""
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        crops = [] if picture is None else [crop for _, crop in cropper(np.asarray(picture, np.uint8))]
        if crops:
            yield path, Dataset(np.stack(crops), np.full(len(crops), LABELS.index(label), np.int64))
        else:
            yield path, None
