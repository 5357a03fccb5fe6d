"""`werkpuls score` as a person calls it, and a pump to be scored."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from werkpuls import cli
from werkpuls.scoring import COLUMNS


def score(*words: object) -> int:
    return cli.main(["score", *map(str, words)])


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as opened:
        reader = csv.DictReader(opened)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        return list(reader)


def pump(folder: Path, name: str = "pump.csv", rows: int = 400, fault_at: int = 300, **changes: Any) -> Path:
    """A pump at one reading a second; from `fault_at` on its vibration and current are raised."""
    random = np.random.default_rng(changes.pop("seed", 1))
    current = 2.0 + 0.05 * random.normal(size=rows)
    vibration = 0.2 + 0.01 * random.normal(size=rows)
    temperature = 60 + 0.02 * random.normal(size=rows).cumsum()
    vibration[fault_at:] += 0.15
    current[fault_at:] += 0.5
    cells = {
        "Current": [f"{value:.5f}" for value in current],
        "Accelerometer1RMS": [f"{value:.6f}" for value in vibration],
        "Temperature": [f"{value:.4f}" for value in temperature],
    }
    for column, change in changes.items():
        change(cells[column])
    header = ["datetime", *cells, "anomaly"]
    body = [
        [
            f"2024-05-01 {10 + row // 3600:02}:{row // 60 % 60:02}:{row % 60:02}",
            *(column[row] for column in cells.values()),
            str(int(row >= fault_at)),
        ]
        for row in range(rows)
    ]
    path = folder / name
    path.write_text("\n".join(";".join(row) for row in [header, *body]) + "\n")
    return path
