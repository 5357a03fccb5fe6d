"""How large a month of three machines is in the embedded store, what it writes to the disk, how quick its charts are.

`python -m benchmarks.month [--days D] [--series N] [--folder DIR] [--json]`. Three machines with N channels each at one
value a second: a quarter of them readings with two decimals (temperatures, powers), the rest features with full-length
floats and noise of one percent to a third, going on and off with the machine. One message a minute and machine; packed
and rolled up, that is the same as one a second. Written bytes are measured over two more hours, with one message a
second and machine, as `write_bytes` of /proc/self/io: one hour with a commit a second, one with a commit every five.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gateway.store.base import Record, SeriesKey
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import FILE, EmbeddedStore
from wire.messages import Series, Telemetry, Trust

SECOND = 1_000_000_000
DAY_S = 86_400
MACHINES = ("kneter", "kuehlung", "ofen")
T0 = 1_790_000_000 * SECOND


class Plant:
    """Three machines that run and rest."""

    def __init__(self, series: int) -> None:
        self._draw = np.random.default_rng(1)
        self._series = series
        self._seq = 0

    def message(self, machine: str, second: int, seconds: int) -> Telemetry:
        """So many seconds of all channels of one machine."""
        self._seq += 1
        at = np.arange(second, second + seconds)
        on = np.where(at % 7200 < 4800, 1.0, 0.03)
        columns: dict[str, Series] = {}
        for channel in range(self._series):
            noise = self._draw.standard_normal(seconds)
            if channel % 4 == 0:
                level = np.round(180 + 15 * np.sin(at / 900 + channel) + 0.2 * noise, 2)
                unit = "°C"
            else:
                level = on * (2.0 + channel) * np.abs(1 + noise * (0.01, 0.05, 0.33)[channel % 3])
                unit = "mm/s"
            columns[f"channel_{channel}"] = Series(unit=unit, values=level.tolist(), step_ms=1000.0)
        return Telemetry(
            site="bakery", node="pi", origin="sense", log="month", seq=self._seq, prev=self._seq - 1, boot="b",
            time_ns=T0 + second * SECOND, trust=Trust.SYNCED, machine=machine, series=columns,
        )  # fmt: skip

    def records(self, second: int, seconds: int) -> list[Record]:
        """One message of every machine."""
        return [Record(self._seq, self.message(machine, second, seconds)) for machine in MACHINES]


def written_bytes() -> int:
    """Bytes that this process has caused to be written to the block layer so far."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(fields["write_bytes"])


def chart_seconds(store: EmbeddedStore, span_s: int, end_s: int, series: int) -> list[float]:
    """How long a chart of one channel took, several channels, each once."""
    taken = []
    for channel in range(min(series, 20)):
        key = SeriesKey("bakery", "pi", MACHINES[channel % 3], f"channel_{channel}")
        began = time.perf_counter()
        chart = store.read(key, T0 + (end_s - span_s) * SECOND, T0 + end_s * SECOND, 600)
        taken.append(time.perf_counter() - began)
        if not chart.times_ns:
            raise RuntimeError(f"{key} has no points")
    return taken


def measure(folder: Path, days: int, series: int) -> dict[str, float]:
    """Fills the store and reads it."""
    now = T0
    store = EmbeddedStore(EmbeddedConfig(dir=folder, raw_days=days + 1, max_mb=100_000), wall_ns=lambda: now)
    plant = Plant(series)
    began = time.perf_counter()
    end = days * DAY_S
    for second in range(0, end, 600):
        now = T0 + second * SECOND
        store.write([record for part in range(second, second + 600, 60) for record in plant.records(part, 60)])
    filled = time.perf_counter() - began
    store.pack_now()
    size = (folder / FILE).stat().st_size
    count = end * series * len(MACHINES)
    spans = {"30_days": days * DAY_S, "1_day": DAY_S, "1_hour": 3600}
    charts = {name: chart_seconds(store, min(span, end), end, series) for name, span in spans.items()}
    written: dict[int, float] = {}
    staged: list[float] = []
    for commit_s in (1, 5):
        before = written_bytes()
        for second in range(end, end + 3600, commit_s):
            now = T0 + second * SECOND
            store.write([record for part in range(commit_s) for record in plant.records(second + part, 1)])
        end += 3600
        staged = chart_seconds(store, 3600, end, series)
        written[commit_s] = (written_bytes() - before) * 24 / 1e6
    store.close()
    return {
        "days": days,
        "series": series * len(MACHINES),
        "points": count,
        "file_mb": size / 1e6,
        "bytes_per_point": size / count,
        "filled_points_per_s": count / filled,
        **{f"chart_{name}_median_ms": statistics.median(taken) * 1000 for name, taken in charts.items()},
        "chart_30_days_worst_ms": max(charts["30_days"]) * 1000,
        "chart_last_hour_unpacked_ms": statistics.median(staged) * 1000,
        **{f"written_mb_per_day_commit_{commit_s}_s": amount for commit_s, amount in written.items()},
    }


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.month", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--series", type=int, default=20, help="channels of each machine")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="only one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="werkpuls-month-", dir=options.folder) as name:
        figures = measure(Path(name), options.days, options.series)
    ok = figures["chart_30_days_worst_ms"] < 300
    if options.json:
        print(json.dumps({**figures, "ok": ok}))
    else:
        for name, value in figures.items():
            print(f"{name:30} {value:16,.2f}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
