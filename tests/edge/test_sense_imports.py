"""What the sense daemon loads: a small board has no room for what it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "scipy.signal",
    "scipy.stats",
    "pandas",
    "sklearn",
    "river.anomaly",
    "influxdb_client",
    "starlette",
    "uvicorn",
    "httpx",
    "apprise",
    "jinja2",
    "cv2",
    "PIL",
    "ai_edge_litert",
    "pyarrow",
    "rich",
    "gateway",
    "smbus2",
    "periphery",
    "pymodbus",
    "serial",
)


@pytest.mark.parametrize("module", ["edge.sense", "edge.check", "edge.watch"])
def test_a_daemon_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


def test_sensors_are_imported_when_a_configuration_names_them() -> None:
    code = "import sys, edge.sense; print(*[name for name in sys.modules if name.startswith('edge.sensors.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    # The buses are contracts and calls of the kernel; the libraries behind them are in HEAVY.
    sensors = {name for name in done.stdout.split() if not name.startswith("edge.sensors.bus")}
    assert sensors == {"edge.sensors.base", "edge.sensors.registry"}
