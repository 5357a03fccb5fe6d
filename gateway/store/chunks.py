"""Packing an hour of one series into a few kilobytes: integers by differences, numbers by rounding below their noise.

Layout of packed integers: one byte of width (1, 2, 4 or 8; 0 alone for none), the first one (int64), zlib of the
zigzagged differences, their bytes sorted into planes (all lowest bytes first): a plane of equal bytes costs nothing.

Layout of packed numbers: kind (1 byte), exponent (signed byte), packed integers.

| kind | value |
|---|---|
| 0 | integer / 10^exponent: the values were decimals; exact |
| 1 | integer / 2^exponent: rounded |
| 2 | the 64 bits of the float, as an integer; exact |

Rounded values differ from the sent ones by at most an eighth of the smallest tenth of the changes from one sample to
the next within the chunk, or, if that is more, 1/262144 of the range that 98 % of its values take: far below the noise
of the channel itself, which is what the bits left out had described.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_DECIMAL, _BINARY, _BITS = 0, 1, 2
_MOST_DECIMALS: Final = 9
_EXACT_LIMIT: Final = 2.0**51
"""Scaled values up to here are integers that a float64 and the arithmetic around it hold exactly."""
_LEVEL: Final = 6
_HEAD: Final = struct.Struct("<Bq")
_FLOAT_HEAD: Final = 2
_NONE: Final = b"\x00"


class ChunkError(ValueError):
    """A chunk that is not what was written."""


def pack_ints(values: Ints) -> bytes:
    """Packs (n,) int64; differences may wrap around, so every input is exact."""
    if not len(values):
        return _NONE
    with np.errstate(over="ignore"):
        steps = np.diff(values)
        zigzag = ((steps << 1) ^ (steps >> 63)).view(np.uint64)
    top = int(zigzag.max(initial=0))
    width = next(size for size in (1, 2, 4, 8) if size == 8 or top < 1 << (8 * size))
    planes = zigzag.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    return _HEAD.pack(width, int(values[0])) + zlib.compress(planes.tobytes(), _LEVEL)


def unpack_ints(packed: bytes) -> Ints:
    """The values given to `pack_ints`.

    Raises:
        ChunkError: these are not packed integers.
    """
    if packed == _NONE:
        return np.empty(0, np.int64)
    try:
        width, first = _HEAD.unpack_from(packed)
        planes = np.frombuffer(zlib.decompress(memoryview(packed)[_HEAD.size :]), np.uint8).reshape(width, -1)
        zigzag = np.ascontiguousarray(planes.T).view(f"<u{width}").ravel().astype(np.uint64)
    except (struct.error, ValueError, TypeError, zlib.error) as exc:
        raise ChunkError(f"not packed integers: {exc}") from exc
    values = np.empty(len(zigzag) + 1, np.int64)
    values[0] = first
    values[1:] = (zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)
    return np.cumsum(values, dtype=np.int64)


def pack_floats(values: Floats, *, exact: bool = False) -> bytes:
    """Packs (n,) finite float64; `exact` forbids rounding."""
    kind, exponent, whole = _scaled(values, exact=exact)
    return bytes((kind, exponent & 0xFF)) + pack_ints(whole)


def unpack_floats(packed: bytes) -> Floats:
    """The values given to `pack_floats`, exact or rounded.

    Raises:
        ChunkError: these are not packed numbers.
    """
    if len(packed) < _FLOAT_HEAD or packed[0] > _BITS:
        raise ChunkError("not packed numbers")
    whole = unpack_ints(packed[_FLOAT_HEAD:])
    exponent = packed[1] - 256 if packed[1] > 127 else packed[1]
    if packed[0] == _DECIMAL:
        return whole / 10.0**exponent
    if packed[0] == _BINARY:
        return np.ldexp(whole.astype(np.float64), -exponent)
    return whole.view(np.float64)


def _scaled(values: Floats, *, exact: bool) -> tuple[int, int, Ints]:
    top = float(np.abs(values).max(initial=0.0))
    for decimals in range(_MOST_DECIMALS + 1):
        power = 10.0**decimals
        if top * power > _EXACT_LIMIT:
            break
        whole = np.rint(values * power)
        if np.array_equal(whole / power, values):
            return _DECIMAL, decimals, whole.astype(np.int64)
    exponent = None if exact else _noise_exponent(values)
    if exponent is None or not -120 < exponent < 120 or top > np.ldexp(_EXACT_LIMIT, -exponent):
        return _BITS, 0, values.view(np.int64)
    return _BINARY, exponent, np.rint(np.ldexp(values, exponent)).astype(np.int64)


def _noise_exponent(values: Floats) -> int | None:
    """Binary exponent of the rounding step, negated; None where there is no noise to round below."""
    with np.errstate(over="ignore"):
        changes = np.abs(np.diff(values))
    changes = changes[(changes > 0) & np.isfinite(changes)]
    if len(changes) < max(len(values) // 16, 8):
        return None
    low, high = np.quantile(values / 131_072, (0.01, 0.99))
    step = max(float(np.quantile(changes, 0.1)) / 4, float(high - low))
    return -int(np.floor(np.log2(step))) if step > 0 else None
