"""Which TFLite runtime a model runs on: the one place that decides."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np


class RuntimeUnavailable(Exception):
    """There is no runtime that works here; the text says what to install."""


class Interpreter(Protocol):
    """What both runtimes offer."""

    def allocate_tensors(self) -> None:
        """Makes room for the tensors."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Index, shape, dtype and quantisation of each input."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """The same of each output."""

    def set_tensor(self, index: int, value: Any) -> None:
        """Copies an input in."""

    def get_tensor(self, index: int) -> Any:
        """Copies an output out."""

    def invoke(self) -> None:
        """Runs the net."""


def interpreter(model: bytes) -> tuple[Interpreter, str]:
    """An interpreter for a model, on one thread, and the name of the runtime behind it.

    `ai-edge-litert` wherever it is installed; `tflite-runtime` on a camera node with Python 3.11 and numpy below 2.
    With numpy 2 that one imports well and dies at its first model, so it is refused beforehand.

    Raises:
        RuntimeUnavailable: neither can run here.
        ValueError: the file is no TFLite model that the runtime can read.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter as LiteRt  # noqa: PLC0415  # only who grades pictures loads it
    except ImportError:
        return _tflite_runtime(model), "tflite-runtime"
    return cast("Interpreter", LiteRt(model_content=model, num_threads=1)), "ai-edge-litert"


def _tflite_runtime(model: bytes) -> Interpreter:
    try:
        from tflite_runtime.interpreter import Interpreter as TfLite  # noqa: PLC0415  # as above
    except ImportError as exc:
        raise RuntimeUnavailable(
            "no TFLite runtime is installed: pip install 'werkpuls[camera]' brings ai-edge-litert"
        ) from exc
    if int(np.__version__.partition(".")[0]) >= 2:
        raise RuntimeUnavailable(
            f"tflite-runtime cannot run with numpy {np.__version__}, it needs numpy below 2: install ai-edge-litert instead"
        )
    return cast("Interpreter", TfLite(model_content=model, num_threads=1))
