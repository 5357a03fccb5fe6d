"""The net: its layers, the model that is trained, the plain one that ships, and a forward pass in numpy as reference.

A wide stride in front keeps the picture small from the first layer on: one crop costs about 13 million multiply-adds,
most of them in 3x3 convolutions that a processor's vector units are good at. Batch normalisation is folded away before
anything is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.training.labels import LABELS

if TYPE_CHECKING:
    import keras

SIDE: Final = 96
GREY: Final = 118.0
"""Value of the crop's background; it is 0 to the first layer."""
SPREAD: Final = 64.0
"""Grey values that are 1 to the first layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with ReLU."""

    filters: int
    kernel: int
    stride: int
    padding: str = "same"


LAYERS: Final = (
    Layer(32, 6, 4, "valid"),
    Layer(32, 3, 1),
    Layer(48, 3, 2),
    Layer(48, 3, 1),
    Layer(64, 3, 2),
    Layer(64, 3, 1),
    Layer(96, 1, 1),
)
Weights = Mapping[str, NDArray[np.float32]]
"""`kernel_0`, `bias_0` … per layer, then `kernel_head`, `bias_head`."""


def trained_model(dropout: float = 0.15) -> keras.Model:
    """The model for training: batch normalisation, dropout, logits."""
    import keras  # noqa: PLC0415  # only training has it

    layers: Any = keras.layers
    entry = x = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1.0 / SPREAD, -GREY / SPREAD)(x)
    for number, layer in enumerate(LAYERS):
        x = layers.Conv2D(
            layer.filters, layer.kernel, layer.stride, layer.padding, use_bias=False, name=f"conv_{number}"
        )(x)
        # 0.99, the usual momentum, does not settle in so short a training.
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(x)
        x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(entry, layers.Dense(len(LABELS), name="head")(x))


def folded(model: keras.Model) -> Weights:
    """The weights with normalisation and the scaling of the input folded into kernels and biases."""
    weights: dict[str, NDArray[np.float32]] = {}
    for number in range(len(LAYERS)):
        (kernel,) = model.get_layer(f"conv_{number}").get_weights()
        norm = model.get_layer(f"norm_{number}")
        gain, shift, mean, variance = norm.get_weights()
        gain = gain / np.sqrt(variance + norm.epsilon)
        kernel, bias = kernel * gain, shift - mean * gain
        if number == 0:
            kernel = kernel / SPREAD
            bias = bias - GREY * kernel.sum(axis=(0, 1, 2))
        weights[f"kernel_{number}"], weights[f"bias_{number}"] = kernel, bias
    weights["kernel_head"], weights["bias_head"] = model.get_layer("head").get_weights()
    return weights


def plain_model(weights: Weights) -> keras.Model:
    """The net without normalisation: raw pixels in, logits out.

    The first layer sees scaled pixels, or a step of the optimiser would be as large as its weights.
    """
    import keras  # noqa: PLC0415  # as above

    layers: Any = keras.layers
    entry = keras.Input((SIDE, SIDE, 3), name="crop")
    x = layers.Rescaling(1.0 / SPREAD, -GREY / SPREAD)(entry)
    for number, layer in enumerate(LAYERS):
        x = layers.Conv2D(
            layer.filters, layer.kernel, layer.stride, layer.padding, activation="relu", name=f"conv_{number}"
        )(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(entry, layers.Dense(len(LABELS), name="head")(x))
    for number in range(len(LAYERS)):
        kernel, bias = weights[f"kernel_{number}"], weights[f"bias_{number}"]
        if number == 0:
            kernel, bias = kernel * SPREAD, bias + GREY * kernel.sum(axis=(0, 1, 2))
        model.get_layer(f"conv_{number}").set_weights([kernel, bias])
    model.get_layer("head").set_weights([weights["kernel_head"], weights["bias_head"]])
    return model


def plain_weights(model: keras.Model) -> Weights:
    """The weights of a plain model, for raw pixels again."""
    weights: dict[str, NDArray[np.float32]] = {}
    for name in (*map(str, range(len(LAYERS))), "head"):
        kernel, bias = model.get_layer("head" if name == "head" else f"conv_{name}").get_weights()
        if name == "0":
            kernel = kernel / SPREAD
            bias = bias - GREY * kernel.sum(axis=(0, 1, 2))
        weights[f"kernel_{name}"], weights[f"bias_{name}"] = kernel, bias
    return weights


def forward(weights: Weights, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (n, labels) and embedding (n, d) in float arithmetic, by numpy alone: what the quantised net is compared with."""
    x = crops.astype(np.float32)
    for number, layer in enumerate(LAYERS):
        x = np.maximum(_convolved(x, weights[f"kernel_{number}"], layer) + weights[f"bias_{number}"], 0.0)
    embedding = x.mean(axis=(1, 2))
    return embedding @ weights["kernel_head"] + weights["bias_head"], embedding


def _convolved(x: NDArray[np.float32], kernel: NDArray[np.float32], layer: Layer) -> NDArray[np.float32]:
    """A convolution as TensorFlow pads it: the odd pixel of `same` padding goes to the end."""
    size, stride = layer.kernel, layer.stride
    if layer.padding == "same":
        pads = []
        for length in x.shape[1:3]:
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, ((0, 0), *pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.asarray(np.tensordot(windows, kernel, axes=((4, 5, 3), (0, 1, 2))), np.float32)
