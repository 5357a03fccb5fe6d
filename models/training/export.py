"""The trained net as a full-integer TFLite file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.training.net import LAYERS, SIDE, Weights

SAMPLES: Final = 400
"""Crops from which the ranges of the activations are read."""


def tflite(weights: Weights, crops: NDArray[np.uint8], *, integer: bool = True) -> bytes:
    """The net as TFLite: uint8 pixels in, int8 out, integers throughout; or all in float for comparison.

    The outputs are named `logits`, `embedding` and `maps` (the logits at each place). The input's scale is 1 and its zero point 0, so that a crop goes in as it is; a loader still reads that from the file.

    Args:
        weights: the folded weights.
        crops: (n, 96, 96, 3) uint8, what the ranges of the activations are read from.
        integer: False keeps floats.
    """
    import tensorflow as tf  # noqa: PLC0415  # only training has it

    def serve(crop: Any) -> dict[str, Any]:
        # Constants rather than variables: the converter then has nothing to freeze.
        x = crop
        for number, layer in enumerate(LAYERS):
            x = tf.nn.conv2d(x, weights[f"kernel_{number}"], layer.stride, layer.padding.upper())
            x = tf.nn.relu(x + weights[f"bias_{number}"])
        embedding = tf.reduce_mean(x, axis=(1, 2))
        maps = tf.nn.conv2d(x, weights["kernel_head"][None, None], 1, "VALID") + weights["bias_head"]
        logits = tf.matmul(embedding, weights["kernel_head"]) + weights["bias_head"]
        return {"logits": logits, "embedding": embedding, "maps": maps}

    function = tf.function(serve, input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="crop")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    if integer:

        def samples() -> Iterator[list[NDArray[np.float32]]]:
            step = max(1, len(crops) // SAMPLES)
            for crop in crops[::step][:SAMPLES]:
                yield [crop[None].astype(np.float32)]
            yield [np.zeros((1, *crops.shape[1:]), np.float32)]
            yield [np.full((1, *crops.shape[1:]), 255.0, np.float32)]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())
