"""Weeks of an oven and of its goods, written into a real store and a real ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gateway.ledger import Ledger
from gateway.store.base import Record, Store
from support.alerts import SECOND, START, envelope
from wire.messages import Inspection, Item, Series, Telemetry

DAY = 86_400 * SECOND
BAKING_S = 2100.0
Floats = NDArray[np.float64]


class Oven:
    """One that is loaded six times a day, with a thermostat, for some days before a moment.

    Args:
        days: of history.
        changed: days before that moment at which the left element's duty rises by 14 %; None: it only wanders.
        seed: of everything that is random.
        end_ns: the moment.
    """

    def __init__(self, *, days: int = 21, changed: float | None = 4.5, seed: int = 1, end_ns: int = START) -> None:
        self.rng = np.random.default_rng(seed)
        self.days = days
        self.begin_ns = end_ns // DAY * DAY - days * DAY
        self.loads_ns = [
            self.begin_ns + day * DAY + round((4.0 + 1.6 * load) * 3600) * SECOND
            for day in range(days)
            for load in range(6)
        ]
        """When each load comes out."""
        self.changed_ns = end_ns - round(changed * DAY) if changed is not None else None

    def channels(self) -> dict[str, tuple[str, Floats]]:
        """Unit and a reading a minute of each channel."""
        times = self.begin_ns + np.arange(self.days * 1440, dtype=np.int64) * 60 * SECOND
        minutes = np.arange(len(times), dtype=np.float64)
        daily = self.rng.standard_normal((3, self.days + 2))
        slow = [np.interp(minutes / 1440.0, np.arange(len(row)), row) for row in daily]
        duty = 0.42 + 0.01 * slow[0]
        if self.changed_ns is not None:
            duty += 0.14 * (times >= self.changed_ns)
        on = (minutes % 17.3) / 17.3 < duty
        deck = 230.0 + slow[1] + 0.2 * self.rng.standard_normal(len(times))
        for load_ns in self.loads_ns:
            since = (times - load_ns) / 60e9 + BAKING_S / 60.0
            deck -= np.where(since >= 0.0, 25.0 * np.exp(-np.maximum(since, 0.0) / 8.0), 0.0)
        return {
            "left_element_current": ("A", np.where(on, 9.0 + 0.1 * self.rng.standard_normal(len(times)), 0.0)),
            "deck_temperature": ("°C", deck),
            "room_temperature": ("°C", 24.0 + slow[2]),
        }

    def messages(self, machine: str) -> Iterator[Telemetry]:
        """What its node told: half a day in each message, which a store packs at once."""
        channels = self.channels()
        for seq, first in enumerate(range(0, self.days * 1440, 720), 1):
            series: Mapping[str, Series] = {
                name: Series(unit=unit, values=values[first : first + 720].round(3).tolist(), step_ms=60_000.0)
                for name, (unit, values) in channels.items()
            }
            at_ns = self.begin_ns + first * 60 * SECOND
            yield Telemetry(machine=machine, series=dict(series), **envelope(seq, at_ns, node=machine, log=machine))

    def lightness(self, *, by: float) -> list[float]:
        """Mean L* of each load; `by` darker once the element has changed (or in the last quarter, where it has not)."""
        changed_ns = self.changed_ns or self.begin_ns + 3 * self.days * DAY // 4
        daily = np.repeat(0.6 * self.rng.standard_normal(self.days), 6)
        noise = self.rng.standard_normal(len(self.loads_ns))
        darker = np.array(self.loads_ns) >= changed_ns
        return [float(value) for value in 55.0 + daily + noise - by * darker]

    def inspections(self, machine: str, *, by: float) -> Iterator[Inspection]:
        """A tray of eight a load; every load is a batch."""
        for seq, (load_ns, value) in enumerate(zip(self.loads_ns, self.lightness(by=by), strict=True), 1):
            items = [
                Item(box=(0.1, 0.1, 0.1, 0.1), label="good", verdict="good", confidence=0.9, lightness=value + off)
                for off in (-1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0)
            ]
            yield Inspection(
                id=f"i{seq}",
                machine=machine,
                camera="belt",
                product="roll",
                batch=f"b{seq}",
                items=items,
                **envelope(seq, load_ns, origin="watch", node="camera", log=f"watch-{machine}"),
            )


def fill(store: Store, ledger: Ledger, machine: str, oven: Oven, *, by: float = 6.0, loads: int | None = None) -> None:
    """Everything into both; of the loads only the last so many."""
    store.write([Record(position, message) for position, message in enumerate(oven.messages(machine), 1)])
    inspections = list(oven.inspections(machine, by=by))
    with ledger.transaction() as work:
        for inspection in inspections[-loads:] if loads is not None else inspections:
            work.inspected(inspection)
