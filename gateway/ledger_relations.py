"""What the ledger holds of goods in trouble: alerts that a relation to the oven can be told with, and the batches to tell it from."""

from __future__ import annotations

import sqlite3
from typing import Literal

from gateway.alerts import Alert
from gateway.batches import Batch
from gateway.ledger_file import LedgerFile
from gateway.ledger_goods import read_batch
from gateway.stored import ReadAlerts

MOST_BATCHES = 400
"""Read of one product: more than are ever held against a machine, for some that say nothing."""


class RelationReads:
    """Reads for `gateway.relating`, from any thread."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file
        self._read_alerts = ReadAlerts()

    def untold(self) -> list[Alert]:
        """Alerts about goods that are not over, pending ones too, and that have no relation yet; the latest first."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT id, machine, body FROM alerts WHERE closed = 0 AND key LIKE 'quality:%' ORDER BY last_seen_ns DESC LIMIT 100"
            ).fetchall()
        return [alert for alert in self._read_alerts.of(rows) if alert.relation is None]

    def over(self, site: str, machine: str, product: str, *, since_ns: int) -> str:
        """The latest batch of a product on a machine since then that is over; empty where there is none.

        A batch is over once it is closed, or another one has begun.
        """
        with self._file.read() as db:
            found = _over(db, "batch", (site, machine, product), since_ns=since_ns, limit=1)
        return str(found[0]["batch"]) if found else ""

    def batches(self, site: str, machine: str, product: str, *, since_ns: int) -> list[Batch]:
        """All of those, oldest first."""
        with self._file.read() as db:
            found = _over(db, "body", (site, machine, product), since_ns=since_ns, limit=MOST_BATCHES)
        return [batch for row in found[::-1] if (batch := read_batch(row["body"])) is not None]


_RECENT = "FROM batches INDEXED BY batches_open WHERE closed IN (0, 1) AND last_ns >= ? AND site = ? AND machine = ?"
"""`closed` is always one of them. By this index six weeks are looked through, by the table's own key years of them."""


def _over(
    db: sqlite3.Connection, column: Literal["batch", "body"], made: tuple[str, str, str], *, since_ns: int, limit: int
) -> list[sqlite3.Row]:
    site, machine, product = made
    values = (since_ns, site, machine)
    latest = db.execute(f"SELECT product, batch {_RECENT} ORDER BY last_ns DESC LIMIT 1", values).fetchone()
    if latest is None:
        return []
    return db.execute(
        f"SELECT {column} {_RECENT} AND product = ? AND (closed OR product != ? OR batch != ?)"
        " ORDER BY last_ns DESC LIMIT ?",
        (*values, product, latest["product"], latest["batch"], limit),
    ).fetchall()
