"""Causes whose evidence is a waveform: from known signals through features and rules, without a model between."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from models.condition.bearing import Bearing
from models.condition.causes import explain
from models.condition.contract import Deviation, FeatureInfo
from models.condition.features import Features, Found

RATE = 12_000.0
SPEED = 29.0
Floats = NDArray[np.float64]


def machine(seed: int, seconds: float = 2.0) -> Floats:
    rng = np.random.default_rng(seed)
    t = np.arange(int(RATE * seconds)) / RATE
    wave = 0.05 * rng.standard_normal((len(t), 3))
    for order in range(1, 5):
        wave += rng.uniform(0.01, 0.03, 3) / order * np.sin(2 * math.pi * order * SPEED * t + order)[:, None]
    return wave


def turning(order: float, size: float, seconds: float = 2.0) -> Floats:
    t = np.arange(int(RATE * seconds)) / RATE
    wave: Floats = size * np.sin(2 * math.pi * order * SPEED * t)[:, None] * np.array([1.0, 0.7, 0.3])
    return wave


def knocking(rhythm_hz: float, swell: float, size: float = 0.8) -> Floats:
    n = int(2 * RATE)
    rng = np.random.default_rng(9)
    struck = np.zeros(n)
    at = 0.0
    while (place := int(at * RATE)) < n:
        struck[place] = 1.0 + swell * math.cos(2 * math.pi * SPEED * at)
        at += (1 + rng.normal(0, 0.004)) / rhythm_hz
    t = np.arange(80) / RATE
    return size * np.convolve(struck, np.exp(-1200 * t) * np.sin(2 * math.pi * 3200 * t))[:n, None] * np.ones(3)


def causes(normal: Found, now: Found, quantity: str) -> list[str]:
    """Ranked causes of what differs, one deviation for each tenth of a ratio or point of a percentage."""
    info = {f"c.{name}": FeatureInfo(now.units[name], "c", quantity) for name in now.values}
    deviations = [
        Deviation(f"c.{name}", value, normal.values[name], sigma)
        for name, value in now.values.items()
        if name in normal.values and abs(sigma := _sigma(value, normal.values[name], now.units[name])) >= 2.0
    ]
    signs = {f"c.{name}": value for name, value in now.signs.items()}
    return [cause.code for cause in explain(deviations, info, signs=signs).causes]


def _sigma(value: float, normal: float, unit: str) -> float:
    if unit == "%":
        return value - normal
    return 10.0 * math.log(value / normal) if value > 0 and normal > 0 else 0.0


@pytest.mark.parametrize("rated", [True, False])
@pytest.mark.parametrize(
    ("added", "cause"),
    [
        (turning(1, 0.3), "imbalance"),
        (turning(2, 0.3), "misalignment"),
        (turning(1, 0.3) + turning(2, 0.05) + 0.3 * turning(7, 0.3), "imbalance"),
        (knocking(Bearing(9, 7.94, 39.04).lines(SPEED)["bpfo"], 0.0), "bearing_outer"),
        (knocking(Bearing(9, 7.94, 39.04).lines(SPEED)["bpfi"], 0.9), "bearing_inner"),
        (knocking(Bearing(13, 5.5, 39.0).lines(SPEED)["bpfi"], 0.9), "bearing_inner"),
        (knocking(Bearing(7, 9.0, 36.0).lines(SPEED)["bpfo"], 0.0), "bearing_outer"),
    ],
)
def test_a_known_fault_is_named_first(added: Floats, cause: str, *, rated: bool) -> None:
    features = Features(SPEED if rated else None)
    features.listen(machine(1), RATE)
    normal = features.vibration(machine(2)[:12_000], RATE, "g")
    faulty = features.vibration((machine(3) + added)[:12_000], RATE, "g")
    assert causes(normal, faulty, "vibration")[0] == cause


def test_the_same_machine_has_no_cause() -> None:
    features = Features(SPEED)
    normal = features.vibration(machine(2)[:12_000], RATE, "g")
    assert causes(normal, features.vibration(machine(3)[:12_000], RATE, "g"), "vibration") == ["unknown"]


def phases(sizes: tuple[float, float, float]) -> Floats:
    t = np.arange(3200) / 3200.0
    wave = [math.sqrt(2) * a * np.sin(2 * math.pi * 50 * t - 2 * math.pi * k / 3) for k, a in enumerate(sizes)]
    return np.column_stack(wave) + 0.01 * np.random.default_rng(4).standard_normal((3200, 3))


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_phase_that_draws_more_is_a_winding(damaged: int) -> None:
    features = Features()
    sizes = [2.0, 2.0, 2.05]
    normal = features.current(phases((2.0, 2.0, 2.05)), 3200.0, "A")
    sizes[damaged] *= 1.25
    faulty = features.current(phases((sizes[0], sizes[1], sizes[2])), 3200.0, "A")
    assert causes(normal, faulty, "current")[0] == "winding_short"
    # The direction of the negative sequence turns by a third from phase to phase.
    change = complex(
        faulty.values["negative_real"] - normal.values["negative_real"],
        faulty.values["negative_imaginary"] - normal.values["negative_imaginary"],
    )
    assert abs(change) > 5
    turned = change * np.exp(-2j * math.pi * damaged / 3)
    assert abs(math.atan2(turned.imag, turned.real)) < 0.3
