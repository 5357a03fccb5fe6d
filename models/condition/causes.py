"""Why: deviations turned into causes by rules over physics.

Each rule reads one symptom after another and says which features speak for it. A rule's confidence is its best evidence
(how far a feature moved, squashed to 0..1) times how specific that symptom is; what speaks against it lowers it. `unknown` remains
what nothing explains. Which causes are possible follows from what is measured: a rule whose symptom nobody measures finds nothing.

Sources stand with the rules. Common to all: ISO 13379-1:2012 (fault and symptom tables, confidence of a diagnosis), ISO 13373-1:2002
annex (vibration), ISO 13373-3:2015 (tables for imbalance, misalignment and looseness).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from models.condition.contract import Deviation, Explanation, FeatureInfo, PossibleCause
from models.condition.symptoms import COOLING, Symptoms, between, changed, drawn, either, strength, swelled

NEARLY_ALL = 0.9
"""A driven shaft that lost more of its speed stands still: then the belt is off, or the reading is."""

GENERIC = "generic"
"""The kind of a machine that nobody says the kind of."""
GUESS = 0.2
"""Less than a cause needs to be named: for one that presumes a part which nothing measured speaks of."""

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


_LINES = ("envelope_bpfo", "envelope_bpfi", "envelope_bsf", "envelope_ftf")


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
        if depth is None or beside is None or shaft is None or not harder:
            return 0.0, []
        # Where the geometry is known its lines decide, unless none of them is known well enough yet to have left its normal.
        if symptoms.measures("envelope_bpfo") and (
            symptoms.up("vibration", *_LINES) or not symptoms.up("vibration", "envelope_line")
        ):
            return 0.0, []
        swelling = 0.5 * (min(beside, 1.5) + min(shaft / max(depth, 1e-9), 1.5))
        # In a window of few turns neighbouring lines run into each other, and everything seems to swell a little.
        blurred = 0.2 * (1.0 - min((symptoms.sign("knock_turns") or 0.0) / 30.0, 1.0))
        inner = between(swelling - blurred, 0.22, 0.45)
        ball = between((cage or 0.0) - depth, 0.0, 0.1)
        share = {"bearing_inner": inner * (1 - ball), "bearing_outer": (1 - inner) * (1 - ball), "bearing_ball": ball}[
            code
        ]
        loud = between(max(depth, cage or 0.0), 0.1, 0.35)
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
    return 0.95 * swelled(first) * between(grown["order_1"] / every, 0.2, 0.5) * told, first + symptoms.up(
        "vibration", "velocity_rms"
    )[:1]


def _misalignment(symptoms: Symptoms) -> Finding:
    """Shaking twice a turn that outdoes the rest (ISO 13373-3:2015, table for misalignment)."""
    second = symptoms.up("vibration", "order_2")
    if not second:
        return 0.0, []
    grown, every = _orders(symptoms)
    share = between(grown["order_2"] / every, 0.25, 0.55)
    return 0.85 * swelled(second) * share, second + symptoms.up("vibration", "order_1")[:1]


def _looseness(symptoms: Symptoms) -> Finding:
    """Many multiples of the speed rise together (ISO 13373-3:2015, table for looseness)."""
    many = symptoms.up("vibration", "order_2", "order_3", "orders_high")
    if len({d.feature.rsplit(".", 1)[-1] for d in many}) < 2:
        return 0.0, []
    grown, every = _orders(symptoms)
    high = symptoms.up("vibration", "orders_high")
    spread = between(1.0 - max(grown["order_1"], grown["order_2"]) / every, 0.2, 0.5)
    return 0.8 * strength(high) * (0.4 + 0.6 * spread), many


def _gear(symptoms: Symptoms) -> Finding:
    """The mesh's lines and what lies beside them (ISO 13373-3:2015, annex on gearboxes; Randall, MSSP 1982)."""
    mesh = symptoms.up("vibration", "mesh", "mesh_sidebands", "envelope_mesh")
    return 0.85 * strength(mesh), mesh


def _belt(symptoms: Symptoms) -> Finding:
    """The driven shaft falls behind, or everything shakes with the belt's run and nothing with the shaft's (ISO 13373-3:2015, belt drives).

    V-belts slip by 1 to 2 % when sound.
    """
    low = symptoms.up("vibration", "velocity_rms", "band_1")
    slow = symptoms.down("speed")
    slip = changed(slow)
    if 0.0 < slip < NEARLY_ALL and not symptoms.more("current"):
        return 0.9 * between(slip, 0.01, 0.04), slow + low
    if not low or symptoms.up("vibration", "order_1", "order_2", "band_4") or symptoms.more("current"):
        return 0.0, []
    return (0.6 if symptoms.up("temperature") else 0.3) * strength(low), low


def _loose_sensor(symptoms: Symptoms) -> Finding:
    """High tones no longer arrive on any axis, low ones as ever: the sensor's own mounting has become a soft spring (ISO 5348:2021, 5.3)."""
    dull = symptoms.down("vibration", "band_4")
    if (
        not dull
        or len(dull) < symptoms.count("vibration", "band_4")
        or symptoms.down("current")
        or symptoms.down("vibration", "velocity_rms")
    ):
        return 0.0, []
    return 0.9 * strength(dull) * between(changed(dull), 0.1, 0.35), dull + symptoms.up(
        "vibration", "band_2", "band_3"
    )[:2]


def _heating_element_open(symptoms: Symptoms) -> Finding:
    """Less current than ever while it heats, and no motor that could be the reason: a resistor draws what Ohm's law says."""
    missing = symptoms.less("current", "power")
    unbalanced = symptoms.up("current", "unbalance")
    slower = symptoms.down("temperature")
    if not missing or symptoms.measures("velocity_rms"):
        return 0.0, []
    sure = 1.0 if unbalanced or slower or len(missing) > 1 else 0.6
    return 0.95 * sure * drawn(missing) * between(changed(missing), 0.04, 0.15), missing[:3] + unbalanced + slower[:2]


def _rise(deviations: Sequence[Deviation]) -> float:
    """The largest of them, in their unit; 0 for none."""
    return max((d.value - d.expected for d in deviations), default=0.0)


def _thermostat_drift(symptoms: Symptoms) -> Finding:
    """The regulated temperature moved and all that it warms moved along: the regulation did."""
    found = _leader(symptoms)
    if found is None or not symptoms.switches or symptoms.less("current"):
        return 0.0, []
    leader, evidence, along = found
    if symptoms.regulated and leader != symptoms.regulated:
        return 0.0, []
    if symptoms.kind in COOLING and _rise(symptoms.hot()) > _rise(evidence[:1]) > 0.0:
        # A room that is kept warmer warms the condenser by less than itself; one that cannot be cooled comes with a hot compressor.
        return 0.0, []
    return (0.6 if along is None else 0.9 * along) * strength(evidence), evidence


def _thermocouple_drift(symptoms: Symptoms) -> Finding:
    """One temperature moved and nothing that it warms or that warms it did: the reading did, not the heat (IEC 60584-1: drift of couples).

    A reading that only follows the regulated one may also move because heat is lost; one that is regulated cannot.
    """
    found = _leader(symptoms)
    if found is None or symptoms.less("current") or symptoms.more("current"):
        return 0.0, []
    leader, evidence, along = found
    if along is None or symptoms.up("vibration", "velocity_rms", "rms"):
        return 0.0, []
    alone = (1.0 - along) * strength(evidence)
    if symptoms.regulated:
        return (0.9 if leader == symptoms.regulated else 0.5) * alone, evidence
    return 0.6 * alone, evidence


def _leader(symptoms: Symptoms) -> tuple[str, list[Deviation], float | None] | None:
    """The regulated temperature, if it moved, else the one that moved most; its deviations; and how far the others lean along."""
    moved = symptoms.heat.moved
    if not moved:
        return None
    leader = symptoms.regulated
    if leader not in moved:
        leader = max(moved, key=lambda channel: abs(moved[channel].sigma))
    most = moved[leader]
    others = [d for channel, d in moved.items() if channel != leader]
    return leader, [most, *others][:4], symptoms.along(leader, 1.0 if most.sigma > 0 else -1.0)


def _door_seal(symptoms: Symptoms) -> Finding:
    """Heat is lost past the regulated temperature, which keeps its points at the cost of more time on (DIN 18873-2: holding losses)."""
    moved = symptoms.heat.moved
    losing = [d for channel, d in moved.items() if d.sigma < 0 and channel != symptoms.regulated]
    costly = symptoms.up("power", "duty") + symptoms.up("current", "duty")
    if symptoms.kind in COOLING or not symptoms.switches or symptoms.regulated in moved:
        return 0.0, []
    if not losing or symptoms.less("current") or symptoms.up("current", "unbalance"):
        return 0.0, []
    if not symptoms.regulated:
        return 0.5 * strength(losing), losing + costly
    return (0.95 if costly else 0.8) * strength(losing), losing[:3] + costly


def _fan_blocked(symptoms: Symptoms) -> Finding:
    """What should be cooled gets hot: a condenser, whose compressor works against the pressure; a motor, though it draws no more.

    ASHRAE Handbook, HVAC Systems and Equipment, chapter on condensers; IEC 60034-6 (cooling of motors). Of a machine that nobody says
    the kind of, that it has a fan is a guess: what it draws or how it turns must be measured to know that its load is the same, and
    what a thermostat keeps warm needs none.
    """
    hot = symptoms.hot()
    more = symptoms.more("current", "power")
    if not hot or symptoms.kind == "oven":
        return 0.0, []
    if symptoms.kind in COOLING:
        even = between(0.3 - symptoms.uneven(), 0.15, 0.25)
        return (0.95 * either(hot, more) * even, hot + more[:3]) if more else (0.0, [])
    if more or symptoms.up("vibration", "velocity_rms", "order_1", "order_2", "orders_high"):
        return 0.0, []
    if symptoms.kind == GENERIC and (symptoms.switches or not symptoms.measured("current", "power", "speed")):
        return GUESS * strength(hot), hot
    return 0.7 * strength(hot), hot


def _refrigerant_leak(symptoms: Symptoms) -> Finding:
    """A starved evaporator: the gas returns warm and leaves hot, and there is less of it to press.

    Breuker and Braun, Common faults and their impacts for rooftop air conditioners, HVAC&R Research 4, 1998.
    """
    hot, warm = symptoms.hot(), symptoms.returning()
    less = symptoms.less("current", "power")
    hissing = symptoms.up("vibration", "band_4", "band_3")
    if symptoms.kind not in COOLING or not hot or not warm or symptoms.more("current"):
        return 0.0, []
    return 0.95 * either(hot, warm) * (0.4 if hissing else 1.0 if less else 0.8), hot + warm + less[:2]


def _valve_leak(symptoms: Symptoms) -> Finding:
    """Gas that is pressed twice: hot, hissing, and less of it arrives.

    Elhaj et al., Numerical simulation and experimental study of a two-stage reciprocating compressor for condition monitoring, MSSP 22,
    2008; Breuker and Braun as above.
    """
    hot = symptoms.hot()
    hissing = symptoms.up("vibration", "band_4", "band_3")
    if symptoms.kind not in COOLING or not hot or not hissing or symptoms.more("current"):
        return 0.0, []
    return 0.95 * either(hot, hissing), hot + hissing[:3]


def _short_by_hum(symptoms: Symptoms) -> Finding:
    """One clamp alone: the damaged phase draws more, and the field, no longer round, pulls at twice the mains' frequency (Tavner 2008)."""
    more = symptoms.more("current")
    humming = symptoms.up("vibration", "orders_high")
    if not more or not humming or symptoms.up("vibration", "order_2", "order_3") or symptoms.less("speed"):
        return 0.0, []
    if len(symptoms.phases()) > 1 or symptoms.measures("unbalance"):
        return 0.0, []
    return 0.9 * either(more, humming) * between(changed(more), 0.05, 0.2), more[:1] + humming[:2]


def _short_by_phases(symptoms: Symptoms) -> Finding:
    """Phases that are measured one by one: one draws more, the others do not follow."""
    drawing = [d for d in symptoms.more("current") if d.feature in symptoms.phases()]
    if not drawing or symptoms.kind == "oven":
        return 0.0, []
    return 0.95 * drawn(drawing) * between(symptoms.uneven(), 0.03, 0.12), drawing[:3]


def _winding_short(symptoms: Symptoms) -> Finding:
    """Phases pull unevenly, and none of them is missing.

    Tavner, Review of condition monitoring of rotating electrical machines, IET Electric Power Applications 2008, section 4; negative
    sequence: Kliman et al., A new approach to on-line turn fault detection in AC motors, IEEE IAS 1996.
    """
    against = symptoms.moved("current", "negative_real", "negative_imaginary")
    uneven = against + symptoms.up("current", "unbalance")
    if not uneven:
        return 0.0, []
    drawn = symptoms.moved("current", "rms")
    more = sum(max(d.value - d.expected, 0.0) for d in drawn)
    less = sum(max(d.expected - d.value, 0.0) for d in drawn)
    shifted = symptoms.up("current", "harmonics") if not drawn else []
    sure = 0.95 if more > less else 0.45 if less > 2 * more > 0 or less > 0 else 0.7 if against or shifted else 0.45
    # Percent of the positive sequence mean the same on every motor: two points come with a supply, eight do not.
    pull = sum((d.value - d.expected) ** 2 for d in against) ** 0.5
    moved = 1.0 - (1.0 - strength(uneven)) * (1.0 - between(pull, 2.0, 8.0))
    return sure * moved, uneven[:3] + [d for d in drawn if d.sigma > 0][:3]


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
    "loose_sensor": _loose_sensor,
    "heating_element_open": _heating_element_open,
    "thermostat_drift": _thermostat_drift,
    "thermocouple_drift": _thermocouple_drift,
    "door_seal": _door_seal,
    "fan_blocked": _fan_blocked,
    "refrigerant_leak": _refrigerant_leak,
    "valve_leak": _valve_leak,
    "winding_short": _either(_winding_short, _short_by_phases, _short_by_hum),
}
LEAST_CONFIDENCE = 0.25
"""From which a cause is named."""
MOST_CAUSES = 5
UNKNOWN = "unknown"


def explain(
    deviations: Sequence[Deviation],
    info: Mapping[str, FeatureInfo],
    kind: str = "generic",
    *,
    known_regime: bool = True,
    signs: Mapping[str, float] | None = None,
) -> Explanation:
    """Ranks the causes that these deviations speak for; `unknown` is always among them."""
    causes = weighed(deviations, info, kind, known_regime=known_regime, signs=signs)
    named = [cause for cause in causes if cause.confidence >= LEAST_CONFIDENCE]
    return Explanation(tuple(deviations), (*named[:MOST_CAUSES], unknown(named)))


def weighed(
    deviations: Sequence[Deviation],
    info: Mapping[str, FeatureInfo],
    kind: str = "generic",
    *,
    known_regime: bool = True,
    signs: Mapping[str, float] | None = None,
) -> list[PossibleCause]:
    """Every cause that anything speaks for, however little; surest first."""
    symptoms = Symptoms(deviations, info, kind, signs or {})
    causes: list[PossibleCause] = []
    for code, rule in RULES.items():
        confidence, evidence = rule(symptoms)
        confidence = round(min(confidence * (1.0 if known_regime else 0.6), 0.99), 3)
        if confidence > 0.0:
            names = tuple(dict.fromkeys(d.feature for d in evidence))
            causes.append(PossibleCause(code, confidence, names[:8]))
    causes.sort(key=lambda cause: -cause.confidence)
    return causes


def unknown(causes: Sequence[PossibleCause]) -> PossibleCause:
    """The last resort beside these causes, ranked behind them."""
    best = max((cause.confidence for cause in causes), default=0.0)
    return PossibleCause(UNKNOWN, round(min(1.0 - best, LEAST_CONFIDENCE if causes else 1.0), 3), ())
