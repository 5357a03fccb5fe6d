"""Slow changes of the goods: control charts of crust colour and size per product, fed with subgroups of items. No clock, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from edge.drafts import shorten
from models.quality.control_chart import ChartSettings, ChartState, ControlChart, Signal
from models.quality.tallies import Moments
from wire.messages import ChartPoint, Evidence

SUBGROUP = 8
"""Items that make a subgroup at least; a tray with fewer waits for the next one."""
DIGITS = 6
"""Significant digits of what is told of a chart."""
ALMOST = 0.999
"""Learned with this subgroup: the first with limits is the next one."""
GOOD_SHARE = 0.8
"""A subgroup with fewer good and doubtful items than this teaches no limits."""


class Seen(msgspec.Struct, frozen=True):
    """One item: L* of its crust, its size, and whether it was rejected; size None where its outline is not a good one's."""

    lightness: float
    size: float | None
    rejected: bool


class _Charts(msgspec.Struct):
    lightness: ChartState = ChartState()
    size: ChartState = ChartState()


class _Kept(msgspec.Struct):
    products: dict[str, _Charts] = {}


@dataclass(frozen=True, slots=True)
class Drifted:
    """What the charts say after a subgroup: cause of the catalogue, empty for none, the figure, a sentence, and all of it."""

    cause: str
    evidence: Evidence | None = None
    detail: str = ""
    charts: Mapping[Literal["lightness", "size"], ChartPoint] = field(default_factory=dict)


class DriftWatch:
    """One camera's charts.

    Args:
        camera: its name.
        size_unit: of the sizes: mm, or px where nobody has calibrated the camera.
        mark: what `state` gave before a restart, None for nothing.
    """

    def __init__(self, camera: str, size_unit: str, mark: str | None) -> None:
        self._camera = camera
        self._unit = size_unit
        self._kept = _load(mark)
        self._product = ""
        self._waiting: list[Seen] = []

    @property
    def state(self) -> str:
        """For a mark in the journal. Items that wait for their subgroup are not in it."""
        return msgspec.json.encode(self._kept).decode()

    def forget(self, product: str) -> None:
        """What follows is the new normal of that product."""
        self._kept.products.pop(product, None)
        self._waiting = []

    def take(self, product: str, items: Sequence[Seen]) -> Drifted | None:
        """Whole items of an inspection; what the charts say once they make a subgroup, None before."""
        if product != self._product:
            self._product, self._waiting = product, []
        self._waiting.extend(items)
        if len(self._waiting) < SUBGROUP:
            return None
        group, self._waiting = self._waiting, []
        charts = self._kept.products.setdefault(product, _Charts())
        good = sum(not each.rejected for each in group) >= GOOD_SHARE * len(group)
        lightness, charts.lightness = _add(charts.lightness, [each.lightness for each in group], good=good)
        sizes = [each.size for each in group if each.size is not None]
        found = [("colour_drift", "lightness", "", lightness)]
        told: dict[Literal["lightness", "size"], ChartPoint] = {
            "lightness": _point(lightness, len(group), charts.lightness, "")
        }
        if sizes:
            size, charts.size = _add(charts.size, sizes, good=good)
            found.append(("size_drift", "size", self._unit, size))
            told["size"] = _point(size, len(sizes), charts.size, self._unit)
        # The farther one of those that warn.
        cause, feature, unit, signal = max(found, key=lambda one: (one[3].rule != "", abs(one[3].deviation)))
        if not signal.rule:
            return Drifted("", charts=told)
        evidence = Evidence(
            feature=feature,
            value=shorten(signal.average if signal.rule == "drift" else signal.value) or 0.0,
            expected=shorten(signal.expected) or 0.0,
            unit=unit,
            deviation=shorten(signal.deviation) or 0.0,
            channel=self._camera,
        )
        said = f"{signal.rule} of {feature} of {product}: {evidence.value:g}, usual {evidence.expected:g}"
        return Drifted(cause, evidence, said, told)


def _add(state: ChartState, values: Sequence[float], *, good: bool) -> tuple[Signal, ChartState]:
    moments = Moments()
    for value in values:
        moments.add(value)
    chart = ControlChart(state=state)
    signal = chart.add(moments.count, moments.mean, moments.deviation, good=good)
    return signal, chart.state


def _point(signal: Signal, items: int, state: ChartState, unit: str) -> ChartPoint:
    value, expected, average, drift_low, drift_high, jump_low, jump_high = (
        float(f"{number:.{DIGITS}g}")
        for number in (
            signal.value,
            signal.expected,
            signal.average,
            signal.drift_low,
            signal.drift_high,
            signal.jump_low,
            signal.jump_high,
        )
    )
    return ChartPoint(
        unit=unit,
        value=value,
        items=items,
        expected=expected,
        average=average,
        drift_low=drift_low,
        drift_high=drift_high,
        jump_low=jump_low,
        jump_high=jump_high,
        rule=signal.rule,
        learned=min(state.learned / ChartSettings().learn, ALMOST) if signal.learning else 1.0,
    )


def _load(mark: str | None) -> _Kept:
    try:
        return msgspec.json.decode(mark or "{}", type=_Kept)
    except (msgspec.MsgspecError, ValueError):
        return _Kept()
