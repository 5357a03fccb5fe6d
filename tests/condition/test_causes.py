"""Causes from symptoms."""

from functools import partial

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.condition.causes import RULES, explain
from models.condition.contract import Deviation, FeatureInfo
from models.condition.suspects import Suspects

VIBRATION = (
    "rms", "velocity_rms", "order_1", "order_2", "order_3", "orders_high", "kurtosis", "band_1", "band_2", "band_4",
    "envelope_bpfo", "envelope_bpfi", "envelope_bsf", "envelope_ftf",
)  # fmt: skip
MOTOR = {
    **{f"v.{name}": FeatureInfo("g", "v", "vibration") for name in VIBRATION},
    "current": FeatureInfo("A", "current", "current"),
    "motor": FeatureInfo("°C", "motor", "temperature"),
    "speed": FeatureInfo("rpm", "speed", "speed"),
}
CLAMPS = {
    "v.velocity_rms": FeatureInfo("mm/s", "v", "vibration"),
    **{f"current.{axis}.rms": FeatureInfo("A", "current", "current") for axis in "xyz"},
    "current.unbalance": FeatureInfo("%", "current", "current"),
}
PHASES = {f"current_l{k}": FeatureInfo("A", f"current_l{k}", "current") for k in (1, 2, 3)}
OVEN = {
    **PHASES,
    "power": FeatureInfo("W", "power", "power"),
    "power.duty": FeatureInfo("%", "power", "power"),
    "deck": FeatureInfo("°C", "deck", "temperature"),
    "deck.at_off": FeatureInfo("°C", "deck", "temperature"),
    "deck.set_point": FeatureInfo("°C", "deck", "temperature"),
    "air": FeatureInfo("°C", "air", "temperature"),
    "air.at_off": FeatureInfo("°C", "air", "temperature"),
}
COOLER = {
    **PHASES,
    **{f"v.{name}": FeatureInfo("g", "v", "vibration") for name in VIBRATION},
    "gas": FeatureInfo("°C", "gas", "temperature"),
    "back": FeatureInfo("°C", "back", "temperature"),
    "room": FeatureInfo("°C", "room", "temperature"),
    "room.set_point": FeatureInfo("°C", "room", "temperature"),
}
ONE_PROBE = {"oven": FeatureInfo("°C", "oven", "temperature"), "power": FeatureInfo("W", "power", "power")}
NORMAL = {"gas": 70.0, "back": 3.0, "room": 3.5, "deck": 230.0, "air": 200.0, "oven": 200.0, "power": 6000.0}
Moves = dict[str, tuple[float, float]]
"""Share by which a feature changed, and how many deviations that is."""


def deviations(moves: Moves) -> list[Deviation]:
    found = []
    for name, (share, sigma) in moves.items():
        expected = NORMAL.get(name.split(".", maxsplit=1)[0], 10.0)
        found.append(Deviation(name, expected * (1 + share), expected, sigma))
    return sorted(found, key=lambda deviation: -abs(deviation.sigma))


def first(info: dict[str, FeatureInfo], kind: str, moves: Moves) -> str:
    return explain(deviations(moves), info, kind).causes[0].code


@pytest.mark.parametrize(
    ("moves", "cause"),
    [
        ({"v.envelope_bpfo": (2, 15), "v.kurtosis": (1, 12), "v.rms": (1, 20), "v.envelope_bpfi": (1, 3)}, "bearing_outer"),
        ({"v.envelope_bpfi": (2, 15), "v.kurtosis": (1, 12), "v.envelope_bpfo": (1, 3)}, "bearing_inner"),
        ({"v.envelope_bsf": (2, 15), "v.kurtosis": (1, 12)}, "bearing_ball"),
        ({"v.envelope_ftf": (2, 15), "v.kurtosis": (1, 12)}, "bearing_cage"),
        ({"v.order_1": (3, 20), "v.velocity_rms": (2, 22)}, "imbalance"),
        ({"v.order_2": (4, 20), "v.order_1": (0.3, 6)}, "misalignment"),
        ({"v.orders_high": (9, 20), "v.order_3": (4, 18), "v.order_2": (1, 10)}, "looseness"),
        ({"speed": (-0.05, -4), "v.velocity_rms": (1, 20), "v.band_1": (1, 18), "v.band_4": (0.3, 9)}, "belt"),
        ({"v.band_4": (-0.5, -20), "v.band_2": (0.2, 5)}, "loose_sensor"),
        ({"motor": (0.4, 12)}, "fan_blocked"),
        ({"current": (0.45, 20), "v.orders_high": (3, 20), "v.band_1": (1, 20), "motor": (0.3, 5)}, "winding_short"),
    ],
)  # fmt: skip
def test_textbook_symptoms_of_a_motor(moves: Moves, cause: str) -> None:
    assert first(MOTOR, "mixer", moves) == cause


@pytest.mark.parametrize(
    ("moves", "cause"),
    [
        ({"current_l2": (-1, -40), "power": (-0.33, -20), "deck": (-0.03, -5)}, "heating_element_open"),
        ({"deck.set_point": (0.1, 12), "deck": (0.1, 9), "air": (0.1, 3), "air.at_off": (0.1, 8)}, "thermostat_drift"),
        ({"deck.set_point": (-0.1, -12), "deck.at_off": (-0.1, -9), "deck": (-0.1, -9)}, "thermocouple_drift"),
        ({"air.at_off": (-0.15, -12), "air": (-0.15, -3), "power.duty": (0.2, 3)}, "door_seal"),
        ({"air.at_off": (-0.15, -12)}, "door_seal"),
    ],
)
def test_textbook_symptoms_of_an_oven(moves: Moves, cause: str) -> None:
    assert first(OVEN, "oven", moves) == cause


@pytest.mark.parametrize(
    ("moves", "cause"),
    [
        ({"gas": (0.3, 9), **dict.fromkeys(PHASES, (0.25, 15)), "v.order_1": (0.2, 5)}, "fan_blocked"),
        ({"gas": (0.3, 9), "back": (1, 4), **dict.fromkeys(PHASES, (0.22, 0.7)), "v.band_4": (0.2, 5)}, "fan_blocked"),
        ({"gas": (0.3, 9), "back": (1, 4), **dict.fromkeys(PHASES, (0.22, 0.3)), "v.band_4": (0.2, 5)}, "fan_blocked"),
        ({"gas": (0.3, 9), "back": (2, 7), **dict.fromkeys(PHASES, (-0.08, -5))}, "refrigerant_leak"),
        ({"gas": (0.3, 9), "back": (1, 4), "v.band_4": (1, 14)}, "valve_leak"),
        (
            {"current_l1": (0.6, 2), "current_l2": (0.25, 0.8), "current_l3": (0.07, 0.2), "gas": (0.1, 5)},
            "winding_short",
        ),
        ({"current_l1": (0.45, 30), "current_l2": (0.12, 8), "v.orders_high": (2, 15)}, "winding_short"),
    ],
)
def test_textbook_symptoms_of_a_cold_room(moves: Moves, cause: str) -> None:
    assert first(COOLER, "compressor", moves) == cause


def test_three_clamps_on_a_motor_tell_a_short() -> None:
    assert first(CLAMPS, "generic", {"current.unbalance": (4, 20), "current.x.rms": (0.3, 18)}) == "winding_short"


def test_one_probe_alone_cannot_be_told_from_what_it_measures() -> None:
    assert first(ONE_PROBE, "oven", {"oven": (0.1, 9)}) == "thermostat_drift"


@pytest.mark.parametrize(
    "moves", [{}, {"v.rms": (0.1, 1.0)}, {"nobody.knows": (9, 30.0)}, {"v.rms": (-0.5, -9.0)}, {"current": (0.2, 9.0)}]
)
def test_unknown_is_an_answer(moves: Moves) -> None:
    assert first(MOTOR, "mixer", moves) == "unknown"


@pytest.mark.parametrize("moves", [{"gas": (0.3, 9)}, {"back": (2, 9)}, {"room": (1, 9)}])
def test_one_warm_pipe_is_neither_a_fan_nor_a_leak(moves: Moves) -> None:
    assert first(COOLER, "compressor", moves) not in {"fan_blocked", "refrigerant_leak", "valve_leak"}


@pytest.mark.parametrize(
    ("info", "kind", "named"),
    [
        ({"t": FeatureInfo("°C", "t", "temperature")}, "generic", False),
        ({"t": FeatureInfo("°C", "t", "temperature")}, "mixer", True),
        (dict.fromkeys(["t", "u"], FeatureInfo("°C", "t", "temperature")), "generic", False),
        ({"t": FeatureInfo("°C", "t", "temperature"), "current": MOTOR["current"]}, "generic", True),
        ({"t": FeatureInfo("°C", "t", "temperature"), "speed": MOTOR["speed"]}, "generic", True),
        (
            {
                "t": FeatureInfo("°C", "t", "temperature"),
                "t.set_point": FeatureInfo("°C", "t", "temperature"),
                **PHASES,
            },
            "generic",
            False,
        ),
    ],
)
def test_of_a_machine_of_unknown_kind_heat_alone_names_no_fan(
    info: dict[str, FeatureInfo], kind: str, *, named: bool
) -> None:
    causes = explain(deviations({"t": (0.4, 40)}), info, kind).causes
    assert ("fan_blocked" in {cause.code for cause in causes}) is named


@given(
    st.dictionaries(st.sampled_from([*MOTOR, *OVEN, *COOLER]), st.tuples(st.floats(-1, 1e6), st.floats(-50, 50))),
    st.sampled_from([MOTOR, OVEN, COOLER, CLAMPS, ONE_PROBE]),
    st.sampled_from(["generic", "oven", "mixer", "compressor", "lathe"]),
)
def test_confidences_are_shares_and_ranked(moves: Moves, info: dict[str, FeatureInfo], kind: str) -> None:
    causes = explain(deviations(moves), info, kind).causes
    confidences = [cause.confidence for cause in causes[:-1]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= cause.confidence <= 1 for cause in causes)
    assert causes[-1].code == "unknown"
    assert all(set(cause.evidence) <= set(info) for cause in causes)


def test_a_new_regime_is_less_certain() -> None:
    moved = deviations({"v.order_1": (3, 20.0)})
    sure = explain(moved, MOTOR).causes[0].confidence
    assert explain(moved, MOTOR, known_regime=False).causes[0].confidence < sure


def test_codes_are_names() -> None:
    assert all(code.replace("_", "").isalpha() and code.islower() for code in RULES)


def test_the_picture_of_an_alarm_keeps_what_only_one_regime_shows() -> None:
    suspects = Suspects()
    for _ in range(5):
        suspects.hear("on", deviations({"v.order_1": (3, 20.0)}))
    for _ in range(200):
        suspects.hear("off", [])
        suspects.weigh(MOTOR)
    assert suspects.ranked()[0].code == "imbalance"
    for _ in range(80):
        suspects.hear("on", [])
        suspects.weigh(MOTOR)
    assert suspects.ranked()[0].code == "unknown", "it is gone where it was"


def test_a_passing_transient_is_no_symptom() -> None:
    suspects = Suspects()
    for k in range(20):
        suspects.hear("on", deviations({"v.order_1": (3, 20.0), **({"speed": (-1, -50.0)} if k == 3 else {})}))
    assert [d.feature for d in suspects.picture() if abs(d.sigma) > 10] == ["v.order_1"]


def test_a_picture_survives_a_snapshot() -> None:
    suspects, again = Suspects(), Suspects()
    signs = {"v.knock_depth": 0.2, "deck.time_constant": np.float64(3.5)}
    suspects.hear("on", deviations({"v.order_1": (3, 20.0), "speed": (-1, -1.0)}), signs)
    suspects.weigh(MOTOR)
    again.load(msgspec.json.decode(msgspec.json.encode(suspects.state())))
    assert again.picture() == suspects.picture()
    assert again.ranked() == suspects.ranked()
    assert again.ranked()[0].code == "imbalance"
    again.load([["imbalance", 0.5, []]])
    assert not again


def test_what_a_regime_at_rest_shows_of_a_current_is_nothing_beside_its_change_at_work() -> None:
    suspects = Suspects()
    suspects.hear("off", [Deviation("current", 0.05, 0.04, 3.0)])
    suspects.hear("on", [Deviation("current", 9.0, 6.0, 1.0)])
    (current,) = suspects.picture()
    assert (current.value, current.expected) == (9.0, 6.0)


def test_the_noise_of_a_resting_clamp_is_no_phase_that_draws_more() -> None:
    at_rest = [Deviation("current_l2", 0.027, 0.022, 0.8), *deviations({"gas": (0.3, 9), "v.band_4": (0.8, 15)})]
    told = []
    for running in ({}, dict.fromkeys(PHASES, 1.8)):
        suspects = Suspects()
        suspects.hear("off", at_rest)
        suspects.weigh(COOLER, "compressor", usual=partial(_usual, running))
        told.append(suspects.ranked()[0].code)
    assert told == ["winding_short", "valve_leak"], "a quarter more of 22 mA; nothing of the 1.8 A of a motor at work"


def _usual(running: dict[str, float], feature: str) -> float:
    return running.get(feature, 0.0)
