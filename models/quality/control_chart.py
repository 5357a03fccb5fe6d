"""Control charts: they warn when goods drift, slowly darker or smaller, long before any single item is a reject. Pure.

Two charts watch the means of subgroups (a tray, a batch): X̄ for a jump, EWMA for a drift; see Montgomery, Introduction to
statistical quality control, 7th ed., chapters 6 and 9. Limits are learned from good subgroups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Rule = Literal["", "drift", "jump"]
_CELLS = 201
_LEAST_SIGMA_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class ChartSettings:
    """How patient a chart is.

    With the defaults and exactly known limits, one false warning comes in 821 subgroups on average, and a shift of one standard
    deviation of the subgroups' means is told after 12; `average_run_length` computes these. Limits learned from 25 subgroups
    make that 27 on average, and half of such shifts are told within 15.

    Args:
        weight: of the newest subgroup in the moving average, 0.01 to 1.
        drift_limit: of the moving average, in its own standard deviations, 1 to 6.
        jump_limit: of a single subgroup, in standard deviations, 1 to 8.
        learn: good subgroups from which the limits are learned, 8 to 1000.
    """

    weight: float = 0.1
    drift_limit: float = 3.05
    jump_limit: float = 3.7
    learn: int = 25

    def __post_init__(self) -> None:
        """Refuses charts that never or always warn."""
        if not (
            0.01 <= self.weight <= 1
            and 1 <= self.drift_limit <= 6
            and 1 <= self.jump_limit <= 8
            and 8 <= self.learn <= 1000
        ):
            raise ValueError(f"{self} is out of range")


class ChartState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that a chart remembers, in numbers; a chart made from it goes on as if nothing had happened.

    Args:
        learned: good subgroups so far, until the limits stand.
        mean: of their means.
        squares: summed squared departures of their means.
        within: summed squared departures of items from their subgroup's mean.
        freedom: degrees of freedom of `within`.
        inverse: sum of 1 / items over the subgroups.
        average: the moving average, in standard deviations.
        since: subgroups since the limits stand.
    """

    learned: int = 0
    mean: float = 0.0
    squares: float = 0.0
    within: float = 0.0
    freedom: int = 0
    inverse: float = 0.0
    average: float = 0.0
    since: int = 0

    def __post_init__(self) -> None:
        numbers = (self.mean, self.squares, self.within, self.inverse, self.average)
        if not all(map(math.isfinite, numbers)) or min(self.learned, self.freedom, self.since, *numbers[1:4]) < 0:
            raise ValueError("no state of a control chart")


@dataclass(frozen=True, slots=True)
class Signal:
    """What the charts say after a subgroup, in the unit of what is measured.

    Args:
        value: mean of the subgroup.
        expected: what good ones have; the value itself while learning.
        average: the moving average.
        drift_low: lower limit of the moving average.
        drift_high: upper one.
        jump_low: lower limit of a subgroup's mean.
        jump_high: upper one.
        rule: which chart warns; empty for none.
        deviation: of what warns (else of the moving average) in its own standard deviations, signed.
        learning: the limits are still being learned; nothing warns.
    """

    value: float
    expected: float
    average: float
    drift_low: float
    drift_high: float
    jump_low: float
    jump_high: float
    rule: Rule
    deviation: float
    learning: bool


class ControlChart:
    """One quantity of one product.

    Args:
        settings: how patient.
        state: of an earlier chart; None to begin.
    """

    def __init__(self, settings: ChartSettings | None = None, state: ChartState | None = None) -> None:
        self._settings = settings or ChartSettings()
        self.state = state or ChartState()

    def add(self, count: int, mean: float, deviation: float, *, good: bool = True) -> Signal:
        """Takes a subgroup.

        Args:
            count: its items, at least 1.
            mean: of its items.
            deviation: standard deviation of its items, 0 where there is one only.
            good: whether limits may be learned from it; one with many rejects teaches nothing.

        Raises:
            ValueError: no subgroup.
        """
        if count < 1 or not (math.isfinite(mean) and math.isfinite(deviation)) or deviation < 0:
            raise ValueError(f"no subgroup: {count} items, mean {mean}, deviation {deviation}")
        if self.state.learned < self._settings.learn:
            if good:
                self.state = _learned(self.state, count, mean, deviation)
            return Signal(mean, mean, mean, mean, mean, mean, mean, "", 0.0, learning=True)
        return self._judged(count, mean)

    def _judged(self, count: int, mean: float) -> Signal:
        state, settings = self.state, self._settings
        sigma = self._sigma(count)
        # The centre is an estimate: its own error belongs to what a subgroup may depart by.
        uncertain = 1 / state.learned
        apart = (mean - state.mean) / sigma
        average = settings.weight * apart + (1 - settings.weight) * state.average
        since = state.since + 1
        kept = (1 - settings.weight) ** (2 * since)
        spread = math.sqrt(settings.weight / (2 - settings.weight) * (1 - kept) + uncertain)
        alone = math.sqrt(1 + uncertain)
        self.state = msgspec.structs.replace(state, average=average, since=since)
        far_average, far = average / spread, apart / alone
        rule: Rule = ""
        deviation = far_average
        if abs(far) > settings.jump_limit:
            rule, deviation = "jump", far
        elif abs(far_average) > settings.drift_limit:
            rule = "drift"
        drift, jump = settings.drift_limit * spread * sigma, settings.jump_limit * alone * sigma
        return Signal(
            value=mean,
            expected=state.mean,
            average=state.mean + average * sigma,
            drift_low=state.mean - drift,
            drift_high=state.mean + drift,
            jump_low=state.mean - jump,
            jump_high=state.mean + jump,
            rule=rule,
            deviation=deviation,
            learning=False,
        )

    def _sigma(self, count: int) -> float:
        """Standard deviation of the mean of so many items: between subgroups, and of items within one.

        Components of variance by the method of moments, Montgomery section 6.4 on why the range within trays alone sets limits
        far too tight.
        """
        state = self.state
        within = state.within / state.freedom if state.freedom else 0.0
        freedom = state.learned - 1
        between = max(0.0, state.squares / freedom - within * state.inverse / state.learned)
        floor = _LEAST_SIGMA_SHARE * max(1.0, abs(state.mean))
        return max(floor, math.sqrt(between + within / count))


def _learned(state: ChartState, count: int, mean: float, deviation: float) -> ChartState:
    """Welford's step, for means of subgroups."""
    learned = state.learned + 1
    before = mean - state.mean
    centre = state.mean + before / learned
    return msgspec.structs.replace(
        state,
        learned=learned,
        mean=centre,
        squares=state.squares + before * (mean - centre),
        within=state.within + (count - 1) * deviation**2,
        freedom=state.freedom + count - 1,
        inverse=state.inverse + 1 / count,
    )


def average_run_length(shift: float, settings: ChartSettings | None = None) -> float:
    """Subgroups until a warning, on average, from the start of a shift, where limits are known exactly.

    A Markov chain over the moving average (Brook and Evans, Biometrika 59, 1972), with both charts.

    Args:
        shift: of the mean, in standard deviations of the subgroups' means; 0 gives the time between false warnings.
        settings: of the charts.
    """
    chosen = settings or ChartSettings()
    limit = chosen.drift_limit * math.sqrt(chosen.weight / (2 - chosen.weight))
    width = 2 * limit / _CELLS
    middles = -limit + width * (np.arange(_CELLS) + 0.5)
    # From the moving average in cell i to cell j by a subgroup between these two values, if no jump is told before.
    low = (middles[None] - width / 2 - (1 - chosen.weight) * middles[:, None]) / chosen.weight
    high = low + width / chosen.weight
    ends = np.clip(np.stack((low, high)), -chosen.jump_limit, chosen.jump_limit)
    moves = _normal(ends[1] - shift) - _normal(ends[0] - shift)
    lengths = np.linalg.solve(np.eye(_CELLS) - moves, np.ones(_CELLS))
    return float(lengths[_CELLS // 2])


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distribution function of the standard normal."""
    return np.asarray(np.vectorize(lambda value: 0.5 * math.erfc(-value / math.sqrt(2)))(values), np.float64)
