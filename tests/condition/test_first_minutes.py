"""Judging by little: what a short warm-up cannot know raises no alarm, and what it finds says how sure it is."""

import math

import numpy as np

from models.condition.contract import FeatureInfo, Sample
from models.condition.features.speed import NEAR, RunningSpeed, salient
from models.condition.learning import learn
from models.condition.model import Condition
from models.condition.outlook import assurance, certainty
from models.condition.settings import Settings
from models.condition.tolerance import tolerance

INFO = {
    "current": FeatureInfo("A", "current", "current"),
    "vibration.rms": FeatureInfo("g", "vibration", "vibration"),
    "motor": FeatureInfo("°C", "motor", "temperature"),
    "motor.slope": FeatureInfo("°C/min", "motor", "temperature"),
}


def test_one_look_that_is_beside_the_shaft_moves_no_order() -> None:
    speed, rng = RunningSpeed(24.6), np.random.default_rng(2)
    t = np.arange(3200) / 3200.0

    def look(second: float, hz: float) -> float:
        wave = sum(np.sin(2 * math.pi * hz * order * t) / order for order in range(1, 6))
        rows = np.column_stack([wave, wave]) + 0.05 * rng.standard_normal((3200, 2))
        spectrum = np.abs(np.fft.rfft(rows * np.hanning(3200)[:, None], axis=0)).T
        speed.look(second, salient(spectrum, 1.0, 50.0), 1.0)
        assert speed.hz is not None
        return speed.hz

    for k in range(5):
        assert abs(look(30.0 * k, 24.4) - 24.4) < 0.1
    assert abs(look(150.0, 25.3) - 24.4) < 0.1, "one of six"
    look(180.0, 25.3)
    assert abs(look(210.0, 25.3) - 25.3) < 0.1, "it turns faster now"
    other = RunningSpeed(24.6)
    other.load(speed.state())
    assert other.state() == speed.state()


def test_a_known_speed_is_looked_at_soon_at_first_and_stays_near_its_plate() -> None:
    speed, rng = RunningSpeed(24.6), np.random.default_rng(3)
    looks = []
    for second in range(120):
        if speed.due(float(second)):
            t = np.arange(3200) / 3200.0
            wave = np.sin(2 * math.pi * 24.6 * t + rng.uniform(0, 6)) + 0.5 * np.sin(2 * math.pi * 49.2 * t)
            # Blocks of a machine that was elsewhere meanwhile: its phase jumps within the window.
            wave[1600:] = np.sin(2 * math.pi * 24.6 * t[1600:] + rng.uniform(0, 6))
            spectrum = np.abs(np.fft.rfft(wave * np.hanning(3200)))
            speed.look(float(second), salient(np.tile(spectrum, (3, 1)), 1.0, 50.0), 1.0)
            looks.append(second)
            assert speed.hz is not None
            assert abs(speed.hz / 24.6 - 1.0) <= NEAR + 1e-9
    assert len([second for second in looks if second < 30]) >= 5
    assert len(looks) <= 10


def test_a_slope_is_seen_once_in_its_window_however_quickly_it_is_looked_at() -> None:
    assert tolerance(INFO["motor.slope"], "motor.slope", 5.0, 0.25).look == 240.0
    assert tolerance(INFO["motor.slope"], "motor.slope", 5.0, 300.0).look == 16.0
    assert tolerance(INFO["motor"], "motor", 60.0, 0.25).look == 1.0


def test_temperatures_that_were_seen_to_rise_together_need_not() -> None:
    rng = np.random.default_rng(4)
    rows, tolerances = 200, np.tile((0.0, 0.01, 1.0), (2, 1))
    quick = rng.standard_normal((rows, 1)) + 0.1 * rng.standard_normal((rows, 2))
    slow = np.sin(2 * math.pi * np.arange(rows) / 80.0)[:, None] + 0.1 * rng.standard_normal((rows, 2))
    held = [fit.inverse[0, 1] for fit in (learn(x, tolerances, 4e-7)[0] for x in (quick, slow))]
    assert held[0] < -2.0, "two hundred looks at both"
    assert abs(held[1]) < 0.5 * abs(held[0]), "few looks at either"


def _sample(time_s: float, rng: np.random.Generator, *, on: bool, shaken: bool) -> Sample:
    current, vibration = (8.0, 0.2) if on else (0.05, 0.01)
    vibration = 0.2 if shaken else vibration
    values = {
        "current": current * (1 + 0.01 * rng.standard_normal()),
        "vibration.rms": vibration * math.exp(0.05 * rng.standard_normal()),
        "motor": 40.0 + rng.standard_normal(),
    }
    return Sample(time_s, values, INFO)


def test_coasting_down_from_a_regime_that_is_not_judged_yet_is_under_way_too() -> None:
    rng = np.random.default_rng(5)
    model = Condition(Settings(warmup=60))
    verdicts = []
    for k in range(140):
        # It runs for 8 of 24 samples; its current is read before it stops, its vibration a moment later.
        place = k % 24
        sample = _sample(float(k), rng, on=place >= 16, shaken=place >= 16 or (place == 0 and k > 0))
        verdicts.append(model.score(sample))
        model.learn(sample, verdicts[-1])
    judged = verdicts[60:]
    assert {verdict.regime for verdict in judged} == {"on", "off"}
    assert any(verdict.regime == "on" and verdict.limit is None for verdict in judged), "seen too seldom to be judged"
    assert max(verdict.score for verdict in judged if verdict.regime == "off") < 1.0


def test_a_cause_is_worth_what_the_normal_is_that_it_was_told_from_and_more_the_farther_away_it_is() -> None:
    known = certainty(60)
    just, far = assurance(known, 1.05), assurance(known, 12.0)
    assert just < 0.65
    assert far > 0.9
    assert assurance(known, 0.5) == assurance(known, 1.0) == known, "below the limit there is nothing to be sure of"
    assert assurance(1.0, 1.0) == 1.0
