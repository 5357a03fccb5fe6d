"""One slow thing done on a thread of its own, so that a sensor's `read` never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

Runner: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs a function, now or later."""


def on_thread(work: Callable[[], None]) -> None:
    """Runs it on a new thread that does not keep the process alive: a driver that hangs must not either."""
    threading.Thread(target=work, daemon=True, name="sensor-background").start()


class Job(Generic[T]):
    """Work that began when this was made.

    Args:
        work: what to do; its result or exception is kept.
        run: how it is run.
    """

    def __init__(self, work: Callable[[], T], run: Runner = on_thread) -> None:
        self._done = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._work = work
        run(self._do)

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return self._done.is_set()

    def result(self) -> T:
        """What the work returned; raises what it raised. Only once it is done."""
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _do(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as exc:  # noqa: BLE001  # told by `result`, on the thread that asks
            self._error = exc
        finally:
            self._done.set()
