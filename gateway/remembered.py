"""Machines that have been silent for long, from what the store still knows of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gateway.live import MachineState
from gateway.store.base import SeriesKey, Store

DAY_NS = 86_400_000_000_000
SHOWN_DAYS = 30
"""A machine that said nothing for longer has been taken away."""
MOST = 200
"""Each costs a query of the store at the gateway's start."""


def silent_machines(
    store: Store, site: str, found: Collection[tuple[str, str]], *, now_ns: int, days: int = SHOWN_DAYS
) -> Iterator[MachineState]:
    """Machines of that site that have conditions in the store and are not among `found` (node and machine).

    Raises:
        StoreUnavailable: it cannot be asked now.
    """
    scores = [key for key, _ in store.series() if key.site == site and key.channel == "condition.score"]
    missing = [key for key in scores if (key.node, key.machine) not in found]
    for key in missing[:MOST]:
        chart = store.read(
            SeriesKey(site, key.node, key.machine, key.channel), now_ns - days * DAY_NS, now_ns, 24 * days + 1
        )
        if len(chart.times_ns):
            yield MachineState(site, key.node, key.machine, seen_ns=int(chart.times_ns[-1]))
