"""Commands to nodes in the ledger: sent until there is a reply, expired in time, whatever the clock does."""

from __future__ import annotations

import msgspec
import pytest
from support.alerts import SECOND, Clock, alarm, seen

from gateway.alerts import Fault
from gateway.ledger import Ledger
from gateway.ledger_transaction import COMMAND_RETRY_NS
from gateway.outbox import Wants
from gateway.triage import Triage
from wire.commands import PAUSE_S
from wire.messages import Evidence, Reply, Severity, Trust


def test_a_false_alarm_becomes_a_command_with_a_reply(book: Ledger, clock: Clock) -> None:
    book.false_alarm(alarm(book), by="anna", note="cleaning")
    ((site, node, origin, command),) = book.queue.due()
    assert (site, node, origin, command.action, command.machine, command.by) == (
        "bakery",
        "pi-1",
        "sense",
        "false_alarm",
        "mixer",
        "anna",
    )
    book.queue.tried(command.id, sent=True, retry_ns=clock() + 60 * SECOND)
    assert not book.queue.due()
    clock.pass_s(61)
    assert book.queue.due(), "no reply: sent again, and the node carries it out once"
    reply = Reply(
        site="bakery",
        node="pi-1",
        origin="sense",
        log="l",
        seq=1,
        prev=0,
        boot="b",
        time_ns=clock(),
        trust=Trust.SYNCED,
        command=command.id,
        machine="mixer",
        action="false_alarm",
        ok=True,
        reason="learned",
    )
    with book.transaction() as work:
        assert work.replied(reply)
        assert not work.replied(reply)
    assert not book.queue.due()
    assert [(c.state, c.reason) for c in book.commands(machine="mixer")] == [("done", "learned")]


def test_a_clock_put_back_makes_nothing_wait(book: Ledger, clock: Clock) -> None:
    book.outbox.register("subscriber", [("forecast", Wants())], now_ns=clock())
    book.outbox.register("person", [("anna", Wants())], now_ns=clock())
    true_ns = clock.now_ns
    clock.pass_s(3600)
    with book.transaction() as work:
        Triage(work, book.policy).observe(seen(3600, severity=Severity.ALARM))
    book.command("pause", site="bakery", node="pi-1", machine="mixer", by="anna", seconds=600.0)
    ((_, _, _, command),) = book.queue.due()
    book.queue.tried(command.id, sent=True, retry_ns=clock() + COMMAND_RETRY_NS)
    events = {item.delivery for item in book.outbox.due("subscriber", "forecast", now_ns=clock())}
    for delivery in events:
        book.outbox.failed(delivery, error="HTTP 401", next_ns=clock() + 2 * SECOND, now_ns=clock())
    assert not book.outbox.due("subscriber", "forecast", now_ns=clock())
    clock.now_ns = true_ns
    assert [due.id for _, _, _, due in book.queue.due()] == [command.id]
    assert {item.delivery for item in book.outbox.due("subscriber", "forecast", now_ns=clock())} == events
    (notice,) = book.outbox.due("person", "anna", now_ns=clock())
    # And from there on waiting is waiting again.
    book.queue.tried(command.id, sent=True, retry_ns=clock() + COMMAND_RETRY_NS)
    for delivery in events:
        book.outbox.failed(delivery, error="HTTP 503", next_ns=clock() + 2 * SECOND, now_ns=clock())
    book.outbox.postpone(notice.delivery, next_ns=clock() + 2 * SECOND, now_ns=clock())
    assert not book.queue.due()
    assert not book.outbox.due("subscriber", "forecast", now_ns=clock())
    assert not book.outbox.due("person", "anna", now_ns=clock())


def test_a_command_expires(book: Ledger, clock: Clock) -> None:
    command = book.command("pause", site="bakery", node="pi-1", machine="mixer", by="anna", seconds=600.0)
    clock.pass_s(86_401)
    book.queue.tried(command.id, sent=False, retry_ns=clock(), reason="LinkDown")
    assert [(c.state, c.attempts) for c in book.commands()] == [("expired", 1)]
    assert not book.queue.due()
    with pytest.raises(msgspec.ValidationError):
        book.command("pause", site="bakery", node="pi-1", machine="mixer", by="anna", seconds=-1.0)
    assert [e.what for e in book.audit()] == ["pause"]


def test_a_pause_without_a_length_lives_as_long_as_the_node_would_pause(book: Ledger, clock: Clock) -> None:
    command = book.command("pause", site="bakery", node="pi-1", machine="mixer", by="anna")
    assert (command.seconds, command.expires_ns - command.issued_ns) == (PAUSE_S, round(PAUSE_S * 1e9))
    clock.pass_s(PAUSE_S + 1)
    book.queue.tried(command.id, sent=False, retry_ns=clock(), reason="LinkDown")
    assert [state.state for state in book.commands()] == ["expired"]


def test_a_confirmed_cause_is_in_the_audit_trail_and_goes_to_the_node_with_what_was_reported(book: Ledger) -> None:
    evidence = Evidence(feature="vibration.rms", value=2.0, expected=1.0, unit="g", deviation=9.0, since_ms=-5.0)
    alert = alarm(book, evidence=(evidence,))
    fault = Fault.of(None, "Splint fehlt")
    assert fault is not None
    book.resolve(alert, done="neuer Splint", by="anna", new_normal=True, fault=fault)
    assert ("anna", "confirm", alert, "Splint fehlt") in [
        (line.by, line.what, line.object, line.text) for line in book.audit()
    ]
    sent = {command.action: command for _, _, _, command in book.queue.due()}
    assert set(sent) == {"confirm_fault", "confirm_normal"}, "both are asked for, each under an id of its own"
    asked = sent["confirm_fault"]
    assert (asked.cause, asked.label, asked.evidence) == (fault.code, "Splint fehlt", [evidence])
    assert sent["confirm_normal"].cause is None
    book.command("confirm_fault", site="bakery", node="pi-1", machine="mixer", by="bert", confirmed=Fault("belt"))
    assert book.audit(limit=1)[0].text == "belt"
    assert "belt" in {command.cause for _, _, _, command in book.queue.due()}
