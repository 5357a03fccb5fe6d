"""The rows of the table, in its order: a name and where its measurement is. A new row is a new line here."""

from __future__ import annotations

from collections.abc import Mapping

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
    "temperatures-only": "benchmarks.condition.rows.warmth:measure",
    "quiet": "benchmarks.condition.rows.quiet:measure",
}
