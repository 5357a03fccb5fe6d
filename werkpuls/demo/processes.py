"""Child processes that never outlive their parent, and what each of them costs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOG_TAIL_LINES = 15
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class ProcessFailed(Exception):
    """A child ended by itself or never became ready; the text ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start; see proc(5)."""

    resident_bytes: int = 0
    cpu_s: float = 0.0
    written_bytes: int = 0
    """Bytes sent towards the disk (write_bytes), not those that only reached a pipe or socket."""
    running_s: float = 0.0


class Child:
    """One child process with its log in a file. Started anew after a kill, it goes on in the same log."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._earlier = Usage()
        self._last = Usage()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Starts it in a session of its own, so that Ctrl-C reaches the parent only, which stops things in order.

        `setpriv --pdeathsig` (util-linux) has the kernel end it should the parent die without a chance to do so.
        Call it from the main thread: the signal follows the thread that started the child.
        """
        self._earlier = _sum(self._earlier, self._last)
        self._last = Usage()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own programs, no shell
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self._started_s = time.monotonic()

    def ended(self) -> int | None:
        """Its exit code once it has ended by itself; None while it runs, or was never started."""
        return None if self._process is None else self._process.poll()

    def require_running(self) -> None:
        """Raises ProcessFailed when it has ended."""
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            raise ProcessFailed(f"{self.name} ended with code {code}\n{self.tail()}")

    def usage(self) -> Usage:
        """Cost so far, over all its lives."""
        pid = self.pid
        if pid is not None:
            self._last = _read_usage(pid, time.monotonic() - self._started_s) or self._last
        return _sum(self._earlier, self._last)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.usage()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def stop(self, timeout_s: float = 15.0) -> bool:
        """SIGTERM and a patient wait; False when it had to be killed."""
        self.usage()
        if self._process is None or self._process.poll() is not None:
            return True
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            return False
        return True

    def tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines of its log."""
        try:
            with self.log.open("rb") as log:
                return _last_lines(log, lines)
        except OSError:
            return ""


def _last_lines(log: IO[bytes], lines: int) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(log.tell() - 8192, 0))
    return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def _read_usage(pid: int, running_s: float) -> Usage | None:
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        resident = int((folder / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return None
    written = 0
    try:
        for line in (folder / "io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                written = int(line.split()[1])
    except OSError:
        pass  # another user's process, or a kernel without task accounting: the figure stays 0
    return Usage(resident, (int(fields[11]) + int(fields[12])) / _TICKS, written, running_s)


def _sum(earlier: Usage, now: Usage) -> Usage:
    return Usage(
        max(earlier.resident_bytes, now.resident_bytes),
        earlier.cpu_s + now.cpu_s,
        earlier.written_bytes + now.written_bytes,
        earlier.running_s + now.running_s,
    )
