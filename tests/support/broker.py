"""A real mosquitto on a free loopback port, to be killed and started again on the same port and data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

START_TIMEOUT_S = 10.0


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """mosquitto with its files under `folder`; use as a context manager.

    Args:
        folder: where configuration, log and persistence go.
        durable: persistence as in deploy/mosquitto (survives SIGKILL, but writes its whole state at each change);
            without, a kill empties it.
        verbose: log every packet.
        tls: (ca, certificate, key) files; clients then need a certificate, and its common name is the user.
        acl: an ACL file.
        extra: more lines of configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = False,
        verbose: bool = False,
        tls: tuple[Path, Path, Path] | None = None,
        acl: Path | None = None,
        extra: str = "",
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._durable = durable
        self._verbose = verbose
        self._tls = tls
        self._acl = acl
        self._extra = extra

    def _configuration(self) -> str:
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "max_inflight_messages 4000",
            "max_queued_messages 200000",
            "set_tcp_nodelay true",
        ]
        if self._durable:
            lines += [
                "persistence true",
                f"persistence_location {self.folder}/",
                "autosave_on_changes true",
                "autosave_interval 1",
            ]
        if os.geteuid() == 0:
            lines.append("user root")  # otherwise it drops its rights and cannot write here
        if self._tls is not None:
            ca, certificate, key = self._tls
            lines += [f"cafile {ca}", f"certfile {certificate}", f"keyfile {key}"]
            lines += ["require_certificate true", "use_identity_as_username true"]
        if self._acl is not None:
            lines.append(f"acl_file {self._acl}")
        return "\n".join([*lines, self._extra, ""])

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "mosquitto.conf"
        path.write_text(self._configuration())
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(path), *(["-v"] if self._verbose else [])], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"mosquitto did not start:\n{self.log()[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL, as in a power cut of the broker."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM; it saves its state."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Goes on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def forget(self) -> None:
        """Deletes what it persisted; while it is stopped."""
        for path in self.folder.glob("mosquitto.db*"):
            path.unlink()

    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            if with_signal != signal.SIGKILL:
                self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGKILL)


def until(condition: object, timeout_s: float = 10.0, what: str = "") -> None:
    """Waits until `condition()` is true; fails the test when it does not come true in time."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what or f"not true within {timeout_s} s"
        time.sleep(0.005)
