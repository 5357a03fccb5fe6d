"""The gateway's own watch over the nodes: away, starved of power, hot, full, or failing to watch a machine or to grade goods.

Pure; observations come out. What a node's state *is* is kept here; what was *told* of it only after the caller says so. So a transaction
that failed is simply asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.alerts import SECOND_NS, Observation
from wire.messages import Health, SensorState, Severity

HOT_C = 80.0
"""Where a Raspberry Pi begins to slow itself down (soft limit of the BCM2711 and BCM2712)."""
LOW_DISK_BYTES = 200_000_000
_CAUSES = {
    "node_offline": Severity.WARNING,
    "node_under_voltage": Severity.WARNING,
    "node_hot": Severity.WATCH,
    "node_disk_low": Severity.WARNING,
    "node_dropping": Severity.WARNING,
    "node_blind": Severity.WARNING,
}
_FAILING = "loop_restarted"
"""What health says of a machine whose thread on the node ended, until the next one has run for 300 s; it says nothing of that machine itself."""
_ONCE_NS = 330 * SECOND_NS
"""Said of a machine for longer, its thread ended more than once: a machine that was not watched for two seconds is no news."""
_GRADING = {
    "model_refused": Severity.WARNING,
    "inspection_failed": Severity.WARNING,
    "profile_refused": Severity.WATCH,
}
"""What health says of a camera that works while its goods are not graded, or not as taught; nobody else would tell people."""


class _Trouble(NamedTuple):
    """What can be wrong, with a node itself, with its watch over one machine, or with one of its cameras."""

    cause: str
    machine: str = ""
    """The machine, or whose goods the camera sees; empty for the node itself."""
    camera: str = ""

    @property
    def id(self) -> str:
        """Names it among what the daemon's node tells of one machine."""
        return "/".join(filter(None, (self.cause, self.camera or self.machine)))


_OF_NODES = frozenset(_Trouble(cause) for cause in _CAUSES if cause != "node_blind")


@dataclass(slots=True)
class _Daemon:
    site: str
    node: str
    origin: str
    online: bool = True
    since_ns: int = 0
    dropped: int | None = None
    failing: dict[str, int] = field(default_factory=dict)
    """Since when health says of a machine that its thread ended."""
    troubles: dict[_Trouble, tuple[int, str]] = field(default_factory=dict)
    """Since when, and a sentence."""
    possible: frozenset[_Trouble] = _OF_NODES
    """What could be wrong, as far as it was heard of."""
    told: dict[_Trouble, bool] = field(default_factory=dict)
    """Whether it was told that it is there, or that it is not; nothing since start: an all-clear is due where it is well."""


class NodeWatch:
    """What is known of every daemon of every node; one thread uses it."""

    def __init__(self, offline_after_s: float) -> None:
        self._offline_after_ns = round(offline_after_s * SECOND_NS)
        self._daemons: dict[tuple[str, str, str], _Daemon] = {}

    def hear(self, site: str, node: str, origin: str, *, online: bool, at_ns: int) -> None:
        """A node's status, from its own word or its last will."""
        daemon = self._daemon(site, node, origin)
        if daemon.online != online or not daemon.since_ns:
            daemon.online = online
            daemon.since_ns = at_ns

    def forget(self, site: str, node: str, origin: str) -> None:
        """It is no longer in use."""
        self._daemons.pop((site, node, origin), None)

    def is_offline(self, site: str, node: str, origin: str) -> bool:
        """Whether that daemon said goodbye, or its last will did."""
        daemon = self._daemons.get((site, node, origin))
        return daemon is not None and not daemon.online

    def health(self, seen: Health, *, at_ns: int) -> None:
        """A node's word about itself, its watch over machines and its cameras."""
        daemon = self._daemon(seen.site, seen.node, seen.origin)
        present = _of_node(daemon, seen)
        cameras = [camera for camera in seen.sensors if seen.origin == "watch"]
        present |= {
            _Trouble(camera.fault, _machine(seen, camera), camera.name): camera.detail
            for camera in cameras
            if camera.fault in _GRADING
        }
        watched = [sensor for sensor in seen.sensors if seen.origin == "sense" and sensor.machine]
        failing = {sensor.machine or "": sensor.detail for sensor in watched if sensor.fault == _FAILING}
        daemon.failing = {machine: min(daemon.failing.get(machine, at_ns), at_ns) for machine in failing}
        blind = {machine for machine, since_ns in daemon.failing.items() if at_ns - since_ns >= _ONCE_NS}
        present |= {_Trouble("node_blind", machine): failing[machine] for machine in blind}
        daemon.troubles = {
            trouble: (daemon.troubles[trouble][0] if trouble in daemon.troubles else at_ns, text)
            for trouble, text in present.items()
        }
        # Of a machine or camera that is gone only what was told of it is remembered, until it has been told that it is over.
        daemon.possible = _OF_NODES.union(
            # Of one that may have failed but once nothing is said, nor is it called well.
            (_Trouble("node_blind", one.machine or "") for one in watched if one.machine not in failing.keys() - blind),
            (_Trouble(cause, _machine(seen, camera), camera.name) for camera in cameras for cause in _GRADING),
            (trouble for trouble, there in daemon.told.items() if there),
        )
        daemon.told = {trouble: there for trouble, there in daemon.told.items() if trouble in daemon.possible}

    def observations(self, now_ns: int) -> list[Observation]:
        """What differs from what was told, as observations at `now_ns`."""
        found: list[Observation] = []
        for daemon in self._daemons.values():
            present = self._present(daemon, now_ns)
            for trouble in sorted(daemon.possible):
                if (trouble in present) is not daemon.told.get(trouble):
                    since_ns, text = present.get(trouble, (now_ns, ""))
                    found.append(_observe(daemon, trouble, now_ns, since_ns, text, cleared=trouble not in present))
        return found

    def told(self, observations: Sequence[Observation]) -> None:
        """These were kept."""
        for seen in observations:
            machine = "" if seen.id == seen.cause else seen.machine
            trouble = _Trouble(seen.cause, machine, seen.channel or "")
            self._daemon(seen.site, seen.node, seen.origin).told[trouble] = seen.state != "cleared"

    def _present(self, daemon: _Daemon, now_ns: int) -> dict[_Trouble, tuple[int, str]]:
        if daemon.online:
            return daemon.troubles
        # A node that is away says nothing about itself: its other troubles stand as they were told.
        offline = _Trouble("node_offline")
        present = {
            trouble: daemon.troubles.get(trouble, (now_ns, "")) for trouble, there in daemon.told.items() if there
        }
        present.pop(offline, None)
        if now_ns - daemon.since_ns >= self._offline_after_ns:
            present[offline] = (daemon.since_ns, f"{daemon.origin} is offline")
        return present

    def _daemon(self, site: str, node: str, origin: str) -> _Daemon:
        return self._daemons.setdefault((site, node, origin), _Daemon(site, node, origin))


def _machine(seen: Health, camera: SensorState) -> str:
    return camera.machine or seen.node


def _of_node(daemon: _Daemon, seen: Health) -> dict[_Trouble, str]:
    grown = daemon.dropped is not None and seen.journal.dropped > daemon.dropped
    daemon.dropped = seen.journal.dropped
    hot = seen.cpu_temperature_c is not None and seen.cpu_temperature_c >= HOT_C
    full = seen.disk_free_bytes is not None and seen.disk_free_bytes < LOW_DISK_BYTES
    troubles = {
        "node_under_voltage": ("under-voltage reported by the board", bool(seen.under_voltage)),
        "node_hot": (f"cpu at {seen.cpu_temperature_c} °C", hot or bool(seen.throttled)),
        "node_disk_low": (f"{seen.disk_free_bytes} bytes free", full),
        "node_dropping": (f"{seen.journal.dropped} messages dropped so far", grown),
    }
    return {_Trouble(cause): text for cause, (text, present) in troubles.items() if present}


def _observe(
    daemon: _Daemon, trouble: _Trouble, now_ns: int, since_ns: int, text: str, *, cleared: bool
) -> Observation:
    cause, machine, camera = trouble
    return Observation(
        site=daemon.site,
        node=daemon.node,
        origin=daemon.origin,
        id=trouble.id,
        machine=machine or daemon.node,
        kind="camera" if camera else "node",
        state="cleared" if cleared else "open",
        cause=cause,
        severity=_CAUSES.get(cause) or _GRADING[cause],
        at_ns=now_ns,
        since_ns=since_ns,
        channel=camera or None,
        detail=text,
    )
