"""From crops to the three files that ship: model, card and checkpoint."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from models.quality.card import Card, ModelRefused, digest, write_card
from models.quality.classifier import Classifier
from models.training.calibrate import temperature, thresholds
from models.training.dataset import Dataset
from models.training.evaluate import confusion, figures
from models.training.export import tflite
from models.training.labels import LABELS
from models.training.net import LAYERS, SIDE, Weights

log = logging.getLogger(__name__)

VIEWS: Final = 4
LICENCE: Final = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class Story:
    """What a card tells that no computer can measure."""

    name: str
    data: str
    limits: tuple[str, ...]
    command: str


def make(weights: Weights, calibration: Dataset, test: Dataset, story: Story, folder: Path) -> Card:
    """Writes `goods.tflite`, `goods.json` and `goods.npz` into a folder; the card.

    Args:
        weights: trained and folded.
        calibration: crops that were not trained on: the ranges for quantisation, and the temperature.
        test: crops that neither trained nor calibrated anything: the figures.
        story: the words of the card.
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = tflite(weights, calibration.crops)
    packed = pack(weights)
    card = Card(
        name=story.name,
        labels=LABELS,
        side_px=SIDE,
        embedding=LAYERS[-1].filters,
        sha256=digest(model),
        checkpoint_sha256=digest(packed),
        temperature=1.0,
        thresholds=thresholds(LABELS),
        views=VIEWS,
        data=story.data,
        figures={},
        limits=story.limits,
        licence=LICENCE,
        command=story.command,
    )
    seen = Classifier(model, card).classify(calibration.crops)
    warmth = temperature(np.log(np.maximum(seen.probabilities, 1e-12)), calibration.labels)
    card = msgspec.structs.replace(card, temperature=round(warmth, 4))
    grades = Classifier(model, card).classify(test.crops)
    card = msgspec.structs.replace(card, figures=figures(test, grades, card))
    log.info("on %d crops for test: %s\n%s", len(test), card.figures, confusion(test, grades))
    (folder / "goods.tflite").write_bytes(model)
    (folder / "goods.npz").write_bytes(packed)
    write_card(card, folder / "goods.json")
    return card


def pack(weights: Weights) -> bytes:
    """The weights as a file of half-precision arrays."""
    file = io.BytesIO()
    halves: dict[str, Any] = {name: values.astype(np.float16) for name, values in weights.items()}
    np.savez(file, **halves)
    return file.getvalue()


def unpack(folder: Path, card: Card) -> Weights:
    """The checkpoint that a card names, from its folder.

    Raises:
        ModelRefused: it is missing, not the card's, or of another net.
    """
    path = folder / "goods.npz"
    try:
        packed = path.read_bytes()
    except OSError as exc:
        raise ModelRefused(f"the checkpoint {path} cannot be read: {exc.strerror or exc}") from exc
    if digest(packed) != card.checkpoint_sha256:
        raise ModelRefused(f"{path} is not the checkpoint of the card {card.name!r}")
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        weights: Weights = {name: arrays[name].astype(np.float32) for name in arrays.files}
    wanted = {f"{part}_{name}" for part in ("kernel", "bias") for name in (*range(len(LAYERS)), "head")}
    if set(weights) != wanted:
        raise ModelRefused(f"{path} is of another net: it has {sorted(weights)}")
    return weights
