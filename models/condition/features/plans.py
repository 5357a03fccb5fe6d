"""What is fixed for one length, rate and running speed of one machine: made once, and kept while it is used."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from models.condition.bearing import Bearing
from models.condition.features.current import CurrentPlan, current_plan
from models.condition.features.envelope import EnvelopePlan, envelope_plan
from models.condition.features.naming import named
from models.condition.features.vibration import ACCELERATION_UNITS, VibrationPlan, vibration_plan

Plan = TypeVar("Plan")

STEPS = 1000
"""Measured rates and speeds wander a little; a plan serves within a thousandth, less than a bearing's lines lie beside the shaft's."""
_KEPT = 16


class BlockPlan(NamedTuple):
    """For one block of acceleration."""

    wave: VibrationPlan
    rhythm: EnvelopePlan
    names: tuple[str, ...]
    """Of all features, in the order in which they are computed."""
    units: Mapping[str, str]


class _Kept(Generic[Plan]):
    """The plans that were used last."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[float | str, ...], Plan] = OrderedDict()

    def find(self, key: tuple[float | str, ...]) -> Plan | None:
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    def keep(self, key: tuple[float | str, ...], plan: Plan) -> Plan:
        self._plans[key] = plan
        if len(self._plans) > _KEPT:
            self._plans.popitem(last=False)
        return plan


class Plans:
    """The plans of one machine.

    Args:
        bearing: geometry, where it is known.
        gear_teeth: of the wheel on the shaft, where there is one.
        nominal_hz: frequency of the mains.
    """

    def __init__(self, bearing: Bearing | None, gear_teeth: int | None, nominal_hz: float) -> None:
        self._bearing = bearing
        self._gear_teeth = gear_teeth
        self._nominal_hz = nominal_hz
        self._blocks: _Kept[BlockPlan] = _Kept()
        self._rhythms: _Kept[EnvelopePlan] = _Kept()
        self._currents: _Kept[CurrentPlan] = _Kept()

    def block(
        self, samples: int, rate_hz: float, speed_hz: float | None, divisor: int, unit: str, axes: int
    ) -> BlockPlan:
        """For a block of acceleration and its envelope, whose rate is lower by the divisor."""
        key = (samples, _step(rate_hz), _step(speed_hz), divisor, unit, axes)
        plan = self._blocks.find(key)
        if plan is None:
            near_hz, factor = _rounded(speed_hz), ACCELERATION_UNITS.get(unit)
            mesh_hz = near_hz * self._gear_teeth if near_hz is not None and self._gear_teeth else None
            wave = vibration_plan(samples, _rounded(rate_hz) or rate_hz, near_hz, mesh_hz, factor)
            rhythm = self.rhythm(samples // divisor, rate_hz / divisor, speed_hz)
            plan = self._blocks.keep(key, BlockPlan(wave, rhythm, *named(wave.names, rhythm.told, axes, unit)))
        return plan

    def rhythm(self, samples: int, rate_hz: float, speed_hz: float | None) -> EnvelopePlan:
        """For an envelope."""
        key = (samples, _step(rate_hz), _step(speed_hz))
        plan = self._rhythms.find(key)
        if plan is None:
            speed_hz = _rounded(speed_hz)
            lines = self._bearing.lines(speed_hz) if self._bearing is not None and speed_hz is not None else {}
            if self._gear_teeth and speed_hz is not None:
                lines = {**lines, "mesh": self._gear_teeth * speed_hz}
            made = envelope_plan(samples, _rounded(rate_hz) or rate_hz, speed_hz, lines)
            plan = self._rhythms.keep(key, made)
        return plan

    def current(self, samples: int, rate_hz: float) -> CurrentPlan:
        """For a block of current."""
        key = (samples, _step(rate_hz))
        plan = self._currents.find(key)
        if plan is None:
            plan = self._currents.keep(key, current_plan(samples, _rounded(rate_hz) or rate_hz, self._nominal_hz))
        return plan


def _step(value: float | None) -> int:
    return 0 if value is None else round(math.log(value) * STEPS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else math.exp(_step(value) / STEPS)
