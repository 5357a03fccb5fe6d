"""Sensor checks: what is no reading, when it is told, and when it is over."""

from itertools import pairwise

import numpy as np
import pytest
from support.sensor_feed import SECOND, Feed

from edge.checks import Checks
from edge.habits import Rhythm, Runs
from edge.sensors.base import Block, Channel, Fault, Quantity

TEMPERATURE = Channel("oven", "°C", Quantity.TEMPERATURE, -50, 400, resolution=0.1)
VIBRATION = Channel("vibration", "g", Quantity.VIBRATION, -16, 16, rate_hz=1600.0, resolution=0.004)
CURRENT = Channel("current", "A", Quantity.CURRENT, -30, 30, rate_hz=1600.0)
POWER = Channel("power", "W", Quantity.POWER, 0, 5000)


def test_no_data_is_told_within_ten_seconds_and_clears_by_itself() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(30)
    silent = 0
    while feed.fault is None:
        feed.tick(None)
        silent += 1
        assert silent < 10
    assert feed.fault is Fault.NO_DATA
    for _ in range(10):
        feed.tick([200.0 + feed.rng.standard_normal()])
    assert feed.fault is None


def test_never_a_word_is_no_data() -> None:
    feed = Feed(TEMPERATURE)
    for _ in range(40):
        feed.tick(None)
    assert feed.fault is Fault.NO_DATA


def test_bursty_channel_keeps_its_own_rhythm() -> None:
    feed = Feed(Channel("power", "W", Quantity.POWER, period_s=1.0))
    for k in range(600):
        feed.tick([100 + feed.rng.standard_normal()] if k % 28 == 0 or k % 28 == 3 else None)
    assert feed.fault is None


def test_one_value_out_of_range_is_left_out_but_no_fault() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(10)
    assert feed.tick([1000.0]) == []
    assert feed.fault is None
    feed.noisy(3)
    for _ in range(3):
        assert feed.tick([1000.0]) == []
    assert feed.fault is Fault.OUT_OF_RANGE
    assert "1000" in feed.check.fault[1]  # type: ignore[index]  # there is one
    feed.tick([200.0])
    assert feed.fault is Fault.OUT_OF_RANGE, "not over with the first good reading"


def test_stuck_noisy_channel() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(60)
    ticks = 0
    while feed.fault is None:
        feed.tick([200.25])
        ticks += 1
        assert ticks < 12
    assert feed.fault is Fault.STUCK
    for _ in range(8):
        feed.tick([200.0 + feed.rng.standard_normal()])
    assert feed.fault is None


@pytest.mark.parametrize("step", [0.0, 0.02, 0.1])
def test_slow_quantised_channel_is_never_stuck(step: float) -> None:
    feed = Feed(TEMPERATURE)
    value = 28.0
    for _ in range(3000):
        value += step * feed.rng.standard_normal() * 0.3
        feed.tick([round(value, 1)])
        assert feed.fault is None


def test_steady_channel_is_never_stuck() -> None:
    feed = Feed(Channel("door", "", Quantity.STATE, 0, 1, steady=True))
    for k in range(60):
        feed.tick([float(feed.rng.random() > 0.5)] if k < 30 else [0.0])
    for _ in range(3000):
        feed.tick([0.0])
    assert feed.fault is None


def test_power_at_zero_is_off_not_stuck() -> None:
    feed = Feed(POWER)
    feed.noisy(100)
    for _ in range(500):
        feed.tick([0.0])
    assert feed.fault is None


def test_constant_waveform_is_stuck_but_no_current_is_not() -> None:
    still, off = Feed(VIBRATION), Feed(CURRENT)
    for _ in range(5):
        still.tick(np.full(800, 0.5))
        off.tick(np.zeros(800))
    assert still.fault is Fault.STUCK
    assert off.fault is None


def test_clipped_waveform() -> None:
    feed = Feed(VIBRATION)
    wave = np.clip(20 * np.sin(np.arange(1600) / 10), -16, 16)
    for _ in range(3):
        assert feed.tick(wave) == []
    assert feed.fault is Fault.CLIPPED


def test_gaps_and_lost_samples() -> None:
    feed = Feed(VIBRATION)
    wave = feed.rng.standard_normal(1600)
    assert feed.tick(wave, lost=50), "a few lost samples are none"
    for _ in range(3):
        assert feed.tick(wave, lost=1000) == []
    assert feed.fault is Fault.GAPS


def test_nan_reading_is_no_reading() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(5)
    for _ in range(3):
        assert feed.tick([float("nan")]) == []
    assert feed.fault is Fault.GAPS


def test_the_chips_own_fault_is_passed_on() -> None:
    feed = Feed(TEMPERATURE)
    for _ in range(3):
        assert feed.tick([20.0], faults=((Fault.OPEN, "MAX31855 on spi0.0: thermocouple open"),)) == []
    assert feed.check.fault == (Fault.OPEN, "MAX31855 on spi0.0: thermocouple open")


def test_overrun_is_told_but_the_block_is_good() -> None:
    feed = Feed(VIBRATION)
    for _ in range(3):
        assert feed.tick(feed.rng.standard_normal(800), faults=((Fault.OVERRUN, "fifo"),))
    assert feed.fault is Fault.OVERRUN


def test_alternating_bad_and_good_does_not_flap() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(10)
    states = []
    for k in range(200):
        feed.tick([1000.0] if k % 2 else [200.0 + feed.rng.standard_normal()])
        states.append(feed.fault is not None)
    assert sum(a != b for a, b in pairwise(states)) <= 1


def test_a_sensors_error_is_its_channels_fault() -> None:
    checks = Checks([TEMPERATURE, VIBRATION])
    rng = np.random.default_rng(0)
    now = 10**12
    for k in range(12):
        now += SECOND
        blocks = {
            "a": {"oven": [Block(TEMPERATURE, now, np.array([20 + rng.standard_normal()]))]} if k < 6 else {},
            "b": {"vibration": [Block(VIBRATION, now, rng.standard_normal(800), 1600.0)]},
        }
        checks.look(now, blocks, {"a": "i2c-1: no answer at 0x48"} if k >= 6 else {})
    assert set(checks.faults) == {"oven"}
    assert checks.faults["oven"] == (Fault.BUS, "i2c-1: no answer at 0x48")
    assert not checks.holds("oven", now)
    assert checks.holds("vibration", now)


def test_habits_survive_a_snapshot() -> None:
    checks = Checks([TEMPERATURE])
    for k in range(20):
        checks.look(k * SECOND, {"a": {"oven": [Block(TEMPERATURE, k * SECOND, np.array([20.0 + k % 3]))]}}, {})
    again = Checks([TEMPERATURE])
    again.load(checks.state())
    assert again.state() == checks.state()
    again.load({"gone": [1, 1, 1, 1, 1, 1]})


def test_a_channel_that_slows_down_for_good_is_not_faulty_for_ever() -> None:
    rhythm = Rhythm()
    for _ in range(40):
        rhythm.hear(0.1)
    rhythm.hear(10.0)
    assert rhythm.mean_s == pytest.approx(0.1), "one outage is no rhythm"
    for _ in range(3):
        rhythm.hear(0.1)
    for _ in range(12):
        rhythm.hear(10.0)
    assert rhythm.mean_s == pytest.approx(10.0)
    assert rhythm.limit_s(0.0) > 10.0


def test_rhythm_forgets_outages() -> None:
    rhythm = Rhythm()
    for _ in range(50):
        rhythm.hear(1.0)
    before = rhythm.limit_s(1.0)
    rhythm.hear(90_000.0)
    assert rhythm.limit_s(1.0) == before


def test_runs_need_evidence() -> None:
    runs = Runs()
    for _ in range(500):
        runs.hear(5.0)
    assert not runs.improbable, "never seen to move"


def test_one_dead_axis_of_three_is_stuck() -> None:
    feed = Feed(Channel("vibration", "g", Quantity.VIBRATION, -16.0, 16.0, axes=3, rate_hz=1600.0))
    for _ in range(4):
        block = feed.rng.standard_normal((800, 3))
        block[:, 1] = 0.25
        feed.tick(block)
    assert feed.fault is Fault.STUCK
    assert feed.check.fault is not None
    assert "axis 1" in feed.check.fault[1]
