"""Reading rows straight from the pages of a SQLite file, for files that SQLite itself refuses.

Needs neither the header nor the schema nor the inner pages of a tree: every leaf page of a table describes itself. What
it yields may be stale (pages on the free list keep their old rows) or damaged, so the caller checks each row's own
checksum. Format: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (records), 4 (the log).

    leaf page   0D │ freeblock 2 │ cells 2 │ content 2 │ fragments 1 │ cell pointer 2 … │ … cells
    cell        payload length varint │ rowid varint │ payload, local part │ overflow page 4
    log header  magic 4 │ version 4 │ page size 4 │ checkpoint 4 │ salt 8 │ checksum 8
    log frame   page number 4 │ pages after commit 4, 0: none │ salt 8 │ checksum 8 │ page
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from wire.eviction import PAGE_BYTES as PAGE

Value: TypeAlias = int | float | str | bytes | None
Words: TypeAlias = npt.NDArray[np.uint32]

_LEAF = 0x0D
_WAL_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_FRAME = _FRAME_HEADER.size + PAGE
_FRAMES_AT_ONCE = 512
_MOST_LOCAL = PAGE - 35
_LEAST_LOCAL = (PAGE - 12) * 32 // 255 - 23
_INT_SIZES = (0, 1, 2, 3, 4, 6, 8)


class WalIndex(NamedTuple):
    """What a write-ahead log holds."""

    pages: dict[int, int]
    """Offset in the log of each page's newest committed version."""
    lost_commits: int
    """Commits of the same generation behind the first bad frame: SQLite would ignore them without a word."""
    sound: bool
    """Whether its header is one (an absent or empty log is sound)."""


def index_wal(path: Path) -> WalIndex:
    """Walks the frames of a write-ahead log as SQLite's recovery does, and past the point where that stops."""
    data = path.read_bytes() if path.exists() else b""
    if not data:
        return WalIndex({}, 0, sound=True)
    if len(data) < _WAL_HEADER.size:
        return WalIndex({}, 0, sound=False)
    magic, _, page_bytes, _, salt_1, salt_2, *header_sum = _WAL_HEADER.unpack_from(data)
    order = ">u4" if magic & 1 else "<u4"
    start = _advance_sum((0, 0), np.frombuffer(data, order, 6).astype(np.uint32)[None, :])
    if magic >> 1 != 0x377F0682 >> 1 or page_bytes != PAGE or start[0] != tuple(header_sum):
        return WalIndex({}, 0, sound=False)
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    state, intact, lost = start[0], True, 0
    count = (len(data) - _WAL_HEADER.size) // _FRAME
    for first in range(0, count, _FRAMES_AT_ONCE):
        number = min(_FRAMES_AT_ONCE, count - first)
        base = _WAL_HEADER.size + first * _FRAME
        words = np.frombuffer(data, order, number * _FRAME // 4, base).reshape(number, _FRAME // 4)
        sums = _advance_sum(state, np.concatenate((words[:, :2], words[:, 6:]), axis=1).astype(np.uint32))
        state = sums[-1]
        for i in range(number):
            page, size, *salt, sum_1, sum_2 = _FRAME_HEADER.unpack_from(data, base + i * _FRAME)
            same = salt == [salt_1, salt_2]
            intact = intact and same and page > 0 and sums[i] == (sum_1, sum_2)
            if not intact:
                lost += same and size > 0
                continue
            pending[page] = base + i * _FRAME + _FRAME_HEADER.size
            if size:
                committed.update(pending)
                pending.clear()
    return WalIndex(committed, lost, sound=True)


def _advance_sum(state: tuple[int, int], rows: Words) -> list[tuple[int, int]]:
    """The log's running checksum after each row of words.

    SQLite defines it word by word: `s0 += x[2i] + s1; s1 += x[2i+1] + s0`, modulo 2^32. That is linear, so a row of n
    pairs takes s to A^n s + W x with A = [[1, 1], [1, 2]], and all rows' W x are one product.
    """
    pairs = rows.shape[1] // 2
    weights = np.empty((2 * pairs, 2), np.uint32)
    a, b, c, d = 1, 0, 0, 1
    for i in range(pairs - 1, -1, -1):
        weights[2 * i] = (a + b) & 0xFFFFFFFF, (c + d) & 0xFFFFFFFF
        weights[2 * i + 1] = b, d
        a, b, c, d = (a + b) & 0xFFFFFFFF, (a + 2 * b) & 0xFFFFFFFF, (c + d) & 0xFFFFFFFF, (c + 2 * d) & 0xFFFFFFFF
    s0, s1 = state
    sums = []
    for x0, x1 in (rows @ weights).tolist():
        s0, s1 = (a * s0 + b * s1 + x0) & 0xFFFFFFFF, (c * s0 + d * s1 + x1) & 0xFFFFFFFF
        sums.append((s0, s1))
    return sums


class Place(NamedTuple):
    """Where a row lies."""

    page: int
    cell: int


class PageImage:
    """A database file as its write-ahead log leaves it; either may be absent. Use as a context manager."""

    def __init__(self, path: Path, wal: Path) -> None:
        index = index_wal(wal)
        self._wal_pages = index.pages
        self._file = path.open("rb") if path.exists() else None
        self._wal = wal.open("rb") if index.pages else None
        held = path.stat().st_size // PAGE if self._file else 0
        self._count = max((held, *index.pages))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._file, self._wal):
            if file is not None:
                file.close()

    def rows(self) -> Iterator[tuple[Place, list[Value]]]:
        """Every row of every table that can be decoded; an integer primary key takes its place in the row."""
        for page in range(1, self._count + 1):
            data = self._page(page)
            base = 100 if page == 1 else 0
            if len(data) < PAGE or data[base] != _LEAF:
                continue
            cells = int.from_bytes(data[base + 3 : base + 5])
            for cell in range(min(cells, PAGE // 4)):
                row = self._decode(data, base, cell)
                if row is not None:
                    yield Place(page, cell), row

    def row(self, place: Place) -> list[Value] | None:
        """The row at a place that `rows` named."""
        return self._decode(self._page(place.page), 100 if place.page == 1 else 0, place.cell)

    def _page(self, number: int) -> bytes:
        offset = self._wal_pages.get(number)
        if offset is not None and self._wal is not None:
            self._wal.seek(offset)
            return self._wal.read(PAGE)
        if self._file is None or number < 1:
            return b""
        self._file.seek((number - 1) * PAGE)
        return self._file.read(PAGE)

    def _decode(self, data: bytes, base: int, cell: int) -> list[Value] | None:
        try:
            at = int.from_bytes(data[base + 8 + 2 * cell : base + 10 + 2 * cell])
            size, at = _varint(data, at)
            rowid, at = _varint(data, at)
            return _values(self._payload(data, at, size), rowid)
        except (IndexError, ValueError, struct.error):
            return None

    def _payload(self, data: bytes, at: int, size: int) -> bytes:
        if size <= _MOST_LOCAL:
            return data[at : at + size]
        local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE - 4)
        if local > _MOST_LOCAL:
            local = _LEAST_LOCAL
        parts = [data[at : at + local]]
        missing, following = size - local, int.from_bytes(data[at + local : at + local + 4])
        if missing > self._count * PAGE:
            raise ValueError("longer than the file")
        while missing > 0:
            more = self._page(following)
            if len(more) < PAGE:
                raise ValueError("an overflow page is missing")
            parts.append(more[4 : 4 + min(missing, PAGE - 4)])
            missing -= PAGE - 4
            following = int.from_bytes(more[:4])
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(8):
        byte = data[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9


def _values(payload: bytes, rowid: int) -> list[Value]:
    end, at = _varint(payload, 0)
    body, values = end, list[Value]()
    while at < end:
        kind, at = _varint(payload, at)
        size = _INT_SIZES[kind] if kind < 7 else 8 if kind == 7 else 0 if kind < 12 else (kind - 12) // 2
        part = payload[body : body + size]
        if len(part) < size:
            raise ValueError("a value ends behind the payload")
        body += size
        if kind == 0:
            values.append(None if values else rowid)
        elif kind < 7:
            values.append(int.from_bytes(part, signed=True))
        elif kind == 7:
            values.append(struct.unpack(">d", part)[0])
        elif kind < 12:
            values.append(kind - 8)
        else:
            values.append(part.decode() if kind % 2 else part)
    return values
