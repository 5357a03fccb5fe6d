"""Fetches samples in the background: a FIFO is emptied, or an ADC asked, on a thread of its own.

A FIFO of 32 samples at 3200 Hz is full after 10 ms, and the machine is read once a second. A sampler therefore belongs to each
such sensor: it drains every few milliseconds, and `take` hands out what has come since. What fails on its thread is raised by
the next `take` as `SensorError`. Without the thread a test calls `pump` itself.

    stream = Stream(channel)                      # a FIFO: the rate is measured over all of it
    sampler = Sampler(chip.drain, stream, clock, every_s=0.003, check=chip.check)
    sampler.start()
    blocks = sampler.take()
    sampler.stop()

An ADC without a FIFO is asked in bursts instead: `Bursts` keeps blocks that know their own time and rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread, current_thread
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block, Channel, SensorError

T_contra = TypeVar("T_contra", contravariant=True)
T = TypeVar("T")

CHECK_S = 1.0
JOIN_S = 2.0
"""A thread that hangs on a bus is left behind after so long; it ends when the bus lets go of it."""


class Assembler(Protocol[T_contra]):
    """Makes blocks of what a drain brings: `edge.sensors.stream.Stream` or `Bursts`."""

    def add(self, drained: T_contra, /) -> None:
        """Takes what a drain brought."""
        ...

    def blocks(self, now_ns: int) -> list[Block]:
        """What is finished since the last call, oldest first; raises SensorError where nothing comes any more."""
        ...


@dataclass(frozen=True, slots=True)
class Burst:
    """Samples taken one after the other as fast as it went, with a pause before them.

    `values` is float64 of shape (n, axes); `start_ns` and `end_ns` are the monotonic times of its first and its last
    sample, so its rate is its own.
    """

    start_ns: int
    end_ns: int
    values: NDArray[np.float64]

    @property
    def rate_hz(self) -> float:
        """Samples a second within the burst."""
        return (len(self.values) - 1) * 1e9 / max(self.end_ns - self.start_ns, 1)


class Bursts:
    """Bursts as blocks of one channel, the newest `keep` of them. What lies between two of them is not lost: nobody looked.

    Args:
        channel: of the blocks.
        keep: so many wait for `blocks` at most.
        silent_s: without a burst for so long the source has failed.
    """

    def __init__(self, channel: Channel, *, keep: int = 16, silent_s: float = 5.0) -> None:
        self._channel = channel
        self._bursts: deque[Burst] = deque(maxlen=keep)
        self._silent_ns = round(silent_s * 1e9)
        self._heard_ns: int | None = None

    def add(self, drained: Burst | None, /) -> None:
        """Takes a burst; None where none is due."""
        if drained is not None and len(drained.values) > 1:
            self._bursts.append(drained)
            self._heard_ns = drained.end_ns

    def blocks(self, now_ns: int) -> list[Block]:
        """One block for each burst since the last call."""
        if self._heard_ns is None:
            self._heard_ns = now_ns
        if now_ns - self._heard_ns > self._silent_ns:
            raise SensorError(f"{self._channel.name}: no samples for {(now_ns - self._heard_ns) / 1e9:.1f} s")
        bursts = [self._bursts.popleft() for _ in range(len(self._bursts))]
        flat = self._channel.axes == 1
        return [
            Block(self._channel, one.start_ns, one.values[:, 0].copy() if flat else one.values, rate_hz=one.rate_hz)
            for one in bursts
        ]


class Sampler(Generic[T]):
    """Drains a source regularly on its own thread; `take` and `stop` are called by the reader.

    Args:
        drain: fetches what waits; called from one thread at a time. Raises SensorError when the source fails.
        assemble: makes blocks of it.
        monotonic_ns: the clock.
        every_s: pause between drains; a third of the time in which the FIFO fills.
        check: called about every second between two drains; raises SensorError when the chip is no longer as it was set
            (it lost power and came back).
        name: of the thread.
    """

    def __init__(
        self,
        drain: Callable[[], T],
        assemble: Assembler[T],
        monotonic_ns: Callable[[], int],
        *,
        every_s: float,
        check: Callable[[], None] | None = None,
        name: str = "sampler",
    ) -> None:
        self._drain = drain
        self._assemble = assemble
        self._monotonic_ns = monotonic_ns
        self._every_s = every_s
        self._check = check
        self._checked_ns = monotonic_ns()
        self._lock = Lock()
        self._stop = Event()
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread; to be called once."""
        self._thread.start()

    def pump(self) -> None:
        """One drain, and the check when it is due. The thread's own work, or a test's; raises what these raise."""
        drained = self._drain()
        with self._lock:
            self._assemble.add(drained)
        now_ns = self._monotonic_ns()
        if self._check is not None and now_ns - self._checked_ns >= CHECK_S * 1e9:
            self._checked_ns = now_ns
            self._check()

    def take(self) -> list[Block]:
        """Blocks since the last call, oldest first.

        Raises:
            SensorError: draining failed, or nothing comes any more; the sampler is then of no use and is to be stopped.
        """
        error = self._error
        if error is not None:
            if isinstance(error, SensorError):
                raise error
            raise SensorError(f"sampling failed: {type(error).__name__}: {error}") from error
        now_ns = self._monotonic_ns()
        with self._lock:
            return self._assemble.blocks(now_ns)

    def stop(self) -> None:
        """Ends the thread and waits for it a moment; safe to call twice and before `start`."""
        self._stop.set()
        if self._thread.ident is not None and self._thread is not current_thread():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every_s):
                self.pump()
        except Exception as exc:  # noqa: BLE001  # whatever it is, the reader is told by the next `take`
            self._error = exc
