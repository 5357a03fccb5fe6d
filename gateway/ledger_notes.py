"""What people wrote with what they did about alerts, read for many alerts at once."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from gateway.alerts import SYSTEM, Entry
from gateway.ledger_file import LedgerFile

_WRITTEN = ("acknowledged", "snoozed", "note", "resolved")
"""Entries of a history whose text is a person's own words."""


class NoteReads:
    """Reads for the page, from any thread."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def of(self, alerts: Collection[str]) -> dict[str, list[Entry]]:
        """By alert, oldest first; those without any are left out."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT * FROM history WHERE alert IN (SELECT value FROM json_each(?))"
                " AND what IN (SELECT value FROM json_each(?)) AND text != '' AND by != ? ORDER BY alert, version",
                (_json(alerts), _json(_WRITTEN), SYSTEM),
            ).fetchall()
        found: dict[str, list[Entry]] = {}
        for row in rows:
            entry = msgspec.convert(dict(row), Entry)
            found.setdefault(entry.alert, []).append(entry)
        return found


def _json(names: Collection[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
