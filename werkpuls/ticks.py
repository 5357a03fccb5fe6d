"""A table's rows as the moments at which a machine is looked at.

A row is one tick. In a table of single measurements as they arrived (one cell a row), the rows in which every channel speaks
about once are one tick together, and the last known value of a silent channel is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from edge.recordings import Chunk
from edge.sensors.base import Block, Channel


class Tick(NamedTuple):
    """What belongs to one moment: the rows it is made of, and their readings."""

    rows: Sequence[int]
    times_ns: Sequence[int]
    """Of each row, as in the recording."""
    end_ns: int
    """The path's time of the last of them."""
    blocks: Sequence[Block]


def in_order(chunk: Chunk, order: Sequence[int | None] | None) -> Chunk:
    """Rows with the columns in this order, NaN where there is none; None: as they are."""
    if order is None:
        return chunk
    values = np.full((len(chunk.values), len(order)), np.nan)
    for position, column in enumerate(order):
        if column is not None:
            values[:, position] = chunk.values[:, column]
    return chunk._replace(values=values)


def row_by_row(chunks: Iterator[Chunk], channels: Sequence[Channel], shift_ns: int) -> Iterator[Tick]:
    """One tick a row."""
    for chunk in chunks:
        for at, (time_ns, written_ns, values) in enumerate(_moments(chunk)):
            at_ns = time_ns + shift_ns
            yield Tick((chunk.row + at,), (written_ns,), at_ns, _blocks(channels, at_ns, values))


def gathered(chunks: Iterator[Chunk], interval_ns: int, channels: Sequence[Channel], shift_ns: int) -> Iterator[Tick]:
    """Rows until a channel speaks again, half an interval at least and two at most."""
    rows: list[int] = []
    times: list[int] = []
    made: list[Block] = []
    spoken: set[str] = set()
    first_ns = last_ns = 0
    for chunk in chunks:
        for at, (time_ns, written_ns, values) in enumerate(_moments(chunk)):
            arrived = _blocks(channels, time_ns + shift_ns, values)
            if rows:
                age_ns = time_ns - first_ns
                again = any(block.channel.name in spoken for block in arrived)
                if (again and age_ns >= interval_ns // 2) or age_ns >= 2 * interval_ns:
                    yield Tick(rows, times, last_ns + shift_ns, made)
                    rows, times, made, spoken = [], [], [], set()
            first_ns = first_ns if rows else time_ns
            last_ns = time_ns
            rows.append(chunk.row + at)
            times.append(written_ns)
            made.extend(arrived)
            spoken.update(block.channel.name for block in arrived)
    if rows:
        yield Tick(rows, times, last_ns + shift_ns, made)


def _moments(chunk: Chunk) -> Iterator[tuple[int, int, np.ndarray[tuple[int], np.dtype[np.float64]]]]:
    """(time, time as written, values) of each row."""
    written_ns = chunk.time_ns if chunk.written_ns is None else chunk.written_ns
    return zip(chunk.time_ns.tolist(), written_ns.tolist(), chunk.values, strict=True)


def _blocks(
    channels: Sequence[Channel], time_ns: int, values: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[Block]:
    known = ~np.isnan(values)
    return [
        Block(channel, time_ns, values[at : at + 1])
        for at, (channel, there) in enumerate(zip(channels, known.tolist(), strict=True))
        if there
    ]


def interval_ns(head: Chunk) -> int:
    """How often the busy channels of a gappy table speak: the median time between two values of one channel."""
    gaps = [np.diff(head.time_ns[~np.isnan(column)]) for column in head.values.T]
    joined = np.concatenate(gaps) if gaps else np.zeros(0)
    joined = joined[joined > 0]
    return int(np.median(joined)) if len(joined) else 1_000_000_000
