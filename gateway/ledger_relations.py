"""What the ledger holds of goods in trouble: alerts that a relation to the oven can be told with, and the batches to tell it from."""

from __future__ import annotations

import msgspec

from gateway.alerts import Alert
from gateway.batches import Batch
from gateway.ledger_file import LedgerFile

MOST_BATCHES = 400
"""Read of one product: more than are ever held against a machine, for some that say nothing."""


class RelationReads:
    """Reads for `gateway.relating`, from any thread."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def untold(self) -> list[Alert]:
        """Alerts about goods that are not over, pending ones too, and that have no relation yet; the latest first."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT body FROM alerts WHERE closed = 0 AND key LIKE 'quality:%' ORDER BY last_seen_ns DESC LIMIT 100"
            ).fetchall()
        alerts = [msgspec.json.decode(row["body"], type=Alert) for row in rows]
        return [alert for alert in alerts if alert.relation is None]

    def batches(self, site: str, machine: str, *, since_ns: int) -> list[Batch]:
        """Batches of a machine since then that are over, of the product made last, oldest first.

        A batch is over once it is closed, or another one has begun.
        """
        with self._file.read() as db:
            latest = db.execute(
                "SELECT product, batch FROM batches WHERE site = ? AND machine = ? ORDER BY last_ns DESC LIMIT 1",
                (site, machine),
            ).fetchone()
            if latest is None:
                return []
            rows = db.execute(
                "SELECT body FROM batches WHERE site = ? AND machine = ? AND product = ? AND last_ns >= ?"
                " AND (closed OR batch != ?) ORDER BY last_ns DESC LIMIT ?",
                (site, machine, latest["product"], since_ns, latest["batch"], MOST_BATCHES),
            ).fetchall()
        return [msgspec.json.decode(row["body"], type=Batch) for row in rows[::-1]]
