"""Why: deviations turned into causes by rules over physics.

Each rule reads one symptom after another and says which features speak for it. A rule's confidence is its best evidence
(how far a feature moved, squashed to 0..1) times how specific that symptom is. `unknown` remains what nothing explains.

Sources: ISO 13373-1:2002 annex (vibration symptoms), ISO 13373-3:2015 tables for imbalance, misalignment and looseness;
Randall and Antoni 2011 (envelope lines of rolling bearings); Tavner, Review of condition monitoring of rotating electrical
machines, IET Electric Power Applications 2008 (current unbalance for winding faults).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from models.condition.contract import Deviation, Explanation, FeatureInfo, PossibleCause

STRONG_SIGMA = 8.0
"""A deviation that leaves no doubt; half of it is worth about half."""


class Symptoms:
    """Deviations of one verdict, looked up by what they mean."""

    def __init__(
        self,
        deviations: Sequence[Deviation],
        info: Mapping[str, FeatureInfo],
        kind: str = "generic",
        signs: Mapping[str, float] | None = None,
    ) -> None:
        self.kind = kind
        self._signs = signs or {}
        self._all = deviations
        self._info = info

    def up(self, quantity: str, *endings: str) -> list[Deviation]:
        """Features of a quantity that rose, with one of these last name parts (any, when none is given)."""
        return [d for d in self._of(quantity, endings) if d.sigma > 2.0]

    def down(self, quantity: str, *endings: str) -> list[Deviation]:
        """Features of a quantity that fell."""
        return [d for d in self._of(quantity, endings) if d.sigma < -2.0]

    def sign(self, ending: str) -> float | None:
        """The largest of the unscored features with this last name part; None where there is none."""
        return max((value for name, value in self._signs.items() if name.rsplit(".", 1)[-1] == ending), default=None)

    def _of(self, quantity: str, endings: tuple[str, ...]) -> list[Deviation]:
        return [
            d
            for d in self._all
            if (i := self._info.get(d.feature)) is not None
            and i.quantity == quantity
            and (not endings or d.feature.rsplit(".", 1)[-1] in endings)
        ]


def strength(deviations: Sequence[Deviation]) -> float:
    """0 to 1: how sure it is that these moved.

    >>> strength([Deviation("a", 1.0, 0.0, 8.0)])
    0.5
    """
    largest = max((abs(d.sigma) for d in deviations), default=0.0)
    return largest / (largest + STRONG_SIGMA)


Finding = tuple[float, list[Deviation]]
Rule = Callable[[Symptoms], Finding]


def _bearing(line: str, *rivals: str) -> Rule:
    def rule(symptoms: Symptoms) -> Finding:
        lines = symptoms.up("vibration", f"envelope_{line}")
        others = symptoms.up("vibration", *(f"envelope_{rival}" for rival in rivals))
        support = symptoms.up("vibration", "kurtosis", "crest", "band_4", "band_3", "peak")
        if not lines:
            return 0.0, []
        # Sidebands of one line lift its neighbours; the largest is the one that knocks.
        lead = strength(lines) / max(strength(lines), strength(others), 1e-9)
        return strength(lines) * lead**3 * (1.0 if support else 0.7), lines + support[:2]

    return rule


def _imbalance(symptoms: Symptoms) -> Finding:
    first = symptoms.up("vibration", "order_1")
    rivals = symptoms.up("vibration", "order_2", "order_3", "orders_high")
    if not first:
        return 0.0, []
    share = strength(first) / (strength(first) + 0.5 * strength(rivals))
    return 0.95 * strength(first) * share, first + symptoms.up("vibration", "velocity_rms")[:1]


def _misalignment(symptoms: Symptoms) -> Finding:
    second = symptoms.up("vibration", "order_2")
    rivals = symptoms.up("vibration", "orders_high")
    if not second:
        return 0.0, []
    share = strength(second) / (strength(second) + 0.4 * strength(rivals))
    return 0.85 * strength(second) * share, second + symptoms.up("vibration", "order_1")[:1]


def _looseness(symptoms: Symptoms) -> Finding:
    many = symptoms.up("vibration", "order_2", "order_3", "orders_high")
    if len({d.feature.rsplit(".", 1)[-1] for d in many}) < 2:
        return 0.0, []
    high = symptoms.up("vibration", "orders_high")
    return 0.8 * strength(high), many


def _belt(symptoms: Symptoms) -> Finding:
    low = symptoms.up("vibration", "velocity_rms", "band_1")
    if not low or symptoms.up("vibration", "order_1", "order_2") or symptoms.up("vibration", "band_4"):
        return 0.0, []
    slip = symptoms.down("speed") or symptoms.up("temperature")
    return (0.6 if slip else 0.3) * strength(low), low + slip


def _heating_element_open(symptoms: Symptoms) -> Finding:
    missing = symptoms.down("current") + symptoms.down("power")
    unbalanced = symptoms.up("current", "unbalance")
    slower = symptoms.down("temperature")
    if not missing or symptoms.up("vibration"):
        return 0.0, []
    sure = 1.0 if unbalanced or slower else 0.6
    return 0.95 * sure * strength(missing), missing[:3] + unbalanced + slower[:2]


def _thermostat_drift(symptoms: Symptoms) -> Finding:
    moved = symptoms.up("temperature") + symptoms.down("temperature")
    level = [d for d in moved if not d.feature.endswith(".slope")]
    if not level or symptoms.down("current") or symptoms.up("current") or symptoms.up("vibration"):
        return 0.0, []
    return 0.6 * strength(level), level


def _door_seal(symptoms: Symptoms) -> Finding:
    losing = symptoms.down("temperature", "slope") or symptoms.up("level")
    if symptoms.kind not in ("oven", "compressor", "refrigerator") or not losing:
        return 0.0, []
    if symptoms.down("current") or symptoms.up("current", "unbalance") or symptoms.up("vibration"):
        return 0.0, []
    return 0.55 * strength(losing), losing


def _fan_blocked(symptoms: Symptoms) -> Finding:
    hot = symptoms.up("temperature")
    unloaded = symptoms.down("current") + symptoms.down("power") + symptoms.down("vibration", "rms", "velocity_rms")
    if not hot or not (unloaded or symptoms.up("power") or symptoms.up("current", "rms")):
        return 0.0, []
    return 0.5 * strength(hot), hot + unloaded[:2]


def _winding_short(symptoms: Symptoms) -> Finding:
    unbalanced = symptoms.up("current", "unbalance")
    more = symptoms.up("current", "rms") + symptoms.up("current", "harmonics")
    if not unbalanced:
        return 0.0, []
    dropped = symptoms.down("current", "rms")
    sure = 0.95 if more and not dropped else 0.7 if more else 0.45
    return sure * strength(unbalanced), unbalanced + more[:3]


RULES: Mapping[str, Rule] = {
    "bearing_outer": _bearing("bpfo", "bpfi", "bsf", "ftf"),
    "bearing_inner": _bearing("bpfi", "bpfo", "bsf", "ftf"),
    "bearing_ball": _bearing("bsf", "bpfo", "bpfi"),
    "bearing_cage": _bearing("ftf", "bpfo", "bpfi", "bsf"),
    "imbalance": _imbalance,
    "misalignment": _misalignment,
    "looseness": _looseness,
    "belt": _belt,
    "heating_element_open": _heating_element_open,
    "thermostat_drift": _thermostat_drift,
    "door_seal": _door_seal,
    "fan_blocked": _fan_blocked,
    "winding_short": _winding_short,
}
LEAST_CONFIDENCE = 0.25


def explain(
    deviations: Sequence[Deviation],
    info: Mapping[str, FeatureInfo],
    kind: str = "generic",
    *,
    known_regime: bool = True,
    signs: Mapping[str, float] | None = None,
) -> Explanation:
    """Ranks the causes that these deviations speak for; `unknown` is always among them."""
    symptoms = Symptoms(deviations, info, kind, signs or {})
    causes: list[PossibleCause] = []
    for code, rule in RULES.items():
        confidence, evidence = rule(symptoms)
        confidence *= 1.0 if known_regime else 0.6
        if confidence >= LEAST_CONFIDENCE:
            names = tuple(dict.fromkeys(d.feature for d in evidence))
            causes.append(PossibleCause(code, round(min(confidence, 0.99), 3), names[:8]))
    causes.sort(key=lambda cause: -cause.confidence)
    return Explanation(tuple(deviations), (*causes[:5], unknown(causes)))


def unknown(causes: Sequence[PossibleCause]) -> PossibleCause:
    """The last resort beside these causes, ranked behind them."""
    best = max((cause.confidence for cause in causes), default=0.0)
    return PossibleCause("unknown", round(min(1.0 - best, LEAST_CONFIDENCE if causes else 1.0), 3), ())
