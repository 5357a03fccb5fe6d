"""`werkpuls edge check`: what a configuration would start, or what is wrong with it. Starts and opens nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from edge.config import NodeConfig, check_machines, read_node
from edge.identity import check_identity
from wire.clock import boottime_ns
from wire.settings import SettingsError

BAD_CONFIGURATION = 2


def main(config_path: Path, *, json_output: bool = False) -> int:
    """Prints what would start; returns 0, or 2 with the mistake on stderr."""
    try:
        found = plan(read_node(config_path))
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        return BAD_CONFIGURATION
    if json_output:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found)) + "\n")
    return 0


def plan(config: NodeConfig) -> dict[str, Any]:
    """What the daemons of this node would do.

    Raises:
        SettingsError: a sensor says that it cannot work as configured, or the certificate is not this node's.
    """
    check_identity(config)
    options = config.options
    made = check_machines(config, boottime_ns, origin="sense")
    return {
        "site": options.site,
        "node": options.node,
        "broker": f"{options.mqtt.host}:{options.mqtt.port}{' TLS' if options.mqtt.tls else ''}",
        "state": str(options.state.dir),
        "machines": [
            {
                "name": machine.name,
                "kind": machine.kind,
                "interval_s": machine.interval_s,
                "sensors": [f"{setup.name} ({setup.type.name})" for setup in config.sensors[machine.name]],
                "channels": [
                    f"{channel.name} [{channel.unit}]" for sensor in made[machine.name] for channel in sensor.channels
                ],
            }
            for machine in options.machines
        ],
        "cameras": [
            {"name": camera.name, "machine": camera.machine, "type": camera.type} for camera in options.cameras
        ],
    }


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['site']}/{found['node']} → {found['broker']}, state in {found['state']}"]
    for machine in found["machines"]:
        lines.append(f"machine {machine['name']} ({machine['kind']}), every {machine['interval_s']:g} s")
        lines.extend(f"  sensor {sensor}" for sensor in machine["sensors"])
        lines.append(f"  channels {', '.join(machine['channels']) or 'known once opened'}")
    lines.extend(f"camera {one['name']} ({one['type']}) at {one['machine']}" for one in found["cameras"])
    if not found["machines"] and not found["cameras"]:
        lines.append("nothing to do: no [[machine]] and no [[camera]]")
    return lines
