"""Features of a waveform: numbers that mean something to a maintenance engineer.

One file for each kind of thing they are told from: `vibration` and `current` look at one block, `envelope` at its knocking, `track` joins
blocks that are too short to resolve a shaft's turns, `speed` tells the running speed; `spectrum` is what they share. `numpy.fft` only:
importing `scipy.signal` costs 70 MB on a node. What all together cost in real FFTs of the block is measured by
`python -m benchmarks.features`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.condition.bearing import Bearing
from models.condition.features import current, envelope, vibration
from models.condition.features.plans import Plans
from models.condition.features.spectrum import NOTHING, Floats, Found, Rows, axis_names, fast_length, rows_of, with_axes
from models.condition.features.speed import TOP_HZ, RunningSpeed, salient
from models.condition.features.track import ENOUGH_S, Track

__all__ = ["Features", "Found", "axis_names"]

MIN_SAMPLES = 32
LOW_RATE_HZ = 2000.0


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
        self._nominal_hz = nominal_hz
        self._plans = Plans(bearing, gear_teeth, nominal_hz)
        self._tracks: dict[str, Track] = {}
        self._told: dict[str, dict[str, float]] = {}
        self._named: dict[tuple[object, ...], tuple[tuple[str, ...], Mapping[str, str]]] = {}

    def interrupt(self) -> None:
        """What comes does not follow what was, though times may look so; what was learned of the speed is kept."""
        for track in self._tracks.values():
            track.clear()

    def listen(self, values: Floats, rate_hz: float) -> None:
        """Tells the running speed from a longer stretch of acceleration, (n,) or (n, axes), before its blocks are looked at."""
        track = Track()
        track.add(np.asarray(values, dtype=np.float64), np.zeros(1), rate_hz, 0.0)
        self._look_at(track, rate_hz, 0.0)

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
        values = np.asarray(values, dtype=np.float64)
        samples = len(values)
        short = samples < ENOUGH_S * rate_hz
        if not short:
            samples = fast_length(samples)
            values = values[len(values) - samples :]
        rows = rows_of(values)
        if rows is None:
            return NOTHING
        divisor = envelope.decimation(samples, rate_hz)
        whole = envelope.envelope(rows.wave, divisor)
        density, rhythm = self._spectra(rows, whole)
        track: Track | None = None
        if not short:
            if self.speed.due(start_s or 0.0):
                self._look(density, rate_hz / samples, start_s or 0.0)
        elif start_s is not None:
            track = self._joined(channel, values, whole, rate_hz, start_s)
        speed_hz, factor = self.speed.hz, vibration.ACCELERATION_UNITS.get(unit)
        plan, beat = self._plans.pair(samples, rate_hz, speed_hz, factor, divisor)
        found = vibration.of_block(rows, density, plan)
        depth = envelope.depths(rhythm)
        knocks = envelope.knocks(depth, beat)
        more = envelope.ratios(depth, beat)
        if knocks is not None:
            more["envelope_line"], more["envelope_shaft"] = 100.0 * knocks.depth, 100.0 * knocks.shaft
        signs = _signs(speed_hz, knocks) if track is None else self._longer(channel, track, rate_hz / divisor)
        return self._found(plan.names, len(rows.wave), found, unit, more, signs)

    def current(self, values: Floats, rate_hz: float, unit: str, *, start_s: float | None = None) -> Found:
        """Features of a current waveform of one or more phases sampled together; see `models.condition.features.current`.

        Args:
            values: shape (n,) or (n, phases), finite.
            rate_hz: measured sample rate.
            unit: of the values.
            start_s: time of the first sample.
        """
        if len(values) < MIN_SAMPLES or not rate_hz > 0:
            return NOTHING
        samples = fast_length(len(values))
        values = np.asarray(values, dtype=np.float64)[len(values) - samples :]
        rows = rows_of(values)
        if rows is None:
            return NOTHING
        plan = self._plans.current(samples, rate_hz)
        each, whole, amplitude = current.of_block(rows, plan)
        if plan.names and self.speed.asks(start_s or 0.0):
            told = current.running_speed(amplitude, plan.step_hz, self._nominal_hz)
            if told is not None:
                self.speed.hear(*told)
        found = [value for row in each.values() for value in row.tolist()]
        return self._found(tuple(each), len(rows.wave), found, unit, whole, {})

    def _spectra(self, rows: Rows, whole: Floats) -> tuple[Floats, Floats]:
        """Power of the waves and amplitude of their envelope at each line."""
        samples, window = rows.wave.shape[1], self._plans.window
        if len(whole) != samples:
            return vibration.spectrum_of(rows.wave, window(samples)), envelope.spectrum_of(whole, window(len(whole)))
        # One transform of all rows together is quicker than two.
        rows.room[-1] = whole
        power = vibration.spectrum_of(rows.room, window(samples))
        return power[:-1], np.sqrt(power[-1])

    def _longer(self, channel: str, track: Track, rhythm_hz: float) -> Mapping[str, float]:
        """What blocks that follow each other say together; the same as before where too little is new."""
        speed_hz = self.speed.hz
        if speed_hz is not None and track.renewed():
            joined = track.rhythm()
            plan = self._plans.rhythm(len(joined), rhythm_hz, speed_hz)
            depth = envelope.depths(envelope.spectrum_of(joined, self._plans.window(len(joined))))
            self._told[channel] = _signs(speed_hz, envelope.knocks(depth, plan))
        return self._told.get(channel, {})

    def _joined(self, channel: str, values: Floats, whole: Floats, rate_hz: float, start_s: float) -> Track:
        track = self._tracks.setdefault(channel, Track())
        track.add(values, whole, rate_hz, start_s)
        if self.speed.due(start_s):
            self._look_at(track, rate_hz, start_s)
        return track

    def _look_at(self, track: Track, rate_hz: float, time_s: float) -> None:
        factor = max(int(rate_hz / LOW_RATE_HZ), 1)
        wave = track.low(factor)
        samples = wave.shape[1]
        if samples >= MIN_SAMPLES:
            self._look(vibration.spectrum_of(wave, np.hanning(samples)), rate_hz / factor / samples, time_s)

    def _look(self, density: Floats, step_hz: float, time_s: float) -> None:
        lines = int(TOP_HZ / step_hz) + 1
        source = salient(np.sqrt(density[:, :lines]), step_hz, self._nominal_hz)
        self.speed.look(time_s, source, 1.0 / step_hz)

    def _found(
        self,
        names: tuple[str, ...],
        axes: int,
        found: Sequence[float],
        unit: str,
        more: Mapping[str, float],
        signs: Mapping[str, float],
    ) -> Found:
        key = (names, axes, unit)
        named = self._named.get(key)
        if named is None:
            spoken = with_axes(names, axes)
            units = [_unit(name, unit) for name in names for _ in range(axes)]
            named = self._named[key] = spoken, dict(zip(spoken, units, strict=True)) | _WHOLE_UNITS
        values = dict(zip(named[0], found, strict=True))
        values.update(more)
        return Found(values, named[1], signs)


def _signs(speed_hz: float | None, knocks: envelope.Knocks | None) -> dict[str, float]:
    if speed_hz is None:
        return {}
    if knocks is None:
        return {"running_speed": 60.0 * speed_hz}
    return {
        "running_speed": 60.0 * speed_hz,
        "knock_turns": knocks.turns,
        "knock_order": knocks.order,
        "knock_depth": knocks.depth,
        "knock_sidebands": knocks.sidebands,
        "knock_shaft": knocks.shaft,
        "knock_cage": knocks.cage,
    }


def _unit(name: str, unit: str) -> str:
    return f"{unit}·s" if name == "velocity" else _UNITS.get(name, unit)


_UNITS = {
    "crest": "1", "kurtosis": "1", "skewness": "1", "entropy": "1", "velocity_rms": "mm/s", "harmonics": "%", "sidebands": "%",
}  # fmt: skip
_WHOLE_UNITS = {
    "envelope_line": "%", "envelope_shaft": "%", "unbalance": "%", "negative_real": "%", "negative_imaginary": "%",
    **{f"envelope_{line}": "1" for line in ("bpfo", "bpfi", "bsf", "ftf", "mesh")},
}  # fmt: skip
