"""What current clamps on either ADC have in common: amperes, the even grid, clamps and chips that are not there."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clamps import SCT, Ads, Bench, Mcp, Wave, mains, on_bias, phases, three

from edge.sensors import ads1115, mcp3008
from edge.sensors.ads1115 import Ads1115, Ads1115Clamp, Ads1115Config
from edge.sensors.base import Block, Fault, SensorConfigError, SensorError
from edge.sensors.burst import Recording, evenly, held_up, on_grid
from edge.sensors.clamp import ClampConfig, amperes_per_volt, true_rms
from edge.sensors.clamped import Clamped
from edge.sensors.mcp3008 import Mcp3008, Mcp3008Clamp, Mcp3008Config
from edge.sensors.probing import I2cReader
from edge.sensors.registry import Surroundings
from edge.sensors.simulation.chips.ads1115 import SimulatedAds1115
from edge.sensors.simulation.chips.bus import SimulatedBuses
from edge.sensors.simulation.chips.mcp3008 import SimulatedMcp3008


def test_the_ratio_of_a_clamp() -> None:
    assert amperes_per_volt(ClampConfig(**SCT)) == pytest.approx(60.606, abs=1e-3)
    assert amperes_per_volt(ClampConfig(rated_a=30.0, output_v=1.0)) == 30.0
    assert amperes_per_volt(ClampConfig(rated_a=30.0, output_v=1.0, scale=0.5)) == 15.0
    refused: list[dict[str, Any]] = [
        {},
        {"output_ma": 50.0},
        {"burden_ohm": 33.0},
        {"output_ma": 50.0, "burden_ohm": 33.0, "output_v": 1.0},
    ]
    for wrong in refused:
        with pytest.raises(SensorConfigError, match="either output_ma with burden_ohm"):
            amperes_per_volt(ClampConfig(**wrong))


@pytest.mark.parametrize("make", [Ads, Mcp])
@pytest.mark.parametrize("hz", [50.0, 49.8, 50.2])
def test_true_rms_of_a_distorted_current(make: Any, hz: float) -> None:
    """10 A with 3 A of the third harmonic are the root of 109 A²."""
    bench = make(on_bias(mains(10.0, hz=hz, h3=3.0)), output="rms")
    bench.sensor.open()
    # The ADS1115 averages over 1.16 ms, which takes 4.4 % more of the third harmonic than of the first.
    expected = math.hypot(10.0, 3.0 * 0.956) if make is Ads else math.sqrt(109.0)
    assert bench.read()["current"].values[0] == pytest.approx(expected, rel=0.008)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-0.4, 0.4), min_size=60, max_size=60), st.floats(0.0, 6.0))
def test_samples_at_uneven_times_are_put_on_an_even_grid(jitter: list[float], phase: float) -> None:
    """Ten samples a period, each up to 0.4 of the distance off; a wave of amplitude 1."""
    times = np.array([round((k + off) * 1e6) for k, off in enumerate(jitter)], dtype=np.int64)
    grid = np.arange(8, 52, dtype=np.float64) * 1e6
    made = evenly(times, np.sin(2 * np.pi * times / 1e7 + phase), grid)
    assert made == pytest.approx(np.sin(2 * np.pi * grid / 1e7 + phase), abs=0.03)


def test_holes_are_filled_from_the_other_periods() -> None:
    """Ten periods at 2000 Hz with five holes of 9 ms at changing phases: 22 % are missing."""
    grid = 1e12 + np.arange(400, dtype=np.float64) * 5e5
    times = (1e12 + np.arange(-6, 406) * 5e5 + 3e4).astype(np.int64)
    for hole_ms in (13, 47, 90, 128, 170):
        times = times[np.abs(times - 1e12 - hole_ms * 1e6) > 4.5e6]

    def wave(at_ns: Any) -> Any:
        turn = 2 * np.pi * 50.0 * at_ns / 1e9
        return np.sin(turn) + 0.1 * np.sin(5 * turn + 1.0)

    values, missing = on_grid(Recording(times, wave(times)), grid, 5e5, 2e7)
    assert missing == pytest.approx(0.22, abs=0.03)
    assert values == pytest.approx(wave(grid), abs=0.003)
    assert held_up(times, 5e5) == pytest.approx(missing, abs=0.03)


def test_what_no_period_tells_stays_missing() -> None:
    grid = np.arange(400, dtype=np.float64) * 5e5
    times = (np.arange(-6, 406) * 5e5).astype(np.int64)
    times = times[(times % 20_000_000) < 11_000_000]
    values, _ = on_grid(Recording(times, np.ones(len(times))), grid, 5e5, 2e7)
    assert np.isnan(values).any()


def test_whole_periods_only() -> None:
    wave = 2.5 + np.sqrt(2.0) * np.sin(2 * np.pi * 50.0 * np.arange(430) / 2000.0)
    assert true_rms(wave, 2000.0, 50.0) == pytest.approx(1.0, abs=1e-9)


def test_only_the_newest_waveform_is_delivered_but_every_rms_reading() -> None:
    for output, expected in (("waveform", 1), ("rms", 3)):
        bench = Mcp(on_bias(mains(10.0)), output=output)
        bench.sensor.open()
        for _ in range(3):
            bench.feed(1.0)
        assert len(bench.sensor.read()) == expected


def test_a_busy_computer_costs_accuracy_and_then_the_reading() -> None:
    bench = Mcp(*three(10.0, 10.0, 10.0), clamps=phases())
    bench.sensor.open()
    for stall_every, within in ((600, 0.01), (100, 0.01), (40, 0.02)):
        bench.scheduler.stall_every, bench.scheduler.stall_s = stall_every, 0.0075
        for _ in range(3):
            block = bench.read()["current"]
            assert not block.faults
            assert block.values.shape == (400, 3)
            assert true_rms(block.values, 2000.0, 50.0) == pytest.approx([10.0] * 3, rel=within)
    bench.scheduler.stall_every = 5
    fault, said = bench.fault()
    assert fault is Fault.GAPS
    assert "of a burst missed; the computer is too busy" in said


@pytest.mark.parametrize(
    ("bench", "said"),
    [
        (
            Mcp(on_bias(mains(1.0)), transfer_s=600e-6),
            r"spidev0\.0 CH0: 1 clamps can be asked 1583 times a second here, rate_hz is 2000",
        ),
        (
            Ads(on_bias(mains(1.0)), transfer_s=0.0007),
            r"i2c-1 address 0x48 A0: 1 clamps can be asked 3\d\d times a second",
        ),
    ],
)
def test_a_bus_that_is_too_slow_is_told_with_what_it_reaches(bench: Bench, said: str) -> None:
    with pytest.raises(SensorError, match=said):
        bench.sensor.open()


@pytest.mark.parametrize("make", [Ads, Mcp])
def test_the_thread_samples_by_the_real_clock(make: Any) -> None:
    """Alone on an idle core it hardly ever stalls; here it may, and then says so."""
    buses = SimulatedBuses()
    wave = on_bias(mains(10.0))
    where = Surroundings("mixer", "mixer", time.monotonic_ns, 1.0, buses=buses)
    options: dict[str, Any] = {"every_s": 0.2, "burst_s": 0.1, "rate_hz": 200.0}
    sensor: Clamped
    if make is Ads:
        buses.wire_i2c(1).plug(0x48, SimulatedAds1115(time.monotonic_ns, [wave] * 4))
        sensor = Ads1115(Ads1115Config(clamps=[Ads1115Clamp(**SCT)], **options), where)
    else:
        buses.wire_spi(0, 0).chip = SimulatedMcp3008(time.monotonic_ns, [wave])
        sensor = Mcp3008(Mcp3008Config(clamps=[Mcp3008Clamp(**SCT)], **options), where)
    sensor.open()
    found: list[Block] = []
    until = time.monotonic() + 10.0
    while len(found) < 2 and time.monotonic() < until:
        time.sleep(0.05)
        found.extend(block for block in sensor.read() if not block.faults)
    sensor.close()
    assert [float(true_rms(block.values, 200.0, 50.0)) for block in found] == pytest.approx([10.0, 10.0], rel=0.06)


@pytest.mark.parametrize("make", [Ads, Mcp])
@pytest.mark.parametrize(
    ("wave", "fault", "words"),
    [
        (lambda _: 0.0, Fault.OPEN, "stays at the end of its range, 0.0"),
        (lambda _: 3.3, Fault.OPEN, "stays at the end of its range, 3."),
        (lambda _: 0.9, Fault.OPEN, "rests at 0.90 V where 1.65 V is expected"),
        (on_bias(mains(90.0)), Fault.CLIPPED, "of the samples at the end of the range"),
        (on_bias(mains(0.0)), Fault.OPEN, "quieter than 0.01 V; is the clamp plugged in?"),
    ],
)
def test_what_a_clamps_voltage_tells(make: Any, wave: Wave, fault: Fault, words: str) -> None:
    bench = make(wave, clamps=[{"quiet_v": 0.01}])
    bench.sensor.open()
    found, said = bench.fault()
    assert found is fault
    assert words in said
    assert "A0" in said or "CH0" in said


@pytest.mark.parametrize("make", [Ads, Mcp])
def test_a_machine_that_is_off_is_no_fault(make: Any) -> None:
    bench = make(on_bias(mains(0.0)), output="rms")
    bench.sensor.open()
    block = bench.read()["current"]
    assert not block.faults
    assert block.values[0] == pytest.approx(0.0, abs=block.channel.resolution)


def test_chips_are_recognised_by_what_speaks_for_them() -> None:
    ads, mcp = Ads(lambda _: 1.65), Mcp(lambda _: 1.65)
    (probe,) = ads1115.PROBES
    assert probe.identify(I2cReader(ads.bus, 0x48)) == "ADS1115"
    (spi,) = mcp3008.PROBES
    assert spi.identify(mcp.line) == "MCP3008"
    mcp.line.chip = None
    assert spi.identify(mcp.line) is None
    mcp.line.floating = 0x00
    assert spi.identify(mcp.line) is None


def test_another_adc_is_told() -> None:
    with pytest.raises(SensorError, match=r"i2c-1 address 0x48: expected an ADS1115, .* found 0x1230 \(an ADS1015"):
        Ads(lambda _: 1.65, bits=12).sensor.open()
    with pytest.raises(SensorError, match=r"spidev0\.0: expected an MCP3008; a value of .* an MCP3208"):
        Mcp(lambda _: 1.23, bits=12).sensor.open()


def test_absent_chips_are_told() -> None:
    ads, mcp = Ads(lambda _: 1.65), Mcp(lambda _: 1.65)
    ads.bus.pull(0x48)
    with pytest.raises(SensorError, match="i2c-1 address 0x48: nobody answers"):
        ads.sensor.open()
    mcp.line.chip = None
    with pytest.raises(SensorError, match=r"spidev0\.0: expected an MCP3008; nobody answers \(MISO stays high\)"):
        mcp.sensor.open()
    with pytest.raises(SensorError, match=r"/dev/spidev3\.0"):
        Mcp(lambda _: 1.65, bus=3).sensor.open()


@pytest.mark.parametrize("make", [Ads, Mcp])
def test_a_disturbed_transfer_is_repeated(make: Any) -> None:
    bench = make(on_bias(mains(10.0)), output="rms")
    bench.sensor.open()
    (bench.bus if make is Ads else bench.line).disturbed = 2
    assert bench.read()["current"].values[0] == pytest.approx(10.0, rel=0.01)


def test_pulled_and_plugged_in_again_they_recover() -> None:
    ads = Ads(on_bias(mains(10.0)), output="rms")
    ads.sensor.open()
    chip = ads.bus.chips[0x48]
    ads.bus.pull(0x48)
    with pytest.raises(SensorError, match="nobody answers"):
        ads.feed(1.0)
    ads.sensor.close()
    ads.bus.plug(0x48, chip)
    ads.sensor.open()
    assert ads.read()["current"].values[0] == pytest.approx(10.0, rel=0.01)
    mcp = Mcp(on_bias(mains(10.0)), output="rms")
    mcp.sensor.open()
    spi, mcp.line.chip = mcp.line.chip, None
    with pytest.raises(SensorError, match="nobody answers"):
        mcp.feed(1.0)
    mcp.sensor.close()
    mcp.line.chip = spi
    mcp.sensor.open()
    assert mcp.read()["current"].values[0] == pytest.approx(10.0, rel=0.01)


@pytest.mark.parametrize(
    ("make", "options", "said"),
    [
        (Ads, {"range_v": 2.0}, "range_v 2 is none of 6.144, 4.096"),
        (Ads, {"clamps": [{"input": "0"}, {"input": "1"}]}, 'phases cannot be sampled together: .* output = "rms"'),
        (
            Ads,
            {"output": "rms", "every_s": 0.5, "clamps": [{"input": str(k), "channel": f"c{k}"} for k in range(4)]},
            "every_s has to be at least 1.17",
        ),
        (Ads, {"clamps": [{"output_v": 1.0}]}, "either output_ma with burden_ohm"),
        (Mcp, {"clamps": [{"input": 1}, {"input": 1}]}, "two clamps on one input"),
        (Mcp, {"clamps": [{"input": k} for k in range(4)]}, "4 clamps of one channel"),
        (Mcp, {"every_s": 0.2}, "every_s has to be at least 0.26"),
    ],
)
def test_what_can_never_work_is_refused_before_the_start(make: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SensorConfigError, match=said):
        make(lambda _: 1.65, **options)
