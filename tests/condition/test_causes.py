"""Causes from symptoms."""

import pytest

from models.condition.contract import Deviation, FeatureInfo
from models.condition.causes import RULES, explain

INFO = {
    **{
        f"v.{name}": FeatureInfo("g", "v", "vibration")
        for name in (
            "rms", "velocity_rms", "order_1", "order_2", "order_3", "orders_high", "kurtosis", "band_1", "band_4",
            "envelope_bpfo", "envelope_bpfi", "envelope_bsf", "envelope_ftf",
        )
    },
    **{f"current_l{k}": FeatureInfo("A", f"current_l{k}", "current") for k in (1, 2, 3)},
    "current.unbalance": FeatureInfo("%", "current", "current"),
    "current.x.rms": FeatureInfo("A", "current", "current"),
    "power": FeatureInfo("W", "power", "power"),
    "oven": FeatureInfo("°C", "oven", "temperature"),
    "oven.slope": FeatureInfo("°C/min", "oven", "temperature"),
    "speed": FeatureInfo("rpm", "speed", "speed"),
}  # fmt: skip


def first(kind: str = "generic", **sigmas: float) -> str:
    deviations = [Deviation(name, 1.0, 0.0, sigma) for name, sigma in sigmas.items()]
    deviations.sort(key=lambda deviation: -abs(deviation.sigma))
    return explain(deviations, INFO, kind).causes[0].code


@pytest.mark.parametrize(
    ("sigmas", "cause"),
    [
        ({"v.envelope_bpfo": 15, "v.kurtosis": 12, "v.rms": 20, "v.envelope_bpfi": 3}, "bearing_outer"),
        ({"v.envelope_bpfi": 15, "v.kurtosis": 12, "v.envelope_bpfo": 3}, "bearing_inner"),
        ({"v.envelope_bsf": 15, "v.kurtosis": 12}, "bearing_ball"),
        ({"v.order_1": 20, "v.velocity_rms": 22}, "imbalance"),
        ({"v.order_2": 20, "v.order_1": 6}, "misalignment"),
        ({"v.orders_high": 20, "v.order_3": 18, "v.order_2": 10}, "looseness"),
        ({"current_l2": -40, "power": -8}, "heating_element_open"),
        ({"current.unbalance": 20, "current.x.rms": 18}, "winding_short"),
        ({"oven": 9}, "thermostat_drift"),
    ],
)
def test_textbook_symptoms(sigmas: dict[str, float], cause: str) -> None:
    assert first(**sigmas) == cause


@pytest.mark.parametrize("sigmas", [{}, {"v.rms": 1.0}, {"nobody.knows": 30.0}, {"v.rms": -9.0}])
def test_unknown_is_an_answer(sigmas: dict[str, float]) -> None:
    assert first(**sigmas) == "unknown"


def test_confidences_are_shares_and_ranked() -> None:
    deviations = [Deviation(name, 1.0, 0.0, 50.0) for name in INFO]
    causes = explain(deviations, INFO, "oven").causes
    confidences = [cause.confidence for cause in causes[:-1]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= cause.confidence <= 1 for cause in causes)
    assert causes[-1].code == "unknown"
    assert all(set(cause.evidence) <= set(INFO) for cause in causes)


def test_a_new_regime_is_less_certain() -> None:
    deviations = [Deviation("v.order_1", 1.0, 0.0, 20.0)]
    sure = explain(deviations, INFO).causes[0].confidence
    assert explain(deviations, INFO, known_regime=False).causes[0].confidence < sure


def test_codes_are_names() -> None:
    assert all(code.replace("_", "").isalpha() and code.islower() for code in RULES)
