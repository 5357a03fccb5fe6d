"""The running speed, told from spectra and from currents whose answer is known."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from models.condition.features import Features
from models.condition.features.speed import NEAR, RunningSpeed, estimate, salient

RATE = 3200.0
Floats = NDArray[np.float64]


def shaft(
    rng: np.random.Generator, hz: float, orders: int, seconds: float, rate: float = RATE, noise: float = 0.05
) -> Floats:
    """Three axes of a machine that shakes at multiples of its speed, and hums at twice the mains'."""
    t = np.arange(int(seconds * rate)) / rate
    wave = noise * rng.standard_normal((len(t), 3)) + 0.02 * np.sin(2 * math.pi * 100 * t)[:, None]
    for order in range(1, orders + 1):
        size = rng.uniform(0.03, 0.1, 3) / order**0.5
        wave += size * np.sin(2 * math.pi * order * hz * t + rng.uniform(0, 6))[:, None]
    return wave


def told(wave: Floats, rate: float = RATE, near_hz: float | None = None) -> tuple[float, float] | None:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))[:, None], axis=0)).T
    return estimate(salient(spectrum, rate / len(wave), 50.0), near_hz)


def test_many_machines_and_none_of_them_wrong() -> None:
    rng = np.random.default_rng(5)
    right = wrong = 0
    for _ in range(150):
        hz = rng.uniform(8, 60)
        found = told(shaft(rng, hz, int(rng.integers(2, 9)), 1.0))
        if found is not None and found[1] >= 0.35:
            right += abs(found[0] / hz - 1) < 0.02
            wrong += abs(found[0] / hz - 1) >= 0.02
    assert right >= 130
    assert wrong <= 3


def test_noise_has_no_speed() -> None:
    rng = np.random.default_rng(6)
    sure = [(told(rng.standard_normal((3200, 3))) or (0.0, 0.0))[1] for _ in range(60)]
    assert max(sure) < 0.3


def test_lines_of_the_mains_are_no_shaft() -> None:
    t = np.arange(3200) / RATE
    hum = sum(np.sin(2 * math.pi * 50 * k * t) / k for k in (1, 2, 3, 4))
    wave = np.column_stack([hum] * 3) + shaft(np.random.default_rng(7), 24.6, 5, 1.0)
    assert told(wave) == pytest.approx((24.6, 0.6), abs=0.4)


@pytest.mark.parametrize("weak", [1, 2])
def test_half_the_speed_is_no_answer(weak: int) -> None:
    t = np.arange(6400) / RATE
    rng = np.random.default_rng(8)
    orders = [order for order in range(1, 6) if order != weak]
    wave = sum(np.sin(2 * math.pi * 29.0 * order * t) / order for order in orders)
    found = told(np.column_stack([wave, wave]) + 0.1 * rng.standard_normal((6400, 2)))
    assert found is not None
    assert found[0] == pytest.approx(29.0, rel=0.01)


def test_a_rated_speed_is_refined_within_its_slip() -> None:
    rng = np.random.default_rng(9)
    features = Features(24.6)
    features.vibration(shaft(rng, 24.9, 4, 1.0), RATE, "g")
    assert features.speed.hz == pytest.approx(24.9, abs=0.05)
    other = Features(24.6)
    other.vibration(shaft(rng, 41.0, 4, 1.0), RATE, "g")
    assert other.speed.hz == pytest.approx(24.6, rel=NEAR)


def test_short_blocks_tell_it_together_and_a_gap_starts_anew() -> None:
    rng = np.random.default_rng(10)
    wave = shaft(rng, 17.3, 5, 3.0, rate=20_000.0)
    together, apart = Features(), Features()
    for k in range(30):
        block = wave[2000 * k : 2000 * (k + 1)]
        together.vibration(block, 20_000.0, "g", channel="v", start_s=0.1 * k)
        apart.vibration(block, 20_000.0, "g", channel="v", start_s=0.5 * k)
    assert together.speed.hz == pytest.approx(17.3, abs=0.1)
    assert apart.speed.hz is None


def test_blocks_of_odd_length_follow_each_other() -> None:
    wave = shaft(np.random.default_rng(11), 23.0, 5, 3.0, rate=6667.0)
    features = Features()
    for k in range(29):
        features.vibration(wave[667 * k : 667 * (k + 1)], 6667.0, "g", channel="v", start_s=667 * k / 6667.0)
    assert features.speed.hz == pytest.approx(23.0, abs=0.1)


def test_a_new_speed_is_found_after_a_while() -> None:
    rng = np.random.default_rng(12)
    features = Features()
    for k in range(400):
        hz = 20.0 if k < 100 else 33.0
        features.vibration(shaft(rng, hz, 5, 1.0, rate=800.0), 800.0, "g", channel="v", start_s=float(k))
        if k == 99:
            assert features.speed.hz == pytest.approx(20.0, abs=0.1)
    assert features.speed.hz == pytest.approx(33.0, abs=0.2)


def test_listening_beforehand_tells_the_speed_to_the_first_block() -> None:
    wave = shaft(np.random.default_rng(13), 10.0, 5, 3.0, rate=20_000.0)
    features = Features()
    features.listen(wave[:40_000], 20_000.0)
    found = features.vibration(wave[:2000], 20_000.0, "g", channel="v", start_s=100.0)
    assert features.speed.hz == pytest.approx(10.0, abs=0.05)
    assert found.values["x.order_1"] == pytest.approx(np.abs(2 * np.mean(
        wave[:2000, 0] * np.exp(-2j * math.pi * 10.0 * np.arange(2000) / 20_000.0))), rel=0.1)  # fmt: skip


def test_currents_tell_it_where_vibration_does_not() -> None:
    rng = np.random.default_rng(14)
    t = np.arange(1000) / 1000.0
    eccentric = 0.02 * np.sin(2 * math.pi * (60 - 29.0) * t) + 0.02 * np.sin(2 * math.pi * (60 + 29.0) * t)
    phases = [
        3 * np.sin(2 * math.pi * 60 * t - shift) + eccentric + 0.005 * rng.standard_normal(1000)
        for shift in (0.0, 2.09, 4.19)
    ]
    features = Features(nominal_hz=60.0)
    features.current(np.column_stack(phases), 1000.0, "A", start_s=0.0)
    assert features.speed.hz == pytest.approx(29.0, abs=1.0)
    quiet = Features(nominal_hz=60.0)
    quiet.current(3 * np.sin(2 * math.pi * 60 * t) + 0.05 * rng.standard_normal(1000), 1000.0, "A", start_s=0.0)
    assert quiet.speed.hz is None


def test_a_machine_without_a_shaft_is_asked_ever_more_seldom() -> None:
    speed = RunningSpeed()
    rng = np.random.default_rng(15)
    looks = 0
    for second in range(600):
        if speed.due(float(second)):
            looks += 1
            speed.look(float(second), salient(np.abs(rng.standard_normal((1, 400))), 1.0, 50.0), 1.0)
    assert speed.hz is None
    assert looks < 25
