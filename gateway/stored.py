"""What the gateway kept, read back: also what a version kept whose bounds were wider.

Bounds belong to what comes in. What was taken once must be readable for ever, and one record that is not must hold up no other.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from gateway.alerts import Alert

T = TypeVar("T", bound=Struct)


def read(body: bytes, kind: type[T]) -> T:
    """One record as it was kept; a field that the present bounds do not allow is left at its default.

    Raises:
        msgspec.DecodeError: no such record, or not without a field that has no default.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        kept = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    sound: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in kept:
            continue
        try:
            sound[field.name] = msgspec.json.decode(kept[field.encode_name], type=field.type)
        except msgspec.ValidationError:
            if field.required:
                raise
    return kind(**sound)


class ReadAlerts:
    """Reads alerts from rows with `id`, `machine` and `body`, and knows which could not be read. Any thread."""

    def __init__(self) -> None:
        self._unreadable: dict[str, str] = {}

    def of(self, rows: Iterable[sqlite3.Row]) -> list[Alert]:
        """Those that can be read; one that cannot is left out, and logged once."""
        found = []
        for row in rows:
            try:
                found.append(read(row["body"], Alert))
            except msgspec.DecodeError:
                if row["id"] not in self._unreadable:
                    logging.getLogger(__name__).exception("alert %s of %s cannot be read", row["id"], row["machine"])
                self._unreadable[row["id"]] = row["machine"]
            else:
                self._unreadable.pop(row["id"], None)
        return found

    @property
    def unreadable(self) -> frozenset[str]:
        """Machines whose alerts could not be read."""
        return frozenset(list(self._unreadable.values()))
