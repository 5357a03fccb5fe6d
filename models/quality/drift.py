"""Control charts of many products and quantities, kept as numbers: what the goods of a line do over days and weeks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from models.quality.control_chart import ChartSettings, ChartState, ControlChart, Signal

Subgroup = tuple[int, float, float]
"""Items of a tray or batch: how many, their mean, and their standard deviation (0 where there is one only)."""


class DriftError(ValueError):
    """What was kept is no state of charts."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A quantity that has moved.

    Args:
        quantity: which, for instance `lightness`.
        signal: of its charts.
    """

    quantity: str
    signal: Signal


class ProductCharts:
    """A chart for each product and quantity, made when it is first seen.

    Args:
        settings: of all of them.
        kept: what `state` gave before a restart; None to begin.

    Raises:
        DriftError: it is not that.
    """

    def __init__(self, settings: ChartSettings | None = None, kept: str | None = None) -> None:
        self._settings = settings or ChartSettings()
        self._charts: dict[tuple[str, str], ControlChart] = {}
        try:
            states = msgspec.json.decode(kept or "{}", type=dict[str, dict[str, ChartState]])
        except (msgspec.MsgspecError, UnicodeError) as exc:
            raise DriftError(f"no state of control charts: {exc}") from exc
        for product, quantities in states.items():
            for quantity, state in quantities.items():
                self._charts[product, quantity] = ControlChart(self._settings, state)

    @property
    def state(self) -> str:
        """All that is remembered, as JSON."""
        states: dict[str, dict[str, ChartState]] = {}
        for (product, quantity), chart in self._charts.items():
            states.setdefault(product, {})[quantity] = chart.state
        return msgspec.json.encode(states).decode()

    def add(self, product: str, subgroups: Mapping[str, Subgroup], *, good: bool) -> dict[str, Signal]:
        """What the charts say of a tray or batch, by quantity.

        Args:
            product: what lies there.
            subgroups: of each quantity that was measured.
            good: whether limits may be learned from it.

        Raises:
            ValueError: no such subgroup.
        """
        signals = {}
        for quantity, (count, mean, deviation) in subgroups.items():
            chart = self._charts.setdefault((product, quantity), ControlChart(self._settings))
            signals[quantity] = chart.add(count, mean, deviation, good=good)
        return signals

    def forget(self, product: str) -> None:
        """Learns a product's limits anew: a person has said that what it is now is the new normal."""
        for key in [key for key in self._charts if key[0] == product]:
            del self._charts[key]


def strongest(signals: Mapping[str, Signal]) -> Drift | None:
    """The quantity that has moved most, of those that warn; None where none does."""
    warning = [Drift(quantity, signal) for quantity, signal in signals.items() if signal.rule]
    return max(warning, key=lambda drift: abs(drift.signal.deviation), default=None)
