"""Sensor checks: readings that jump, skip or hang, and what looks like it and is a reading."""

import numpy as np
import pytest
from support.sensor_feed import SECOND, Feed

from edge.checks import Checks
from edge.sensors.base import Block, Channel, Fault, Quantity

TEMPERATURE = Channel("oven", "°C", Quantity.TEMPERATURE, -50, 400, resolution=0.1)
VIBRATION = Channel("vibration", "g", Quantity.VIBRATION, -16, 16, rate_hz=1600.0, resolution=0.004)
CURRENT = Channel("current", "A", Quantity.CURRENT, -30, 30, rate_hz=1600.0)


def spiked(feed: Feed, share: float, low: float, high: float) -> int:
    """Runs a channel with a loose plug until it is told; how many wild readings that took."""
    count = 0
    while feed.fault is None:
        wild = feed.rng.random() < share
        count += wild
        feed.tick([feed.rng.uniform(low, high) if wild else 200.0 + feed.rng.standard_normal()])
        assert count < 50
    assert feed.fault is Fault.SPIKE
    return count


@pytest.mark.parametrize("seed", range(8))
def test_a_loose_plug_is_told_and_the_channel_not_used_while_it_lasts(seed: int) -> None:
    feed = Feed(Channel("current", "A", Quantity.CURRENT, 0, 3000), seed)
    feed.noisy(200)
    assert 2 <= spiked(feed, 0.25, 400.0, 2900.0) <= 5
    for _ in range(60):
        wild = feed.rng.random() < 0.25
        feed.tick([feed.rng.uniform(400.0, 2900.0) if wild else 200.0 + feed.rng.standard_normal()])
        assert not feed.check.holds(feed.now_ns)
    feed_over(feed)


def feed_over(feed: Feed) -> None:
    for _ in range(40):
        feed.tick([200.0 + feed.rng.standard_normal()])
    assert feed.fault is None
    assert feed.check.holds(feed.now_ns)


def test_one_jump_that_no_thermometer_can_have_seen_is_enough() -> None:
    feed = Feed(Channel("oven", "°C", Quantity.TEMPERATURE, -200, 1372))
    feed.noisy(200)
    assert feed.tick([900.0]) == []
    assert not feed.check.holds(feed.now_ns)
    feed.tick([200.0])
    assert feed.fault is Fault.SPIKE
    feed_over(feed)


def test_what_stays_where_none_ever_was_is_a_reading() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(200)
    assert feed.tick([260.0]) == [], "doubted"
    for _ in range(50):
        assert feed.tick([260.0 + feed.rng.standard_normal()])
        assert feed.fault is None


@pytest.mark.parametrize("start_a", [0.0, 60.0])
def test_switching_on_and_off_is_no_spike_nor_is_a_starting_current(start_a: float) -> None:
    feed = Feed(Channel("current", "A", Quantity.CURRENT, 0, 100))
    for k in range(1200):
        on = k % 9 < 3
        peak = feed.rng.uniform(0.5, 1.0) * start_a if k % 9 == 0 else 0.0
        feed.tick([peak or (8.0 if on else 0.05) * (1 + 0.01 * feed.rng.standard_normal())])
        assert feed.fault is None


def test_starting_currents_that_few_readings_fall_into_are_no_spikes_and_a_plug_still_is() -> None:
    feed = Feed(Channel("current", "A", Quantity.CURRENT, 0, 30, resolution=0.001))

    def cycle(*, start: bool = False, loose: bool = False) -> None:
        for k in range(12):
            level = 5.8 if start and k == 0 else 1.8 if k < 6 else 0.02
            feed.tick([13.0 if loose and k in {3, 9} else level * (1 + 0.01 * feed.rng.standard_normal())])

    for _ in range(30):
        cycle()
    for _ in range(3):
        cycle(start=True)
        assert feed.fault is None
    cycle(loose=True)
    assert feed.fault is Fault.SPIKE


class Phases:
    """Three clamps on one motor that starts and stops, and a heater with a switch of its own."""

    def __init__(self) -> None:
        names = ("l1", "l2", "l3", "heater")
        self.channels = {name: Channel(name, "A", Quantity.CURRENT, 0, 30, resolution=0.001) for name in names}
        self.checks = Checks(list(self.channels.values()))
        self.rng = np.random.default_rng(5)
        self.now_ns = 10**12

    def tick(self, *, motor: bool, heater: bool, **instead: float) -> set[str]:
        self.now_ns += SECOND
        levels = {
            name: 0.02 if not (heater if name == "heater" else motor) else 5.0 for name in self.channels
        } | instead
        blocks = {
            name: [Block(c, self.now_ns, np.array([levels[name] * (1 + 0.01 * self.rng.standard_normal())]))]
            for name, c in self.channels.items()
        }
        return set(self.checks.look(self.now_ns, {"clamps": blocks}, {}))

    def day(self, hours: int) -> None:
        for k in range(hours):
            assert len(self.tick(motor=k % 8 < 4, heater=k % 22 < 11)) == 4
            assert not self.checks.faults


def test_one_phase_that_jumps_without_the_others_is_doubted_until_it_stays() -> None:
    machine = Phases()
    machine.day(600)
    for on in (True, True, False):
        assert machine.tick(motor=on, heater=False) == set(machine.channels), "all together, and a heater alone as ever"
    assert "l2" not in machine.tick(motor=False, heater=False, l2=5.0), "where it often was, but never alone"
    assert "l2" in machine.tick(motor=False, heater=False)
    assert len(machine.tick(motor=True, heater=False)) == 4
    assert "l1" not in machine.tick(motor=True, heater=False, l1=0.02)
    for _ in range(5):
        assert "l1" in machine.tick(motor=True, heater=False, l1=0.02), "a lost phase is a reading"
    assert not machine.checks.faults


def test_a_reading_at_the_very_end_of_its_range_is_clipped() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(30)
    for _ in range(3):
        assert feed.tick([400.0]) == []
    assert feed.fault is Fault.CLIPPED


@pytest.mark.parametrize("seed", range(8))
def test_a_regular_channel_that_skips_has_gaps_and_an_outage_is_none(seed: int) -> None:
    feed = Feed(TEMPERATURE, seed)
    feed.noisy(120)
    for k in range(45):
        feed.tick(None if k < 5 else [200.0 + feed.rng.standard_normal()])
        assert feed.fault is not Fault.GAPS
    missed = 0
    while feed.fault is None:
        skipped = feed.rng.random() < 0.5
        missed += skipped
        feed.tick(None if skipped else [200.0 + feed.rng.standard_normal()])
    assert feed.fault in {Fault.GAPS, Fault.NO_DATA}
    assert 2 <= missed <= 8


def test_a_channel_that_always_skips_has_no_gaps() -> None:
    feed = Feed(TEMPERATURE)
    for _ in range(600):
        feed.tick(None if feed.rng.random() < 0.15 else [200.0 + feed.rng.standard_normal()])
        assert feed.fault is None


def test_a_channel_that_seems_to_hang_is_not_relied_on_before_it_is_told() -> None:
    feed = Feed(TEMPERATURE)
    feed.noisy(60)
    held = []
    for _ in range(4):
        feed.tick([200.25])
        held.append(feed.check.holds(feed.now_ns))
    assert held == [True, True, False, False]
    assert feed.fault is None


def test_single_samples_apart_are_spikes_and_a_knock_is_none() -> None:
    plug, knock = Feed(VIBRATION), Feed(VIBRATION)
    ring = np.exp(-np.arange(40) / 8.0) * np.sin(np.arange(40) / 1.2)
    for _ in range(4):
        wave = 0.05 * plug.rng.standard_normal(1600)
        rung = wave.copy()
        wave[[100, 700, 702, 1599]] = 7.0, 5.0, -6.0, -4.0
        rung[300:340] += 8.0 * ring
        assert plug.tick(wave) == []
        assert knock.tick(rung)
    assert plug.fault is Fault.SPIKE
    assert knock.fault is None


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 800.0])
def test_a_knock_that_rings_for_less_than_a_slow_sensors_sample_is_no_spike(rate_hz: float) -> None:
    slow = Feed(Channel("vibration", "g", Quantity.VIBRATION, -16, 16, rate_hz=rate_hz))
    rate, seconds = 6400.0, 4
    t = np.arange(round(0.02 * rate)) / rate
    ring = 8.0 * np.exp(-t / 0.0015) * np.cos(2 * np.pi * 900.0 * t)
    for _ in range(5):
        wave = 0.02 * slow.rng.standard_normal(round(rate * seconds))
        for begin in range(1000, len(wave) - len(ring), round(rate) + 37):
            wave[begin : begin + len(ring)] += ring
        assert slow.tick(wave[:: round(rate / rate_hz)])
        assert slow.fault is None


def test_a_slow_channel_with_axes_has_a_dead_and_a_loose_one_told() -> None:
    phases = Channel("current", "A", Quantity.CURRENT, 0, 30, axes=3, resolution=0.001)
    dead, loose = Feed(phases), Feed(phases)
    for k in range(300):
        row = 5.0 * (1 + 0.01 * dead.rng.standard_normal((1, 3)))
        stuck, torn = row.copy(), row.copy()
        if k >= 200:
            stuck[0, 1] = 4.987
            torn[0, 2] = 13.0 + k % 7 if k % 4 == 0 else torn[0, 2]
        dead.tick(stuck)
        loose.tick(torn)
        assert k >= 200 or (dead.fault, loose.fault) == (None, None)
        if k in {203, 208}:
            assert not dead.check.holds(dead.now_ns), "doubtful before it is told"
    assert dead.fault is Fault.STUCK
    assert loose.fault is Fault.SPIKE
    assert dead.check.fault is not None
    assert dead.check.fault[1].startswith("current.y: ")


def test_a_door_is_open_or_closed() -> None:
    feed = Feed(Channel("door", "", Quantity.STATE, 0, 1, steady=True))
    for k in range(100):
        assert feed.tick([float(k % 7 == 0)])
    assert feed.tick([0.4]) == []
    feed.tick([0.0])
    feed.tick([0.7])
    assert feed.fault is Fault.SPIKE
