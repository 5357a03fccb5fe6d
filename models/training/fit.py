"""Training: batches of crops, turned and mirrored at random, with a learning rate that falls to nothing.

The set of crops grows while the net learns: what the first steps teach, a few crops teach as well, and the others can be
rendered meanwhile.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.training.dataset import Dataset
from models.training.labels import LABELS
from models.training.net import Weights, folded, plain_model, plain_weights, trained_model

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

BATCH: Final = 64
SMOOTHING: Final = 0.03
"""Label smoothing (Szegedy et al., Rethinking the Inception architecture, CVPR 2016)."""
BATCH_SHARES: Final = {
    "good": 0.29, "broken": 0.26, "burnt": 0.05, "underbaked": 0.05, "cracked": 0.07, "deformed": 0.16, "foreign_object": 0.12,
}  # fmt: skip
"""Labels in a batch: colours are learned soon, outlines take long."""
FIRST_PARTS: Final = 3
"""Parts that are there at the first step."""
GROWN: Final = 0.6
"""Share of the steps after which all parts are there."""
WARM_UP: Final = 100
"""Steps until the full learning rate."""


def train(
    parts: Iterable[Dataset], count: int, steps: int, seed: int, rate: float = 0.004, threads: int = 1
) -> Weights:
    """Trains the net from nothing; folded weights.

    Args:
        parts: crops and labels; taken up one by one, the last when `GROWN` of the steps are done.
        count: how many parts there are.
        steps: batches.
        seed: of the first weights and of the batches; the result repeats up to the rounding of the arithmetic.
        rate: highest learning rate of AdamW.
        threads: processor threads.

    Raises:
        FloatingPointError: the training diverged.
    """
    _prepare(seed, threads)
    model = trained_model()
    _run(model, _Growing(parts, count, steps), steps, seed, rate)
    return folded(model)


def continue_training(
    weights: Weights,
    parts: Iterable[Dataset],
    count: int,
    steps: int,
    seed: int,
    rate: float = 0.0003,
    threads: int = 1,
) -> Weights:
    """Trains on from these weights; the normalisation stays what it was, since few photos would spoil it.

    Everything else is as in `train`.

    Raises:
        FloatingPointError: the training diverged.
    """
    _prepare(seed, threads)
    model = plain_model(weights)
    _run(model, _Growing(parts, count, steps), steps, seed, rate)
    return plain_weights(model)


class _Growing:
    """The crops that are there at a step, and batches of them in the shares of `BATCH_SHARES`."""

    def __init__(self, parts: Iterable[Dataset], count: int, steps: int) -> None:
        self._parts = iter(parts)
        self._count = count
        self._steps = steps
        self._taken: list[Dataset] = []
        self._by_label: list[list[tuple[int, int]]] = [[] for _ in LABELS]

    def batch(self, rng: np.random.Generator, step: int) -> Dataset:
        """Crops for this step."""
        grown = min(1.0, (step / self._steps / GROWN) ** 1.5)
        first = min(FIRST_PARTS, self._count)
        while len(self._taken) < first + int((self._count - first) * grown):
            self._take(next(self._parts))
        shares = np.array(
            [share if there else 0.0 for share, there in zip(BATCH_SHARES.values(), self._by_label, strict=True)]
        )
        labels = rng.choice(len(LABELS), BATCH, p=shares / shares.sum())
        places = [self._by_label[label][int(rng.integers(len(self._by_label[label])))] for label in labels]
        return Dataset(np.stack([self._taken[part].crops[row] for part, row in places]), labels.astype(np.int64))

    def _take(self, part: Dataset) -> None:
        for row, label in enumerate(part.labels.tolist()):
            self._by_label[label].append((len(self._taken), row))
        self._taken.append(part)


def _prepare(seed: int, threads: int) -> None:
    import keras  # noqa: PLC0415  # only training has it
    import tensorflow as tf  # noqa: PLC0415  # as above

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        log.info("TensorFlow is already running; its number of threads stays")
    keras.utils.set_random_seed(seed)


def _run(model: keras.Model, source: _Growing, steps: int, seed: int, rate: float) -> None:
    import keras  # noqa: PLC0415  # as above

    optimisers: Any = keras.optimizers
    schedule = optimisers.schedules.CosineDecay(
        rate / 20, max(1, steps - WARM_UP), warmup_target=rate, warmup_steps=min(WARM_UP, steps // 4)
    )
    model.compile(
        optimisers.AdamW(schedule, weight_decay=1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=SMOOTHING),
        metrics=["accuracy"],
    )
    rng = np.random.default_rng(seed)
    targets = np.eye(len(LABELS), dtype=np.float32)
    for step in range(steps):
        chosen = source.batch(rng, step)
        loss, accuracy = model.train_on_batch(turned(rng, chosen.crops), targets[chosen.labels])
        if not math.isfinite(float(loss)):
            raise FloatingPointError(f"the training diverged at step {step + 1}")
        if step % 200 == 199 or step == steps - 1:
            log.info("step %d of %d: loss %.3f, accuracy %.3f", step + 1, steps, float(loss), float(accuracy))
            model.reset_metrics()


def turned(rng: np.random.Generator, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The crops turned by quarters and mirrored, shifted by up to two pixels and lit a little differently.

    What lies on a belt has no upper side.
    """
    batch = crops.astype(np.float32)
    half = len(batch) // 2
    for part in (np.s_[:half], np.s_[half:]):
        batch[part] = np.rot90(batch[part], int(rng.integers(4)), axes=(1, 2))
        if rng.random() < 0.5:
            batch[part] = batch[part][:, :, ::-1]
        batch[part] = np.roll(batch[part], rng.integers(-2, 3, 2), axis=(1, 2))
    gain = rng.uniform(0.95, 1.05, (len(batch), 1, 1, 1)).astype(np.float32)
    background = np.float32(118.0)
    return np.asarray(np.clip(background + (batch - background) * gain, 0.0, 255.0), np.float32)
