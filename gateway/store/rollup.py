"""Buckets of mean, lowest and highest: made from values, merged, packed, and gathered into a chart. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.store.chunks import ChunkError, pack_floats, pack_ints, unpack_floats, unpack_ints

MINUTE_MS = 60_000
QUARTER_MS = 900_000
_PARTS = 5

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Buckets(NamedTuple):
    """Equal columns (n,): `start_ms` milliseconds since the epoch, ascending, and what the values of each bucket were.

    Single values are buckets of one: mean, low and high are the value.
    """

    start_ms: Ints
    number: Ints
    mean: Floats
    low: Floats
    high: Floats


def single(times_ms: Ints, values: Floats) -> Buckets:
    """Values as buckets of one each, in the order given."""
    return Buckets(times_ms, np.ones(len(times_ms), np.int64), values, values, values)


def join(parts: Sequence[Buckets]) -> Buckets:
    """All parts one after another."""
    if not parts:
        return single(np.empty(0, np.int64), np.empty(0))
    starts, numbers, means, lows, highs = zip(*parts, strict=True)
    return Buckets(*map(np.concatenate, (starts, numbers, means, lows, highs)))


def rolled(buckets: Buckets, step_ms: int) -> Buckets:
    """Gathers into buckets of `step_ms`, aligned with the epoch; the mean weighs every value the same."""
    if not len(buckets.start_ms):
        return buckets
    starts = buckets.start_ms // step_ms * step_ms
    if np.any(starts[1:] < starts[:-1]):
        order = np.argsort(starts, kind="stable")
        starts = starts[order]
        buckets = _picked(buckets, order)
    edges = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    number = np.add.reduceat(buckets.number, edges)
    mean = np.add.reduceat(buckets.mean * buckets.number, edges) / number
    low = np.minimum.reduceat(buckets.low, edges)
    high = np.maximum.reduceat(buckets.high, edges)
    # Summing rounds: a mean of equal values must not leave the range of the values by the last bit.
    return Buckets(starts[edges], number, np.clip(mean, low, high), low, high)


def between(buckets: Buckets, from_ms: int, to_ms: int) -> Buckets:
    """Those that start in `[from_ms, to_ms)`."""
    inside = (buckets.start_ms >= from_ms) & (buckets.start_ms < to_ms)
    return _picked(buckets, inside)


def pack(buckets: Buckets, *, exact: bool) -> bytes:
    """One blob: five lengths, then the packed columns."""
    parts = (
        pack_ints(buckets.start_ms),
        pack_ints(buckets.number),
        pack_floats(buckets.mean, exact=exact),
        pack_floats(buckets.low, exact=exact),
        pack_floats(buckets.high, exact=exact),
    )
    return struct.pack(f"<{_PARTS}I", *map(len, parts)) + b"".join(parts)


def unpack(packed: bytes) -> Buckets:
    """What `pack` was given.

    Raises:
        ChunkError: these are not packed buckets.
    """
    head = struct.calcsize(f"<{_PARTS}I")
    if len(packed) < head:
        raise ChunkError("not packed buckets")
    parts: list[bytes] = []
    for length in struct.unpack_from(f"<{_PARTS}I", packed):
        parts.append(packed[head : head + length])
        head += length
    starts, numbers = unpack_ints(parts[0]), unpack_ints(parts[1])
    buckets = Buckets(starts, numbers, unpack_floats(parts[2]), unpack_floats(parts[3]), unpack_floats(parts[4]))
    if len({len(column) for column in buckets}) != 1:
        raise ChunkError("packed buckets of unequal columns")
    return buckets


def _picked(buckets: Buckets, which: NDArray[np.int64] | NDArray[np.bool_]) -> Buckets:
    start, number, mean, low, high = buckets
    return Buckets(start[which], number[which], mean[which], low[which], high[which])
