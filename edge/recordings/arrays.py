"""Reads NPY, NPZ and MAT files: named numeric arrays, each a column or a matrix of columns."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import CHUNK_ROWS, Layout, Raw, RecordingError
from edge.recordings.container import Kind, Opened
from edge.recordings.labels import called_as, is_label
from edge.recordings.roles import Sample, roles
from edge.recordings.time_names import name_says_time

_WIDEST = 64
"""A matrix with at most so many rows and more columns than that stands on its side."""
_DEEPEST = 6
_LOOK_ROWS = 2000
_DAMAGED = (ValueError, TypeError, KeyError, IndexError, OSError, EOFError, NotImplementedError, zlib.error, struct.error,
            zipfile.BadZipFile, MemoryError, OverflowError)  # fmt: skip
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
        data = [at for at in range(len(columns)) if at not in times] or sorted(times)
        measured = [at for at in data if not is_label(called_as(columns[at][1]))] or data
        longest = max(measured, key=lambda at: (len(columns[at][2]), columns[at][2].dtype.kind == "f"))
        chosen = [at for at in data if columns[at][0] == columns[longest][0]]
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
        self.layout = Layout(names, numeric, time, named, None, notes)
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
        raise RecordingError(opened.name, "MAT files need scipy: install werkpuls[recordings]") from exc
    try:
        content = loadmat(opened.seekable(), simplify_cells=True)
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
    elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        for at, inner in enumerate(np.ravel(np.asarray(value, dtype=object))):
            _flatten(f"{name}[{at}]", inner, found, depth + 1)
    elif isinstance(value, np.ndarray):
        found.update(_fields(name, value))


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
        if array.ndim == 1 or (array.ndim == 2 and 1 in array.shape):
            columns.append((name, name or "0", array.reshape(-1)))
        elif array.ndim == 2:
            if array.shape[0] <= _WIDEST < array.shape[1]:
                array = array.T  # noqa: PLW2901  # the same matrix, upright
                notes.append(f"{name or 'the matrix'} lies on its side: its {array.shape[1]} rows are read as columns")
            prefix = f"{name}." if name else ""
            columns.extend((name, f"{prefix}{at}", array[:, at]) for at in range(array.shape[1]))
    return columns
