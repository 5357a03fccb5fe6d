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

    def moved(self, quantity: str, *endings: str) -> list[Deviation]:
        """Features of a quantity that rose or fell."""
        return [d for d in self._of(quantity, endings) if abs(d.sigma) > 2.0]

    def measures(self, ending: str) -> bool:
        """Whether any feature with this last name part is computed at all."""
        return any(name.rsplit(".", 1)[-1] == ending for name in self._info)

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


def swelled(deviations: Sequence[Deviation]) -> float:
    """0 to 1: how sure it is that one of these amplitudes rose, by its deviation or by how many times it grew.

    >>> round(swelled([Deviation("a", 20.0, 1.0, 4.0)]), 2), round(swelled([Deviation("a", 1.5, 1.0, 4.0)]), 2)
    (0.93, 0.33)
    """
    times = max((1.0 - 2.0 * max(d.expected, 0.0) / d.value for d in deviations if d.value > 0), default=0.0)
    return 1.0 - (1.0 - strength(deviations)) * (1.0 - max(times, 0.0))


def _between(value: float, low: float, high: float) -> float:
    """0 at the low end, 1 at the high one."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


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


def _rolling(code: str) -> Rule:
    """A bearing of unknown geometry: knocks between the shaft's own multiples (Randall and Antoni 2011, sections 2 and 5).

    A spot on the inner ring is loaded and unloaded once a turn, so its knocking swells with the shaft; one on the outer ring stands
    still in the load; one on a ball swells as the cage turns.
    """

    def rule(symptoms: Symptoms) -> Finding:
        depth, beside, shaft, cage = (
            symptoms.sign(f"knock_{part}") for part in ("depth", "sidebands", "shaft", "cage")
        )
        harder = symptoms.up("vibration", "kurtosis", "crest", "band_2", "band_3", "band_4", "peak", "envelope_line")
        if depth is None or beside is None or shaft is None or not harder or symptoms.measures("envelope_bpfo"):
            return 0.0, []
        swelling = 0.5 * (min(beside, 1.5) + min(shaft / max(depth, 1e-9), 1.5))
        inner = _between(swelling, 0.3, 0.65)
        ball = _between((cage or 0.0) - depth, 0.0, 0.1)
        share = {"bearing_inner": inner * (1 - ball), "bearing_outer": (1 - inner) * (1 - ball), "bearing_ball": ball}[
            code
        ]
        loud = _between(max(depth, cage or 0.0), 0.1, 0.35)
        return 0.9 * loud * share * (0.6 + 0.4 * strength(harder)), harder[:3]

    return rule


def _either(*rules: Rule) -> Rule:
    """The rule that is surer."""

    def rule(symptoms: Symptoms) -> Finding:
        return max((each(symptoms) for each in rules), key=lambda finding: finding[0])

    return rule


def _orders(symptoms: Symptoms) -> tuple[dict[str, float], float]:
    """By how much each order rose, as the velocity that it means (so that orders can be compared), and all of them together.

    ISO 20816-1 judges by velocity: an order of the same acceleration moves the machine the less the higher it is.
    """
    grown = {
        name: max((d.value - d.expected for d in symptoms.up("vibration", name)), default=0.0) / order
        for name, order in (("order_1", 1.0), ("order_2", 2.0), ("order_3", 3.0), ("orders_high", 5.5))
    }
    return grown, max(sum(grown.values()), 1e-30)


def _imbalance(symptoms: Symptoms) -> Finding:
    """Shaking once a turn that outdoes all other orders (ISO 13373-3:2015, table for imbalance)."""
    first = symptoms.up("vibration", "order_1")
    if not first:
        return 0.0, []
    grown, every = _orders(symptoms)
    # What shakes once a turn shows in the level as well: a small rise beside much more noise is a side effect.
    louder = max((d.value - d.expected for d in symptoms.up("vibration", "rms")), default=0.0)
    told = min(1.0, 3.0 * grown["order_1"] / max(louder * 2**0.5, 1e-30))
    return 0.95 * swelled(first) * _between(grown["order_1"] / every, 0.2, 0.5) * told, first + symptoms.up(
        "vibration", "velocity_rms"
    )[:1]


def _misalignment(symptoms: Symptoms) -> Finding:
    """Shaking twice a turn that outdoes the rest (ISO 13373-3:2015, table for misalignment)."""
    second = symptoms.up("vibration", "order_2")
    if not second:
        return 0.0, []
    grown, every = _orders(symptoms)
    share = _between(grown["order_2"] / every, 0.25, 0.55)
    return 0.85 * swelled(second) * share, second + symptoms.up("vibration", "order_1")[:1]


def _looseness(symptoms: Symptoms) -> Finding:
    """Many multiples of the speed rise together (ISO 13373-3:2015, table for looseness)."""
    many = symptoms.up("vibration", "order_2", "order_3", "orders_high")
    if len({d.feature.rsplit(".", 1)[-1] for d in many}) < 2:
        return 0.0, []
    grown, every = _orders(symptoms)
    high = symptoms.up("vibration", "orders_high")
    spread = _between(1.0 - max(grown["order_1"], grown["order_2"]) / every, 0.2, 0.5)
    return 0.8 * strength(high) * (0.4 + 0.6 * spread), many


def _gear(symptoms: Symptoms) -> Finding:
    """The mesh's lines and what lies beside them (ISO 13373-3:2015, annex on gearboxes; Randall, MSSP 1982)."""
    mesh = symptoms.up("vibration", "mesh", "mesh_sidebands", "envelope_mesh")
    return 0.85 * strength(mesh), mesh


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
    """Phases pull unevenly, and none of them is missing (Tavner 2008, section 4; negative sequence: Kliman et al., A new approach to
    on-line turn fault detection in AC motors, IEEE IAS 1996)."""
    against = symptoms.moved("current", "negative_real", "negative_imaginary")
    uneven = against + symptoms.up("current", "unbalance")
    if not uneven:
        return 0.0, []
    drawn = symptoms.moved("current", "rms")
    more = sum(max(d.value - d.expected, 0.0) for d in drawn)
    less = sum(max(d.expected - d.value, 0.0) for d in drawn)
    shifted = symptoms.up("current", "harmonics") if not drawn else []
    sure = 0.95 if more > less else 0.45 if less > 2 * more > 0 or less > 0 else 0.7 if against or shifted else 0.45
    return sure * strength(uneven), uneven[:3] + [d for d in drawn if d.sigma > 0][:3]


RULES: Mapping[str, Rule] = {
    "bearing_outer": _either(_bearing("bpfo", "bpfi", "bsf", "ftf"), _rolling("bearing_outer")),
    "bearing_inner": _either(_bearing("bpfi", "bpfo", "bsf", "ftf"), _rolling("bearing_inner")),
    "bearing_ball": _either(_bearing("bsf", "bpfo", "bpfi"), _rolling("bearing_ball")),
    "bearing_cage": _bearing("ftf", "bpfo", "bpfi", "bsf"),
    "imbalance": _imbalance,
    "misalignment": _misalignment,
    "looseness": _looseness,
    "gear": _gear,
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
