"""What a configuration would start, or what is wrong with it; for `werkpuls edge check`. Starts and opens nothing."""

from __future__ import annotations

from typing import Any

from edge.config import NodeConfig, check_machines
from edge.identity import check_identity
from wire.clock import boottime_ns


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
