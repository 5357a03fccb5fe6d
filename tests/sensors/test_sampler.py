"""Draining in the background: measured rates, counted losses, errors that surface, threads that end."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sensor_contract import FakeClock, check_block, check_order

from edge.sensors.base import Block, Channel, Fault, Quantity, SensorError
from edge.sensors.sampler import Burst, Bursts, Sampler
from edge.sensors.stream import Drained, Stream

NOMINAL_HZ = 800.0


def channel(nominal_hz: float = NOMINAL_HZ, axes: int = 2) -> Channel:
    return Channel("vibration", "g", Quantity.VIBRATION, -16.0, 16.0, axes=axes, rate_hz=nominal_hz)


class Oscillator:
    """A chip whose n-th sample has the values n and -n, with a FIFO."""

    def __init__(self, clock: FakeClock, rate_hz: float, depth: int = 32) -> None:
        self.clock = clock
        self.rate_hz = rate_hz
        self.depth = depth
        self.fetched = 0
        self.began_ns = clock()
        self.late_ns = 0

    @property
    def taken(self) -> int:
        return int((self.clock() - self.began_ns) * self.rate_hz / 1e9)

    def drain(self) -> Drained:
        taken = self.taken
        first = max(self.fetched, taken - self.depth)
        numbers = np.arange(first, taken, dtype=np.float64)
        gap = "the FIFO overflowed" if first > self.fetched else ""
        self.fetched = taken
        return Drained(self.clock() + self.late_ns, np.column_stack([numbers, -numbers]), gap)


def run(stream: Stream, chip: Oscillator, seconds: float, every_s: float = 0.01) -> list[Block]:
    sampler = Sampler(chip.drain, stream, chip.clock, every_s=every_s)
    blocks: list[Block] = []
    due_s = 1.0
    for step in range(round(seconds / every_s)):
        sampler.pump()
        chip.clock.step(every_s)
        if (step + 1) * every_s >= due_s:
            blocks += sampler.take()
            due_s += 1.0
    return blocks


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.85, 1.15),
    st.sampled_from([100.0, 800.0, 3200.0, 5376.0]),
    st.integers(0, 2**32 - 1),
)
def test_the_rate_is_measured_whatever_the_oscillator_does(error: float, nominal_hz: float, seed: int) -> None:
    """Also on a node whose thread is late by 1 ms as a rule and by 30 ms at times."""
    rng = np.random.default_rng(seed)
    clock = FakeClock()
    chip = Oscillator(clock, nominal_hz * error, depth=10_000)
    stream = Stream(channel(nominal_hz))
    blocks: list[Block] = []
    opened = clock()
    for step in range(400):
        chip.late_ns = round(rng.exponential(1e6)) + (30_000_000 if rng.random() < 0.02 else 0)
        stream.add(chip.drain())
        clock.step(0.01 + chip.late_ns / 1e9)
        if step % 100 == 99:
            blocks += stream.blocks(clock())
    assert blocks[-1].rate_hz == pytest.approx(chip.rate_hz, rel=0.003)
    assert all(block.lost == 0 and not block.faults for block in blocks)
    numbers = np.concatenate([block.values[:, 0] for block in blocks])
    assert (np.diff(numbers) == 1).all(), "no sample twice, none left out"
    assert numbers[0] < 0.05 * chip.rate_hz
    check_order(blocks)
    for block in blocks:
        check_block(block, [block.channel])
        assert block.start_ns >= opened
        # Sample n of this oscillator is taken (n + 1) periods after its beginning.
        true_ns = chip.began_ns + (block.values[0, 0] + 1) / chip.rate_hz * 1e9
        assert abs(block.start_ns - true_ns) < 10e6


def test_the_samples_keep_their_times_exactly_where_the_node_is_never_late() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, 840.0, depth=1000)
    blocks = run(Stream(channel()), chip, 6.0)
    last = blocks[-1]
    assert last.rate_hz == pytest.approx(840.0, rel=5e-4)
    true_ns = chip.began_ns + (last.values[-1, 0] + 1) / 840.0 * 1e9
    assert last.end_ns == pytest.approx(true_ns, abs=1.5e9 / 840.0)
    assert all(block.end_ns <= clock() for block in blocks)


def test_nothing_is_delivered_before_the_rate_is_known_and_then_everything() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, 100.0)
    stream = Stream(channel(100.0))
    first: list[Block] = []
    seconds = 0.0
    while not first:
        stream.add(chip.drain())
        first = stream.blocks(clock())
        clock.step(0.05)
        seconds += 0.05
    assert 0.9 < seconds < 2.0
    assert first[0].values[0, 0] == 0.0
    assert len(first[0].values) >= 100


def test_an_overflow_is_a_fault_with_the_number_of_lost_samples() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, 830.0)
    stream = Stream(channel())
    run(stream, chip, 3.0)
    stream.add(chip.drain())
    clock.step(0.5)
    stream.add(chip.drain())
    before, after = stream.blocks(clock())
    true = round(after.values[0, 0] - before.values[-1, 0]) - 1
    assert true > 350
    assert after.lost == pytest.approx(true, abs=2)
    assert after.faults[0][0] is Fault.OVERRUN
    assert "the FIFO overflowed, about 3" in after.faults[0][1]
    assert not before.faults
    assert after.start_ns - before.end_ns == pytest.approx((true + 1) / 830.0 * 1e9, abs=4e9 / 830.0)


def test_a_gap_without_samples_belongs_to_the_next_ones() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ, depth=1000)
    stream = Stream(channel())
    run(stream, chip, 3.0)
    clock.step(0.1)
    chip.drain()
    stream.add(Drained(clock(), np.empty((0, 2)), "the FIFO was reset"))
    clock.step(0.1)
    stream.add(chip.drain())
    blocks = stream.blocks(clock())
    assert [block.lost for block in blocks] == [pytest.approx(88, abs=2)]
    assert "reset" in blocks[0].faults[0][1]


def test_a_rate_measured_across_overflows_stays_right() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, 780.0)
    blocks: list[Block] = []
    stream = Stream(channel())
    for _ in range(6):
        blocks += run(stream, chip, 2.0)
        clock.step(0.3)
    assert blocks[-1].rate_hz == pytest.approx(780.0, rel=0.003)
    assert sum(block.lost for block in blocks) == pytest.approx(5 * (0.3 * 780 - 24), rel=0.1)


def test_the_rate_of_a_stream_that_breaks_time_and_again_is_known_all_the_same() -> None:
    """A node that is busy ten times a second for longer than the FIFO lasts."""
    clock = FakeClock()
    chip = Oscillator(clock, 3300.0)
    stream = Stream(channel(3200.0))
    blocks: list[Block] = []
    for _ in range(60):
        for _ in range(16):
            clock.step(0.004)
            stream.add(chip.drain())
        clock.step(0.025)
        stream.add(chip.drain())
        blocks += stream.blocks(clock())
    assert blocks[-1].rate_hz == pytest.approx(3300.0, rel=0.004)
    broken = [block for block in blocks if block.faults]
    assert len(broken) >= 55
    assert np.mean([block.lost for block in broken[20:]]) == pytest.approx(0.025 * 3300 - 32, abs=6)


def test_an_oscillator_that_drifts_as_the_chip_warms_up_is_followed() -> None:
    """Two percent within two minutes, far more than any chip."""
    clock = FakeClock()
    stream = Stream(channel(axes=1))
    taken, fetched, began = 0.0, 0, clock()
    for step in range(6_000):
        clock.step(0.02)
        rate_hz = 800.0 * (1.0 + 0.02 * (clock() - began) / 120e9)
        taken += 0.02 * rate_hz
        stream.add(Drained(clock(), np.arange(fetched, int(taken), dtype=np.float64)[:, None]))
        fetched = int(taken)
        if step % 50 == 49:
            for block in stream.blocks(clock()):
                assert (block.lost, block.faults) == (0, ())
                assert block.rate_hz == pytest.approx(rate_hz, rel=0.001)
                assert -0.01 < (clock() - block.end_ns) / 1e9 < 0.03
    assert fetched > 96_000


def test_samples_that_vanish_without_a_word_are_noticed() -> None:
    """A kernel's buffer drops what does not fit and says nothing."""
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ, depth=1000)
    stream = Stream(channel())
    run(stream, chip, 4.0)
    clock.step(0.25)
    chip.drain()
    blocks = run(stream, chip, 2.0)
    assert sum(block.lost for block in blocks) == pytest.approx(200, abs=20)
    assert any(fault is Fault.OVERRUN for block in blocks for fault, _ in block.faults)
    assert blocks[-1].rate_hz == pytest.approx(NOMINAL_HZ, rel=0.005)


def test_a_thread_that_had_to_wait_once_is_no_loss() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ, depth=1000)
    stream = Stream(channel())
    run(stream, chip, 4.0)
    chip.late_ns = 80_000_000
    stream.add(chip.drain())
    chip.late_ns = 0
    clock.step(0.1)
    blocks = run(stream, chip, 2.0)
    assert [block.lost for block in blocks] == [0] * len(blocks)


def test_another_setting_is_no_error_of_the_oscillator() -> None:
    clock = FakeClock()
    with pytest.raises(SensorError, match="at 400 Hz where 800 Hz were set"):
        run(Stream(channel()), Oscillator(clock, 400.0), 3.0)


def test_a_chip_that_stands_still_is_an_error() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ)
    stream = Stream(channel())
    run(stream, chip, 2.0)
    chip.rate_hz = 1e-9
    with pytest.raises(SensorError, match="no new samples"):
        run(stream, chip, 5.0)


def test_a_stream_that_breaks_all_the_time_says_what_helps() -> None:
    clock = FakeClock()
    with pytest.raises(SensorError, match="a lower rate_hz or a faster bus"):
        run(Stream(channel()), Oscillator(clock, NOMINAL_HZ, depth=4), 15.0)


@pytest.mark.parametrize("counts", [True, False])
def test_what_nobody_fetches_gives_way(*, counts: bool) -> None:
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ)
    stream = Stream(channel(), keep_s=2.0, counts_unfetched=counts)
    run(stream, chip, 0.9)
    for _ in range(1000):
        stream.add(chip.drain())
        clock.step(0.01)
    (block,) = stream.blocks(clock())
    assert len(block.values) == pytest.approx(1600, abs=10)
    assert block.values[-1, 0] == chip.fetched - 1
    assert (block.lost > 0, bool(block.faults)) == (counts, counts)
    if counts:
        assert "nobody fetched" in block.faults[0][1]


def test_a_channel_of_one_axis_is_flat() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ)
    blocks = run(Stream(channel(axes=1)), chip, 2.0)
    assert blocks[0].values.ndim == 1


def test_a_stream_needs_a_nominal_rate() -> None:
    with pytest.raises(ValueError, match="no nominal rate"):
        Stream(Channel("level", "", Quantity.LEVEL))


def test_bursts_carry_their_own_rate_and_are_no_loss() -> None:
    clock = FakeClock()
    flat = Bursts(channel(axes=1), keep=2)
    for number in range(3):
        flat.add(Burst(clock(), clock() + 99_000_000, np.full((100, 1), float(number))))
        clock.step(1.0)
    flat.add(None)
    blocks = flat.blocks(clock())
    assert [block.values[0] for block in blocks] == [1.0, 2.0]
    assert [block.rate_hz for block in blocks] == [pytest.approx(1000.0)] * 2
    assert [block.lost for block in blocks] == [0, 0]
    check_order(blocks)
    clock.step(6.0)
    with pytest.raises(SensorError, match=r"no samples for 6\.9 s"):
        flat.blocks(clock())


PATIENCE_S = 20.0


def collect(sampler: Sampler[Drained], samples: int) -> Sequence[Block]:
    """Waits until so many have come, as long as a busy computer may need."""
    blocks: list[Block] = []
    end = time.monotonic() + PATIENCE_S
    while sum(len(block.values) for block in blocks) <= samples and time.monotonic() < end:
        time.sleep(0.05)
        blocks += sampler.take()
    return blocks


class Wall(FakeClock):
    def __call__(self) -> int:
        return time.monotonic_ns()


def test_a_thread_drains_what_a_reader_takes() -> None:
    clock = Wall()
    chip = Oscillator(clock, 3350.0, depth=33_500)
    sampler = Sampler(chip.drain, Stream(channel(3200.0)), clock, every_s=0.003)
    sampler.start()
    try:
        blocks = collect(sampler, 1500)
    finally:
        sampler.stop()
    assert blocks[-1].rate_hz == pytest.approx(3350.0, rel=0.01)
    assert sum(len(block.values) for block in blocks) > 1500
    check_order(blocks)
    fetched = chip.fetched
    time.sleep(0.03)
    assert chip.fetched == fetched, "it has ended"
    sampler.stop()


@pytest.mark.parametrize("error", [SensorError("i2c-1: gone"), ValueError("odd")])
def test_what_fails_on_the_thread_is_raised_by_the_reader(error: Exception) -> None:
    def fail() -> Drained:
        raise error

    sampler = Sampler(fail, Stream(channel()), time.monotonic_ns, every_s=0.001)
    sampler.start()
    with pytest.raises(SensorError, match=r"gone|ValueError: odd"):
        collect(sampler, 1)
    sampler.stop()


def test_the_check_is_made_about_once_a_second() -> None:
    clock = FakeClock()
    chip = Oscillator(clock, NOMINAL_HZ)
    checked: list[int] = []
    sampler = Sampler(chip.drain, Stream(channel()), clock, every_s=0.01, check=lambda: checked.append(clock()))
    for _ in range(550):
        sampler.pump()
        clock.step(0.01)
    assert len(checked) == 5


def test_stopping_what_was_never_started_is_harmless() -> None:
    sampler = Sampler(lambda: Drained(0, np.empty((0, 2))), Stream(channel()), time.monotonic_ns, every_s=0.01)
    sampler.stop()
    sampler.stop()
    assert sampler.take() == []
