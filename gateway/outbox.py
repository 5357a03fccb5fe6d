"""What still has to leave the gateway: events for services and notices for people, with a queue per target.

An event is put into the outbox in the same transaction as the change that caused it, together with one delivery per target
that wants it. So whatever is killed, an event is neither forgotten nor invented. Within one target, deliveries of one
subject go out in order: the next one waits until the one before it was delivered or given up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from threading import Condition
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from gateway.events import Outgoing
from gateway.ledger_file import LedgerFile
from wire.messages import Severity

Kind: TypeAlias = Literal["subscriber", "person"]
NOTICE = "notice"
"""Type of what goes to people; everything else goes to subscribers."""
HELD_DAYS = 30
"""What waits for a target that is not served (disabled, or no longer configured) is dropped after so long …"""
MOST_HELD = 10_000
"""… and beyond so many, the oldest first; of every target as many dead letters are kept. Nobody would ever empty these queues."""


_MOST_AGED_NS = 2 * 86_400_000_000_000


class Wants(Struct, frozen=True, kw_only=True):
    """What a target wants; an empty tuple wants everything."""

    types: tuple[str, ...] = ()
    severity: Severity = Severity.GOOD
    """From this severity on."""
    machines: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def accepts(self, kind: Kind, event: Outgoing) -> bool:
        """Whether a target of this kind gets the event."""
        return (
            (event.type == NOTICE) == (kind == "person")
            and (not self.types or event.type in self.types)
            and Severity(event.severity).rank >= self.severity.rank
            and (not self.machines or event.machine in self.machines)
            and (not self.kinds or event.kind in self.kinds)
        )


class Item(NamedTuple):
    """One delivery that is due."""

    delivery: int
    id: str
    type: str
    subject: str
    body: bytes
    severity: str
    attempts: int
    refusals: int
    since_ns: int
    """When it was queued or last resent; its age decides when it is given up."""


class TargetStatus(Struct, frozen=True, kw_only=True):
    """How one target is doing."""

    kind: Kind
    name: str
    disabled: str
    """Why nothing is sent to it; empty when it is served."""
    retired: bool
    """No longer configured; what waits for it waits on for a while."""
    pending: int
    delivered: int
    dead: int
    dropped: int
    """Events that nobody will get any more: they waited too long while it was not served, or were too many dead letters."""
    oldest_pending_ns: int | None
    last_delivered_ns: int | None
    last_error: str
    """Of what is pending now; empty when nothing is in trouble."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A delivery that was given up."""

    id: int
    """For `resend`."""
    kind: Kind
    target: str
    event: str
    type: str
    subject: str
    at_ns: int
    """When it was given up."""
    attempts: int
    error: str
    body: bytes


class Outbox:
    """The queues. `add` works within the ledger's transaction; everything else is a transaction of its own."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file
        self._news = Condition()
        self._generation = 0

    def register(self, kind: Kind, targets: Sequence[tuple[str, Wants]], *, now_ns: int) -> None:
        """Makes these the targets of that kind; one left out is retired, and what waits for it is kept for a while."""
        with self._file.write() as db:
            db.execute("UPDATE targets SET retired = 1 WHERE kind = ?", (kind,))
            for name, wants in targets:
                db.execute(
                    "INSERT INTO targets(kind, name, wants, since_ns) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT(kind, name) DO UPDATE SET wants = excluded.wants, retired = 0",
                    (kind, name, msgspec.json.encode(wants), now_ns),
                )

    @staticmethod
    def add(db: sqlite3.Connection, events: Sequence[Outgoing]) -> int:
        """Queues events for every target that wants them; an event whose id is there already is left alone."""
        targets = [
            (row["kind"], row["name"], msgspec.json.decode(row["wants"], type=Wants))
            for row in db.execute("SELECT kind, name, wants FROM targets WHERE retired = 0")
        ]
        added = 0
        for event in events:
            cursor = db.execute(
                "INSERT INTO outbox(id, type, subject, severity, at_ns, body) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT(id) DO NOTHING",
                (event.id, event.type, event.subject, event.severity, event.at_ns, event.body),
            )
            if not cursor.rowcount:
                continue
            added += 1
            db.executemany(
                "INSERT INTO deliveries(kind, name, seq, subject, state, next_ns, since_ns)"
                " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
                [
                    (kind, name, cursor.lastrowid, event.subject, event.at_ns, event.at_ns)
                    for kind, name, wants in targets
                    if wants.accepts(kind, event)
                ],
            )
        return added

    def due(self, kind: Kind, name: str, *, now_ns: int, limit: int = 20) -> list[Item]:
        """The first waiting delivery of each subject, where its time has come; empty while the target is disabled.

        What was last touched later than now was so before the clock was put back: its time is no time to wait for.
        """
        with self._file.read() as db:
            rows = db.execute(
                "SELECT d.id AS delivery, o.id, o.type, d.subject, o.body, o.severity, d.attempts, d.refusals, d.since_ns"
                " FROM (SELECT MIN(seq) AS seq FROM deliveries WHERE kind = :kind AND name = :name AND state = 'pending'"
                "       GROUP BY subject) h"
                " JOIN deliveries d ON d.kind = :kind AND d.name = :name AND d.seq = h.seq JOIN outbox o ON o.seq = d.seq"
                " JOIN targets t ON t.kind = d.kind AND t.name = d.name"
                " WHERE (d.next_ns <= :now OR COALESCE(d.last_ns, d.since_ns) > :now) AND t.disabled = ''"
                " ORDER BY d.seq LIMIT :limit",
                {"kind": kind, "name": name, "now": now_ns, "limit": limit},
            ).fetchall()
        return [Item(*row) for row in rows]

    def delivered(self, delivery: int, *, now_ns: int) -> None:
        """It has arrived."""
        self._finish(delivery, "delivered", "", now_ns)

    def failed(self, delivery: int, *, error: str, next_ns: int, now_ns: int, refused: bool = False) -> None:
        """It has not arrived; it is tried again at `next_ns`."""
        with self._file.write() as db:
            db.execute(
                "UPDATE deliveries SET attempts = attempts + 1, refusals = refusals + ?, next_ns = ?, last_ns = ?, error = ?"
                " WHERE id = ? AND state = 'pending'",
                (int(refused), next_ns, now_ns, error, delivery),
            )

    def postpone(self, delivery: int, *, next_ns: int, now_ns: int) -> None:
        """Nothing was tried; not before `next_ns`."""
        with self._file.write() as db:
            db.execute(
                "UPDATE deliveries SET next_ns = ?, last_ns = ? WHERE id = ? AND state = 'pending'",
                (next_ns, now_ns, delivery),
            )

    def give_up(self, delivery: int, *, error: str, now_ns: int) -> None:
        """It becomes a dead letter; what waits behind it goes on."""
        self._finish(delivery, "dead", error, now_ns)

    def wake(self, kind: Kind, name: str, *, now_ns: int) -> None:
        """The target works again: what waits for its next attempt need not wait."""
        with self._file.write() as db:
            db.execute(
                "UPDATE deliveries SET next_ns = ? WHERE kind = ? AND name = ? AND state = 'pending' AND attempts > refusals"
                " AND next_ns > ?",
                (now_ns, kind, name, now_ns),
            )

    def disable(self, kind: Kind, name: str, *, reason: str) -> None:
        """Stops serving a target; its queue is kept for a while, see `expire`."""
        with self._file.write() as db:
            db.execute("UPDATE targets SET disabled = ? WHERE kind = ? AND name = ?", (reason, kind, name))

    def enable(self, db: sqlite3.Connection, kind: Kind, name: str, *, now_ns: int) -> bool:
        """Serves it again, within the ledger's transaction; False when there is no such target."""
        cursor = db.execute("UPDATE targets SET disabled = '' WHERE kind = ? AND name = ?", (kind, name))
        db.execute(
            "UPDATE deliveries SET next_ns = ?, since_ns = ? WHERE kind = ? AND name = ? AND state = 'pending'",
            (now_ns, now_ns, kind, name),
        )
        return bool(cursor.rowcount)

    @staticmethod
    def resend(db: sqlite3.Connection, delivery: int, *, now_ns: int) -> bool:
        """A dead letter is tried anew, within the ledger's transaction; False when it is none."""
        cursor = db.execute(
            "UPDATE deliveries SET state = 'pending', attempts = 0, refusals = 0, next_ns = ?, since_ns = ?"
            " WHERE id = ? AND state = 'dead'",
            (now_ns, now_ns, delivery),
        )
        return bool(cursor.rowcount)

    @staticmethod
    def expire(db: sqlite3.Connection, *, now_ns: int) -> dict[str, int]:
        """Drops what `HELD_DAYS` and `MOST_HELD` allow, within the ledger's transaction; returns how many by `kind:name`.

        Called once a day: a clock that jumps ahead makes nothing older by more than `_MOST_AGED_NS` at once.
        """
        before_ns = _aged(db, now_ns) - HELD_DAYS * 86_400_000_000_000
        dropped: dict[str, int] = {}
        for kind, name, served in db.execute(
            "SELECT kind, name, retired = 0 AND disabled = '' FROM targets ORDER BY kind, name"
        ).fetchall():
            mine = {"kind": kind, "name": name, "before": before_ns, "most": MOST_HELD}
            count = 0
            for state in ("dead",) if served else ("dead", "pending"):
                aged = "since_ns < :before OR " if state == "pending" else ""
                count += db.execute(
                    f"DELETE FROM deliveries WHERE kind = :kind AND name = :name AND state = '{state}' AND ({aged}id IN"  # noqa: S608 - fixed words
                    f" (SELECT id FROM deliveries WHERE kind = :kind AND name = :name AND state = '{state}'"
                    " ORDER BY seq DESC LIMIT -1 OFFSET :most))",
                    mine,
                ).rowcount
            if count:
                db.execute("UPDATE targets SET dropped = dropped + ? WHERE kind = ? AND name = ?", (count, kind, name))
                dropped[f"{kind}:{name}"] = count
        return dropped

    @staticmethod
    def forget(db: sqlite3.Connection, before_ns: int) -> int:
        """Deletes events from before a moment that nobody waits for any more, within the ledger's transaction; returns how many."""
        db.execute(
            "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM outbox o WHERE at_ns < ? AND NOT EXISTS"
            " (SELECT 1 FROM deliveries d WHERE d.seq = o.seq AND d.state != 'delivered'))",
            (before_ns,),
        )
        return db.execute(
            "DELETE FROM outbox WHERE at_ns < ? AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.seq = outbox.seq)",
            (before_ns,),
        ).rowcount

    def status(self) -> list[TargetStatus]:
        """Every target, served or not."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT t.kind, t.name, t.disabled, t.retired, COALESCE(SUM(d.state = 'pending'), 0) AS pending,"
                " COALESCE(SUM(d.state = 'delivered'), 0) AS delivered, COALESCE(SUM(d.state = 'dead'), 0) AS dead, t.dropped,"
                " MIN(CASE WHEN d.state = 'pending' THEN d.since_ns END) AS oldest_pending_ns,"
                " MAX(CASE WHEN d.state = 'delivered' THEN d.last_ns END) AS last_delivered_ns,"
                " (SELECT error FROM deliveries p WHERE p.kind = t.kind AND p.name = t.name AND p.state = 'pending'"
                "  AND p.error != '' ORDER BY p.last_ns DESC LIMIT 1) AS last_error"
                " FROM targets t LEFT JOIN deliveries d ON d.kind = t.kind AND d.name = t.name"
                " GROUP BY t.kind, t.name ORDER BY t.kind, t.name"
            ).fetchall()
        return [
            TargetStatus(**{**dict(row), "retired": bool(row["retired"]), "last_error": row["last_error"] or ""})
            for row in rows
        ]

    def unreached(self, kind: Kind, *, since_ns: int) -> list[str]:
        """Targets that are served and do not take what is sent: now, or what was given up since then and nothing after it."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT name FROM targets t WHERE kind = :kind AND retired = 0 AND disabled = '' AND ("
                " EXISTS (SELECT 1 FROM deliveries d WHERE d.kind = t.kind AND d.name = t.name AND d.state = 'pending'"
                "  AND d.attempts > 0)"
                " OR (SELECT MAX(last_ns) FROM deliveries d WHERE d.kind = t.kind AND d.name = t.name AND d.state = 'dead'"
                "  AND d.last_ns >= :since) > (SELECT COALESCE(MAX(last_ns), 0) FROM deliveries d WHERE d.kind = t.kind"
                "  AND d.name = t.name AND d.state = 'delivered')) ORDER BY name",
                {"kind": kind, "since": since_ns},
            ).fetchall()
        return [row["name"] for row in rows]

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """The latest first."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT d.id, d.kind, d.name AS target, o.id AS event, o.type, o.subject, COALESCE(d.last_ns, d.since_ns)"
                " AS at_ns, d.attempts, d.error, o.body FROM deliveries d JOIN outbox o ON o.seq = d.seq"
                " WHERE d.state = 'dead' ORDER BY d.id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [DeadLetter(**dict(row)) for row in rows]

    def poke(self) -> None:
        """Wakes whoever waits in `wait`."""
        with self._news:
            self._generation += 1
            self._news.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Returns when something was queued since `seen` (a former result, 0 at first), or after `timeout_s`."""
        with self._news:
            self._news.wait_for(lambda: self._generation != seen, timeout_s)
            return self._generation

    def _finish(self, delivery: int, state: str, error: str, now_ns: int) -> None:
        with self._file.write() as db:
            db.execute(
                "UPDATE deliveries SET state = ?, attempts = attempts + 1, last_ns = ?, error = ?"
                " WHERE id = ? AND state = 'pending'",
                (state, now_ns, error, delivery),
            )


def _aged(db: sqlite3.Connection, now_ns: int) -> int:
    """The moment by which queues age: now, but at most a little after the last time that was asked for."""
    row = db.execute("SELECT at_ns FROM positions WHERE reader = 'outbox' AND log = 'aged'").fetchone()
    aged_ns = now_ns if row is None else min(now_ns, int(row["at_ns"]) + _MOST_AGED_NS)
    db.execute(
        "INSERT INTO positions VALUES ('outbox', 'aged', 0, ?) ON CONFLICT(reader, log) DO UPDATE SET at_ns = excluded.at_ns",
        (aged_ns,),
    )
    return aged_ns
