"""Draws the figures of docs/simulation.md: `python -m benchmarks.simulation_figures` (needs matplotlib, nothing else does)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.sensors.base import Block
from edge.sensors.registry import Surroundings
from edge.sensors.simulated import Simulated, SimulatedConfig

FOLDER = Path(__file__).parent.parent / "docs" / "simulation"
Values = NDArray[np.float64]


def run(kind: str, seconds: int, **options: Any) -> dict[str, list[Block]]:
    """Blocks by channel of a run with one reading a second."""
    now_ns = 0
    surroundings = Surroundings(machine=kind, kind=kind, monotonic_ns=lambda: now_ns, interval_s=1.0)
    sensor = Simulated(msgspec.convert(options, SimulatedConfig), surroundings)
    sensor.open()
    blocks: dict[str, list[Block]] = {channel.name: [] for channel in sensor.channels}
    for _ in range(seconds):
        now_ns += 1_000_000_000
        for block in sensor.read():
            blocks[block.channel.name].append(block)
    return blocks


def values(blocks: dict[str, list[Block]], channel: str) -> Values:
    """A slow channel's readings."""
    return np.concatenate([block.values for block in blocks[channel]])


def running(blocks: dict[str, list[Block]], current: str) -> list[Values]:
    """First axis of the vibration while the motor runs."""
    on = values(blocks, current) > 1.0
    return [block.values[:, 0] for block, now in zip(blocks["vibration"], on, strict=True) if now][2:]


def spectrum(blocks: list[Values]) -> Values:
    """Mean amplitude per line of 1 Hz, g."""
    window = np.hanning(len(blocks[0]))
    return np.asarray(
        np.mean([np.abs(np.fft.rfft((b - b.mean()) * window)) for b in blocks], axis=0) * 2 / window.sum()
    )


def envelope(blocks: list[Values], rate_hz: float = 3200.0) -> Values:
    """Mean envelope spectrum from 600 to 1300 Hz, g."""
    lines = []
    for block in blocks:
        frequency = np.fft.fftfreq(len(block), 1 / rate_hz)
        lifted = np.abs(np.fft.ifft(np.where((frequency > 600) & (frequency < 1300), 2 * np.fft.fft(block), 0)))
        lines.append(np.abs(np.fft.rfft(lifted - lifted.mean())) * 2 / len(block))
    return np.asarray(np.mean(lines, axis=0))


def curves(plt: Any, name: str, runs: dict[str, dict[str, list[Block]]], channels: list[str], minutes: float) -> None:
    """Slow channels of several runs, one panel a channel; `minutes` of machine time a reading."""
    figure, panels = plt.subplots(len(channels), 1, figsize=(9, 1.5 * len(channels)), sharex=True)
    for panel, channel in zip(panels, channels, strict=True):
        for label, blocks in runs.items():
            series = values(blocks, channel)
            panel.plot(np.arange(len(series)) * minutes, series, lw=0.9, label=label)
        unit = next(iter(runs.values()))[channel][0].channel.unit
        panel.set_ylabel(f"{channel.replace('_', ' ')}\n{unit}", fontsize=7)
        panel.tick_params(labelsize=7)
    panels[0].legend(fontsize=7, loc="upper right")
    panels[-1].set_xlabel("machine time, minutes", fontsize=8)
    save(figure, name)


def save(figure: Any, name: str) -> None:
    """Writes one figure."""
    figure.tight_layout()
    figure.savefig(FOLDER / f"{name}.png", dpi=80)


def spectra(plt: Any) -> None:
    """The mixer's spectra, sound and broken."""
    shaft = 1475 / 60
    figure, panels = plt.subplots(5, 1, figsize=(9, 8), sharex=True)
    for panel, fault in zip(panels, (None, "imbalance", "misalignment", "looseness", "belt"), strict=True):
        faults = [{"name": fault}] if fault else []
        blocks = running(run("mixer", 24, speedup=60.0, schedule="continuous", faults=faults), "motor_current")
        panel.plot(spectrum(blocks)[:160] * 1e3, lw=0.9)
        for order in (1, 2, 3, 4, 5, 6):
            panel.axvline(order * shaft, color="grey", lw=0.4, ls=":")
        panel.set_ylabel(f"{fault or 'sound'}\nmg", fontsize=7)
        panel.tick_params(labelsize=7)
    panels[-1].set_xlabel("Hz; dotted: running speed and its multiples", fontsize=8)
    save(figure, "mixer-spectra")


def bearings(plt: Any) -> None:
    """Waveform and envelope spectrum of each bearing fault."""
    lines = {"bearing_outer": 88.13, "bearing_inner": 133.12, "bearing_ball": 115.88}
    figure, panels = plt.subplots(4, 2, figsize=(9, 7))
    for row, fault in enumerate((None, *lines)):
        faults = [{"name": fault}] if fault else []
        blocks = running(run("mixer", 24, speedup=60.0, schedule="continuous", faults=faults), "motor_current")
        panels[row, 0].plot(np.arange(640) / 3.2, blocks[-1][:640], lw=0.6)
        panels[row, 0].set_ylabel(f"{fault or 'sound'}\ng", fontsize=7)
        panels[row, 0].set_ylim(-1.2, 1.2)
        panels[row, 1].plot(envelope(blocks)[:400] * 1e3, lw=0.9)
        if fault:
            for harmonic in (1, 2, 3):
                panels[row, 1].axvline(harmonic * lines[fault], color="grey", lw=0.5, ls=":")
        panels[row, 1].set_ylabel("envelope, mg", fontsize=7)
    for panel in panels.flat:
        panel.tick_params(labelsize=7)
    panels[-1, 0].set_xlabel("ms", fontsize=8)
    panels[-1, 1].set_xlabel("Hz; dotted: BPFO, BPFI, 2·BSF and harmonics", fontsize=8)
    save(figure, "bearing")


def main() -> None:
    """Draws all of them."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    plt = import_module("matplotlib.pyplot")
    FOLDER.mkdir(parents=True, exist_ok=True)
    often: dict[str, Any] = {"speedup": 30.0, "schedule": "continuous"}
    broken = {**often, "faults": [{"name": "heating_element_open", "at_s": 120.0}]}
    oven = ["deck_temperature", "air_temperature", "current_l1", "current_l2", "power", "door"]
    curves(
        plt,
        "oven",
        {"sound": run("oven", 420, **often), "element L2 open from minute 60": run("oven", 420, **broken)},
        oven,
        0.5,
    )
    cold = run("oven", 600, speedup=60.0, start_hour=2.5)
    curves(plt, "oven-morning", {"a morning": cold}, ["deck_temperature", "air_temperature", "power", "door"], 1.0)
    mixer = ["motor_current", "motor_temperature", "spiral_speed"]
    curves(plt, "mixer", {"sound": run("mixer", 240, speedup=20.0, schedule="continuous")}, mixer, 1 / 3)
    fan = {**often, "faults": [{"name": "fan_blocked", "at_s": 100.0, "ramp_s": 20.0}]}
    compressor = ["current_l1", "suction_temperature", "discharge_temperature", "room_temperature"]
    curves(
        plt,
        "compressor",
        {"sound": run("compressor", 240, **often), "fan blocked from minute 50": run("compressor", 240, **fan)},
        compressor,
        0.5,
    )
    spectra(plt)
    bearings(plt)


if __name__ == "__main__":
    main()
