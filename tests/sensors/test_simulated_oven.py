"""The oven keeps the first law, its thermostat's band, and what an electrician expects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.sensor_contract import FakeClock
from support.simulation import go_on, readings, run_of, simulated

from edge.sensors.base import SensorConfigError, SensorError
from edge.sensors.simulation.crust import Crust
from edge.sensors.simulation.oven import EVAPORATION_J_KG, Oven
from edge.sensors.simulation.plant import Plant
from edge.sensors.simulation.schedule import SHIFTS, ScheduleName
from edge.sensors.simulation.streams import Streams

HOUR = 3600.0


def oven(schedule: ScheduleName = "continuous", start_h: float = 0.0) -> Oven:
    return Oven(Plant(streams=Streams(3, "oven-1"), shift=SHIFTS[schedule], start_s=start_h * HOUR))


def imbalance(deck: Oven, stored_before: float) -> float:
    ledger = deck.ledger
    came = ledger.electric + ledger.dough_in
    went = ledger.insulation + ledger.door + ledger.steam + ledger.goods_out
    return came - went - (deck.stored_j() - stored_before)


@pytest.mark.parametrize("severities", [{}, {"door_seal": 1.0}, {"heating_element_open": 1.0, "thermostat_drift": 1.0}])
def test_heat_that_came_in_is_stored_lost_or_baked(severities: dict[str, float]) -> None:
    deck = oven()
    before = deck.stored_j()
    deck.lapse(6 * HOUR, severities)
    assert deck.ledger.electric > 30e6
    assert deck.ledger.steam > 5e6
    assert abs(imbalance(deck, before)) < 1e-6 * deck.ledger.electric


def test_a_finer_step_tells_the_same_story() -> None:
    coarse, fine = oven(), oven()
    coarse.lapse(4 * HOUR, {})
    for _ in range(round(4 * HOUR / 0.25)):
        fine.lapse(0.25, {})
    assert coarse.ledger.electric == pytest.approx(fine.ledger.electric, rel=0.02)
    assert coarse.ledger.insulation == pytest.approx(fine.ledger.insulation, rel=0.01)
    assert coarse.ledger.steam == pytest.approx(fine.ledger.steam, rel=0.02)


def test_a_cold_oven_is_hot_within_an_hour() -> None:
    deck = oven("daily", start_h=3.0)
    minutes = 0
    while deck.upper < 226.0 and minutes < 120:
        deck.lapse(60.0, {})
        minutes += 1
    assert 25 <= minutes <= 60


def test_an_idle_hot_oven_takes_about_a_kilowatt() -> None:
    deck = oven()
    deck._batches = type(deck._batches)(deck.plant.streams, deck.plant.shift, slot_s=1e9, length_s=1.0, lead_s=1e8)
    deck.lapse(3 * HOUR, {})
    before = deck.ledger.electric
    deck.lapse(4 * HOUR, {})
    assert 600.0 < (deck.ledger.electric - before) / (4 * HOUR) < 1300.0


def test_bread_loses_about_a_tenth_of_its_weight() -> None:
    deck = oven()
    deck.lapse(10 * HOUR, {})
    baked_kg = deck.ledger.dough_in / deck.data.dough_j_kgk / deck.data.dough_c
    assert baked_kg > 60.0
    assert 0.07 < deck.ledger.steam / EVAPORATION_J_KG / baked_kg < 0.16


def test_thermostat_keeps_its_band() -> None:
    run = run_of("oven", 240)
    deck = readings(run, "deck_temperature")
    assert deck.min() > 212.0
    assert deck.max() < 246.0
    assert abs(deck.mean() - 230.0) < 3.0
    on = readings(run, "current_l1") > 1.0
    assert 0.2 < on.mean() < 0.7
    assert np.count_nonzero(np.diff(on.astype(int)) == 1) >= 10


def test_all_three_phases_carry_the_same_and_power_is_their_sum() -> None:
    run = run_of("oven", 60)
    phases = np.array([readings(run, f"current_l{phase}") for phase in (1, 2, 3)])
    on = phases[0] > 1.0
    assert on.any()
    np.testing.assert_allclose(phases[1:, on], np.broadcast_to(phases[0, on], (2, on.sum())), atol=0.1)
    np.testing.assert_allclose(phases[:, on], 8.7, rtol=0.03)
    np.testing.assert_allclose(readings(run, "power")[on], 6000.0, rtol=0.05)
    assert readings(run, "power")[~on].max() < 60.0


def test_an_open_element_silences_exactly_one_phase_and_heats_more_slowly() -> None:
    sound, open_ = run_of("oven", 240), run_of("oven", 240, faults=[{"name": "heating_element_open", "at_s": 0.0}])
    on = readings(open_, "current_l1") > 1.0
    np.testing.assert_allclose(readings(open_, "current_l1")[on], 8.7, rtol=0.03)
    np.testing.assert_allclose(readings(open_, "current_l3")[on], 8.7, rtol=0.03)
    assert readings(open_, "current_l2").max() < 0.2
    assert on.mean() > 1.3 * (readings(sound, "current_l1") > 1.0).mean(), "the others work longer"
    np.testing.assert_allclose(readings(open_, "power")[on], 4000.0, rtol=0.05)


def test_a_torn_seal_costs_energy_and_cools_the_air() -> None:
    sound, torn = run_of("oven", 240), run_of("oven", 240, faults=[{"name": "door_seal"}])
    assert readings(torn, "power").mean() > 1.1 * readings(sound, "power").mean()
    assert readings(torn, "air_temperature").mean() < readings(sound, "air_temperature").mean() - 10.0
    assert readings(torn, "deck_temperature").mean() == pytest.approx(
        readings(sound, "deck_temperature").mean(), abs=4.0
    )


def test_a_drifting_thermostat_is_hotter_in_truth_and_a_drifting_thermocouple_only_says_so() -> None:
    sound = run_of("oven", 120)
    thermostat = run_of("oven", 120, faults=[{"name": "thermostat_drift"}])
    thermocouple = run_of("oven", 120, faults=[{"name": "thermocouple_drift"}])
    late = slice(40, None)
    means = [readings(run, "deck_temperature")[late].mean() for run in (sound, thermostat, thermocouple)]
    assert means[1] - means[0] == pytest.approx(25.0, abs=5.0)
    assert means[2] - means[0] == pytest.approx(-25.0, abs=0.5)
    air = [readings(run, "air_temperature")[late].mean() for run in (sound, thermostat, thermocouple)]
    assert air[1] > air[0] + 10.0
    assert air[2] == air[0]


def test_door_opens_to_load_and_to_unload_and_the_air_feels_it() -> None:
    run = run_of("oven", 180, speedup=20.0)
    door, air = readings(run, "door"), readings(run, "air_temperature")
    assert set(np.unique(door)) == {0.0, 1.0}
    assert 0.01 < door.mean() < 0.1
    assert air[door == 1.0].mean() < air[door == 0.0].mean() - 20.0


def test_an_oven_that_is_off_cools_and_takes_nothing() -> None:
    run = run_of("oven", 60, schedule="daily", start_hour=14.0, speedup=60.0)
    assert readings(run, "current_l1").max() < 0.2
    assert np.diff(readings(run, "deck_temperature")).mean() <= 0.01


def browning(fault: str | None) -> float:
    """Mean of some loads baked with a fault."""
    deck = Oven(Plant(streams=Streams(3, "oven-1"), shift=SHIFTS["continuous"], start_s=0.0), crusts=True)
    severities = {fault: 1.0} if fault else {}
    deck.lapse(2 * HOUR, severities)
    loads = {}
    for _ in range(40):
        deck.lapse(0.1 * HOUR, severities)
        if deck.load is not None:
            loads[deck.load.number] = deck.load.browning
    assert len(loads) >= 5
    assert list(loads) == list(range(min(loads), max(loads) + 1))
    return float(np.mean(list(loads.values())))


def test_the_crust_shows_what_the_oven_did_and_not_what_its_thermocouple_says() -> None:
    sound = browning(None)
    assert sound == pytest.approx(0.5, abs=0.06), "well baked"
    assert browning("heating_element_open") > sound + 0.12, "the upper element works for the lower one"
    assert browning("thermostat_drift") > sound + 0.2
    assert browning("door_seal") < sound - 0.06
    assert browning("thermocouple_drift") == sound


def test_a_crust_browns_as_measured_on_dry_crumb() -> None:
    crust = Crust()
    for _ in range(600):
        # Next to nothing behind it conducts: the surface is as hot as what surrounds it.
        crust.thickness_m = 10.0
        crust.bake(1.0, 60.0, 200.0, 200.0, 200.0)
    assert crust.surface_c == pytest.approx(200.0, abs=0.5)
    # Zanoni, Peri and Bruno 1995: k(200 °C) = 42,000 exp(-64,151 / (8.314 * 473.15)) = 0.00348 1/s.
    assert crust.browning == pytest.approx(1 - np.exp(-0.00348 * 600), rel=0.02)
    moist = Crust()
    for _ in range(600):
        moist.bake(1.0, 60.0, 200.0, 200.0, 450.0)
    assert moist.surface_c < 70.0, "below the boil no crust grows"
    assert moist.browning < 0.01
    for _ in range(1200):
        moist.bake(1.0, 98.0, 205.0, 200.0, 450.0)
    assert 0.003 < moist.thickness_m < 0.008
    assert 150.0 < moist.surface_c < 200.0


def test_each_load_is_written_to_the_file_that_a_camera_reads(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "crust"
    sensor = simulated("oven", clock, speedup=240.0, schedule="continuous", crust=path)
    sensor.open()
    seen: list[tuple[int, float]] = []
    for _ in range(60):
        go_on(sensor, clock, 1.0)
        if path.exists() and (not seen or path.stat().st_mtime_ns != seen[-1][0]):
            seen.append((path.stat().st_mtime_ns, float(path.read_text())))
    assert len(seen) in (6, 7), "45 minutes of the oven in 11 s"
    assert all(0.35 < brown < 0.7 for _, brown in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["crust"]
    lost = simulated("oven", clock, schedule="continuous", crust=tmp_path / "gone" / "crust")
    lost.open()
    clock.step(1.0)
    with pytest.raises(SensorError, match="crust"):
        lost.read()
    with pytest.raises(SensorConfigError, match="crust is for an oven"):
        simulated("mixer", clock, crust=path)
