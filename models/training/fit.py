"""Training: a few passes over the crops, turned and mirrored at random, with a learning rate that falls to nothing."""

from __future__ import annotations

import logging
import math
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
WARM_UP: Final = 100
"""Steps until the full learning rate."""


def train(data: Dataset, epochs: float, seed: int, rate: float = 0.004, threads: int = 1) -> Weights:
    """Trains the net from nothing; folded weights.

    Args:
        data: crops and labels.
        epochs: passes over them.
        seed: of the first weights and of the order; the result repeats up to the rounding of the arithmetic.
        rate: highest learning rate of AdamW.
        threads: processor threads.
    """
    _prepare(seed, threads)
    model = trained_model()
    _run(model, data, epochs, seed, rate)
    return folded(model)


def continue_training(
    weights: Weights, data: Dataset, epochs: float, seed: int, rate: float = 0.0004, threads: int = 1
) -> Weights:
    """Trains on from these weights; the normalisation stays what it was, since few photos would spoil it."""
    _prepare(seed, threads)
    model = plain_model(weights)
    _run(model, data, epochs, seed, rate)
    return plain_weights(model)


def _prepare(seed: int, threads: int) -> None:
    import keras  # noqa: PLC0415  # only training has it
    import tensorflow as tf  # noqa: PLC0415  # as above

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        log.info("TensorFlow is already running; its number of threads stays")
    keras.utils.set_random_seed(seed)


def _run(model: keras.Model, data: Dataset, epochs: float, seed: int, rate: float) -> None:
    import keras  # noqa: PLC0415  # as above

    per_epoch = max(1, len(data) // BATCH)
    steps = max(1, round(epochs * per_epoch))
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
    order = np.empty(0, np.int64)
    targets = np.eye(len(LABELS), dtype=np.float32)
    for step in range(steps):
        if len(order) < min(BATCH, len(data)):
            order = rng.permutation(len(data))
        chosen, order = order[:BATCH], order[BATCH:]
        loss, accuracy = model.train_on_batch(turned(rng, data.crops[chosen]), targets[data.labels[chosen]])
        if step % 200 == 199 or step == steps - 1:
            log.info("step %d of %d: loss %.3f, accuracy %.3f", step + 1, steps, float(loss), float(accuracy))
            model.reset_metrics()
        if not math.isfinite(float(loss)):
            raise FloatingPointError(f"the training diverged at step {step + 1}")


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
