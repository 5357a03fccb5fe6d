"""The classifier: crops in; calibrated probabilities, an embedding and maps of where the net saw what out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.quality.card import GOOD, Card, ModelRefused, digest, read_card
from models.quality.runtime import Interpreter, interpreter

WEIGHTS: Final = Path(__file__).resolve().parent.parent / "weights"
"""Where the shipped model is: `goods.tflite`, `goods.json` and `goods.npz`."""
LARGEST_BYTES: Final = 8_000_000
"""A file that is larger is no model of ours; it is refused before it is read."""

Verdict = Literal["good", "reject", "unsure"]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grades:
    """What the net says of n crops.

    Args:
        labels: the meaning of the columns.
        probabilities: (n, labels), calibrated; each row sums to 1.
        embedding: (n, d), what the net saw before it named it.
        maps: (n, rows, columns, labels) logits by place; None where the model has no such output.
    """

    labels: tuple[str, ...]
    probabilities: Floats
    embedding: Floats
    maps: Floats | None = None

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True, slots=True)
class Grade:
    """One crop's label, verdict, and how sure the model is of the verdict (0 to 1)."""

    label: str
    verdict: Verdict
    confidence: float


def decide(probabilities: Floats, card: Card) -> Grade:
    """A row of probabilities as a grade.

    The label is the most probable one. A confidence is that of the verdict: the probability of `good`, or that of all
    defects together, for whether a piece is cracked or broken does not decide if it is sold. Below the label's
    threshold the verdict is `unsure`.
    """
    best = int(np.argmax(probabilities))
    label = card.labels[best]
    good = float(probabilities[card.labels.index(GOOD)])
    confidence = min(1.0, good if label == GOOD else 1.0 - good)
    if confidence < card.thresholds[label]:
        return Grade(label, "unsure", confidence)
    return Grade(label, "good" if label == GOOD else "reject", confidence)


class Classifier:
    """A TFLite model and its card. Types, shapes and quantisation are read from the model.

    Args:
        model: content of the TFLite file.
        card: its card.

    Raises:
        ModelRefused: model and card do not belong together, or the model has not the shape of a classifier.
        RuntimeUnavailable: no TFLite runtime works here.
    """

    def __init__(self, model: bytes, card: Card) -> None:
        if digest(model) != card.sha256:
            raise ModelRefused(f"the file is not the model of the card {card.name!r}: its SHA-256 is {digest(model)}")
        try:
            self._net, self.runtime = interpreter(model)
        except (ValueError, RuntimeError) as exc:
            raise ModelRefused(f"the file is no TFLite model that can be run: {exc}") from exc
        self.card = card
        self._entry = _entry(self._net, card)
        self._logits, self._embedding, self._maps = _exits(self._net, card)

    @classmethod
    def load(cls, model_path: Path, card_path: Path) -> Classifier:
        """A model from its files.

        Raises:
            ModelRefused: a file is missing, too large, or not what it must be.
            RuntimeUnavailable: no TFLite runtime works here.
        """
        card = read_card(card_path)
        try:
            if model_path.stat().st_size > LARGEST_BYTES:
                raise ModelRefused(f"{model_path} is larger than {LARGEST_BYTES} bytes")
            model = model_path.read_bytes()
        except OSError as exc:
            raise ModelRefused(f"the model {model_path} cannot be read: {exc.strerror or exc}") from exc
        return cls(model, card)

    @classmethod
    def shipped(cls) -> Classifier:
        """The model that ships with the package."""
        return cls.load(WEIGHTS / "goods.tflite", WEIGHTS / "goods.json")

    def classify(self, crops: NDArray[np.uint8], views: int | None = None) -> Grades:
        """Grades of crops.

        Args:
            crops: (n, side, side, 3) uint8 RGB as `crop.item_crop` makes them.
            views: mirrored views that are averaged, 1 to 4; None: as many as the card says.

        Raises:
            ValueError: not such an array.
        """
        side = self.card.side_px
        if crops.ndim != 4 or crops.shape[1:] != (side, side, 3) or crops.dtype != np.uint8:
            raise ValueError(f"crops of shape (n, {side}, {side}, 3) uint8, not {crops.shape} {crops.dtype}")
        views = self.card.views if views is None else views
        if not 1 <= views <= 4:
            raise ValueError(f"1 to 4 views, not {views}")
        count = len(crops)
        logits = np.zeros((count, views, len(self.card.labels)), self._logits.kind)
        embedding = np.zeros((count, views, self.card.embedding), self._embedding.kind)
        maps: list[Floats] = []
        net, entry = self._net, self._entry
        # One by one: the runtimes are no faster in batches, and their memory stays what it was.
        for number, crop in enumerate(crops):
            for view in range(views):
                net.set_tensor(entry.index, entry.quantised(_view(crop, view))[None])
                net.invoke()
                logits[number, view] = net.get_tensor(self._logits.index)[0]
                embedding[number, view] = net.get_tensor(self._embedding.index)[0]
                if view == 0 and self._maps is not None:
                    maps.append(self._maps.real(np.asarray(net.get_tensor(self._maps.index)[0], np.float32)))
        # Steps are summed and made real numbers once, for all crops and views.
        share = np.float32(1.0 / views)
        real = self._logits.real(logits.sum(axis=1, dtype=np.float32) * share)
        return Grades(
            self.card.labels,
            softmax(real / np.float32(self.card.temperature)),
            self._embedding.real(embedding.sum(axis=1, dtype=np.float32) * share),
            np.stack(maps) if maps else None,
        )


def softmax(logits: Floats) -> Floats:
    """Probabilities from logits, row by row."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _view(crop: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The crop as it is, mirrored, turned by half, or both."""
    if number == 0:
        return crop
    import cv2  # noqa: PLC0415  # mirrors eight times faster than numpy; only who grades pictures loads it

    return np.asarray(cv2.flip(crop, (1, -1, 0)[number - 1]), np.uint8)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """An input or output: its index and how its numbers stand for real ones (scale 0: they are real ones)."""

    index: int
    kind: np.dtype[Any]
    scale: float
    zero: int

    def quantised(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Pixels in the type that the net takes."""
        if self.scale == 0.0:
            return pixels.astype(self.kind)
        if self.scale == 1.0 and self.zero == 0 and self.kind == np.uint8:
            return np.ascontiguousarray(pixels)
        limits = np.iinfo(self.kind)
        steps = np.rint(pixels / np.float32(self.scale)) + self.zero
        return np.asarray(np.clip(steps, limits.min, limits.max), self.kind)

    def real(self, steps: Floats) -> Floats:
        """An output, or the mean of several, as real numbers."""
        return steps if self.scale == 0.0 else (steps - np.float32(self.zero)) * np.float32(self.scale)


def _tensor(details: dict[str, Any]) -> _Tensor:
    scale, zero = details["quantization"]
    kind = np.dtype(details["dtype"])
    if kind not in (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float32)):
        raise ModelRefused(f"a tensor of the model is of type {kind}, which is none of uint8, int8 and float32")
    if kind != np.float32 and not scale > 0.0:
        raise ModelRefused("an integer tensor of the model does not say what its numbers stand for")
    return _Tensor(int(details["index"]), kind, float(scale) if kind != np.float32 else 0.0, int(zero))


def _entry(net: Interpreter, card: Card) -> _Tensor:
    entries = net.get_input_details()
    wanted = [1, card.side_px, card.side_px, 3]
    shapes = [list(map(int, entry["shape"])) for entry in entries]
    if shapes != [wanted]:
        raise ModelRefused(f"the model takes {shapes}, the card says {[wanted]}")
    return _tensor(entries[0])


def _exits(net: Interpreter, card: Card) -> tuple[_Tensor, _Tensor, _Tensor | None]:
    """Logits, embedding and maps, told apart by their shapes: old runtimes do not read their names."""
    exits = {tuple(map(int, details["shape"])): _tensor(details) for details in net.get_output_details()}
    labels, embedding = (1, len(card.labels)), (1, card.embedding)
    maps = [shape for shape in exits if len(shape) == 4 and shape[0] == 1 and shape[3] == len(card.labels)]
    unknown = [shape for shape in exits if shape not in (labels, embedding, *maps)]
    if labels == embedding or labels not in exits or embedding not in exits or len(maps) > 1 or unknown:
        raise ModelRefused(
            f"the model gives {sorted(exits)}; a classifier gives {labels} for its labels and {embedding} for its embedding"
        )
    return exits[labels], exits[embedding], exits[maps[0]] if maps else None
