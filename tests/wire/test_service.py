"""sd_notify over a real socket, the watchdog's food, signals."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from support.sensor_contract import FakeClock

from wire.service import Notifier, Progress, StopSignals, join_all, stop_together


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def heard(sock: socket.socket) -> list[str]:
    sock.setblocking(False)
    found = []
    while True:
        try:
            found.append(sock.recv(4096).decode())
        except BlockingIOError:
            return found


def test_readiness_status_and_end_are_told(systemd: socket.socket) -> None:
    notifier = Notifier(systemd.getsockname())
    notifier.ready("3 machines\nonline")
    notifier.status("3 machines\nonline")
    notifier.status("offline")
    notifier.alive()
    notifier.stopping()
    assert heard(systemd) == ["READY=1\nSTATUS=3 machines online", "STATUS=offline", "STOPPING=1"]


def test_the_watchdog_is_fed_three_times_within_its_limit(systemd: socket.socket) -> None:
    now = [0]
    notifier = Notifier(systemd.getsockname(), 30.0, lambda: now[0])
    for second in range(31):
        now[0] = second * 1_000_000_000
        notifier.alive()
    assert heard(systemd) == ["WATCHDOG=1"] * 4


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0werkpuls-test-{os.getpid()}")
        Notifier(f"@werkpuls-test-{os.getpid()}").ready("x")
        assert heard(sock) == ["READY=1\nSTATUS=x"]


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "90000000"}, 90.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "7"}, 90.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_environment_says_what_systemd_wants(environment: dict[str, str], watchdog_s: float | None) -> None:
    assert Notifier.from_environment(environment, pid=7).watchdog_s == watchdog_s


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    for notifier in (Notifier(), Notifier(str(tmp_path / "gone"), 1.0)):
        notifier.ready("x")
        notifier.alive()
        notifier.stopping()
    assert list(tmp_path.iterdir()) == []


def test_progress_names_who_stands_still() -> None:
    clock = FakeClock()
    progress = Progress(clock)
    progress.expect("machine oven", 10)
    progress.expect("publisher", 20)
    progress.moved("unknown")
    start = clock.now_ns
    clock.now_ns = start + 11_000_000_000
    assert progress.stalled() == ["machine oven"]
    progress.moved("machine oven")
    assert progress.stalled() == []
    clock.now_ns = start + 22_000_000_000
    assert progress.stalled() == ["machine oven", "publisher"]


def test_signals_set_the_event_and_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        assert not signals.stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.stop.wait(5)
        assert signals.received == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_parts_are_stopped_side_by_side_and_one_that_hangs_or_fails_holds_up_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    released = Event()
    stopped: list[int] = []
    started = time.monotonic()

    def fails() -> None:
        raise OSError("no way")

    def slow(at: int) -> None:
        time.sleep(0.2)
        stopped.append(at)

    stops: dict[str, Callable[[], object]] = {f"slow{at}": partial(slow, at) for at in range(5)}
    stops |= {"hangs": lambda: released.wait(30), "fails": fails}
    assert stop_together(stops, 0.6) == ["hangs"]
    assert time.monotonic() - started < 1.5
    assert sorted(stopped) == [0, 1, 2, 3, 4]
    assert "stopping fails failed" in caplog.text
    released.set()


def test_several_that_hang_share_one_patience() -> None:
    started = time.monotonic()
    waited: list[float] = []

    def join(timeout_s: float) -> bool:
        waited.append(timeout_s)
        time.sleep(timeout_s)
        return False

    assert join_all(dict.fromkeys("abc", join), 0.2) == ["a", "b", "c"]
    assert time.monotonic() - started < 1.0
    assert waited[1:] == [pytest.approx(0.0, abs=0.05)] * 2
