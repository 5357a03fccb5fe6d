"""The ledger: what must be kept of alerts, of who did what, and of what still has to be told to whom.

One SQLite file. Whatever belongs together changes in one transaction: an alert, its history, the events and messages that
follow from it, and the position up to which the gateway's journal was worked on. So nothing happens twice or halfway,
whatever is killed. Nothing is ever evicted; history and audit trail cannot be changed (the file itself refuses it).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from gateway.alerts import Alert, Entry, Fault, Policy
from gateway.batches import Batch, BatchPolicy
from gateway.doubtful import DoubtfulItem
from gateway.ledger_commands import CommandQueue
from gateway.ledger_file import LedgerError, LedgerFile, LedgerUnavailable
from gateway.ledger_goods import GoodsReads
from gateway.ledger_lessons import LessonReads
from gateway.ledger_notes import NoteReads
from gateway.ledger_records import AuditEntry, CommandState, Counts, SetApart
from gateway.ledger_relations import RelationReads
from gateway.ledger_transaction import COMMAND_LIFE_NS, COMMAND_RETRY_NS, Transaction
from gateway.outbox import DeadLetter, Kind, Outbox, TargetStatus
from gateway.stored import ReadAlerts, read
from gateway.translate import Translator
from gateway.triage import AlertError, StaleVersion, Triage, UnknownAlert, WrongState
from wire.commands import PAUSE_S, Action, Command

__all__ = [
    "AlertError",
    "AuditEntry",
    "CommandState",
    "Counts",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "SetApart",
    "StaleVersion",
    "UnknownAlert",
    "WrongState",
]

_COMMANDS = (
    "SELECT id, site, node, origin, machine, action, state, by, at_ns, attempts, reason, expires_ns FROM commands"
)


class Ledger:
    """The ledger, open. Every method may be called from any thread.

    Args:
        path: the SQLite file; its folder must exist.
        policy: how patient alerts are.
        batches: when a batch's scrap is told.
        translator: makes events for services; without one, only people are told.
        now_ns: the clock, nanoseconds since the epoch.

    Raises:
        LedgerError: damaged or from a newer version.
        LedgerUnavailable: cannot be opened now.
    """

    def __init__(
        self,
        path: Path,
        *,
        policy: Policy | None = None,
        batches: BatchPolicy | None = None,
        translator: Translator | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.policy = policy if policy is not None else Policy()
        self._batches = batches if batches is not None else BatchPolicy()
        self._translator = translator
        self._now_ns = now_ns
        self._file = LedgerFile(path, now_ns=now_ns())
        self.outbox = Outbox(self._file)
        self.goods = GoodsReads(self._file)
        self.relations = RelationReads(self._file)
        self.lessons = LessonReads(self._file)
        self.notes = NoteReads(self._file)
        self.queue = CommandQueue(self._file, self.transaction, now_ns)
        self._read_alerts = ReadAlerts()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything in the block, or nothing.

        Raises:
            LedgerUnavailable: nothing of it was kept; try again later.
        """
        with self._file.write() as db:
            work = Transaction(db, self.policy, self._batches, self._translator, self._now_ns())
            yield work
        if work.queued:
            self.outbox.poke()

    # What people do. Each returns the alert as it is afterwards, and raises `UnknownAlert`, `WrongState`, or `StaleVersion`
    # when `version` is given and the alert has changed since.

    def acknowledge(
        self, alert: str, *, by: str, note: str = "", fault: Fault | None = None, version: int | None = None
    ) -> Alert:
        """Somebody takes it on, and may say what it is."""
        with self._by(by, "acknowledge", alert, note, fault) as (triage, at_ns):
            return triage.acknowledge(alert, by=by, at_ns=at_ns, note=note, fault=fault, version=version)

    def confirm(self, alert: str, *, fault: Fault, by: str, version: int | None = None) -> Alert:
        """It was a fault, and this is what it was; the node is told to know it again."""
        with self._by(by, "confirm", alert, fault.text) as (triage, at_ns):
            return triage.confirm(alert, fault=fault, by=by, at_ns=at_ns, version=version)

    def snooze(self, alert: str, *, until_ns: int, by: str, note: str = "", version: int | None = None) -> Alert:
        """Hides it until a moment, or until it gets worse."""
        with self._by(by, "snooze", alert, note) as (triage, at_ns):
            return triage.snooze(alert, until_ns=until_ns, by=by, at_ns=at_ns, note=note, version=version)

    def resolve(
        self,
        alert: str,
        *,
        done: str,
        by: str,
        new_normal: bool = False,
        fault: Fault | None = None,
        version: int | None = None,
    ) -> Alert:
        """Somebody did something about it; `new_normal` tells the node to take what follows as normal."""
        with self._by(by, "resolve", alert, done, fault) as (triage, at_ns):
            return triage.resolve(
                alert, done=done, by=by, at_ns=at_ns, new_normal=new_normal, fault=fault, version=version
            )

    def false_alarm(self, alert: str, *, by: str, note: str = "", version: int | None = None) -> Alert:
        """There was nothing; the node's model is told so."""
        with self._by(by, "false_alarm", alert, note) as (triage, at_ns):
            return triage.false_alarm(alert, by=by, at_ns=at_ns, note=note, version=version)

    def note(self, alert: str, *, text: str, by: str, version: int | None = None) -> Alert:
        """Adds a line to the history of any alert, closed ones too."""
        with self._by(by, "note", alert, text) as (triage, at_ns):
            return triage.note(alert, text=text, by=by, at_ns=at_ns, version=version)

    def command(  # noqa: PLR0913  # one argument per thing that a person can ask of a node
        self,
        action: Action,
        *,
        site: str,
        node: str,
        machine: str,
        by: str,
        origin: str = "sense",
        product: str | None = None,
        camera: str | None = None,
        seconds: float | None = None,
        fault: str | None = None,
        confirmed: Fault | None = None,
    ) -> Command:
        """Queues a command for a node and returns it; its fate is in `commands()`.

        A pause is meant for now: a node that was away for all of it no longer takes it.

        Raises:
            msgspec.ValidationError: a field breaks the contract of `wire.commands.Command`.
        """
        now_ns = self._now_ns()
        life_ns = COMMAND_LIFE_NS
        if action == "pause":
            seconds = PAUSE_S if seconds is None else seconds
            life_ns = min(life_ns, max(round(seconds * 1e9), COMMAND_RETRY_NS))
        raw = {
            "id": f"c-{secrets.token_hex(10)}",
            "machine": machine,
            "action": action,
            "issued_ns": now_ns,
            "expires_ns": now_ns + life_ns,
            "by": by[:80],
            "product": product,
            "camera": camera,
            "seconds": seconds,
            "fault": fault,
            "cause": confirmed.code if confirmed is not None else None,
            "label": confirmed.label if confirmed is not None else "",
        }
        command = msgspec.convert(raw, Command)
        with self.transaction() as work:
            work.instruct(command, site=site, node=node, origin=origin)
            said = product or fault or (confirmed.text if confirmed is not None else "")
            said = said or (f"{seconds:g} s" if seconds is not None else "")
            work.audit(by, action, "/".join(part for part in (node, machine, camera) if part), said)
        return command

    def correct(self, item: DoubtfulItem, verdict: Literal["good", "reject"], *, by: str) -> Command:
        """A person's verdict about an item: it is counted as that from here on, and its camera learns it."""
        now_ns = self._now_ns()
        command = Command(
            id=f"c-{secrets.token_hex(10)}",
            machine=item.machine,
            action="correct_verdict",
            issued_ns=now_ns,
            expires_ns=now_ns + COMMAND_LIFE_NS,
            by=by[:80],
            inspection=item.inspection,
            item=item.item,
            verdict=verdict,
        )
        with self.transaction() as work:
            work.instruct(command, site=item.site, node=item.node, origin="watch")
            work.goods.correct(item, verdict, by=by[:80], command=command.id)
            work.audit(by, "correct_verdict", f"{item.node}/{item.camera}/{item.inspection}/{item.item}", verdict)
        return command

    def resend(self, dead_letter: int, *, by: str) -> bool:
        """Tries a dead letter anew; False when there is none of that id."""
        with self.transaction() as work:
            found = self.outbox.resend(work.db, dead_letter, now_ns=self._now_ns())
            if found:
                work.audit(by, "resend", str(dead_letter))
        self.outbox.poke()
        return found

    def enable(self, kind: Kind, name: str, *, by: str) -> bool:
        """Serves a disabled target again; False when there is none of that name."""
        with self.transaction() as work:
            found = self.outbox.enable(work.db, kind, name, now_ns=self._now_ns())
            if found:
                work.audit(by, "enable", f"{kind}:{name}")
        self.outbox.poke()
        return found

    def record(self, by: str, what: str, object_: str, text: str = "") -> None:
        """A line in the audit trail for something done elsewhere."""
        with self.transaction() as work:
            work.audit(by, what, object_, text)

    # What can be read.

    def alert(self, alert: str) -> Alert | None:
        """One alert in any state, pending ones too."""
        with self._file.read() as db:
            row = db.execute("SELECT body FROM alerts WHERE id = ?", (alert,)).fetchone()
        return None if row is None else read(row["body"], Alert)

    def open_alerts(self) -> list[Alert]:
        """Open and acknowledged alerts, snoozed ones too; worst first, then longest."""
        return self._alerts(
            "SELECT id, machine, body FROM alerts WHERE closed = 0 AND state != 'pending' ORDER BY severity DESC, opened_ns",
            {},
        )

    def alerts(
        self, *, machine: str | None = None, before_ns: int | None = None, limit: int = 100, passed: bool = False
    ) -> list[Alert]:
        """Alerts of any state, latest seen first; those that passed before they opened only when asked for."""
        return self._alerts(
            "SELECT id, machine, body FROM alerts WHERE (:machine IS NULL OR machine = :machine)"
            " AND (:before IS NULL OR last_seen_ns < :before) AND (:passed OR state NOT IN ('passed', 'pending')) ORDER BY last_seen_ns DESC, id LIMIT :limit",
            {"machine": machine, "before": before_ns, "passed": passed, "limit": limit},
        )

    def unreadable(self) -> frozenset[str]:
        """Machines of which an alert is left out of these, for it cannot be read."""
        return self._read_alerts.unreadable

    def history(self, alert: str) -> list[Entry]:
        """What happened to an alert, oldest first."""
        with self._file.read() as db:
            rows = db.execute("SELECT * FROM history WHERE alert = ? ORDER BY version", (alert,)).fetchall()
        return [msgspec.convert(dict(row), Entry) for row in rows]

    def audit(self, *, limit: int = 200, before: int | None = None) -> list[AuditEntry]:
        """Who did what, latest first; `before` is the id to go on from."""
        sql = "SELECT * FROM audit WHERE ? IS NULL OR id < ? ORDER BY id DESC LIMIT ?"
        with self._file.read() as db:
            rows = db.execute(sql, (before, before, limit)).fetchall()
        return [AuditEntry(**dict(row)) for row in rows]

    def deliveries(self) -> list[TargetStatus]:
        """Every subscriber and person: what waits, what went, what was given up."""
        return self.outbox.status()

    def dead_letters(self, *, limit: int = 100) -> list[DeadLetter]:
        """What was given up, latest first."""
        return self.outbox.dead_letters(limit)

    def set_apart(self, *, limit: int = 100, stream: str | None = None, since_ns: int = 0) -> list[SetApart]:
        """Journal entries that could not be worked on, of one stream or all, set apart since then; latest first."""
        with self._file.read() as db:
            rows = db.execute(
                "SELECT id, log, seq, stream, at_ns, reason, detail FROM set_apart"
                " WHERE (? IS NULL OR stream = ?) AND at_ns >= ? ORDER BY id DESC LIMIT ?",
                (stream, stream, since_ns, limit),
            ).fetchall()
        return [SetApart(**dict(row)) for row in rows]

    def commands(self, *, machine: str | None = None, limit: int = 100) -> list[CommandState]:
        """Commands to nodes and what became of them, latest first."""
        with self._file.read() as db:
            rows = db.execute(
                f"{_COMMANDS} WHERE ? IS NULL OR machine = ? ORDER BY at_ns DESC LIMIT ?", (machine, machine, limit)
            ).fetchall()
        return [CommandState(**dict(row)) for row in rows]

    def command_state(self, command: str) -> CommandState | None:
        """One command by its id."""
        with self._file.read() as db:
            row = db.execute(f"{_COMMANDS} WHERE id = ?", (command,)).fetchone()
        return None if row is None else CommandState(**dict(row))

    def batches(self, *, limit: int = 100) -> list[Batch]:
        """Batches, latest first."""
        return self.goods.batches(limit=limit)

    def counts(self) -> Counts:
        """Numbers for metrics."""
        with self._file.read() as db:
            row = db.execute(
                "SELECT (SELECT COUNT(*) FROM alerts WHERE state = 'open') AS open,"
                " (SELECT COUNT(*) FROM alerts WHERE state = 'acknowledged') AS acknowledged,"
                " (SELECT COUNT(*) FROM alerts WHERE state = 'pending') AS pending,"
                " (SELECT COUNT(*) FROM alerts WHERE opened_ns IS NOT NULL) AS total,"
                " (SELECT COUNT(*) FROM set_apart) AS set_apart,"
                " (SELECT COUNT(*) FROM commands WHERE state IN ('queued', 'sent')) AS commands_waiting,"
                " (SELECT COUNT(*) FROM batches WHERE closed = 0) AS batches_open"
            ).fetchone()
        return Counts(**dict(row))

    def position(self, reader: str, log: str) -> int:
        """How far a journal was worked on; 0 when never."""
        with self._file.read() as db:
            row = db.execute("SELECT seq FROM positions WHERE reader = ? AND log = ?", (reader, log)).fetchone()
        return 0 if row is None else int(row["seq"])

    # Upkeep.

    def prune(self, before_ns: int) -> int:
        """Forgets events that every target has received before a moment, and says so in the audit trail; returns how many.

        Alerts, history and audit trail are kept, and what waits or was given up within the bounds of `Outbox.expire`.
        """
        with self.transaction() as work:
            for target, count in Outbox.expire(work.db, now_ns=self._now_ns()).items():
                work.audit("system", "drop", target, f"{count} events that nobody took")
            gone = Outbox.forget(work.db, before_ns)
            if gone:
                work.audit("system", "prune", "outbox", f"{gone} delivered events")
        return gone

    def backup(self, path: Path) -> None:
        """A consistent copy of the whole ledger at `path` while everything goes on."""
        self._file.backup(path)

    def close(self) -> None:
        """Waits for a running transaction, then closes the file."""
        self._file.close()

    @contextmanager
    def _by(
        self, by: str, what: str, alert: str, text: str, fault: Fault | None = None
    ) -> Iterator[tuple[Triage, int]]:
        with self.transaction() as work:
            yield Triage(work, self.policy), self._now_ns()
            work.audit(by, what, alert, text)
            if fault is not None:
                work.audit(by, "confirm", alert, fault.text)

    def _alerts(self, sql: str, values: dict[str, object]) -> list[Alert]:
        with self._file.read() as db:
            rows = db.execute(sql, values).fetchall()
        return self._read_alerts.of(rows)
