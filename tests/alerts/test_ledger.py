"""The ledger's file: one transaction or nothing, what cannot be changed, several threads, backups, and files it must refuse."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from support.alerts import SECOND, Clock, alarm, ledger, seen

import gateway.outbox
from gateway.events import ALERT, CAPACITY, COST, Outgoing
from gateway.ledger import Ledger, LedgerError, LedgerUnavailable, StaleVersion, UnknownAlert
from gateway.ledger_schema import MIGRATIONS
from gateway.ledger_transaction import KEPT_APART
from gateway.outbox import Wants
from gateway.triage import Triage
from wire.messages import Severity


def test_alert_history_events_and_position_are_one_transaction(book: Ledger) -> None:
    book.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    with pytest.raises(RuntimeError, match="power"):  # noqa: PT012, SIM117  # the failure inside the transaction is the point
        with book.transaction() as work:
            Triage(work, book.policy).observe(seen(0, severity=Severity.ALARM))
            work.advance("alerts", "log-a", 7)
            raise RuntimeError("power failure")
    assert not book.open_alerts()
    assert book.position("alerts", "log-a") == 0
    assert book.deliveries()[0].pending == 0
    with book.transaction() as work:
        Triage(work, book.policy).observe(seen(0, severity=Severity.ALARM))
        work.advance("alerts", "log-a", 7)
    (alert,) = book.open_alerts()
    assert [entry.what for entry in book.history(alert.id)] == ["opened"]
    assert book.position("alerts", "log-a") == 7
    assert book.position("alerts", "log-b") == 0
    due = book.outbox.due("subscriber", "all", now_ns=Clock()())
    assert [item.type for item in due] == [ALERT], "the first of its subject"
    assert book.deliveries()[0].pending == 3


def test_what_people_do_is_kept_with_who_and_when(book: Ledger, clock: Clock) -> None:
    alert = alarm(book)
    clock.pass_s(60)
    book.acknowledge(alert, by="anna", note="on my way", version=1)
    with pytest.raises(StaleVersion):
        book.acknowledge(alert, by="bert", version=1)
    book.snooze(alert, until_ns=clock() + 3600 * SECOND, by="anna")
    book.note(alert, text="bearing ordered", by="bert")
    clock.pass_s(60)
    resolved = book.resolve(alert, done="new bearing", by="anna")
    assert (resolved.resolution, resolved.done, resolved.resolved_by) == ("done", "new bearing", "anna")
    assert [(e.what, e.by) for e in book.history(alert)] == [
        ("opened", "system"),
        ("acknowledged", "anna"),
        ("snoozed", "anna"),
        ("note", "bert"),
        ("resolved", "anna"),
    ]
    assert [e.what for e in reversed(book.audit())] == ["acknowledge", "snooze", "note", "resolve"]
    assert book.audit(limit=1)[0].at_ns == clock()
    assert [e.what for e in book.audit(before=book.audit(limit=1)[0].id)] == ["note", "snooze", "acknowledge"]
    with pytest.raises(UnknownAlert):
        book.resolve("nothing", done="", by="anna")
    assert len(book.audit()) == 4, "a refused command leaves no trace of having been carried out"


def test_what_is_called_done_but_never_stops_is_open_again_after_a_day_also_over_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    with_it = ledger(tmp_path, clock)
    alert = alarm(with_it)
    clock.pass_s(60)
    with_it.resolve(alert, done="new bearing", by="anna")
    done_ns = clock()
    with_it.close()
    book = ledger(tmp_path, clock)

    def tick(hours: float) -> None:
        clock.now_ns = done_ns + round(hours * 3600) * SECOND
        with book.transaction() as work:
            triage = Triage(work, book.policy)
            # The node goes on saying so; nothing is new or worse.
            triage.observe(seen(hours * 3600, state="changed", severity=Severity.ALARM))
            triage.tick(clock())

    for hours in (1, 8, 23.9):
        tick(hours)
        assert book.open_alerts() == []
    tick(24.1)
    (again,) = book.open_alerts()
    assert (again.id, again.severity, again.reopened, again.done) == (alert, Severity.ALARM, 1, "")
    assert [entry.what for entry in book.history(alert)] == ["opened", "resolved", "still_there"]
    assert book.history(alert)[1].text == "new bearing", "what was done about it stays on record"
    assert (again.notified_ns - done_ns) / SECOND == pytest.approx(86_400, abs=1), "people are told again"
    book.close()


def test_lists_are_ordered_and_filtered(book: Ledger, clock: Clock) -> None:
    alarm(book)
    with book.transaction() as work:
        triage = Triage(work, book.policy)
        triage.observe(seen(1, id="f2", machine="oven", cause="imbalance", severity=Severity.WARNING))
        triage.tick(clock.pass_s(40))
        triage.observe(seen(41, id="f3", machine="lathe", severity=Severity.WATCH))
    assert [a.machine for a in book.open_alerts()] == ["mixer", "oven"]
    assert [a.machine for a in book.alerts(machine="oven")] == ["oven"]
    assert len(book.alerts(passed=True)) == 3
    assert len(book.alerts(limit=1)) == 1
    assert book.alert(book.open_alerts()[0].id) == book.open_alerts()[0]
    assert book.alert("nothing") is None
    counts = book.counts()
    assert (counts.open, counts.pending, counts.total) == (2, 1, 2)


def test_history_and_audit_cannot_be_changed_even_by_hand(book: Ledger, tmp_path: Path) -> None:
    alert = alarm(book)
    book.note(alert, text="x", by="anna")
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        for statement in (
            "UPDATE history SET by = 'x'",
            "DELETE FROM history",
            "UPDATE audit SET by = 'x'",
            "DELETE FROM audit",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def test_several_threads_at_once(book: Ledger) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                alert = alarm(book, machine=f"m{number}", id=f"f{turn}")
                book.note(alert, text=str(turn), by="anna")
                assert book.history(alert)
                book.deliveries()
        except BaseException as exc:  # noqa: BLE001  # handed to the main thread
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert len(book.open_alerts()) == 4
    assert len(book.audit(limit=100)) == 40


def test_a_transaction_inside_another_is_a_mistake_told_at_once(book: Ledger) -> None:
    with book.transaction(), pytest.raises(RuntimeError, match="inside another"):
        book.record("x", "y", "z")


def test_a_backup_is_a_whole_ledger(book: Ledger, tmp_path: Path, clock: Clock) -> None:
    alert = alarm(book)
    book.backup(tmp_path / "copy.sqlite")
    with pytest.raises(LedgerUnavailable, match="exists"):
        book.backup(tmp_path / "copy.sqlite")
    book.note(alert, text="later", by="anna")
    copy = Ledger(tmp_path / "copy.sqlite", now_ns=clock)
    assert [a.id for a in copy.open_alerts()] == [alert]
    assert len(copy.history(alert)) == 1
    copy.close()


def test_it_opens_again_with_everything(tmp_path: Path, clock: Clock) -> None:
    first = ledger(tmp_path, clock)
    alert = alarm(first)
    first.close()
    second = ledger(tmp_path, clock)
    assert second.open_alerts()[0].id == alert
    second.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        assert db.execute("SELECT version FROM migrations").fetchall() == [(n + 1,) for n in range(len(MIGRATIONS))]
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_files_that_must_be_refused(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database, it is a text of more than a hundred bytes " * 40)
    with pytest.raises(LedgerError, match="damaged"):
        ledger(tmp_path, clock)
    (tmp_path / "ledger.sqlite").unlink()
    ledger(tmp_path, clock).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("INSERT INTO migrations VALUES (99, 0)")
    with pytest.raises(LedgerError, match="version 99"):
        ledger(tmp_path, clock)
    with pytest.raises(LedgerUnavailable):
        ledger(tmp_path / "missing", clock)


def test_a_full_disk_keeps_nothing_by_halves(book: Ledger, clock: Clock) -> None:
    alarm(book)
    with book.transaction() as work:
        (pages,) = work.execute("PRAGMA page_count").fetchone()
        work.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerUnavailable, match="full"):  # noqa: PT012, SIM117  # any of them may be the one that fails
        with book.transaction() as work:
            Triage(work, book.policy).observe(seen(0, machine="oven", severity=Severity.ALARM))
            work.set_apart(log="l", seq=1, stream="finding", reason="x", detail="", payload=b"x" * 60_000)
    assert [a.machine for a in book.open_alerts()] == ["mixer"]
    with book.transaction() as work:
        work.execute("PRAGMA max_page_count = 1000000")
    clock.pass_s(1)
    assert alarm(book, machine="oven")


def test_an_event_is_queued_once_and_only_for_whom_it_is_for(book: Ledger) -> None:
    book.outbox.register(
        "subscriber", [("money", Wants(types=(COST,))), ("bad", Wants(severity=Severity.ALARM))], now_ns=0
    )
    book.outbox.register("person", [("anna", Wants(severity=Severity.WARNING, kinds=("machine",)))], now_ns=0)
    events = [
        Outgoing("a", COST, "s", "warning", 1, b"", machine="mixer"),
        Outgoing("b", CAPACITY, "s", "alarm", 1, b"", machine="mixer"),
        Outgoing("c", "notice", "s", "warning", 1, b"", machine="mixer", kind="machine"),
        Outgoing("d", "notice", "s", "warning", 1, b"", machine="mixer", kind="sensor"),
    ]
    for _ in range(2):
        with book.transaction() as work:
            work.queue(events)
    assert {(t.kind, t.name): t.pending for t in book.deliveries()} == {
        ("subscriber", "money"): 1,
        ("subscriber", "bad"): 1,
        ("person", "anna"): 1,
    }


def test_only_what_was_delivered_is_ever_forgotten_and_that_is_said(book: Ledger, clock: Clock) -> None:
    book.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    for number in range(3):
        with book.transaction() as work:
            work.queue([Outgoing(f"e{number}", CAPACITY, f"s{number}", "alarm", clock(), b"")])
    done, dead, _ = book.outbox.due("subscriber", "all", now_ns=clock())
    book.outbox.delivered(done.delivery, now_ns=clock())
    book.outbox.give_up(dead.delivery, error="refused", now_ns=clock())
    assert book.prune(clock()) == 0
    assert book.prune(clock() + 1) == 1
    assert [(t.pending, t.dead, t.delivered) for t in book.deliveries()] == [(1, 1, 0)]
    assert book.audit()[0].what == "prune"


def test_what_waits_for_a_receiver_that_is_not_served_is_dropped_in_time_and_counted(
    book: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.outbox, "MOST_HELD", 3)
    names = ("served", "off", "gone")
    book.outbox.register("subscriber", [(name, Wants()) for name in names], now_ns=0)

    def queue(*numbers: int) -> None:
        with book.transaction() as work:
            work.queue([Outgoing(f"e{number}", CAPACITY, f"s{number}", "alarm", clock(), b"") for number in numbers])

    def waiting() -> dict[str, tuple[int, int, int]]:
        return {target.name: (target.pending, target.dead, target.dropped) for target in book.deliveries()}

    queue(1, 2)
    book.outbox.disable("subscriber", "off", reason="answered 410")
    book.prune(0)
    clock.pass_s(400 * 86_400)  # a clock that was set wrong, and is right again a day later
    book.prune(0)
    clock.pass_s(-399 * 86_400)
    for _ in range(gateway.outbox.HELD_DAYS - 1):
        book.prune(0)
        assert waiting()["off"] == (2, 0, 0)
        clock.pass_s(86_401)
    queue(3)
    book.outbox.register("subscriber", [(name, Wants()) for name in ("served", "off")], now_ns=clock())
    assert waiting() == {"served": (3, 0, 0), "off": (3, 0, 0), "gone": (3, 0, 0)}
    book.prune(0)
    assert waiting() == {"served": (3, 0, 0), "off": (1, 0, 2), "gone": (1, 0, 2)}
    assert [(entry.what, entry.object) for entry in book.audit()[:2]] == [
        ("drop", "subscriber:off"),
        ("drop", "subscriber:gone"),
    ]
    queue(4, 5, 6)
    for item in book.outbox.due("subscriber", "served", now_ns=clock()):
        book.outbox.give_up(item.delivery, error="refused", now_ns=clock())
    book.prune(0)
    assert waiting() == {"served": (0, 3, 3), "off": (3, 0, 3), "gone": (1, 0, 2)}
    assert book.outbox.due("subscriber", "off", now_ns=clock()) == []
    book.enable("subscriber", "off", by="Anna")
    assert [item.id for item in book.outbox.due("subscriber", "off", now_ns=clock())] == ["e4", "e5", "e6"]


def test_entries_set_apart_do_not_fill_the_disk(book: Ledger) -> None:
    with book.transaction() as work:
        for seq in range(1, KEPT_APART + 51):
            work.set_apart(log="l", seq=seq, stream="finding", reason="x", detail="", payload=b"{}")
    assert book.counts().set_apart == KEPT_APART
    assert [entry.seq for entry in book.set_apart(limit=1)] == [KEPT_APART + 50]
