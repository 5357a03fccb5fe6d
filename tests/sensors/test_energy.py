"""Energy over restarts, gaps, resets and power cuts: nothing twice, no downtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.nodes import write_node
from support.sensor_contract import FakeClock

from edge.config import read_node, surroundings_of
from edge.sensors.energy import SAVE_S, EnergyFile, MeterEnergy, PowerEnergy
from edge.sensors.registry import Surroundings

HOUR_NS = 3_600_000_000_000


class Bench:
    """One channel's energy on a node that can be stopped properly or by a power cut."""

    def __init__(self, folder: Path | None) -> None:
        self.clock = FakeClock()
        self.surroundings = Surroundings("oven", "oven", self.clock, 1.0, state_dir=folder)

    def file(self) -> EnergyFile:
        return EnergyFile(self.surroundings, "energy")

    def power(self, longest_gap_s: float = 5.0) -> PowerEnergy:
        return PowerEnergy(self.file(), longest_gap_s)

    def meter(self, rollover_kwh: float | None = None) -> MeterEnergy:
        return MeterEnergy(self.file(), rollover_kwh)

    def run(self, energy: PowerEnergy, watts: float, seconds: int) -> float:
        kwh = energy.take(self.clock(), watts)
        for _ in range(seconds):
            self.clock.step(1.0)
            kwh = energy.take(self.clock(), watts)
        return kwh

    def read(self, energy: MeterEnergy, counter: float, after_s: float = 1.0) -> float:
        self.clock.step(after_s)
        return energy.take(self.clock(), counter)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "sensors")


def test_the_folder_of_the_sensors_lies_beside_the_journal(tmp_path: Path) -> None:
    options = read_node(write_node(tmp_path, "mixer-1")).options
    made = surroundings_of(options.machines[0], FakeClock(), "/", None, options.state.dir / "sense")  # type: ignore[arg-type]  # no broker
    assert made.state_dir == tmp_path / "state" / "sense" / "sensors"


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour(bench: Bench) -> None:
    assert bench.run(bench.power(), 1000.0, 3600) == pytest.approx(1.0, abs=1e-9)


def test_power_between_two_readings_is_a_straight_line(bench: Bench) -> None:
    energy = bench.power(longest_gap_s=7200.0)
    energy.take(0, 0.0)
    assert energy.take(HOUR_NS, 2000.0) == pytest.approx(1.0)


def test_a_gap_a_stop_and_a_missing_reading_are_not_counted(bench: Bench) -> None:
    energy = bench.power()
    before = bench.run(energy, 3600.0, 10)
    bench.clock.step(3600.0)
    assert energy.take(bench.clock(), 3600.0) == before
    energy.take(bench.clock() + 1, float("nan"))
    bench.clock.step(2.0)
    assert energy.take(bench.clock(), 3600.0) == before
    energy.close()
    bench.clock.step(1.0)
    after = bench.power()
    assert after.take(bench.clock(), 3600.0) == before
    bench.clock.step(1.0)
    assert after.take(bench.clock(), 3600.0) == pytest.approx(before + 0.001)


def test_feeding_back_is_not_subtracted(bench: Bench) -> None:
    energy = bench.power()
    before = bench.run(energy, 500.0, 10)
    bench.clock.step(60.0)
    assert bench.run(energy, -500.0, 100) == before


def test_a_clock_that_stands_or_goes_back_counts_nothing_twice(bench: Bench) -> None:
    energy = bench.power()
    kwh = bench.run(energy, 3600.0, 5)
    assert energy.take(bench.clock(), 3600.0) == kwh
    assert energy.take(bench.clock() - 3_000_000_000, 3600.0) == kwh
    bench.clock.step(1.0)
    assert energy.take(bench.clock(), 3600.0) == pytest.approx(kwh + 0.001)


@settings(max_examples=30, deadline=None)
@given(stops=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 5000), st.booleans()), max_size=6))
def test_power_over_restarts_never_counts_more_than_was_measured(
    tmp_path_factory: pytest.TempPathFactory, stops: list[tuple[int, int, bool]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("node"))
    measured = lost_at_most = kwh = 0.0
    for seconds, downtime, power_cut in stops:
        energy = bench.power()
        kwh = bench.run(energy, 3600.0, seconds)
        measured += seconds * 0.001
        if power_cut:
            lost_at_most += min(seconds, SAVE_S + 1) * 0.001
        else:
            energy.close()
        bench.clock.step(downtime)
        assert measured - lost_at_most - 1e-9 <= kwh <= measured + 1e-9


def test_a_resting_machine_writes_nothing_and_a_running_one_rarely(bench: Bench, tmp_path: Path) -> None:
    energy = bench.power()
    file = tmp_path / "sensors" / "oven.energy.json"
    bench.run(energy, 1000.0, round(SAVE_S))
    bench.clock.step(10.0)
    first = file.stat().st_mtime_ns
    bench.run(energy, 1000.0, round(SAVE_S) - 20)
    assert file.stat().st_mtime_ns == first
    bench.run(energy, 1000.0, 20)
    second = file.stat().st_mtime_ns
    assert second > first
    bench.clock.step(10.0)
    bench.run(energy, 0.0, 3 * round(SAVE_S))
    assert file.stat().st_mtime_ns > second, "the last stretch before it rested"
    third = file.stat().st_mtime_ns
    bench.run(energy, 0.0, 3 * round(SAVE_S))
    assert file.stat().st_mtime_ns == third
    assert file.stat().st_size < 200


def test_a_damaged_file_is_set_aside_and_a_full_disk_is_no_crash(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    energy = bench.power()
    bench.run(energy, 3600.0, 10)
    energy.close()
    file = tmp_path / "sensors" / "oven.energy.json"
    file.write_bytes(file.read_bytes().replace(b"0.01", b"9.01"))
    assert bench.power().take(bench.clock(), 0.0) == 0.0
    assert list((tmp_path / "sensors").glob("*.bad-*"))
    (tmp_path / "blocked").write_text("a file where a folder should be")
    nowhere = Bench(tmp_path / "blocked")
    energy = nowhere.power()
    assert nowhere.run(energy, 3600.0, 10) == pytest.approx(0.01)
    energy.close()
    energy.close()
    assert caplog.text.count("energy is not kept") == 1


def test_without_a_folder_it_counts_from_zero(tmp_path: Path) -> None:
    bench = Bench(None)
    energy = bench.power()
    assert bench.run(energy, 3600.0, 10) == pytest.approx(0.01)
    energy.close()
    assert bench.power().take(bench.clock(), 0.0) == 0.0
    assert not list(tmp_path.iterdir())


def test_a_counter_is_the_meters_own_reading(bench: Bench) -> None:
    energy = bench.meter()
    assert [bench.read(energy, value) for value in (123.4, 123.4, 123.5)] == [123.4, 123.4, 123.5]


def test_what_a_meter_counted_while_the_node_was_off_is_counted_once(bench: Bench) -> None:
    energy = bench.meter()
    bench.read(energy, 100.0)
    energy.close()
    after = bench.meter()
    assert bench.read(after, 150.0, after_s=1e6) == 150.0
    assert bench.read(after, 150.5) == 150.5


def test_a_reset_counter_goes_on(bench: Bench) -> None:
    energy = bench.meter()
    bench.read(energy, 100.0)
    assert bench.read(energy, 0.0) == 100.0
    assert bench.read(energy, 0.5) == pytest.approx(100.5)
    # And it is remembered at once, without a proper end.
    assert bench.read(bench.meter(), 0.75) == pytest.approx(100.75)


def test_a_counter_reset_while_the_node_was_off(bench: Bench) -> None:
    energy = bench.meter()
    bench.read(energy, 100.0)
    energy.close()
    after = bench.meter()
    bench.read(after, 2.0)
    assert bench.read(after, 2.1) == pytest.approx(102.1)


def test_a_counter_that_rolls_over(bench: Bench) -> None:
    energy = bench.meter(rollover_kwh=10_000.0)
    bench.read(energy, 9_999.9)
    bench.read(energy, 0.05)
    assert bench.read(energy, 0.06) == pytest.approx(10_000.06)


@pytest.mark.parametrize("wrong", [0.0, 5e6])
def test_one_misread_counter_changes_nothing(bench: Bench, wrong: float) -> None:
    energy = bench.meter()
    bench.read(energy, 100.0)
    assert bench.read(energy, wrong) == 100.0
    assert bench.read(energy, 100.1) == 100.1
    assert bench.read(energy, wrong) == 100.1
    assert bench.read(energy, 100.2) == 100.2


@pytest.mark.parametrize("shows", [500.0, 90_000.0])
def test_an_exchanged_meter_is_taken_up_where_it_stands(bench: Bench, shows: float) -> None:
    energy = bench.meter()
    bench.read(energy, 9_000.0)
    bench.read(energy, shows)
    assert bench.read(energy, shows) == 9_000.0
    assert bench.read(energy, shows + 0.5) == pytest.approx(9_000.5)


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0.0, 0.2), st.sampled_from(["run", "stop", "cut", "reset"])), max_size=30),
)
def test_a_counter_over_restarts_and_resets_is_exact(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, str]]
) -> None:
    """Resets are seen while the node runs; what was counted between last reading and reset is gone with it."""
    bench = Bench(tmp_path_factory.mktemp("node"))
    energy, counter, true = bench.meter(), 5.0, 5.0
    bench.read(energy, counter)
    for step, event in steps:
        if event == "reset":
            counter = 0.0
            bench.read(energy, counter)
            bench.read(energy, counter)
        elif event == "stop":
            energy.close()
        if event in ("stop", "cut"):
            energy = bench.meter()
        counter, true = counter + step, true + step
        total = bench.read(energy, counter)
        assert total == pytest.approx(true, abs=1e-9)
