"""A recording played back as a sensor: a table row by row, or a waveform block by block, at real or any speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from edge.recordings.base import Options, RecordingError
from edge.recordings.channels import Overrides, WaveChannel, table_channels, wave_channels
from edge.recordings.reader import Recording, open_recording
from edge.recordings.waveform import DEFAULT_BLOCK_S, block_length, blocks
from edge.sensors.base import Block, Channel, Quantity, SensorConfigError, SensorError
from edge.sensors.registry import Surroundings

MAX_ROWS = 2000
"""Rows delivered by one read; what is due beyond that comes with the next."""


class ReplayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a `replay` sensor. Columns are given by name or by 0-based number."""

    files: Annotated[list[Path], Meta(min_length=1)]
    """Recordings, played one after the other; a member of a zip file as `runs.zip!member.csv`."""
    separator: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    """Field separator of CSV files; found by looking when left out."""
    time: str | None = None
    """Time column; found by name and content when left out. Without one, rows come at rate_hz or one a second."""
    columns: list[str] = []
    """Columns to play; every numeric one when left out."""
    ignore: list[str] = []
    """Columns to leave out, for instance labels."""
    rate_hz: Annotated[float, Meta(gt=0)] | None = None
    """Sample rate; makes a table of samples a waveform. WAV files know their own."""
    block_s: Annotated[float, Meta(gt=0, le=60)] | None = None
    """Length of a waveform's blocks; 1 s when left out."""
    speed: Annotated[float, Meta(ge=0, le=1e6)] = 1.0
    """Seconds of recording in a second: 1 is real time, 60 a minute a second; 0 plays one row or block a reading."""
    loop: bool = False
    """Begin again after the end. Without it the sensor then has no more data, which is reported as such."""
    units: dict[str, str] = {}
    """Unit by column, where its name does not say it."""
    quantities: dict[str, Quantity] = {}
    """What a column measures, where its name does not say it: vibration, temperature, current, power, energy, speed,
    level or state."""
    names: dict[str, str] = {}
    """Channel name by column; made from the column's name when left out."""


class _Due(NamedTuple):
    """One row or block of the recording."""

    offset_ns: int
    """Since the start of the recording."""
    values: NDArray[np.float64]
    """(columns,) or (samples, columns)."""


class Replay:
    """See the module. One thread opens, reads and closes it.

    With a speed other than 1 a waveform keeps its true sample rate, so that its spectrum stays true; only the distance
    between blocks changes.

    Args:
        config: which recording, and how.
        surroundings: the clock is taken from it.
    """

    Config = ReplayConfig

    def __init__(self, config: ReplayConfig, surroundings: Surroundings) -> None:
        self._config = config
        self._monotonic_ns = surroundings.monotonic_ns
        self._channels: tuple[Channel, ...] = ()
        self._waves: list[WaveChannel] = []
        self._recording: Recording | None = None
        self._rows: Iterator[_Due] = iter(())
        self._next: _Due | None = None
        self._opened_ns: int | None = None
        self._failure: RecordingError | None = None
        self._last_ns: dict[str, int] = {}

    @property
    def channels(self) -> Sequence[Channel]:
        """One channel a column of a table; one a quantity of a waveform, its columns as axes.

        Raises:
            SensorConfigError: the first recording cannot be used.
        """
        if not self._channels:
            for file in self._config.files:
                with self._load(str(file)) as recording:
                    self._learn_channels(recording)
        return self._channels

    def open(self) -> None:
        """Starts playing from the beginning.

        Raises:
            SensorConfigError: a recording cannot be used.
        """
        self.close()
        if not self.channels:
            raise SensorConfigError("the recording has no channels")
        self._rows = self._play()
        self._opened_ns = self._monotonic_ns()
        self._next = self._advance()

    def read(self) -> Sequence[Block]:
        """Rows or blocks whose time has come.

        Raises:
            SensorError: not open, or the recording turned out to be damaged further in.
        """
        if self._opened_ns is None:
            raise SensorError("replay is not open")
        now_ns = self._monotonic_ns()
        if self._next is None and self._failure is not None:
            raise SensorError(str(self._failure)) from self._failure
        if self._config.speed == 0:
            due, self._next = self._next, self._advance() if self._next is not None else None
            return [] if due is None else self._blocks(due, now_ns, now_ns)
        made: list[Block] = []
        for _ in range(MAX_ROWS):
            due = self._next
            if due is None:
                break
            at_ns = self._opened_ns + round(due.offset_ns / self._config.speed)
            if at_ns + self._length_ns(due) > now_ns:
                break
            made.extend(self._blocks(due, at_ns, now_ns))
            self._next = self._advance()
        made.sort(key=lambda block: block.start_ns)
        return made

    def close(self) -> None:
        """Closes the recording."""
        self._opened_ns = None
        self._next = self._failure = None
        self._rows = iter(())
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def _advance(self) -> _Due | None:
        try:
            return next(self._rows, None)
        except RecordingError as exc:
            # What was read before it is delivered first.
            self._failure, self._rows = exc, iter(())
            return None

    def _load(self, file: str) -> Recording:
        config = self._config
        options = Options(
            separator=config.separator,
            time=config.time,
            columns=tuple(config.columns),
            ignore=tuple(config.ignore),
            rate_hz=config.rate_hz,
        )
        try:
            return open_recording(file, options)
        except RecordingError as exc:
            raise SensorConfigError(str(exc)) from exc

    def _learn_channels(self, recording: Recording) -> None:
        config = self._config
        overrides = Overrides(units=config.units, quantities=config.quantities, names=config.names)
        speed = config.speed or 1.0
        try:
            head = recording.head()
            if recording.rate_hz is None:
                found = table_channels(recording.columns, head, overrides)
                channels = tuple(replace(channel, period_s=channel.period_s / speed) for channel in found)
            else:
                block_s = config.block_s or DEFAULT_BLOCK_S
                block_length(recording, block_s)
                self._waves = wave_channels(
                    recording.columns,
                    head,
                    recording.rate_hz,
                    block_s,
                    named=recording.named,
                    overrides=overrides,
                    asked=recording.asked,
                )
                channels = tuple(replace(wave.channel, period_s=block_s / speed) for wave in self._waves)
        except RecordingError as exc:
            raise SensorConfigError(str(exc)) from exc
        if self._channels and [c.name for c in channels] != [c.name for c in self._channels]:
            raise SensorConfigError(f"{recording.name}: its columns differ from those of {self._config.files[0]}")
        self._channels = self._channels or channels

    def _play(self) -> Iterator[_Due]:
        offset_ns = 0
        while True:
            for file in self._config.files:
                self._recording = self._load(str(file))
                with self._recording as recording:
                    first_ns = int(recording.head().time_ns[0])
                    at_ns = step_ns = 0
                    for time_ns, values in self._pieces(recording):
                        step_ns = (time_ns - first_ns - at_ns) or step_ns
                        at_ns = time_ns - first_ns
                        yield _Due(offset_ns + at_ns, values)
                offset_ns += at_ns + (step_ns or round(self._channels[0].period_s * (self._config.speed or 1.0) * 1e9))
            if not self._config.loop:
                return

    def _pieces(self, recording: Recording) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """(time, values) by row or by block."""
        if recording.rate_hz is None:
            for chunk in recording.chunks():
                yield from zip(chunk.time_ns.tolist(), chunk.values, strict=True)
        else:
            for cut in blocks(recording, self._config.block_s or DEFAULT_BLOCK_S):
                yield cut.time_ns, cut.values

    def _length_ns(self, due: _Due) -> int:
        rate_hz = self._channels[0].rate_hz
        return round((len(due.values) - 1) / rate_hz * 1e9) if rate_hz else 0

    def _blocks(self, due: _Due, start_ns: int, now_ns: int) -> list[Block]:
        made = []
        if self._waves:
            start_ns = min(start_ns, now_ns - self._length_ns(due))
            for wave, channel in zip(self._waves, self._channels, strict=True):
                values = due.values[:, list(wave.columns)] if channel.axes > 1 else due.values[:, wave.columns[0]]
                made.append(Block(channel, start_ns, np.array(values, dtype=np.float64), channel.rate_hz))
        else:
            for channel, value in zip(self._channels, due.values, strict=True):
                if not np.isnan(value):
                    # Two rows of one moment (or one reading's worth at speed 0) are kept apart by a nanosecond.
                    start = max(start_ns, self._last_ns.get(channel.name, start_ns - 1) + 1)
                    self._last_ns[channel.name] = start
                    made.append(Block(channel, start, np.array([value])))
        return made
