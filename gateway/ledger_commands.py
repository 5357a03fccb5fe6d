"""The commands to nodes that the ledger holds: which are due to be sent, and that they were tried."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from gateway.ledger_file import LedgerFile
from gateway.ledger_transaction import COMMAND_RETRY_NS, Transaction
from gateway.stored import read
from wire.commands import Command


class CommandQueue:
    """What waits to be sent to nodes, or for their reply. Every method may be called from any thread.

    Args:
        file: the ledger's.
        transaction: begins one in it.
        now_ns: the clock, nanoseconds since the epoch.
    """

    def __init__(
        self,
        file: LedgerFile,
        transaction: Callable[[], AbstractContextManager[Transaction]],
        now_ns: Callable[[], int],
    ) -> None:
        self._file = file
        self._transaction = transaction
        self._now_ns = now_ns

    def due(self, *, limit: int = 50) -> list[tuple[str, str, str, Command]]:
        """Commands to send now: site, node, origin and command.

        One that waits for longer than any retry does was tried before the clock was put back.
        """
        now_ns = self._now_ns()
        with self._file.read() as db:
            rows = db.execute(
                "SELECT site, node, origin, body FROM commands WHERE state IN ('queued', 'sent')"
                " AND (next_ns <= ? OR next_ns > ?) ORDER BY at_ns LIMIT ?",
                (now_ns, now_ns + COMMAND_RETRY_NS, limit),
            ).fetchall()
        return [(row["site"], row["node"], row["origin"], read(row["body"], Command)) for row in rows]

    def tried(self, command: str, *, sent: bool, retry_ns: int, reason: str = "") -> None:
        """A command was sent, or could not be; without a reply it is due again at `retry_ns`, until it expires.

        `retry_ns` is at most `COMMAND_RETRY_NS` ahead.
        """
        with self._transaction() as work:
            work.execute(
                "UPDATE commands SET attempts = attempts + 1, next_ns = ?, reason = ?,"
                " state = CASE WHEN ? >= expires_ns THEN 'expired' WHEN ? THEN 'sent' ELSE state END"
                " WHERE id = ? AND state IN ('queued', 'sent')",
                (retry_ns, reason, self._now_ns(), sent, command),
            )
