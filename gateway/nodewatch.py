"""The gateway's own watch over the nodes: away for too long, starved of power, hot, full. Pure; observations come out.

What a node's state *is* is kept here; what was *told* of it only after the caller says so. So a transaction that failed is simply
asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.alerts import SECOND_NS, Observation
from wire.messages import Health, Severity

HOT_C = 80.0
"""Where a Raspberry Pi begins to slow itself down (soft limit of the BCM2711 and BCM2712)."""
LOW_DISK_BYTES = 200_000_000


@dataclass(slots=True)
class _Daemon:
    site: str
    node: str
    origin: str
    online: bool = True
    since_ns: int = 0
    dropped: int | None = None
    troubles: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Cause: since when, and a sentence."""
    told: set[str] | None = None
    """None: nothing was told since start, so that an all-clear is due for everything that is well."""


_CAUSES = {
    "node_offline": Severity.WARNING,
    "node_under_voltage": Severity.WARNING,
    "node_hot": Severity.WATCH,
    "node_disk_low": Severity.WARNING,
    "node_dropping": Severity.WARNING,
}


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

    def is_offline(self, site: str, node: str, origin: str) -> bool:
        """Whether that daemon said goodbye, or its last will did."""
        daemon = self._daemons.get((site, node, origin))
        return daemon is not None and not daemon.online

    def health(self, seen: Health, *, at_ns: int) -> None:
        """A node's word about itself."""
        daemon = self._daemon(seen.site, seen.node, seen.origin)
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
        for cause, (text, present) in troubles.items():
            if not present:
                daemon.troubles.pop(cause, None)
            elif cause not in daemon.troubles:
                daemon.troubles[cause] = (at_ns, text)

    def observations(self, now_ns: int) -> list[Observation]:
        """What differs from what was told, as observations at `now_ns`."""
        found: list[Observation] = []
        for daemon in self._daemons.values():
            present = self._present(daemon, now_ns)
            told = set(_CAUSES) if daemon.told is None else daemon.told
            fresh = [cause for cause in present if daemon.told is None or cause not in daemon.told]
            found += [_observe(daemon, cause, now_ns, *present[cause]) for cause in fresh]
            found += [
                _observe(daemon, cause, now_ns, now_ns, "", cleared=True) for cause in sorted(told - set(present))
            ]
        return found

    def told(self, observations: list[Observation]) -> None:
        """These were kept."""
        for seen in observations:
            daemon = self._daemon(seen.site, seen.node, seen.origin)
            known = daemon.told if daemon.told is not None else set()
            daemon.told = known - {seen.cause} if seen.state == "cleared" else known | {seen.cause}

    def _present(self, daemon: _Daemon, now_ns: int) -> dict[str, tuple[int, str]]:
        if not daemon.online:
            # A node that is away says nothing about itself: its other troubles stand as they were told.
            present = {cause: daemon.troubles.get(cause, (now_ns, "")) for cause in daemon.told or ()}
            present.pop("node_offline", None)
            if now_ns - daemon.since_ns >= self._offline_after_ns:
                present["node_offline"] = (daemon.since_ns, f"{daemon.origin} is offline")
            return present
        return daemon.troubles

    def _daemon(self, site: str, node: str, origin: str) -> _Daemon:
        return self._daemons.setdefault((site, node, origin), _Daemon(site, node, origin))


def _observe(
    daemon: _Daemon, cause: str, now_ns: int, since_ns: int, text: str, *, cleared: bool = False
) -> Observation:
    return Observation(
        site=daemon.site,
        node=daemon.node,
        origin=daemon.origin,
        id=cause,
        machine=daemon.node,
        kind="node",
        state="cleared" if cleared else "open",
        cause=cause,
        severity=_CAUSES[cause],
        at_ns=now_ns,
        since_ns=since_ns,
        detail=text,
    )
