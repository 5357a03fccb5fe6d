"""What trouble costs, from figures in the configuration. Pure arithmetic; every assumption is an option.

Nobody can read a probability of failure off an alert. `[costs.probability]` is therefore an assumption, by severity, and it is
meant to be corrected with the house's own experience. The formulas:

    outage_hours      outage_hours of the machine for that cause, its group, or "default"
    lead_hours        how soon an outage is to be reckoned with, by severity: [costs.lead_hours]
    from .. until     now .. now + lead_hours + outage_hours: the outage, if it comes, lies in there
    lost hours        probability * outage_hours * capacity_share
    repair            probability * repair_cost (by cause, group, or "default")
    downtime          probability * outage_hours * hourly_downtime_cost
    energy            extra power in kW * lead_hours * energy_price_per_kwh, where extra power is extra_power_kw of that cause
                      or, without one, measured: the largest rise above normal among the alert's evidence in W or kW
    scrap             rejects * item_cost of the product

When an alert is resolved, probability, repair and downtime become 0, and energy is what the extra power did cost from the start
of the trouble to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct, field

from gateway.alerts import Alert, State, group_of
from wire.messages import Evidence, Name, Severity, Share

HOUR_NS = 3_600_000_000_000
DEFAULT = "default"
MOST_KW = 1e6
"""A gigawatt; no machine takes more, and a rise beyond it was no reading."""
_WATTS = {"W": 1e-3, "kW": 1.0}
# With these bounds every date is one that can be written, and every amount a number.
_Hours = Annotated[float, Meta(ge=0.0, le=876_000.0, description="hours, at most a century")]
_Money = Annotated[float, Meta(ge=0.0, le=1e12)]
_Kilowatts = Annotated[float, Meta(ge=0.0, le=MOST_KW)]


class BySeverity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Probability that the machine fails, by the severity of its alert (0 to 1). Assumptions: correct them."""

    watch: Share = 0.05
    """Probability at severity watch."""
    warning: Share = 0.3
    """Probability at severity warning."""
    alarm: Share = 0.8
    """Probability at severity alarm."""


class LeadHours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many hours ahead an outage is to be reckoned with, by severity. Assumptions: correct them."""

    watch: _Hours = 336.0
    """Hours ahead at severity watch."""
    warning: _Hours = 72.0
    """Hours ahead at severity warning."""
    alarm: _Hours = 0.0
    """Hours ahead at severity alarm."""


class Costs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[costs]` in gateway.toml: figures that hold for the whole site."""

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217 code of every amount of money."""
    energy_price_per_kwh: _Money = 0.0
    """Price of a kilowatt-hour."""
    probability: BySeverity = BySeverity()
    lead_hours: LeadHours = LeadHours()
    item_cost: dict[Name, _Money] = {}
    """What one rejected item costs, by product; `default` for all others."""


class MachineFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[machine]]` in gateway.toml: what the gateway knows of a machine that its node does not."""

    name: Name
    title: Annotated[str, Meta(max_length=80)] = ""
    """What people call it."""
    capacity_share: Share = 1.0
    """Share of the site's capacity that is lost while it stands."""
    hourly_downtime_cost: _Money = 0.0
    """Money lost in an hour in which it stands."""
    outage_hours: dict[Name, _Hours] = field(default_factory=lambda: {DEFAULT: 8.0})
    """How long a repair takes, by cause or group of causes (`bearing`); `default` for all others."""
    repair_cost: dict[Name, _Money] = {}
    """What a repair costs, by cause or group of causes; `default` for all others."""
    extra_power_kw: dict[Name, _Kilowatts] = {}
    """Power wasted while a cause lasts, by cause or group; without one, what the evidence measured."""

    @property
    def has_costs(self) -> bool:
        """Whether any figure of money or power was given."""
        return bool(self.hourly_downtime_cost or self.repair_cost or self.extra_power_kw)


@dataclass(frozen=True, slots=True)
class Outage:
    """What sales and planning should reckon with."""

    from_ns: int
    until_ns: int
    hours: float
    share: float
    """Of the site's capacity, 0 to 1."""
    probability: float

    @property
    def expected_lost_hours(self) -> float:
        """Hours of the whole site's capacity that are lost on average."""
        return self.probability * self.hours * self.share


@dataclass(frozen=True, slots=True)
class Money:
    """What the budget should reckon with, in `Costs.currency`."""

    repair: float
    downtime: float
    energy: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.repair + self.downtime + self.energy


def outage(alert: Alert, costs: Costs, facts: MachineFacts, *, now_ns: int) -> Outage:
    """The outage to reckon with at `now_ns` because of this alert; of probability 0 once it is resolved."""
    hours = by_cause(facts.outage_hours, alert.cause, 0.0)
    if alert.state.closed:
        end_ns = alert.resolved_ns if alert.resolved_ns is not None else now_ns
        return Outage(min(alert.since_ns, end_ns), end_ns, hours, facts.capacity_share, 0.0)
    lead_hours = at_severity(costs.lead_hours, alert.severity)
    until_ns = now_ns + round((lead_hours + hours) * HOUR_NS)
    return Outage(now_ns, until_ns, hours, facts.capacity_share, at_severity(costs.probability, alert.severity))


def money(alert: Alert, costs: Costs, facts: MachineFacts, *, now_ns: int) -> Money:
    """What the alert is expected to cost, rounded to cents; once it is resolved, the energy that it did cost."""
    extra_kw = by_cause(facts.extra_power_kw, alert.cause, extra_power_kw(alert.evidence))
    if alert.state is State.RESOLVED:
        end_ns = alert.resolved_ns if alert.resolved_ns is not None else now_ns
        lasted_hours = max(end_ns - alert.since_ns, 0) / HOUR_NS
        # A false alarm wasted nothing.
        wasted_kwh = 0.0 if alert.resolution == "false_alarm" else extra_kw * lasted_hours
        return Money(0.0, 0.0, round(wasted_kwh * costs.energy_price_per_kwh, 2))
    expected = outage(alert, costs, facts, now_ns=now_ns)
    lead_hours = at_severity(costs.lead_hours, alert.severity)
    return Money(
        repair=round(expected.probability * by_cause(facts.repair_cost, alert.cause, 0.0), 2),
        downtime=round(expected.probability * expected.hours * facts.hourly_downtime_cost, 2),
        energy=round(extra_kw * lead_hours * costs.energy_price_per_kwh, 2),
    )


def scrap(rejects: int, product: str, costs: Costs) -> float | None:
    """What rejected items cost; None where nobody said what one of that product costs."""
    each = costs.item_cost.get(product, costs.item_cost.get(DEFAULT))
    return None if each is None else round(rejects * each, 2)


def by_cause(figures: Mapping[str, float], cause: str, otherwise: float) -> float:
    """The figure for a cause, else for its group, else the default, else `otherwise`."""
    for key in (cause, group_of(cause), DEFAULT):
        if key in figures:
            return figures[key]
    return otherwise


def at_severity(figures: BySeverity | LeadHours, severity: Severity) -> float:
    """The figure for a severity; 0 for good."""
    return {
        Severity.GOOD: 0.0,
        Severity.WATCH: figures.watch,
        Severity.WARNING: figures.warning,
        Severity.ALARM: figures.alarm,
    }[severity]


def extra_power_kw(evidence: Sequence[Evidence]) -> float:
    """The largest rise above normal among what was measured in watts, in kW; 0 where nothing rose.

    The largest, not the sum: mean, peak and phases of one supply would otherwise count several times.
    """
    rises = (_WATTS[item.unit] * (item.value - item.expected) for item in evidence if item.unit in _WATTS)
    return max((rise for rise in rises if 0 < rise <= MOST_KW), default=0.0)
