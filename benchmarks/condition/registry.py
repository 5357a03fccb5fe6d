"""The rows of the table, in its order: a name and where its measurement is. A new row is a new line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from benchmarks.condition.row import Measure

ROWS: Mapping[str, str] = {
    "skab-valve1": "benchmarks.condition.rows.skab:valve1",
    "skab-anomaly-free": "benchmarks.condition.rows.skab:anomaly_free",
    "nab": "benchmarks.condition.rows.nab:measure",
    "washing-machine": "benchmarks.condition.rows.tables:washing_machine",
    "refrigerator": "benchmarks.condition.rows.tables:refrigerator",
    "adi": "benchmarks.condition.rows.adi:measure",
    "itsc": "benchmarks.condition.rows.itsc:measure",
    "femto": "benchmarks.condition.rows.femto:measure",
    "prognosis-growth": "benchmarks.condition.rows.prognosis:growth",
    "prognosis-silence": "benchmarks.condition.rows.prognosis:silence",
    "recognised": "benchmarks.condition.rows.recognised:measure",
    "simulated": "benchmarks.condition.rows.simulated:measure",
    "sensor-faults": "benchmarks.condition.rows.sensor_faults:measure",
    "quiet": "benchmarks.condition.rows.quiet:measure",
}


def measure_of(name: str) -> Measure:
    """The function that measures a row; its module is imported here.

    Raises:
        KeyError: no such row.
    """
    module, _, function = ROWS[name].partition(":")
    return cast("Measure", getattr(import_module(module), function))
