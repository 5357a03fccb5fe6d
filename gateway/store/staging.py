"""One message's points as one small row: what is appended until an hour of them is worth packing. Pure.

Layout, little-endian: number of series k and of points n (uint32 each), k series ids (uint32), k point counts (uint32),
n times in milliseconds since the epoch (int64), n values (float64); times and values grouped by series in that order.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEAD = struct.Struct("<II")
_MANY = 16
_NS_PER_MS = 1_000_000


class Staged(NamedTuple):
    """Points of many series: equal columns (n,) of series id, time in milliseconds and value."""

    ids: NDArray[np.uint32]
    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]


def encode(columns: Sequence[tuple[int, Sequence[int], Sequence[float]]]) -> bytes:
    """Packs (series id, times in nanoseconds, values) of one message; times lose what is below a millisecond."""
    ids, counts, times, values = array("I"), array("I"), array("q"), array("d")
    for series, times_ns, numbers in columns:
        ids.append(series)
        counts.append(len(numbers))
        if len(numbers) < _MANY:
            times.extend([time // _NS_PER_MS for time in times_ns])
        else:
            times.frombytes((np.array(times_ns, np.int64) // _NS_PER_MS).tobytes())
        values.extend(numbers)
    return b"".join((_HEAD.pack(len(ids), len(values)), *(column.tobytes() for column in (ids, counts, times, values))))


def decode(rows: Iterable[bytes], wanted: int | None = None) -> Staged:
    """The points of these rows, in their order; of one series only when `wanted` names it."""
    ids: list[int] = []
    counts: list[int] = []
    times: list[bytes] = []
    values: list[bytes] = []
    for row in rows:
        series, points = _HEAD.unpack_from(row)
        # Thousands of small rows: a tuple is several times quicker here than an array.
        head = struct.unpack_from(f"<{2 * series}I", row, _HEAD.size)
        names, sizes = head[:series], head[series:]
        start, end = 0, points
        if wanted is not None:
            if wanted not in names:
                continue
            found = names.index(wanted)
            start = sum(sizes[:found])
            end = start + sizes[found]
            counts.append(end - start)
            ids.append(wanted)
        else:
            ids.extend(names)
            counts.extend(sizes)
        at = _HEAD.size + 8 * series
        times.append(row[at + 8 * start : at + 8 * end])
        at += 8 * points
        values.append(row[at + 8 * start : at + 8 * end])
    return Staged(
        np.repeat(np.array(ids, np.uint32), np.array(counts, np.int64)),
        np.frombuffer(b"".join(times), "<i8"),
        np.frombuffer(b"".join(values), "<f8"),
    )
