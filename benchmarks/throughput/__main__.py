"""Messages and points a second, and memory, against floors; docs/throughput.md explains the figures.

`python -m benchmarks.throughput [--messages N] [--columnar N] [--rounds N] [--memory-seconds S] [--json]`.
Exit code 1 when a floor is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.throughput import memory, messages, points

FLOORS: dict[str, tuple[str, float, bool]] = {
    "ingest_share": ("messages.share", 0.5, True),
    "points_per_s": ("points.victoria_per_s", 200_000.0, True),
    "gateway_mb": ("memory.gateway_mb", 150.0, False),
    "gateway_influx_mb": ("memory.gateway_influx_mb", 150.0, False),
    "sense_mb": ("memory.sense_mb", 130.0, False),
}
"""Name: (figure, bound, whether it is a lower bound)."""


def main() -> int:
    """Measures, prints, and compares."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000, help="messages of 300 bytes a round")
    parser.add_argument("--columnar", type=int, default=3000, help="messages of 300 points a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-seconds", type=float, default=30.0, help="0 leaves memory out")
    parser.add_argument("--json", action="store_true", help="only one JSON object")
    options = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="werkpuls-throughput-") as name:
        folder = Path(name)
        figures["messages"] = messages.measure(folder, options.messages, options.rounds)
        figures["points"] = points.measure(folder, options.columnar, options.rounds)
        if options.memory_seconds:
            place = folder / "memory"
            place.mkdir()
            figures["memory"] = memory.measure(place, options.memory_seconds)
    held = {}
    for floor, (path, bound, lower) in FLOORS.items():
        part, figure = path.split(".")
        if figure in figures.get(part, {}):
            value = figures[part][figure]
            held[floor] = value >= bound if lower else value < bound
    if options.json:
        print(json.dumps({**figures, "floors": held, "ok": all(held.values())}))
    else:
        for part, values in figures.items():
            for figure, value in values.items():
                print(f"{part:9} {figure:22} {value:14,.2f}")
        for floor, good in held.items():
            print(f"floor     {floor:22} {'held' if good else 'MISSED':>14}")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
