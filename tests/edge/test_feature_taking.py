"""Features taken from blocks: what is held, what is recorded, and what outlasts a restart."""

import math

import numpy as np
import pytest

from edge.feature_taking import FeatureTaking
from edge.machine import Column, MachinePath, MachineSetup, SensorReading
from edge.sensors.base import Block, Channel, Quantity
from models.condition.bearing import Bearing
from models.condition.features import Features
from models.condition.model import Condition
from models.condition.settings import Settings

RATE = 3200.0
SECOND = 1_000_000_000
VIBRATION = Channel("vibration", "g", Quantity.VIBRATION, -16, 16, axes=3, rate_hz=RATE)
OVEN = Channel("oven", "°C", Quantity.TEMPERATURE, -50, 500)


def path(**known: float) -> MachinePath:
    setup = MachineSetup("m", running_speed_hz=known.get("running_speed_hz"))
    return MachinePath(setup, [VIBRATION, OVEN], Condition(Settings(warmup=30)))


def shaking(second: int, hz: float) -> Block:
    t = second + np.arange(3200) / RATE
    rng = np.random.default_rng(second)
    wave = sum(np.sin(2 * math.pi * k * hz * t)[:, None] / k for k in (1, 2, 3, 4)) * np.array([0.2, 0.15, 0.1])
    return Block(VIBRATION, second * SECOND, wave + 0.02 * rng.standard_normal((3200, 3)), RATE)


def test_the_running_speed_is_recorded_and_outlasts_a_restart() -> None:
    first = path()
    step = first.step(2 * SECOND, [SensorReading("s", [shaking(1, 24.3)])])
    told = step.series["vibration.running_speed"]
    assert told.unit == "rpm"
    assert told.values[0] == pytest.approx(60 * 24.3, rel=2e-3)
    assert step.sample is not None
    assert not step.sample.info["vibration.running_speed"].scored
    again = path()
    again.restore(first.snapshot())
    quiet = Block(VIBRATION, 100 * SECOND, 0.02 * np.random.default_rng(0).standard_normal((3200, 3)), RATE)
    after = again.step(101 * SECOND, [SensorReading("s", [quiet])])
    assert after.series["vibration.running_speed"].values[0] == pytest.approx(60 * 24.3, rel=2e-3)


def test_a_rated_speed_counts_more_than_a_remembered_one() -> None:
    first = path()
    first.step(2 * SECOND, [SensorReading("s", [shaking(1, 24.3)])])
    rated = path(running_speed_hz=49.0)
    rated.restore(first.snapshot())
    after = rated.step(3 * SECOND, [SensorReading("s", [shaking(2, 48.6)])])
    assert after.series["vibration.running_speed"].values[0] == pytest.approx(60 * 48.6, rel=0.01)


def test_a_snapshot_with_an_impossible_speed_is_refused() -> None:
    made = path()
    state = made.snapshot()
    with pytest.raises(ValueError, match="running speed"):
        made.restore({**state, "speed": [1e9, 1.0, 1.0]})


def test_blocks_that_came_together_are_one_and_single_gaps_are_bridged() -> None:
    whole = shaking(1, 24.3)
    halves = [
        Block(VIBRATION, whole.start_ns, whole.values[:1600].copy(), RATE),
        Block(VIBRATION, whole.start_ns + SECOND // 2, whole.values[1600:].copy(), RATE),
    ]
    halves[0].values[700] = np.nan
    one = path().step(2 * SECOND, [SensorReading("s", [whole])]).series
    two = path().step(2 * SECOND, [SensorReading("s", halves)]).series
    assert two["vibration.x.order_1"].values[0] == pytest.approx(one["vibration.x.order_1"].values[0], rel=0.01)


def test_blocks_with_time_between_them_are_not_joined_when_they_come_together() -> None:
    # A second of each three, after the line was down for a while; the shaft's phase jumps from one to the next.
    looked = [shaking(second, 24.3) for second in (1, 4, 7)]
    alone = path().step(8 * SECOND, [SensorReading("s", looked[-1:])]).series
    late = path().step(8 * SECOND, [SensorReading("s", looked)]).series
    assert {name: column.values for name, column in late.items()} == {name: c.values for name, c in alone.items()}


def test_a_time_constant_is_a_sign_while_an_oven_heats_up() -> None:
    made = path()
    for k in range(60):
        value = 220.0 - 200.0 * math.exp(-k * 10.0 / 300.0)
        step = made.step((k * 10 + 1) * SECOND, [SensorReading("s", [Block(OVEN, k * 10 * SECOND, np.array([value]))])])
    assert step.sample is not None
    assert step.sample.values["oven.time_constant"] == pytest.approx(5.0, rel=0.05)
    assert not step.sample.info["oven.time_constant"].scored
    assert isinstance(step.series["oven.slope"], Column)


def test_a_line_that_has_become_too_slow_for_a_block_is_not_held() -> None:
    taking = FeatureTaking(Features(bearing=Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)))
    wave = np.random.default_rng(0).standard_normal((800, 3))
    held = {}
    for second, speed_hz in ((1, 26.0), (2, 24.0), (3, 26.0)):
        taking.features.speed.measure(speed_hz)
        taking.take("vibration", [Block(VIBRATION, second * SECOND, wave, RATE)], {})
        held[second] = taking.values(lambda _: True)
    assert "vibration.envelope_ftf" in held[1], "10.4 Hz in a quarter of a second"
    assert "vibration.envelope_ftf" not in held[2], "9.6 Hz"
    assert held[1].keys() == held[3].keys() == held[2].keys() | {"vibration.envelope_ftf"}


def test_a_short_stretch_between_two_losses_takes_nothing_away_but_many_of_them_do() -> None:
    taking = FeatureTaking(Features(bearing=Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)))
    taking.features.speed.measure(26.0)
    wave = np.random.default_rng(0).standard_normal((800, 3))
    taking.take("vibration", [Block(VIBRATION, SECOND, wave, RATE)], {})
    whole = taking.values(lambda _: True)
    for second in range(2, 40):
        taking.take("vibration", [Block(VIBRATION, second * SECOND, wave[:40], RATE)], {})
        if second == 2:
            assert taking.values(lambda _: True).keys() == whole.keys()
    assert "vibration.envelope_ftf" not in taking.values(lambda _: True)
