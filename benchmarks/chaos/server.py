"""The store's server under test: Debian's victoria-metrics, set up as the store's documentation asks for."""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from gateway.store.base import SeriesKey
from werkpuls.demo.processes import Child
from werkpuls.demo.site import SITE, free_port

BINARY = "victoria-metrics"
SETTLE_S = 30.0
"""How long it may hold what it acknowledged in memory only."""
_FIELDS = {"condition": ("condition.", ""), "inspection": ("inspection.", ""), "health": ("health.", "node")}


class Server:
    """The process, its configuration for the gateway, and what it holds."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.child = Child(
            "store",
            [
                BINARY, f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={folder / 'data'}",
                "-dedup.minScrapeInterval=1ms", "-search.latencyOffset=1s", "-retentionPeriod=100y",
                "-memory.allowedBytes=200MB", "-loggerLevel=WARN",
            ],
            log=folder.parent / "store.log",
        )  # fmt: skip

    @staticmethod
    def available() -> bool:
        """Whether the program is installed."""
        return shutil.which(BINARY) is not None

    def section(self) -> str:
        """The gateway's `[store]` section."""
        return (
            f'type = "influx"\nurl = "http://127.0.0.1:{self.port}"\nreads = "metricsql"\n'
            f"settle_s = {SETTLE_S}\ngzip = false\ntimeout_s = 5.0\n"
        )

    def start(self, timeout_s: float = 60.0) -> None:
        """Starts it and waits until it answers."""
        self.child.start()
        deadline = time.monotonic() + timeout_s
        while True:
            self.child.require_running()
            try:
                self._get("/health")
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def export(self) -> dict[SeriesKey, dict[int, float]]:
        """Every point by series and milliseconds since the epoch; what is in memory only is included."""
        self._get("/internal/force_flush")
        end = int(time.time()) + 2 * 86_400
        held: dict[SeriesKey, dict[int, float]] = defaultdict(dict)
        query = {"match[]": f'{{site="{SITE}"}}', "start": "1700000000", "end": str(end)}
        for line in self._get("/api/v1/export", query).splitlines():
            row = json.loads(line)
            key = _key(row["metric"])
            held[key].update(zip(row["timestamps"], map(float, row["values"]), strict=True))
        return held

    def _get(self, path: str, query: dict[str, str] | None = None) -> str:
        address = f"http://127.0.0.1:{self.port}{path}" + (f"?{urlencode(query)}" if query else "")
        with urlopen(address, timeout=60) as answer:
            return str(answer.read().decode())


def _key(metric: dict[str, str]) -> SeriesKey:
    """The series that a metric `<measurement>_<field>` with its labels is."""
    measurement, _, field = metric["__name__"].partition("_")
    site, node = metric["site"], metric["node"]
    if measurement == "telemetry":
        return SeriesKey(site, node, metric["machine"], metric["channel"])
    prefix, machine = _FIELDS[measurement]
    origin = f"{metric['origin']}." if measurement == "health" else ""
    return SeriesKey(site, node, machine or metric["machine"], f"{prefix}{origin}{field}")
