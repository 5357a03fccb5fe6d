"""The real servers of this benchmark, on free loopback ports in a folder of their own."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from werkpuls.demo.processes import Child

READY_S = 30.0


class BenchmarkError(Exception):
    """Something that the benchmark needs is missing or did not happen in time."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], bool], what: str, timeout_s: float = READY_S) -> None:
    """Waits for something.

    Raises:
        BenchmarkError: it did not come in time.
    """
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.005)


def program(name: str) -> str:
    """Where a program is.

    Raises:
        BenchmarkError: it is not installed.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchmarkError(f"{name} is missing: sudo apt-get install {name}")
    return found


def listens(child: Child, port: int) -> Callable[[], bool]:
    """Whether this process accepts connections yet."""

    def check() -> bool:
        child.require_running()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    return check


@contextmanager
def running(child: Child, port: int | None = None) -> Iterator[Child]:
    """Starts a process, waits for its port, and ends it."""
    child.start()
    try:
        if port is not None:
            until(listens(child, port), child.name)
        yield child
    finally:
        child.stop()


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker without persistence; its port."""
    port = free_port()
    settings = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "max_queued_messages 0",
        "max_inflight_messages 2000",
        "set_tcp_nodelay true",
    ]
    if os.geteuid() == 0:
        settings.append("user root")  # it would drop its rights to a user who cannot read this folder
    path = folder / "mosquitto.conf"
    path.write_text("\n".join([*settings, ""]), encoding="utf-8")
    with running(Child("mosquitto", [program("mosquitto"), "-c", str(path)], log=folder / "mosquitto.log"), port):
        yield port


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """A time-series server; its address."""
    port = free_port()
    command = [
        program("victoria-metrics"),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'victoria'}",
        "-dedup.minScrapeInterval=1ms",
        "-retentionPeriod=100y",
        "-memory.allowedBytes=400MB",
        "-loggerLevel=WARN",
    ]
    with running(Child("victoria-metrics", command, log=folder / "victoria.log"), port):
        yield f"http://127.0.0.1:{port}"


def python(name: str, arguments: list[str], folder: Path) -> Child:
    """One of our own processes."""
    return Child(name, [sys.executable, "-m", *arguments], log=folder / f"{name}.log")
