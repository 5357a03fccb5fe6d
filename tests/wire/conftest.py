"""A journal that is closed after the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.journals import SMALL, Open

from wire.journal import Journal


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[Open]:
    opened: list[Journal] = []

    def opening(**options: object) -> Journal:
        defaults: dict[str, object] = {"readers": ["publisher"], "max_bytes": 4 * SMALL, "commit_interval_s": 60.0}
        journal = Journal(tmp_path / "journal.db", **(defaults | options))  # type: ignore[arg-type]  # options of the test
        opened.append(journal)
        return journal

    yield opening
    for journal in opened:
        journal.close()
