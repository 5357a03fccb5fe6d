"""Real time-series servers on free loopback ports, to be killed and started again on the same port and data."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from support.broker import free_port

START_TIMEOUT_S = 20.0


class TimeSeriesServer:
    """A server process with its data under `folder`; use as a context manager.

    Attributes:
        binary: the program; a test is skipped, visibly, where it is not installed.
        settle_s: how long it holds acknowledged points in memory only.
    """

    binary = ""
    health = "/"
    settle_s = 0.0

    def __init__(self, folder: Path) -> None:
        if shutil.which(self.binary) is None:
            pytest.skip(f"{self.binary} is not installed")
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What starts it."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.get(self.health)
            except URLError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.binary} did not start:\n{self.log()[-2000:]}") from None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)

    @property
    def process_id(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def get(self, path: str, **query: str) -> str:
        """The answer to a GET."""
        address = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        with urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback
            return str(answer.read().decode())

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=20)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class VictoriaMetrics(TimeSeriesServer):
    """Debian's victoria-metrics, set up as docs/stores.md asks for."""

    binary = "victoria-metrics"
    health = "/health"
    settle_s = 30.0

    def command(self) -> list[str]:
        return [
            self.binary,
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder}/data",
            "-dedup.minScrapeInterval=1ms",
            "-search.latencyOffset=1s",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=200MB",
            "-loggerLevel=WARN",
        ]

    def export(self, selector: str) -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
        """(labels, [(milliseconds, value)]) of every series that the selector finds, ascending."""
        self.get("/internal/force_flush")
        rows = [json.loads(line) for line in self.get("/api/v1/export", **{"match[]": selector}).splitlines()]
        return [(row["metric"], sorted(zip(row["timestamps"], map(float, row["values"]), strict=True))) for row in rows]


class InfluxDb(TimeSeriesServer):
    """Debian's InfluxDB 1.6.7 with a database `werkpuls`."""

    binary = "influxd"
    health = "/ping"

    def command(self) -> list[str]:
        path = self.folder / "influxdb.conf"
        path.write_text(
            f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{self.folder}/meta"
[data]
  dir = "{self.folder}/data"
  wal-dir = "{self.folder}/wal"
  index-version = "inmem"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[retention]
  enabled = false
[logging]
  level = "warn"
"""
        )
        return [self.binary, "-config", str(path)]

    def start(self) -> None:
        super().start()
        request = urlencode({"q": 'CREATE DATABASE "werkpuls"'}).encode()
        with urlopen(f"{self.url}/query", data=request, timeout=10) as answer:  # noqa: S310 - loopback
            assert answer.status == 200

    def query(self, text: str) -> list[dict[str, object]]:
        """The series of an InfluxQL answer."""
        answer = json.loads(self.get("/query", db="werkpuls", q=text, epoch="ns"))
        result = answer["results"][0]
        assert "error" not in result, result
        return list(result.get("series", ()))
