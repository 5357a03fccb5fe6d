"""Resident memory of a gateway and of `sense` with three machines, run as at home, after they have settled."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.throughput.servers import free_port, mosquitto, python, running, victoria_metrics

_MACHINES = """
[[machine]]
name = "kneter"
kind = "mixer"
running_speed_rpm = 1475
[machine.bearing]
balls = 9
ball_mm = 7.94
pitch_mm = 39.04
[[machine.sensor]]
type = "simulated"
[[machine]]
name = "ofen"
kind = "oven"
[[machine.sensor]]
type = "simulated"
[[machine]]
name = "kuehlung"
kind = "compressor"
running_speed_rpm = 1450
[[machine.sensor]]
type = "simulated"
"""
_SHOW_EVERY_S = 0.5


def _mqtt(port: int) -> str:
    return f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'


def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Largest resident megabytes of each process, seen within so many seconds."""
    with mosquitto(folder) as port, victoria_metrics(folder) as url:
        stores = {
            "gateway": f'[store]\ntype = "embedded"\ndir = "{folder}/store"\n',
            "gateway_influx": f'[store]\ntype = "influx"\nurl = "{url}"\nreads = "metricsql"\n',
        }
        results: dict[str, float] = {}
        for name, store in stores.items():
            web, state = free_port(), folder / name
            state.mkdir()
            # Each gateway is the only one of a site; two of one site would take each other's messages.
            site = name.replace("_", "-")
            config, node = folder / f"{name}.toml", folder / f"{name}-node.toml"
            config.write_text(
                f'site = "{site}"\n[state]\ndir = "{state}"\n{_mqtt(port)}[web]\nport = {web}\n'
                f"[journal]\nmin_free_mb = 0\n{store}",
                encoding="utf-8",
            )
            node.write_text(
                f'site = "{site}"\nnode = "bench-pi"\n[state]\ndir = "{folder}/{name}-node"\n'
                f"{_mqtt(port)}[journal]\nmin_free_mb = 0\n{_MACHINES}",
                encoding="utf-8",
            )
            gateway = python(name, ["werkpuls", "gateway", "--config", str(config)], folder)
            sense = python(f"{name}-sense", ["werkpuls", "edge", "sense", "--config", str(node)], folder)
            largest = {name: 0, "sense": 0}
            with running(gateway, web), running(sense):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    gateway.require_running()
                    sense.require_running()
                    largest[name] = max(largest[name], gateway.usage().resident_bytes)
                    largest["sense"] = max(largest["sense"], sense.usage().resident_bytes)
                    time.sleep(_SHOW_EVERY_S)
            results[f"{name}_mb"] = largest[name] / 1e6
            results["sense_mb"] = max(results.get("sense_mb", 0.0), largest["sense"] / 1e6)
    return results
