"""Whether a MAT file hangs together, before scipy reads it: its reader trusts the sizes in a file, and a wrong one ends the process."""

from __future__ import annotations

import struct
import zlib

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, _MATRIX, _COMPRESSED, 16, 17, 18})
_DEEPEST = 32


def outline_fault(content: bytes) -> str | None:
    """What is wrong with the elements of a MAT file; None where each lies within the one around it.

    Source: MATLAB MAT-file format, level 5: data elements with a tag of type and size, small ones of up to 4 bytes in the tag.

    Args:
        content: the whole file.
    """
    if len(content) < _HEADER:
        return "it is shorter than its header"
    order = "<" if content[126:128] == b"IM" else ">"
    return _fault(memoryview(content)[_HEADER:], order, 0)


def _fault(part: memoryview, order: str, depth: int) -> str | None:
    if depth > _DEEPEST:
        return "its elements lie too deep in each other"
    at = 0
    while at + 8 <= len(part):
        first, size = struct.unpack_from(f"{order}II", part, at)
        small = first >> 16
        kind, start, size = (first & 0xFFFF, at + 4, small) if small else (first, at + 8, size)
        if kind not in _TYPES or small > 4 or start + size > len(part):
            return f"an element of {size} bytes does not fit in it"
        inner: memoryview | None = part[start : start + size] if kind == _MATRIX else None
        if kind == _COMPRESSED:
            try:
                inner = memoryview(zlib.decompress(part[start : start + size]))
            except zlib.error as exc:
                return str(exc)
        found = None if inner is None else _fault(inner, order, depth + 1)
        if found is not None:
            return found
        at = at + 8 if small else start + size + (0 if kind == _COMPRESSED else -size % 8)
    return None
