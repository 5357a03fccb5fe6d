"""The card of a model: what it can, what it was made of, and what a loader must find in the file beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
GOOD = "good"
"""The label of a piece that nothing is wrong with; every model has it."""


class ModelRefused(Exception):
    """A model or its card is not what it must be; the text says which of them and why."""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model card (Mitchell et al., Model cards for model reporting, FAT* 2019), as JSON beside the model.

    Args:
        name: of the model.
        labels: the meaning of the outputs, in their order.
        side_px: width and height of a crop.
        embedding: numbers in the embedding.
        sha256: of the TFLite file.
        checkpoint_sha256: of the float weights that training can go on from; None where they are not kept.
        temperature: logits are divided by it, so that a confidence is a frequency (Guo et al., On calibration of modern
            neural networks, ICML 2017).
        thresholds: least confidence per label; below it the answer is `unsure`.
        views: 1 to 4 mirrored views of a crop that are averaged.
        data: what it was trained on.
        figures: measured, by name.
        limits: what it cannot do.
        licence: of the weights.
        command: what made it.
    """

    name: str
    labels: tuple[str, ...]
    side_px: Annotated[int, msgspec.Meta(ge=8, le=1024)]
    embedding: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    checkpoint_sha256: str | None = None
    temperature: Annotated[float, msgspec.Meta(gt=0.0, le=100.0)]
    thresholds: dict[str, Share]
    views: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1
    data: str
    figures: dict[str, float]
    limits: tuple[str, ...]
    licence: str
    command: str

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or GOOD not in self.labels or len(self.labels) < 2:
            raise ValueError(f"labels must differ from each other and contain {GOOD!r}, not {list(self.labels)}")
        if set(self.thresholds) != set(self.labels):
            raise ValueError("there must be a threshold for each label and for nothing else")


def read_card(path: Path) -> Card:
    """A card from its file.

    Raises:
        ModelRefused: it is not there, no card, or contradicts itself.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except OSError as exc:
        raise ModelRefused(f"the model card {path} cannot be read: {exc.strerror or exc}") from exc
    except msgspec.MsgspecError as exc:
        raise ModelRefused(f"{path} is no model card: {exc}") from exc


def write_card(card: Card, path: Path) -> None:
    """Writes a card, readable by people."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")


def digest(content: bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(content).hexdigest()
