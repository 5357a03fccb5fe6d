"""Journals and records for the tests of the journal."""

from __future__ import annotations

from collections.abc import Callable

from wire.journal import Journal, Record

SMALL = 256 * 1024
Open = Callable[..., Journal]


def telemetry(number: int, size: int = 0, stream: str = "telemetry") -> Record:
    return Record(stream, b"%d" % number + b"." * size, number, "boot-1")


def event(number: int, size: int = 0) -> Record:
    return Record("finding", b"%d" % number + b"!" * size, number, "boot-1", event=True)
