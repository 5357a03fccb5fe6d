"""What the daemons owe the system: readiness, a watchdog fed by real progress, a clean end on SIGTERM.

The protocol is systemd's sd_notify(3): datagrams of `KEY=value` lines to the socket named in `NOTIFY_SOCKET`. Outside of
systemd nothing is sent and everything else works the same.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Lock, Thread
from types import FrameType
from typing import Self

WATCHDOG_SHARE = 3
"""The watchdog is fed this many times within its limit, so that one late turn does not kill the daemon."""


class Notifier:
    """Speaks sd_notify.

    Args:
        address: value of NOTIFY_SOCKET; empty: nothing is sent. A leading `@` means an abstract socket.
        watchdog_s: how long systemd waits for a sign of life; None without a watchdog.
        monotonic_ns: the clock.
    """

    def __init__(
        self,
        address: str = "",
        watchdog_s: float | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.watchdog_s = watchdog_s
        self._monotonic_ns = monotonic_ns
        self._fed_ns: int | None = None
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> Notifier:
        """As systemd set this process up: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        meant = environment.get("WATCHDOG_PID", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        ours = not meant or meant == str(os.getpid() if pid is None else pid)
        watchdog = int(microseconds) / 1e6 if ours and microseconds.isdecimal() and int(microseconds) > 0 else None
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog)

    def ready(self, status: str) -> None:
        """The daemon does its work from now on."""
        self._status = status
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`, sent when it changes."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """Feeds the watchdog, as often as it needs; call it as often as you like."""
        if self.watchdog_s is None:
            return
        now_ns = self._monotonic_ns()
        if self._fed_ns is None or now_ns - self._fed_ns >= self.watchdog_s / WATCHDOG_SHARE * 1e9:
            self._fed_ns = now_ns
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The daemon is ending on purpose."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # The service manager may be restarting; a lost datagram is repeated by the next one.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), self._address)


def _line(text: str) -> str:
    return text.replace("\n", " ")[:500]


class Progress:
    """Who has moved lately. Each part that must not stand still reports its own progress.

    Args:
        monotonic_ns: the clock.
    """

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._lock = Lock()
        self._limits: dict[str, int] = {}
        self._moved: dict[str, int] = {}

    def expect(self, part: str, within_s: float) -> None:
        """From now on that part must move at least this often."""
        with self._lock:
            self._limits[part] = round(within_s * 1e9)
            self._moved[part] = self._monotonic_ns()

    def moved(self, part: str) -> None:
        """That part did some of its work just now; unknown parts are ignored."""
        with self._lock:
            if part in self._limits:
                self._moved[part] = self._monotonic_ns()

    def stalled(self) -> list[str]:
        """Parts that have not moved within their limit, by name."""
        now = self._monotonic_ns()
        with self._lock:
            return sorted(part for part, limit in self._limits.items() if now - self._moved[part] > limit)


class StopSignals:
    """SIGTERM and SIGINT set an event; the earlier handlers come back at the end of the `with` block.

    Use it in the main thread only.
    """

    def __init__(self) -> None:
        self.stop = Event()
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal returned

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.received = number
        self.stop.set()


def stop_together(stops: Mapping[str, Callable[[], object]], within_s: float) -> list[str]:
    """Stops parts side by side, so that together they take as long as the slowest one and not the sum of all.

    Args:
        stops: by name what ends a part and waits for it; what one raises is logged, and holds up none of the others.
        within_s: how long they are waited for, in seconds.

    Returns:
        The names of those that did not end in time.
    """

    def stop(name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            logging.getLogger(__name__).exception("stopping %s failed", name)

    threads = {
        name: Thread(target=stop, args=(name, call), name=f"stop-{name}", daemon=True) for name, call in stops.items()
    }
    for thread in threads.values():
        thread.start()
    return join_all({name: _joined(thread) for name, thread in threads.items()}, within_s)


def join_all(joins: Mapping[str, Callable[[float], bool]], within_s: float) -> list[str]:
    """Waits for the ends of several threads, all within one time.

    Args:
        joins: by name what waits for one, at most so many seconds, and says whether it ended.
        within_s: how long all of them together are waited for, in seconds.

    Returns:
        The names of those that did not end in time.
    """
    deadline = time.monotonic() + within_s
    return [name for name, join in joins.items() if not join(max(deadline - time.monotonic(), 0.0))]


def _joined(thread: Thread) -> Callable[[float], bool]:
    def join(timeout_s: float) -> bool:
        thread.join(timeout_s)
        return not thread.is_alive()

    return join
