"""Which TFLite runtime a model runs on: the one place that decides."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any, Final, Protocol, cast

import numpy as np

_CHATTER: Final = b"INFO: "
_STDERR: Final = 2
_ONE_AT_A_TIME: Final = Lock()
"""Of the process, as its standard error is."""


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
    """An interpreter for a model, on one thread and ready to run, and the name of the runtime behind it.

    `ai-edge-litert` wherever it is installed; `tflite-runtime` on a camera node with Python 3.11 and numpy below 2.
    With numpy 2 that one imports well and dies at its first model, so it is refused beforehand.

    Raises:
        RuntimeUnavailable: neither can run here.
        ValueError: the file is no TFLite model that the runtime can read.
        RuntimeError: nor one that it can run.
    """
    with _without_chatter():
        net, name = _interpreter(model)
        net.allocate_tensors()
    return net, name


def _interpreter(model: bytes) -> tuple[Interpreter, str]:
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
            "no TFLite runtime is installed: .venv/bin/pip install -e '.[camera]' in Werkpuls' folder brings ai-edge-litert"
        ) from exc
    if int(np.__version__.partition(".")[0]) >= 2:
        raise RuntimeUnavailable(
            f"tflite-runtime cannot run with numpy {np.__version__}, it needs numpy below 2: install ai-edge-litert instead"
        )
    return cast("Interpreter", TfLite(model_content=model, num_threads=1))


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Lets pass what a runtime and everybody else write to standard error meanwhile, but for the runtime's own information.

    It goes past Python's streams, and neither runtime has a way to turn it off. Where there is no room to hold it back, all
    of it passes. Should the runtime take the process down, standard error still hears where.
    """
    with _ONE_AT_A_TIME, ExitStack() as undo:
        with suppress(OSError):
            heard = undo.enter_context(TemporaryFile())
            # A process may have none.
            kept = os.dup(_STDERR)
            undo.callback(os.close, kept)
            undo.callback(_pass_on, heard, kept)
            if not faulthandler.is_enabled():
                faulthandler.enable(kept)
                undo.callback(faulthandler.disable)
            _flush()
            os.dup2(heard.fileno(), _STDERR)
        yield


def _pass_on(heard: IO[bytes], kept: int) -> None:
    """Standard error is `kept` again, and hears what it has missed."""
    _flush()
    os.dup2(kept, _STDERR)
    heard.seek(0)
    # Whoever listened may be gone.
    with suppress(OSError):
        os.write(_STDERR, b"".join(line for line in heard if not line.startswith(_CHATTER)))


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
