"""What every accelerometer with a FIFO must do, beside the sensors' contract: one suite, a subclass a chip and bus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.feed import SensorFeed
from edge.machine import MachinePath, MachineSetup, SensorReading, Step
from edge.sensors.accelerometer import FifoAccelerometer
from edge.sensors.base import Block, Fault, SensorError
from edge.sensors.registry import Surroundings
from edge.sensors.simulation.chips.bus import SimulatedBuses, SimulatedI2c, SimulatedSpi
from models.condition.model import Condition
from models.condition.settings import Settings
from support.sensor_contract import FakeClock, SensorCase, SensorContract, check_block

SINE_HZ = 50.0
SINE_G = 0.4


def shaken(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """50 Hz along x, gravity along z, and a little noise."""
    wave: NDArray[np.float64] = 0.012 * np.sin(times_s[:, None] * np.array([7919.0, 6101.0, 4787.0]))
    wave[:, 0] += SINE_G * np.sin(2 * np.pi * SINE_HZ * times_s)
    wave[:, 2] += 1.0
    return wave


@dataclass
class Rig:
    """A chip on a bus, and a sensor that reads it."""

    sensor: FifoAccelerometer
    chip: Any
    clock: FakeClock
    bus: SimulatedI2c | SimulatedSpi
    address: int
    step_s: float

    def feed(self, seconds: float) -> None:
        """Lets time pass and the FIFO be drained, as the thread does."""
        for _ in range(max(round(seconds / self.step_s), 1)):
            self.clock.step(self.step_s)
            self.sensor.pump()

    def plug(self, chip: object) -> None:
        """Puts another chip, or the same, in its place."""
        if isinstance(self.bus, SimulatedSpi):
            self.bus.chip = chip  # type: ignore[assignment]  # any chip of the family understands SPI
        else:
            self.bus.plug(self.address, chip)  # type: ignore[arg-type]  # and I²C

    def pull(self) -> None:
        """Takes the chip off."""
        if isinstance(self.bus, SimulatedSpi):
            self.bus.chip = None
        else:
            self.bus.pull(self.address)

    def run(self, seconds: int) -> list[Block]:
        """Opens it and reads once a second, for so long."""
        self.sensor.open()
        blocks: list[Block] = []
        for _ in range(seconds):
            self.feed(1.0)
            blocks += self.sensor.read()
        return blocks


def rig(
    make: Callable[..., FifoAccelerometer],
    config: object,
    chip: Callable[..., object],
    *,
    address: int,
    spi: bool = False,
    error: float = 0.05,
    waveform: Callable[[NDArray[np.float64]], NDArray[np.float64]] = shaken,
) -> Rig:
    """A rig with a chip whose oscillator is off by `error`."""
    clock = FakeClock()
    buses = SimulatedBuses()
    bus = buses.wire_spi(0, 0) if spi else buses.wire_i2c(1)
    made = chip(clock, error, waveform)
    surroundings = Surroundings("mixer", "mixer", clock, 1.0, buses=buses)
    sensor = make(config, surroundings, sleep=clock.step, background=False)
    rate_hz = sensor.channel.rate_hz or 1.0
    built = Rig(sensor, made, clock, bus, address, 0.6 * sensor._fifo_samples / rate_hz)
    built.plug(made)
    return built


class WrongChip:
    """Another chip: every register reads the same."""

    def __init__(self, content: int) -> None:
        self.content = content

    def read(self, register: int, count: int) -> bytes:  # noqa: ARG002  # as a chip is asked
        return bytes([self.content]) * count

    def write(self, register: int, data: bytes) -> None:
        pass

    def exchange(self, out: bytes, count: int) -> bytes:  # noqa: ARG002  # as a chip is asked
        return bytes([self.content]) * count

    def transfer(self, out: bytes) -> bytes:
        return bytes([self.content]) * len(out)


def steps(path: MachinePath, sensor: str, blocks: Sequence[Block]) -> list[Step]:
    """The machine's path over these blocks, one a tick."""
    return [path.step(block.end_ns, [SensorReading(sensor, [block])]) for block in blocks]


class AccelerometerSuite(SensorContract):
    """A subclass gives the `rig` fixture: the chip 5 % too fast, shaken at 50 Hz."""

    place = ""
    """What errors call it."""
    tolerance_g = 0.01

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError("give a `rig` fixture")

    @pytest.fixture
    def case(self, rig: Rig) -> SensorCase:
        return SensorCase(
            rig.sensor,
            rig.feed,
            seconds=1.0 + 128 * 1.05 / (rig.sensor.channel.rate_hz or 1.0),
            monotonic_ns=rig.clock,
        )

    def test_the_measured_rate_of_a_chip_five_percent_off_is_right(self, rig: Rig) -> None:
        blocks = rig.run(4)
        true_hz = rig.chip.oscillator.rate_hz
        assert true_hz == pytest.approx(1.05 * (rig.sensor.channel.rate_hz or 0.0))
        assert [block.rate_hz for block in blocks] == pytest.approx([true_hz] * len(blocks), rel=0.005)
        assert sum(len(block.values) for block in blocks) == pytest.approx(4 * true_hz, rel=0.03)
        assert not any(block.lost or block.faults for block in blocks)

    def test_a_sine_keeps_its_strength_and_its_frequency(self, rig: Rig) -> None:
        block = rig.run(4)[-1]
        assert block.rate_hz is not None
        values = block.values - block.values.mean(axis=0)
        assert values[:, 0].std() == pytest.approx(SINE_G / np.sqrt(2), rel=0.01)
        assert block.values.mean(axis=0) == pytest.approx([0.0, 0.0, 1.0], abs=self.tolerance_g)
        window = np.hanning(len(values))
        times = np.arange(len(values)) / block.rate_hz
        near = np.arange(45.0, 55.0, 0.02)
        spectrum = np.abs(np.exp(-2j * np.pi * near[:, None] * times) @ (values[:, 0] * window))
        assert near[spectrum.argmax()] == pytest.approx(SINE_HZ, rel=0.005)

    def test_a_machine_hears_it_as_it_is(self, rig: Rig) -> None:
        path = MachinePath(
            MachineSetup("mixer", running_speed_hz=SINE_HZ), rig.sensor.channels, Condition(Settings(warmup=8))
        )
        step = steps(path, "accelerometer", rig.run(4))[-1]
        name = rig.sensor.channel.name
        assert step.series[f"{name}.x.rms"].values[-1] == pytest.approx(SINE_G / np.sqrt(2), rel=0.01)
        velocity = SINE_G / np.sqrt(2) * 9806.65 / (2 * np.pi * SINE_HZ)
        assert step.series[f"{name}.x.velocity_rms"].values[-1] == pytest.approx(velocity, rel=0.03)
        assert not step.sensor_faults

    def test_an_absent_chip_is_named_with_its_place(self, rig: Rig) -> None:
        rig.pull()
        with pytest.raises(SensorError, match=self.place) as error:
            rig.sensor.open()
        assert "nobody answers" in str(error.value) or "nothing answers" in str(error.value)

    def test_another_chip_is_told_with_what_was_found(self, rig: Rig) -> None:
        rig.plug(WrongChip(0x5A))
        with pytest.raises(
            SensorError, match=f"{self.place}: no {rig.sensor.chip}.*should be 0x.*and is 0x5A.*unknown"
        ):
            rig.sensor.open()

    def test_a_bus_that_is_not_there_says_what_to_switch_on(self, rig: Rig) -> None:
        rig.sensor._buses = SimulatedBuses()
        with pytest.raises(SensorError, match="switch it on"):
            rig.sensor.open()

    def test_a_disturbed_transfer_is_tried_again(self, rig: Rig) -> None:
        rig.run(2)
        rig.bus.disturbed = 2
        rig.feed(1.0)
        blocks = list(rig.sensor.read())
        assert rig.bus.disturbed == 0
        rig.feed(1.0)
        blocks += rig.sensor.read()
        assert sum(len(block.values) for block in blocks) == pytest.approx(2 * rig.chip.oscillator.rate_hz, rel=0.1)
        assert all(np.abs(block.values[:, 0]).max() < 0.5 for block in blocks)

    def test_a_bus_disturbed_for_long_is_an_error_and_recovers_by_itself(self, rig: Rig) -> None:
        rig.run(2)
        rig.bus.disturbed = 50
        with pytest.raises(SensorError, match=r"Input/output error"):
            rig.feed(1.0)
        rig.bus.disturbed = 0
        assert rig.run(2)

    def test_a_pulled_plug_is_a_failure_and_its_return_is_noticed(self, rig: Rig) -> None:
        feed = SensorFeed("mixer", "accelerometer", lambda: rig.sensor)
        feed.open(rig.clock())
        ok = errors = 0
        for second in range(16):
            if second == 3:
                rig.pull()
            if second == 6:
                rig.chip.power_cycle()
                rig.plug(rig.chip)
            try:
                rig.feed(1.0)
            except SensorError as exc:
                rig.sensor._sampler._error = exc  # type: ignore[union-attr]  # as the thread keeps it
            reading = feed.read(rig.clock())
            errors += reading.error is not None
            ok += bool(reading.blocks)
            if second == 5:
                assert reading.error is not None
                assert self.place in reading.error
        assert feed.error is None
        assert errors >= 3
        assert ok > 6

    def test_a_chip_that_lost_power_for_a_moment_is_noticed_and_set_again(self, rig: Rig) -> None:
        rig.run(2)
        rig.chip.power_cycle()
        with pytest.raises(SensorError, match="lost power for a moment"):
            rig.feed(2.5)
        blocks = rig.run(3)
        assert blocks[-1].rate_hz == pytest.approx(rig.chip.oscillator.rate_hz, rel=0.005)
        assert blocks[-1].values[:, 0].std() == pytest.approx(SINE_G / np.sqrt(2), rel=0.02)

    def test_an_overflow_is_a_fault_with_the_number_of_lost_samples(self, rig: Rig) -> None:
        rig.run(3)
        rig.sensor.pump()
        pause_s = 2.0 * rig.sensor._fifo_samples / (rig.sensor.channel.rate_hz or 1.0)
        rig.clock.step(pause_s)
        rig.feed(1.0)
        blocks = rig.sensor.read()
        true = pause_s * rig.chip.oscillator.rate_hz
        lost = sum(block.lost for block in blocks)
        # Where an overflow leaves nothing usable, what was in the FIFO is lost as well, and a look too.
        assert true - rig.sensor._fifo_samples - 4 <= lost <= true + 1.3 * rig.sensor._fifo_samples
        faults = [fault for block in blocks for fault in block.faults]
        assert [fault for fault, _ in faults] == [Fault.OVERRUN]
        assert f"about {lost} samples lost" in faults[0][1]

    def test_a_broken_mass_fails_the_self_test(self, rig: Rig) -> None:
        rig.chip.force_g = (0.0, 0.0, 0.0)
        with pytest.raises(SensorError, match=f"{self.place}: the {rig.sensor.chip} fails its self-test: [xyz]"):
            rig.sensor.open()

    def test_a_self_test_leaves_no_trace(self, rig: Rig) -> None:
        rig.sensor.open()
        rig.feed(1.5)
        assert rig.sensor.read()[-1].values.mean(axis=0) == pytest.approx([0.0, 0.0, 1.0], abs=self.tolerance_g)

    def test_whatever_the_bus_brings_is_a_reading_or_a_sensor_error(self, rig: Rig) -> None:
        rng = np.random.default_rng(5)
        call = "transfer" if isinstance(rig.bus, SimulatedSpi) else "read"
        true = getattr(rig.bus, call)
        rig.run(1)
        errors = 0
        for share in rng.uniform(0.01, 0.3, 20):

            def garbled(*asked: Any, share: float = share) -> bytes:
                answer: bytes = true(*asked)
                return rng.bytes(len(answer)) if rng.random() < share else answer

            setattr(rig.bus, call, garbled)
            try:
                rig.feed(0.1)
                for block in rig.sensor.read():
                    check_block(block, rig.sensor.channels)
                    assert np.isfinite(block.values).all()
            except SensorError:
                errors += 1
                setattr(rig.bus, call, true)
                rig.sensor.open()
                rig.feed(0.7)
        assert errors

    def test_a_closed_chip_sleeps(self, rig: Rig) -> None:
        rig.run(1)
        rig.sensor.close()
        assert rig.chip.oscillator.rate_hz == 0.0

    def test_a_knock_beyond_the_range_is_clipped_and_told(self, rig: Rig) -> None:
        def knock(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
            wave = shaken(times_s)
            wave[:, 0] *= 120.0
            return wave

        rig.sensor.open()
        rig.chip.oscillator.waveform = knock
        rig.feed(2.0)
        path = MachinePath(MachineSetup("mixer"), rig.sensor.channels, Condition(Settings(warmup=8)))
        blocks = rig.sensor.read()
        channel = rig.sensor.channel
        for block in blocks:
            assert block.values.max() <= channel.high
            assert block.values.min() >= channel.low
        late = [replace(blocks[-1], start_ns=blocks[-1].start_ns + n * 1_000_000_000) for n in range(4)]
        step = steps(path, "accelerometer", late)[-1]
        assert step.sensor_faults[channel.name][0] is Fault.CLIPPED
