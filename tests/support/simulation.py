"""Runs of simulated machines for tests, and the spectra to look at them with."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block
from edge.sensors.registry import Surroundings
from edge.sensors.simulated import Simulated, SimulatedConfig
from support.sensor_contract import FakeClock

Run = dict[str, list[Block]]
RATE_HZ = 3200.0


def simulated(of: str, clock: FakeClock, interval_s: float = 1.0, *, name: str = "", **options: Any) -> Simulated:
    """A simulated machine of that kind with these options, not opened yet."""
    surroundings = Surroundings(machine=name or f"{of}-1", kind=of, monotonic_ns=clock, interval_s=interval_s)
    return Simulated(msgspec.convert(options, SimulatedConfig), surroundings)


def go_on(sensor: Simulated, clock: FakeClock, seconds: float, cadence_s: float = 1.0) -> Run:
    """Blocks by channel of the next seconds."""
    run: Run = {channel.name: [] for channel in sensor.channels}
    for _ in range(round(seconds / cadence_s)):
        clock.step(cadence_s)
        for block in sensor.read():
            run[block.channel.name].append(block)
    return run


def run_of(kind: str, seconds: float, **options: Any) -> Run:
    """Blocks by channel of a machine that never stops, a minute a second."""
    clock = FakeClock()
    sensor = simulated(kind, clock, **{"speedup": 60.0, "schedule": "continuous", **options})
    sensor.open()
    return go_on(sensor, clock, seconds)


def readings(run: Run, channel: str) -> NDArray[np.float64]:
    """Values of a slow channel."""
    return np.concatenate([block.values for block in run[channel]])


def working(run: Run, current: str, *, above_a: float = 1.0) -> list[NDArray[np.float64]]:
    """Vibration blocks, first axis in g, of periods in which the motor ran from begin to end."""
    on = readings(run, current) > above_a
    blocks = [block.values if block.values.ndim == 1 else block.values[:, 0] for block in run["vibration"]]
    found = [block for block, now, before in zip(blocks[1:], on[1:], on[:-1], strict=True) if now and before]
    assert found, "the machine never ran"
    return found


def spectrum(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean amplitude in g per 1 Hz line (blocks of one second), Hann window."""
    window = np.hanning(len(blocks[0]))
    lines = [np.abs(np.fft.rfft((block - block.mean()) * window)) * 2 / window.sum() for block in blocks]
    return np.asarray(np.mean(lines, axis=0))


def envelope_spectrum(
    blocks: list[NDArray[np.float64]], low_hz: float = 600.0, high_hz: float = 1300.0
) -> NDArray[np.float64]:
    """Mean amplitude of the envelope's lines in g, 1 Hz apart, band-passed by the FFT."""
    lines = []
    for block in blocks:
        frequency = np.fft.fftfreq(len(block), 1 / RATE_HZ)
        band = (frequency > low_hz) & (frequency < high_hz)
        envelope = np.abs(np.fft.ifft(np.where(band, 2 * np.fft.fft(block), 0.0)))
        lines.append(np.abs(np.fft.rfft(envelope - envelope.mean())) * 2 / len(block))
    return np.asarray(np.mean(lines, axis=0))


def line(spectrum_1hz: NDArray[np.float64], frequency_hz: float, reach: int = 1) -> float:
    """Height of the highest line within `reach` Hz."""
    middle = round(frequency_hz)
    return float(spectrum_1hz[max(0, middle - reach) : middle + reach + 1].max())


def velocity_rms(block: NDArray[np.float64]) -> float:
    """mm/s from 10 to 1000 Hz of acceleration in g."""
    lines = np.fft.rfft((block - block.mean()) * 9.80665 * 1000.0)
    frequency = np.fft.rfftfreq(len(block), 1 / RATE_HZ)
    band = (frequency >= 10.0) & (frequency <= 1000.0)
    lines[band] /= 2 * np.pi * frequency[band]
    lines[~band] = 0.0
    return float(np.sqrt(2 * np.sum(np.abs(lines) ** 2)) / len(block))
