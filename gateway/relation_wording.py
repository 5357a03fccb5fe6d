"""What of the machine moved when its goods did, as people say it: section `relation` of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from gateway.alerts import Alert
from gateway.related import Moved, Related, Relation
from gateway.speech import Speech

_SHOWN = 2
_WEEK_NS = 6 * 86_400_000_000_000
"""After so long the name of a weekday would mean another day."""


def related_text(words: Speech, alert: Alert, *, now_ns: int, called: Mapping[str, str] | None = None) -> str:
    """The sentence about an alert's relation; empty where it has none. `called` are products' names as people say them."""
    if alert.relation is None:
        return ""
    section: dict[str, Any] = words.catalogue["relation"]
    relation = alert.relation
    strongest, *others = relation.related[:_SHOWN]
    changes = _change(words, section, strongest)
    # One clause has one time: what moved at another is left to the page that draws it.
    for other in others:
        if other.lag_s == strongest.lag_s:
            changes = str(section["and"]).format(first=changes, second=_change(words, section, other))
    when = section["same_time"]
    if strongest.lag_s > 0:
        when = str(section["before"]).format(lag=words.duration(strongest.lag_s))
    return str(section["said"]).format(
        machine=words.machine(alert.machine),
        product=(called or {}).get(relation.product, relation.product),
        goods=_goods(words, section, relation, now_ns),
        moved=str(section["moved"]).format(when=when, changes=changes),
        batches=relation.batches,
        percent=ceil(100 * strongest.significance),
    )


def _goods(words: Speech, section: dict[str, Any], relation: Relation, now_ns: int) -> str:
    moved = relation.moved
    by = moved.after - moved.before
    low, high = sorted((abs(moved.low), abs(moved.high)))
    unit = str(section["points"]) if relation.measure == "rejects" else words.word("units", relation.unit)
    return str(section[f"{relation.measure}_{'up' if by > 0 else 'down'}"]).format(
        since=_since(words, section, relation.since_ns, now_ns),
        by=f"{words.number(_short(abs(by)))} {unit}",
        low=words.number(_short(low)),
        high=words.number(_short(high)),
    )


def _change(words: Speech, section: dict[str, Any], one: Related) -> str:
    moved: Moved = one.moved
    return str(section["rose" if moved.after > moved.before else "fell"]).format(
        what=str(section[one.aspect]).format(channel=words.feature(one.channel)),
        before=words.amount(_level(moved.before, one), one.unit),
        after=words.amount(_level(moved.after, one), one.unit),
    )


def _level(value: float, one: Related) -> float:
    """A share of time and a recovery are not known to the third digit; a temperature is."""
    return value if one.aspect in {"level", "on_level"} else _short(value)


def _short(value: float) -> float:
    """In two significant digits."""
    return float(f"{value:.2g}")


def _since(words: Speech, section: dict[str, Any], since_ns: int, now_ns: int) -> str:
    moment, now = words.local(since_ns), words.local(now_ns)
    if moment.date() == now.date():
        return str(section["since_time"]).format(time=moment.strftime("%H:%M"))
    if now_ns - since_ns < _WEEK_NS:
        return str(section["since_day"]).format(day=section["weekdays"][moment.weekday()])
    return str(section["since_date"]).format(date=words.when(since_ns).rsplit(" ", 1)[0])
