"""Reads NPY, NPZ and MAT files: named numeric arrays, each a column or a matrix of columns."""

from __future__ import annotations

import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import CHUNK_ROWS, Layout, Raw, RecordingError
from edge.recordings.container import Kind, Opened
from edge.recordings.labels import called_as, is_label
from edge.recordings.mat_outline import outline_fault
from edge.recordings.roles import Sample, rises_evenly, roles
from edge.recordings.time_names import name_says_time

_WIDEST = 64
"""A matrix with at most so many rows and more columns than that stands on its side."""
_DEEPEST = 6
_MEMBER = "\0"
"""Between a struct array and the signal that one of its entries holds; those of equal length are read together."""
_LOOK_ROWS = 2000
_DAMAGED = (ValueError, TypeError, KeyError, IndexError, OSError, EOFError, NotImplementedError, zlib.error, struct.error,
            zipfile.BadZipFile, MemoryError, OverflowError, SyntaxError, tokenize.TokenError)  # fmt: skip
_RATES = frozenset(
    {
        "fs", "sr", "f_s", "fs_hz", "fsamp", "rate_hz", "sample_rate", "sampling_rate", "sampling_frequency", "sample_frequency",
        "samplerate", "samplingrate", "samplingfrequency", "sampling_freq", "abtastrate", "abtastfrequenz",
    }
)  # fmt: skip
_STEPS = frozenset({"dt", "increment", "delta_t", "sample_time", "sampling_interval", "sampling_period", "abtastzeit"})
_SLOWEST_HZ, _FASTEST_HZ = 50.0, 1e7
_Array = NDArray[Any]


class Arrays:
    """Columns that are arrays, the longest variable's first, so that column numbers count within it.

    Raises:
        RecordingError: no numeric array in it.
    """

    def __init__(self, opened: Opened) -> None:
        self._name = opened.name
        self._opened = opened
        notes: list[str] = []
        variables = _load(opened)
        columns = _columns(variables, notes)
        if not columns or max(len(array) for _, _, array in columns) == 0:
            raise RecordingError(opened.name, "holds no numeric values")
        named = set(variables) != {""}
        times = {at for at, (_, label, array) in enumerate(columns) if array.dtype.kind == "M" or name_says_time(label)}
        times |= _axes(columns)
        data = [at for at in range(len(columns)) if at not in times] or sorted(times)
        measured = [at for at in data if not _is_label(columns[at][1], columns[at][2])] or data
        longest = max(measured, key=lambda at: (len(columns[at][2]), columns[at][2].dtype.kind == "f"))
        chosen = [
            at
            for at in data
            if columns[at][0] == columns[longest][0] and len(columns[at][2]) == len(columns[longest][2])
        ]
        order = chosen + [at for at in range(len(columns)) if at not in chosen]
        self._arrays = [columns[at][2] for at in order]
        if named and len(order) > len(chosen):
            notes.append(f"variable {columns[longest][0]!r} is read; others are not unless they are named")
        length = len(columns[longest][2])
        time = next(
            (order.index(at) for at in sorted(times) if len(columns[at][2]) == length and at not in chosen), None
        )
        names = tuple(columns[at][1] for at in order)
        numeric = tuple(range(len(chosen)))
        if len(chosen) > 1:
            samples = [Sample("", self._arrays[at][:_LOOK_ROWS].astype(np.float64)) for at in numeric]
            found = roles(samples, named=False, joined=False)
            numeric = tuple(found.numeric)
            time = found.time if time is None else time
            notes += [f"column {at} {why} and is ignored" for at, why in found.left_out.items()]
            if found.time is not None:
                notes.append(f"column {found.time} is the time")
        rate_hz = _rate(variables) if time is None else None
        if rate_hz is not None:
            notes.append(f"read as a waveform at {rate_hz:.6g} Hz, as a variable of the file says")
        self.layout = Layout(names, numeric, time, named, rate_hz, notes)
        self._done = 0.0

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """See `Source.rows`."""
        lengths = {len(self._arrays[column]) for column in columns}
        if time is not None and lengths != {len(self._arrays[time])}:
            if time != self.layout.time:
                lengths.add(len(self._arrays[time]))
            time = None  # found by its name, but it belongs to other columns
        if len(lengths) > 1:
            raise RecordingError(self._name, f"the columns asked for differ in length: {sorted(lengths)} rows")
        total = lengths.pop() if lengths else 0
        for start in range(0, total, CHUNK_ROWS):
            stop = min(start + CHUNK_ROWS, total)
            values = np.empty((stop - start, len(columns)))
            for position, column in enumerate(columns):
                values[:, position] = self._arrays[column][start:stop]
            infinite = np.flatnonzero(np.isinf(values).any(axis=1))
            if len(infinite):
                raise RecordingError(self._name, "a value is infinite", row=start + int(infinite[0]))
            times = None if time is None else self._times(time, start, stop)
            self._done = stop / total
            yield Raw(start, values, times)

    def progress(self) -> float:
        """See `Source.progress`."""
        return self._done

    def close(self) -> None:
        """See `Source.close`."""
        self._opened.close()

    def _times(self, time: int, start: int, stop: int) -> list[str] | NDArray[np.int64]:
        part = self._arrays[time][start:stop]
        if part.dtype.kind == "M":
            return np.asarray(part, dtype="datetime64[ns]").astype(np.int64)
        return [repr(float(value)) for value in part]


def _load(opened: Opened) -> dict[str, _Array]:
    """Variables by name; the name is empty for the one array of an NPY file."""
    try:
        if opened.kind is Kind.NPY:
            if opened.path is not None:
                return _fields("", np.load(opened.path, mmap_mode="r", allow_pickle=False))
            return _fields("", np.load(opened.seekable(), allow_pickle=False))
        if opened.kind is Kind.NPZ:
            with np.load(opened.seekable(), allow_pickle=False) as archive:
                return {name: value for key in archive.files for name, value in _fields(key, archive[key]).items()}
        return _load_mat(opened)
    except _DAMAGED as exc:
        if "allow_pickle" in str(exc) or "pickled" in str(exc):
            raise RecordingError(opened.name, "holds Python objects, which are not read for safety") from exc
        raise RecordingError(opened.name, f"damaged {opened.kind.value.upper()} file: {exc}") from exc


def _load_mat(opened: Opened) -> dict[str, _Array]:
    try:
        from scipy.io import loadmat  # noqa: PLC0415  # only MAT files need scipy, and a node may lack it
    except ImportError as exc:
        raise RecordingError(
            opened.name, "MAT files need scipy: .venv/bin/pip install -e '.[recordings]' in Werkpuls' folder brings it"
        ) from exc
    stream = opened.seekable()
    fault = outline_fault(stream.read())
    if fault is not None:
        raise RecordingError(opened.name, f"damaged MAT file: {fault}")
    stream.seek(0)
    try:
        content = loadmat(stream, simplify_cells=True)
    except Exception as exc:  # its parser raises a dozen kinds for damaged files, some of them private
        raise RecordingError(opened.name, f"damaged MAT file: {exc}") from exc
    found: dict[str, _Array] = {}
    for key, value in content.items():
        if not key.startswith("__"):
            _flatten(key, value, found, 0)
    return found


def _flatten(name: str, value: object, found: dict[str, _Array], depth: int) -> None:
    """Structs by name (`a.b`), cells and struct arrays by number (`a[0]`)."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(f"{name}.{key}", inner, found, depth + 1)
    elif isinstance(value, (int, float)):
        found[name] = np.array([value])
    elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        for at, inner in enumerate(np.ravel(np.asarray(value, dtype=object))):
            signal = _named_signal(inner)
            if signal is None:
                _flatten(f"{name}[{at}]", inner, found, depth + 1)
            else:
                found[f"{name}{_MEMBER}{signal[0]}"] = signal[1]
    elif isinstance(value, np.ndarray):
        found.update(_fields(name, value))


def _is_label(label: str, array: _Array) -> bool:
    """Whether an array is called a label and holds whole numbers; a waveform may be called `outer_race_fault`."""
    values = array[:_LOOK_ROWS].astype(np.float64)
    return is_label(called_as(label)) and bool((values == np.round(values)).all())


def _axes(columns: Sequence[tuple[str, str, _Array]]) -> set[int]:
    """Arrays that rise evenly as a time does, beside others of the same length in other variables."""
    even = {
        at
        for at, (_, _, array) in enumerate(columns)
        if array.dtype.kind == "f" and rises_evenly(array[:_LOOK_ROWS].astype(np.float64))
    }
    beside = {(len(array), group) for at, (group, _, array) in enumerate(columns) if at not in even}
    return {
        at for at in even if any(len(columns[at][2]) == count and columns[at][0] != group for count, group in beside)
    }


def _named_signal(value: object) -> tuple[str, _Array] | None:
    """Name and values of an entry of a struct array that holds one signal and says what it is called; None for any other."""
    if not isinstance(value, Mapping):
        return None
    name = next((text for key, text in value.items() if key.lower() == "name" and isinstance(text, str) and text), None)
    series = [one for one in value.values() if isinstance(one, np.ndarray) and one.dtype.kind in "fiu" and one.size > 1]
    return (name, series[0].reshape(-1)) if name and len(series) == 1 else None


def _rate(variables: Mapping[str, _Array]) -> float | None:
    """The sample rate of a waveform that single numbers of the file say, in Hz; None where none or several do."""
    said = set()
    for name, array in variables.items():
        word = called_as(re.split(r"[.\]]", name)[-1])
        if array.size != 1 or array.dtype.kind not in "fiu" or word not in _RATES | _STEPS:
            continue
        number = float(array.reshape(-1)[0])
        rate_hz = number if word in _RATES or number == 0 else 1.0 / number
        if _SLOWEST_HZ <= rate_hz <= _FASTEST_HZ:
            said.add(rate_hz)
    return said.pop() if len(said) == 1 else None


def _fields(name: str, array: _Array) -> dict[str, _Array]:
    """A structured array's fields by name; any other array is itself."""
    if array.dtype.names:
        prefix = f"{name}." if name else ""
        return {f"{prefix}{field}": array[field] for field in array.dtype.names}
    return {name: array}


def _columns(variables: Mapping[str, _Array], notes: list[str]) -> list[tuple[str, str, _Array]]:
    """(variable, column name, values (n,)) of everything numeric with one or two dimensions."""
    columns = []
    for name, array in variables.items():
        if array.dtype.kind not in "fiubM":
            continue
        group, _, signal = name.partition(_MEMBER)
        if signal:
            columns.append((group, signal, array))
        elif array.ndim == 1 or (array.ndim == 2 and 1 in array.shape):
            columns.append((name, name or "0", array.reshape(-1)))
        elif array.ndim == 2:
            if array.shape[0] <= _WIDEST < array.shape[1]:
                array = array.T  # noqa: PLW2901  # the same matrix, upright
                notes.append(f"{name or 'the matrix'} lies on its side: its {array.shape[1]} rows are read as columns")
            prefix = f"{name}." if name else ""
            columns.extend((name, f"{prefix}{at}", array[:, at]) for at in range(array.shape[1]))
    return columns
