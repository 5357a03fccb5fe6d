"""What one ledger transaction can do: keep alerts with their history, queue what follows from them, move the reader's position."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.alerts import SECOND_NS, Alert, Change, Effect, Instruct, Notify, Policy, Reason
from gateway.batches import BatchPolicy, due, is_over, reported
from gateway.events import Outgoing
from gateway.ledger_goods import GoodsBook
from gateway.ledger_lessons import LessonBook
from gateway.lifecycle import due_ns
from gateway.outbox import NOTICE, Outbox
from gateway.stored import read
from gateway.translate import Translator
from gateway.triage import Due
from wire.commands import EXPIRED, Command
from wire.messages import Inspection, Reply

COMMAND_LIFE_NS = 24 * 3600 * SECOND_NS
COMMAND_RETRY_NS = 60 * SECOND_NS
"""After so long without a reply a command is sent again."""
KEPT_APART = 1000
"""So many entries that could not be worked on are kept."""


class Transaction:
    """A `Book` over SQLite, open for the length of one transaction; see `Ledger.transaction`."""

    def __init__(
        self, db: sqlite3.Connection, policy: Policy, batches: BatchPolicy, translator: Translator | None, now_ns: int
    ) -> None:
        self._db = db
        self._policy = policy
        self._batches = batches
        self._translator = translator
        self._now_ns = now_ns
        self.goods = GoodsBook(db, now_ns)
        """Batches and what is counted of goods."""
        self.lessons = LessonBook(db, now_ns)
        """What is being taught to cameras."""
        self.queued = 0
        """Events and notices put into the outbox."""
        self.told: list[Alert] = []
        """Alerts of which services are told."""
        self.untold: list[tuple[Alert, Exception]] = []
        """Alerts of which no event could be made for services, and why."""

    def get(self, alert: str) -> Alert | None:
        """By id."""
        return self._alert("SELECT body FROM alerts WHERE id = ?", alert)

    def holding(self, site: str, source: str) -> Alert | None:
        """The alert that has this finding among its active or settled ones."""
        return self._alert(
            "SELECT body FROM alerts WHERE id = (SELECT alert FROM sources WHERE site = ? AND source = ?)", site, source
        )

    def latest(self, site: str, machine: str, key: str) -> Alert | None:
        """The alert of this trouble that is not closed; without one, the one closed last."""
        return self._alert(
            "SELECT body FROM alerts WHERE site = ? AND machine = ? AND key = ? ORDER BY closed, closed_ns DESC LIMIT 1",
            site,
            machine,
            key,
        )

    def due(self, now_ns: int) -> Sequence[Due]:
        """Alerts that time alone changes by now, a bounded number at once."""
        rows = self._db.execute(
            "SELECT id, machine FROM alerts WHERE due_ns <= ? ORDER BY due_ns LIMIT 500", (now_ns,)
        ).fetchall()
        return [Due(row["id"], row["machine"]) for row in rows]

    def postpone(self, alert: str, *, until_ns: int) -> None:
        """Time does not change this alert before then, unless something else does."""
        self._db.execute("UPDATE alerts SET due_ns = ? WHERE id = ?", (until_ns, alert))

    def holding_any(self, site: str, machine: str) -> Sequence[Alert]:
        """Every alert of a machine that has findings, active or settled."""
        rows = self._db.execute(
            "SELECT body FROM alerts WHERE site = ? AND machine = ? AND id IN (SELECT alert FROM sources WHERE site = ?)",
            (site, machine, site),
        ).fetchall()
        return [read(row["body"], Alert) for row in rows]

    def reported_by(self, site: str, node: str, origin: str) -> list[tuple[Alert, set[str]]]:
        """Every alert that has findings of a daemon, with these."""
        daemon = f"{node}/{origin}"
        # "0" follows "/": by the index, everything that begins with the daemon's name.
        rows = self._db.execute(
            "SELECT alert, source FROM sources WHERE site = ? AND source >= ? AND source < ? ORDER BY alert",
            (site, f"{daemon}/", f"{daemon}0"),
        ).fetchall()
        found = {
            each: {row["source"] for row in rows if row["alert"] == each} for each in {row["alert"] for row in rows}
        }
        return [(alert, sources) for each, sources in sorted(found.items()) if (alert := self.get(each)) is not None]

    def put(self, change: Change) -> None:
        """Keeps the alert, appends its history, queues what follows.

        An alert of which no event can be made is for people all the same; the event is tried again.
        """
        told = [self._perform(effect) for effect in change.effects]
        self._put_alert(change.alert if all(told) else msgspec.structs.replace(change.alert, restate=True))
        self._db.executemany(
            "INSERT INTO history VALUES (:alert, :version, :at_ns, :what, :by, :text, :state, :severity, :cause)",
            [msgspec.to_builtins(entry) for entry in change.entries],
        )

    def inspected(self, seen: Inspection) -> None:
        """Counts an inspection."""
        self.goods.inspected(seen)

    def report_batches(self) -> int:
        """Tells subscribers about batches that ended or changed; returns how many."""
        ready = [batch for batch in self.goods.open_batches() if due(batch, self._batches, now_ns=self._now_ns)]
        called = self.goods.called() if ready else {}
        for batch in ready:
            told = reported(batch, now_ns=self._now_ns, closed=is_over(batch, self._batches, now_ns=self._now_ns))
            self.goods.put(told)
            if self._translator is not None:
                self.queue(self._translator.of_batch(told, now_ns=self._now_ns, called=called))
        return len(ready)

    def replied(self, reply: Reply) -> bool:
        """Ends a command with the node's answer; False when it is not one of ours or was answered already."""
        state = "done" if reply.ok else "expired" if reply.code == EXPIRED else "refused"
        cursor = self._db.execute(
            "UPDATE commands SET state = ?, reason = ? WHERE id = ? AND site = ? AND node = ? AND state IN ('queued', 'sent')",
            (state, reply.reason, reply.command, reply.site, reply.node),
        )
        if cursor.rowcount:
            self.lessons.replied(reply)
        return bool(cursor.rowcount)

    def instruct(self, command: Command, *, site: str, node: str, origin: str) -> None:
        """Queues a command for a node; one whose id is there already is left alone."""
        self._db.execute(
            "INSERT INTO commands(id, site, node, origin, machine, action, body, state, by, at_ns, expires_ns, next_ns)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING",
            (
                command.id,
                site,
                node,
                origin,
                command.machine,
                command.action,
                msgspec.json.encode(command),
                command.by,
                self._now_ns,
                command.expires_ns,
                self._now_ns,
            ),
        )

    def set_apart(self, *, log: str, seq: int, stream: str, reason: str, detail: str, payload: bytes) -> None:
        """Keeps an entry that cannot be worked on, so that it blocks nothing behind it."""
        self._db.execute(
            "INSERT INTO set_apart(log, seq, stream, at_ns, reason, detail, payload) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(log, seq) DO NOTHING",
            (log, seq, stream, self._now_ns, reason, detail[:500], payload[:65_536]),
        )
        # The newest are enough to find the culprit, and a node that sends nothing else must not fill the disk.
        self._db.execute(
            "DELETE FROM set_apart WHERE id <= (SELECT id FROM set_apart ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (KEPT_APART,),
        )

    def advance(self, reader: str, log: str, seq: int) -> None:
        """Moves the reader's position; backwards too, for a journal that was replaced by an older copy of itself."""
        self._db.execute(
            "INSERT INTO positions VALUES (?, ?, ?, ?) ON CONFLICT(reader, log) DO UPDATE"
            " SET seq = excluded.seq, at_ns = excluded.at_ns",
            (reader, log, seq, self._now_ns),
        )

    def is_new(self, site: str, node: str, origin: str, log: str, seq: int) -> bool:
        """Whether a node's message has not had its effects yet; it counts as worked on from here."""
        reader = f"{site}/{node}/{origin}"
        row = self._db.execute("SELECT seq FROM positions WHERE reader = ? AND log = ?", (reader, log)).fetchone()
        if row is not None and seq <= row["seq"]:
            return False
        self.advance(reader, log, seq)
        return True

    def audit(self, by: str, what: str, object_: str, text: str = "") -> None:
        """Who did what."""
        self._db.execute(
            "INSERT INTO audit(at_ns, by, what, object, text) VALUES (?, ?, ?, ?, ?)",
            (self._now_ns, by, what, object_, text),
        )

    def queue(self, events: Sequence[Outgoing]) -> None:
        """Puts events into the outbox."""
        self.queued += Outbox.add(self._db, events)

    def execute(self, sql: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> sqlite3.Cursor:
        """For the ledger's own statements within this transaction."""
        return self._db.execute(sql, values)

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, for the outbox's statements within this transaction."""
        return self._db

    def savepoint(self, name: str = "entry") -> None:
        """Begins a part that can be taken back."""
        self._db.execute(f"SAVEPOINT {name}")

    def release(self, name: str = "entry") -> None:
        """Keeps that part."""
        self._db.execute(f"RELEASE {name}")

    def take_back(self, name: str = "entry") -> None:
        """Undoes that part."""
        self._db.execute(f"ROLLBACK TO {name}")
        self._db.execute(f"RELEASE {name}")

    def _perform(self, effect: Effect) -> bool:
        """False where services could not be told."""
        if isinstance(effect, Notify):
            self.queue([notice(effect.alert, effect.reason, self._now_ns)])
        elif isinstance(effect, Instruct):
            alert, fault = effect.alert, effect.fault
            command = Command(
                # One step may ask for two things; each is carried out once.
                id=f"{alert.id}.{alert.version}" if fault is None else f"{alert.id}.{alert.version}.fault",
                machine=alert.machine,
                action=effect.action,
                issued_ns=self._now_ns,
                expires_ns=self._now_ns + COMMAND_LIFE_NS,
                by=effect.by[:80],
                cause=fault.code if fault is not None else None,
                label=fault.label if fault is not None else "",
                evidence=alert.evidence if fault is not None else [],
            )
            self.instruct(command, site=alert.site, node=alert.node, origin=alert.origin)
        elif self._translator is not None:
            called = self.goods.called() if effect.alert.kind == "quality" else None
            try:
                events = self._translator.of_alert(effect.alert, effect.reason, now_ns=self._now_ns, called=called)
            except Exception as exc:  # noqa: BLE001  # told by the caller; people must not miss an alert for it
                self.untold.append((effect.alert, exc))
                return False
            self.queue(events)
            self.told.append(effect.alert)
        return True

    def _put_alert(self, alert: Alert) -> None:
        self._db.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
            " machine = excluded.machine, key = excluded.key, state = excluded.state, closed = excluded.closed,"
            " severity = excluded.severity, opened_ns = excluded.opened_ns, closed_ns = excluded.closed_ns,"
            " due_ns = excluded.due_ns, last_seen_ns = excluded.last_seen_ns, body = excluded.body",
            (
                alert.id,
                alert.site,
                alert.machine,
                alert.key,
                alert.state,
                int(alert.state.closed),
                alert.severity.rank,
                alert.opened_ns,
                alert.resolved_ns,
                due_ns(alert, self._policy),
                alert.last_seen_ns,
                msgspec.json.encode(alert),
            ),
        )
        self._db.execute("DELETE FROM sources WHERE alert = ?", (alert.id,))
        self._db.executemany(
            "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT(site, source) DO UPDATE SET alert = excluded.alert",
            [(alert.site, source, alert.id) for source in alert.held],
        )

    def _alert(self, sql: str, *values: str) -> Alert | None:
        row = self._db.execute(sql, values).fetchone()
        return None if row is None else read(row["body"], Alert)


def notice(alert: Alert, reason: Reason, now_ns: int) -> Outgoing:
    """What tells the notifier to tell people; the words are chosen when it is sent."""
    return Outgoing(
        id=f"{alert.id}.{alert.version}.notice",
        type=NOTICE,
        subject=f"{alert.site}/{alert.machine}/{alert.id}",
        severity=alert.severity.value,
        at_ns=now_ns,
        body=msgspec.json.encode({"alert": alert.id, "reason": reason}),
        machine=alert.machine,
        kind=alert.kind,
    )
