"""Labelled crops: rendered in numbered parts that can be made in any order, or read from a firm's own photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.training.labels import LABELS
from models.training.render.frame import frame
from models.training.render.outlines import SHARES as KINDS

Box = tuple[float, float, float, float]
Cropper = Callable[[NDArray[np.uint8]], Sequence[tuple[Box, NDArray[np.uint8]]]]
"""Finds the items of a BGR frame that are not cut off: box (x, y, width, height) in pixels and crop (96, 96, 3) uint8 RGB.

It is given, not imported: the finder that a node uses is part of the node, and training wants its very errors.
"""

PART: Final = 2000
"""Crops in a part; each part has a random state of its own."""
SAME: Final = 0.6
"""Least overlap (intersection over union) at which a found item is the one that was rendered there."""
ALIKE: Final = 0.7
"""Share of the frames on which all pieces are of one kind, as on a belt."""
SHARES: Final = {
    "good": 0.26, "broken": 0.24, "burnt": 0.09, "underbaked": 0.09, "cracked": 0.11, "deformed": 0.11, "foreign_object": 0.10,
}  # fmt: skip
"""How often each label is rendered for training."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """`crops` (n, 96, 96, 3) uint8 RGB and `labels` (n,) int64, positions in `LABELS`."""

    crops: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


class Parts(Protocol):
    """Where finished parts are kept; see `models.training.cache`."""

    def load(self, seed: int, part: int) -> Dataset | None:
        """A part that was kept, None where there is none."""

    def keep(self, seed: int, part: int, made: Dataset) -> None:
        """Keeps a part."""


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Several as one."""
    return Dataset(np.concatenate([p.crops for p in parts]), np.concatenate([p.labels for p in parts]))


def rendered_part(seed: int, part: int, cropper: Cropper, count: int = PART) -> Dataset:
    """`count` rendered crops; the same seed and part give the same ones.

    What the finder does not find is not there, exactly as on a node.
    """
    rng = np.random.default_rng([seed, part])
    crops: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    while len(crops) < count:
        wanted = [str(name) for name in rng.choice(list(SHARES), int(rng.integers(6, 12)), p=list(SHARES.values()))]
        kinds = [str(name) for name in rng.choice(list(KINDS), len(wanted), p=list(KINDS.values()))]
        if rng.random() < ALIKE:
            kinds = kinds[:1] * len(wanted)
        picture, laid = frame(rng, wanted, kinds)
        for box, crop in cropper(picture):
            overlaps = [overlap(box, piece.box) for piece in laid]
            if overlaps and max(overlaps) >= SAME:
                crops.append(crop)
                labels.append(LABELS.index(laid[int(np.argmax(overlaps))].label))
    return Dataset(np.stack(crops[:count]), np.array(labels[:count], np.int64))


def rendered(seed: int, count: int, cropper: Cropper, kept: Parts | None = None, first: int = 0) -> Iterator[Dataset]:
    """Parts of rendered crops, `count` crops in all.

    Args:
        seed: of the whole set.
        count: crops, rounded up to whole parts.
        cropper: the finder and its crop.
        kept: where finished parts are kept, and taken from when they are there.
        first: number of the first part.
    """
    for part in range(first, first + -(-count // PART)):
        made = kept.load(seed, part) if kept is not None else None
        if made is None:
            made = rendered_part(seed, part, cropper)
            if kept is not None:
                kept.keep(seed, part, made)
        yield made


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (x, y, width, height).

    >>> overlap((0, 0, 2, 2), (1, 0, 2, 2))
    0.3333333333333333
    """
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (one[2] * one[3] + other[2] * other[3] - common)
