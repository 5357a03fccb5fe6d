"""What a configuration would start, or what is wrong with it; for `werkpuls edge check`. Starts and opens nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.config import MachineOptions, NodeConfig, check_machines
from edge.identity import check_identity
from edge.sensors.base import Sensor
from wire.clock import boottime_ns


def plan(config: NodeConfig) -> dict[str, Any]:
    """What the daemons of this node would do.

    Raises:
        SettingsError: a sensor says that it cannot work as configured, or the certificate is not this node's.
    """
    check_identity(config)
    options = config.options
    made = check_machines(config, boottime_ns, origin="sense")
    left_out = _left_out(options.machines, made)
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
                "left_out": left_out[machine.name],
            }
            for machine in options.machines
        ],
        "cameras": [
            {"name": camera.name, "machine": camera.machine, "type": camera.type} for camera in options.cameras
        ],
    }


def _left_out(machines: Sequence[MachineOptions], made: Mapping[str, Sequence[Sensor]]) -> dict[str, int]:
    """About how many features of each machine's known channels the model will not judge."""
    if not machines:
        return {}
    from edge.feature_count import left_out  # noqa: PLC0415  # a node with nothing but cameras has no condition model
    from edge.path_maker import setup_of  # noqa: PLC0415  # as above

    return {
        machine.name: left_out(
            setup_of(machine), [channel for sensor in made[machine.name] for channel in sensor.channels]
        )
        for machine in machines
    }
