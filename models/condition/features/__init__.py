"""Features of a waveform: numbers that mean something to a maintenance engineer.

One file for each kind of thing they are told from: `vibration` and `current` look at one block, `envelope` at its knocking, `track` joins
blocks that are too short to resolve a shaft's turns, `speed` tells the running speed; `spectrum` is what they share. `numpy.fft` only:
importing `scipy.signal` costs 70 MB on a node. All together cost less than eight real FFTs of the block (`python -m benchmarks.features`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from models.condition.bearing import Bearing
from models.condition.features import current, envelope, vibration
from models.condition.features.spectrum import (
    NOTHING,
    Floats,
    Found,
    Plans,
    axis_names,
    fast_length,
    rows_of,
    with_axes,
)
from models.condition.features.speed import RunningSpeed, salient
from models.condition.features.track import ENOUGH_S, Track

__all__ = ["Features", "Found", "axis_names"]

MIN_SAMPLES = 32
LOW_RATE_HZ = 2000.0
_SPEED_STEPS = 1000
_LARGEST = 1e100


class _Names(NamedTuple):
    """Names and units of one plan's features for a number of axes."""

    names: tuple[str, ...]
    units: dict[str, str]


class Features:
    """Computes features of one machine's waveforms.

    Args:
        running_speed_hz: rated shaft speed; without it the speed is told from the spectra, and as long as nobody knows it there are
            no orders and no bearing lines.
        bearing: geometry; without it knocking is judged by where bearings of usual proportions have their lines.
        nominal_hz: frequency of the mains.
        gear_teeth: of the wheel on that shaft; without it there are no lines of the mesh.
    """

    def __init__(
        self,
        running_speed_hz: float | None = None,
        bearing: Bearing | None = None,
        nominal_hz: float = 50.0,
        gear_teeth: int | None = None,
    ) -> None:
        self.speed = RunningSpeed(running_speed_hz)
        self._bearing = bearing
        self._nominal_hz = nominal_hz
        self._gear_teeth = gear_teeth
        self._blocks: Plans[vibration.VibrationPlan] = Plans()
        self._rhythms: Plans[envelope.EnvelopePlan] = Plans()
        self._currents: Plans[current.CurrentPlan] = Plans()
        self._tracks: dict[str, Track] = {}
        self._named: dict[tuple[object, ...], _Names] = {}

    def interrupt(self) -> None:
        """What comes does not follow what was, though times may look so; what was learned of the speed is kept."""
        for track in self._tracks.values():
            track.clear()

    def vibration(
        self, values: Floats, rate_hz: float, unit: str, *, channel: str = "", start_s: float | None = None
    ) -> Found:
        """Features of an acceleration waveform.

        Args:
            values: shape (n,) or (n, axes), finite; the mean (gravity, sensor offset) is taken off.
            rate_hz: measured sample rate.
            unit: `g`, `mg` or `m/s²`; anything else is kept as it is; `velocity` is then in its own unit times seconds.
            channel: whose it is; blocks of one channel that follow each other are looked at together where they are short.
            start_s: time of the first sample; without it the block stands alone.

        Returns:
            By name, `<axis>.` in front where there is more than one axis; what is told of all axes together has none. Empty for fewer
            than 32 samples.
        """
        if len(values) < MIN_SAMPLES or not rate_hz > 0:
            return NOTHING
        samples = fast_length(len(values))
        values = np.asarray(values, dtype=np.float64)[len(values) - samples :]
        wave = rows_of(values)
        level = float(np.abs(wave).max())
        if not level < _LARGEST:
            return NOTHING
        factor = vibration.ACCELERATION_UNITS.get(unit)
        divisor = envelope.decimation(samples, rate_hz)
        whole = envelope.envelope(wave, divisor)
        length_s = samples / rate_hz
        joined: tuple[Floats, Floats] | None = None
        if length_s < ENOUGH_S and start_s is not None:
            started = start_s + (len(values) - samples) / rate_hz
            low = envelope.decimation(samples, rate_hz, LOW_RATE_HZ)
            raw = values[None, :] if values.ndim == 1 else values.T
            joined = self._tracks.setdefault(channel, Track()).add(raw, whole, low, rate_hz, started)
            self._look(joined[0], rate_hz / low, start_s)
        elif length_s >= ENOUGH_S:
            self._look(wave, rate_hz, start_s or 0.0)
        speed_hz = self._speed_hz
        plan = self._blocks.get(samples, rate_hz, self._vibration_plan(speed_hz, factor), speed_hz, factor is not None)
        found = vibration.of_block(wave, plan, factor)
        rhythm = self._rhythms.get(len(whole), rate_hz / divisor, self._envelope_plan(speed_hz), speed_hz)
        depth = envelope.depths(whole, rhythm)
        ours = envelope.knocks(depth, rhythm)
        more: list[tuple[str, float, str]] = []
        if rhythm.names:
            ratios = (rhythm.lines @ depth) / max(float(rhythm.background @ depth), 1e-300)
            more = [(f"envelope_{name}", value, "1") for name, value in zip(rhythm.names, ratios.tolist(), strict=True)]
        if ours is not None:
            more += [("envelope_line", 100.0 * ours.depth, "%"), ("envelope_shaft", 100.0 * ours.shaft, "%")]
        signs: dict[str, float] = {}
        if speed_hz is not None:
            signs = self._signs(joined[1] if joined else None, rate_hz / divisor, ours, speed_hz)
        return self._found(plan.names, found, unit, more, signs)

    def current(self, values: Floats, rate_hz: float, unit: str) -> Found:
        """Features of a current waveform of one or more phases sampled together; see `models.condition.features.current`."""
        if len(values) < MIN_SAMPLES or not rate_hz > 0:
            return NOTHING
        samples = fast_length(len(values))
        wave = rows_of(np.asarray(values, dtype=np.float64)[len(values) - samples :])
        if not float(np.abs(wave).max()) < _LARGEST:
            return NOTHING
        plan = self._currents.get(
            samples, rate_hz, lambda length, rate: current.current_plan(length, rate, self._nominal_hz)
        )
        each, whole, amplitude = current.of_block(wave, plan)
        if plan.names and self.speed.confidence <= 0.0:
            told = current.running_speed(amplitude, plan.step_hz, self._nominal_hz)
            if told is not None:
                self.speed.hear(*told)
        more = [(name, value, "%") for name, value in whole.items()]
        return self._found(tuple(each), np.array(list(each.values())), unit, more, {})

    @property
    def _speed_hz(self) -> float | None:
        """The running speed in steps of a thousandth: plans need not be made anew for less."""
        hz = self.speed.hz
        return None if hz is None else math.exp(round(math.log(hz) * _SPEED_STEPS) / _SPEED_STEPS)

    def _look(self, wave: Floats, rate_hz: float, time_s: float) -> None:
        if not self.speed.due(time_s):
            return
        samples = wave.shape[1]
        spectrum = np.fft.rfft(wave * np.hanning(samples), axis=1)
        source = salient(np.abs(spectrum), rate_hz / samples, self._nominal_hz)
        self.speed.look(time_s, source, samples / rate_hz)

    def _signs(
        self, whole: Floats | None, rate_hz: float, ours: envelope.Knocks | None, speed_hz: float
    ) -> dict[str, float]:
        knocks = ours
        if whole is not None:
            plan = self._rhythms.get(len(whole), rate_hz, self._envelope_plan(speed_hz), speed_hz)
            knocks = envelope.knocks(envelope.depths(whole, plan), plan)
        signs = {"running_speed": 60.0 * speed_hz}
        if knocks is not None:
            signs.update({f"knock_{name}": value for name, value in knocks._asdict().items()})
        return signs

    def _vibration_plan(self, speed_hz: float | None, factor: float | None):  # type: ignore[no-untyped-def]
        mesh_hz = speed_hz * self._gear_teeth if speed_hz is not None and self._gear_teeth else None
        return lambda samples, rate: vibration.vibration_plan(
            samples, rate, speed_hz, mesh_hz, velocity=factor is not None
        )

    def _envelope_plan(self, speed_hz: float | None):  # type: ignore[no-untyped-def]
        lines = self._bearing.lines(speed_hz) if self._bearing is not None and speed_hz is not None else {}
        if self._gear_teeth and speed_hz is not None:
            lines = {**lines, "mesh": self._gear_teeth * speed_hz}
        return lambda samples, rate: envelope.envelope_plan(samples, rate, speed_hz, lines)

    def _found(
        self,
        names: tuple[str, ...],
        found: Floats,
        unit: str,
        more: list[tuple[str, float, str]],
        signs: dict[str, float],
    ) -> Found:
        key = (names, found.shape[1], unit, tuple(name for name, _, _ in more))
        named = self._named.get(key)
        if named is None:
            spoken = with_axes(names, found.shape[1])
            units = [f"{unit}·s" if name == "velocity" else _UNITS.get(name, unit) for name in names for _ in range(found.shape[1])]
            named = _Names(spoken, {**dict(zip(spoken, units, strict=True)), **{name: u for name, _, u in more}})
            self._named[key] = named
        values = dict(zip(named.names, found.ravel().tolist(), strict=True))
        for name, value, _ in more:
            values[name] = value
        return Found(values, named.units, signs)


_UNITS = {
    "crest": "1", "kurtosis": "1", "skewness": "1", "entropy": "1", "velocity_rms": "mm/s", "harmonics": "%", "sidebands": "%",
}  # fmt: skip
