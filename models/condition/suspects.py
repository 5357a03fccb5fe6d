"""The picture of an alarm: what moved in each regime since it began, and which causes that speaks for.

A fault shows one side while the machine runs and another while it rests, and single samples show transients as well. So symptoms are
averaged over the alarm, in each regime for itself, and causes are told from all of them together; which of them leads is decided over the
alarm too (`evidence.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.condition.causes import weighed
from models.condition.contract import Deviation, FeatureInfo, PossibleCause
from models.condition.evidence import Evidence

LEANING = 0.1
"""Deviations from which a feature is part of the picture; what moved less is taken for unmoved. Small ones count where they are many
percent, as in a current whose starts have made its deviations wide."""
FAR_MORE = 10.0
NEWEST = 0.15
"""Least weight of a new sample: about the last dozen in each regime count."""
MOST_SAMPLES = 1_000_000
AT_REST = 0.02
"""Share of what a current or power is in its strongest regime by which it must change to be a symptom: a resting clamp's noise is many
percent of nothing."""
ELECTRICAL = ("current", "power")


@dataclass
class _Trace:
    sigma: float
    value: float
    expected: float
    since_s: float | None


def _tells_more(trace: _Trace, other: _Trace) -> bool:
    """Whether a regime shows more of a feature than another: ten times the change outdoes any deviation (a motor's current, on and off)."""
    mine, theirs = abs(trace.value - trace.expected), abs(other.value - other.expected)
    if mine > FAR_MORE * theirs or theirs > FAR_MORE * mine:
        return mine > theirs
    return abs(trace.sigma) > abs(other.sigma)


class Suspects:
    """What the present alarm looks like so far."""

    def __init__(self) -> None:
        self._traces: dict[str, dict[str, _Trace]] = {}
        self._samples: dict[str, int] = {}
        self._signs: dict[str, float] = {}
        self._known = True
        self._evidence = Evidence()

    def __bool__(self) -> bool:
        return bool(self._evidence)

    def hear(
        self,
        regime: str,
        deviations: Sequence[Deviation],
        signs: Mapping[str, float] | None = None,
        *,
        known: bool = True,
    ) -> None:
        """Takes one alarmed sample: everything that moved by `LEANING` or more, and the signs that are not scored."""
        count = min(self._samples.get(regime, 0) + 1, MOST_SAMPLES)
        self._samples[regime] = count
        weight = max(1.0 / count, NEWEST)
        traces = self._traces.setdefault(regime, {})
        moved = {d.feature: d for d in deviations}
        for name, trace in traces.items():
            if name not in moved:
                trace.sigma *= 1.0 - weight
                trace.value += weight * (trace.expected - trace.value)
        for name, d in moved.items():
            trace = traces.setdefault(name, _Trace(0.0, d.value, d.expected, d.since_s))
            trace.sigma += weight * (d.sigma - trace.sigma)
            trace.value += weight * (d.value - trace.value)
            trace.expected += weight * (d.expected - trace.expected)
            trace.since_s = d.since_s
        for name, value in (signs or {}).items():
            before = self._signs.get(name, value)
            self._signs[name] = float(before + weight * (value - before))
        self._known = known

    def weigh(
        self,
        info: Mapping[str, FeatureInfo],
        kind: str = "generic",
        sure: float = 1.0,
        usual: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        """Asks the rules about the picture as it is now.

        Args:
            info: of every feature that is measured.
            kind: of machine.
            sure: 0 to 1, what their confidence is worth.
            usual: what a feature is in the regime where it is largest.
        """
        told = [
            d
            for d in self.picture()
            if d.feature not in info
            or info[d.feature].quantity not in ELECTRICAL
            or abs(d.value - d.expected) >= AT_REST * usual(d.feature)
        ]
        self._evidence.weigh(weighed(told, info, kind, known_regime=self._known, signs=self._signs), sure)

    def clear(self) -> None:
        """The alarm is over."""
        self._evidence.clear()
        self._traces.clear()
        self._samples.clear()
        self._signs.clear()

    def picture(self) -> tuple[Deviation, ...]:
        """What moved, each feature as in the regime where it moved most; largest first."""
        most: dict[str, _Trace] = {}
        for traces in self._traces.values():
            for name, trace in traces.items():
                if name not in most or _tells_more(trace, most[name]):
                    most[name] = trace
        told = [(name, t) for name, t in most.items() if abs(t.sigma) >= LEANING]
        told.sort(key=lambda entry: -abs(entry[1].sigma))
        return tuple(Deviation(name, t.value, t.expected, t.sigma, t.since_s) for name, t in told)

    def ranked(self) -> tuple[PossibleCause, ...]:
        """Causes of the alarm so far, most likely first, `unknown` last."""
        return self._evidence.ranked()

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "samples": dict(self._samples),
            "traces": {
                regime: {name: [t.sigma, t.value, t.expected, t.since_s] for name, t in traces.items()}
                for regime, traces in self._traces.items()
            },
            "signs": dict(self._signs),
            "known": self._known,
            "evidence": self._evidence.state(),
        }

    def load(self, state: Any) -> None:
        """From a snapshot; causes remembered in an older form are forgotten."""
        self.clear()
        if not isinstance(state, Mapping):
            return
        self._samples = {str(regime): int(count) for regime, count in state["samples"].items()}
        self._traces = {
            str(regime): {
                str(name): _Trace(float(s), float(v), float(e), None if since is None else float(since))
                for name, (s, v, e, since) in traces.items()
            }
            for regime, traces in state["traces"].items()
        }
        self._signs = {str(name): float(value) for name, value in state["signs"].items()}
        self._known = bool(state["known"])
        if "evidence" in state:
            self._evidence.load(state["evidence"])
