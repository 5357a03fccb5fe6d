"""A journal, a ledger and the alerting between them, without a gateway around."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.alerting import Alerting
from support.alerts import Clock, ledger
from wire.commands import Command
from wire.journal import Journal, Record


class Site:
    """A journal, a ledger and an alerting between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.commands: list[tuple[str, str, Command]] = []
        self.journal = Journal(folder / "journal", readers=["alerts"], max_bytes=4_000_000, commit_interval_s=0.01)
        self.ledger = ledger(folder, self.clock)
        self.alerting = self.make()

    def make(self) -> Alerting:
        return Alerting(
            self.ledger,
            self.journal,
            send=lambda node, origin, command: self.commands.append((node, origin, command)),
            now_ns=self.clock,
            gather_s=0.0,
        )

    def put(self, stream: str, payload: bytes) -> None:
        self.journal.append([Record(stream, payload, self.clock(), event=stream == "finding")], commit=True)

    def close(self) -> None:
        self.alerting.stop()
        self.ledger.close()
        self.journal.close()

    def spoil(self, sql: str) -> None:
        """Changes the ledger behind its back."""
        with sqlite3.connect(self.folder / "ledger.sqlite") as db:
            assert db.execute(sql).rowcount > 0
        db.close()
