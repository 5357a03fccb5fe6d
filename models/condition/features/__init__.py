"""Features of a waveform: numbers that mean something to a maintenance engineer.

One file for each kind of thing they are told from: `vibration` and `current` look at one block, `envelope` at its knocking, `track` joins
blocks that are too short to resolve a shaft's turns, `speed` tells the running speed; `spectrum` is what they share. `numpy.fft` only:
importing `scipy.signal` costs 70 MB on a node. What all together cost in real FFTs of the block is measured by
`python -m benchmarks.features`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.condition.bearing import Bearing
from models.condition.features import current, envelope, vibration
from models.condition.features.naming import axis_names, named
from models.condition.features.plans import Plans
from models.condition.features.spectrum import NOTHING, Floats, Found, Rows, fast_length, hann, rows_of
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
        speed_hz = self.speed.hz
        plan = self._plans.block(samples, rate_hz, speed_hz, divisor, unit, len(rows.wave))
        found = vibration.of_block(rows, density, plan.wave)
        depth = envelope.depths(rhythm)
        found += envelope.ratios(depth, plan.rhythm)
        knocks = envelope.knocks(depth, plan.rhythm)
        if knocks is not None:
            found += (100.0 * knocks.depth, 100.0 * knocks.shaft)
        signs = _signs(speed_hz, knocks) if track is None else self._longer(channel, track, rate_hz / divisor)
        return Found(dict(zip(plan.names, found, strict=True)), plan.units, signs)

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
        found += whole.values()
        names, units = named(tuple(each), tuple(whole), len(rows.wave), unit)
        return Found(dict(zip(names, found, strict=True)), units, {})

    @staticmethod
    def _spectra(rows: Rows, whole: Floats) -> tuple[Floats, Floats]:
        """Power of the waves and amplitude of their envelope at each line."""
        window = hann(rows.wave.shape[1])
        if len(whole) != len(window):
            return vibration.spectrum_of(rows.wave, window), envelope.spectrum_of(whole, hann(len(whole)))
        # One transform of all rows together is quicker than two.
        rows.room[-1] = whole
        power = vibration.spectrum_of(rows.room, window)
        return power[:-1], np.sqrt(power[-1])

    def _longer(self, channel: str, track: Track, rhythm_hz: float) -> Mapping[str, float]:
        """What blocks that follow each other say together; the same as before where too little is new."""
        speed_hz = self.speed.hz
        if speed_hz is not None and track.renewed():
            joined = track.rhythm()
            plan = self._plans.rhythm(len(joined), rhythm_hz, speed_hz)
            depth = envelope.depths(envelope.spectrum_of(joined, hann(len(joined))))
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
            self._look(vibration.spectrum_of(wave, hann(samples)), rate_hz / factor / samples, time_s)

    def _look(self, density: Floats, step_hz: float, time_s: float) -> None:
        lines = int(TOP_HZ / step_hz) + 1
        source = salient(np.sqrt(density[:, :lines]), step_hz, self._nominal_hz)
        self.speed.look(time_s, source, 1.0 / step_hz)


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
