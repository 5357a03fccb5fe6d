"""From a real journal through alerting into a real ledger: once each, whatever is read twice, broken or killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.alerting import Site
from support.alerts import SECOND, START, Clock, envelope, finding, inspection, ledger

from gateway.alerting import Alerting
from gateway.alerts import State
from gateway.ledger import LedgerUnavailable
from gateway.outbox import Wants
from wire.codec import Codec
from wire.journal import Journal, Record
from wire.messages import Condition, Severity


def test_a_finding_becomes_an_alert_and_is_not_read_again(site: Site) -> None:
    site.put("telemetry", b"never decoded here")
    site.put("finding", finding(1, site.clock()))
    site.alerting.turn()
    (alert,) = site.ledger.open_alerts()
    assert (alert.machine, alert.cause, alert.severity) == ("mixer", "bearing_outer", Severity.ALARM)
    assert site.journal.position("alerts") == 2
    again = site.make()
    again.turn()
    assert again.stats().findings == 0
    assert site.ledger.open_alerts()[0].count == 1


def test_a_journal_made_anew_repeats_nothing(site: Site, tmp_path: Path) -> None:
    site.put("finding", finding(1, site.clock()))
    site.put("finding", finding(2, site.clock(), state="cleared"))
    site.alerting.turn()
    site.clock.pass_s(700)
    site.alerting.turn()
    (resolved,) = site.ledger.alerts()
    assert resolved.state is State.RESOLVED
    salvaged = Journal(tmp_path / "salvaged", readers=["alerts"], max_bytes=4_000_000)
    salvaged.append(
        [Record("finding", finding(n, START, state=s), START) for n, s in ((1, "open"), (2, "cleared"))], commit=True
    )
    salvaged.append([Record("finding", finding(3, site.clock(), id="f2", machine="oven"), site.clock())], commit=True)
    alerting = Alerting(site.ledger, salvaged, now_ns=site.clock)
    alerting.turn()
    assert alerting.stats().duplicates == 2
    assert site.ledger.alert(resolved.id) == resolved
    assert [a.machine for a in site.ledger.open_alerts()] == ["oven"]
    salvaged.close()


def test_poison_is_set_apart_and_counted_and_blocks_nothing(site: Site) -> None:
    site.put("finding", b"{not json")
    site.put("finding", finding(1, site.clock(), site="other")[:-1])
    site.put("finding", finding(2, site.clock()).replace(b'"v":1', b'"v":9'))
    site.put("mystery", b"\xff\xfe")
    site.put("finding", finding(3, site.clock()))
    site.alerting.turn()
    assert len(site.ledger.open_alerts()) == 1
    assert sum(site.alerting.stats().set_apart.values()) == 4
    assert {entry.reason for entry in site.ledger.set_apart()} == {"not_json", "version"}
    assert site.alerting.stats().backlog == 0


def test_a_message_that_the_code_stumbles_over_is_undone_whole(site: Site) -> None:
    site.put("finding", finding(1, site.clock()))
    site.alerting.turn()
    # The history cannot take the next version a second time.
    site.spoil("UPDATE alerts SET body = replace(CAST(body AS TEXT), '\"version\":1', '\"version\":0')")
    site.put("finding", finding(2, site.clock(), state="changed", cause="imbalance"))
    site.put("finding", finding(3, site.clock(), id="f2", machine="oven"))
    site.alerting.turn()
    assert {(a.machine, a.cause) for a in site.ledger.open_alerts()} == {
        ("mixer", "bearing_outer"),
        ("oven", "bearing_outer"),
    }
    (apart,) = site.ledger.set_apart()
    assert apart.reason == "error"
    assert "IntegrityError" in apart.detail


def test_an_unavailable_ledger_loses_nothing(site: Site) -> None:
    site.put("finding", finding(1, site.clock()))
    other = sqlite3.connect(site.folder / "ledger.sqlite", timeout=0.1, isolation_level=None)
    site.ledger._file._writer.execute("PRAGMA busy_timeout = 50")
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        with pytest.raises(LedgerUnavailable):
            site.alerting.turn()
    assert site.journal.position("alerts") == 0
    other.execute("ROLLBACK")
    other.close()
    site.alerting.turn()
    assert len(site.ledger.open_alerts()) == 1
    assert site.alerting.stats().findings == 1


def test_time_passes_without_messages(site: Site) -> None:
    site.put("finding", finding(1, site.clock(), severity=Severity.WARNING))
    site.alerting.turn()
    assert not site.ledger.open_alerts()
    site.clock.pass_s(31)
    site.alerting.turn()
    assert len(site.ledger.open_alerts()) == 1


def test_a_batch_is_counted_and_its_scrap_told(site: Site) -> None:
    site.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    for seq in range(1, 4):
        site.put("inspection", inspection(seq, site.clock(), good=8, bad=2))
    site.alerting.turn()
    (batch,) = site.ledger.batches()
    assert (batch.items, batch.rejects, batch.labels, batch.revision) == (30, 6, {"broken": 6}, 1)
    site.clock.pass_s(60)
    site.put("inspection", inspection(4, site.clock(), good=10, bad=1))
    site.alerting.turn()
    assert site.ledger.batches()[0].revision == 1, "not at every picture"
    site.clock.pass_s(1801)
    site.alerting.turn()
    (batch,) = site.ledger.batches()
    assert (batch.closed, batch.rejects, batch.revision) == (True, 7, 2)
    assert site.ledger.deliveries()[0].pending == 4, "scrap and its cost, twice"
    site.put("inspection", inspection(5, site.clock(), good=1, bad=1))
    site.clock.pass_s(1801)
    site.alerting.turn()
    site.alerting.turn()
    assert site.ledger.batches()[0].revision == 3, "a late picture corrects it"


def test_commands_go_out_and_again_without_a_reply(site: Site) -> None:
    site.ledger.command("relearn", site="bakery", node="pi-1", machine="mixer", by="anna")
    site.alerting.turn()
    site.alerting.turn()
    assert [(node, origin, command.action) for node, origin, command in site.commands] == [("pi-1", "sense", "relearn")]
    site.clock.pass_s(61)
    site.alerting.turn()
    assert len({command.id for _, _, command in site.commands}) == 1
    assert len(site.commands) == 2


def test_the_thread_works_and_stops(site: Site) -> None:
    site.alerting.start()
    site.put("finding", finding(1, site.clock()))
    end = time.monotonic() + 25
    while not site.ledger.open_alerts() and time.monotonic() < end:
        time.sleep(0.01)
    assert len(site.ledger.open_alerts()) == 1
    assert site.alerting.stats().running
    site.alerting.stop()
    assert not site.alerting.stats().running


def test_a_time_ahead_is_taken_as_now(site: Site) -> None:
    site.put("finding", finding(1, site.clock() + 3600 * SECOND))
    site.alerting.turn()
    assert site.ledger.open_alerts()[0].opened_ns == START


def condition(seq: int, at_ns: int, **changes: object) -> bytes:
    fields: dict[str, object] = {"machine": "mixer", "regime": "loaded", "score": 1.0, "limit": 9.0, "learned": 1.0}
    return Codec().encode(Condition(**{**envelope(seq, at_ns), **fields, "severity": Severity.GOOD, **changes}))


def test_what_a_node_forgot_over_a_restart_is_cleared_by_an_hour_of_good(site: Site) -> None:
    site.put("finding", finding(1, site.clock()))
    site.put("finding", finding(2, site.clock(), id="s1", type="sensor", cause="sensor_stuck", channel="power"))
    site.put("finding", finding(3, site.clock(), id="s2", type="sensor", cause="sensor_stuck", channel="vibration"))
    site.alerting.turn()
    for seq in range(4, 40):
        site.clock.pass_s(120)
        site.put("condition", condition(seq, site.clock(), sensor_faults=["power"]))
    site.alerting.turn()
    site.clock.pass_s(601)
    site.alerting.turn()
    assert [(a.kind, a.channel) for a in site.ledger.open_alerts()] == [("sensor", "power")]


@pytest.mark.parametrize(
    "broken", [{"severity": Severity.WATCH}, {"paused": True}, {"limit": None}, {"machine": "oven"}]
)
def test_anything_but_an_hour_of_good_leaves_it_open(site: Site, broken: dict[str, object]) -> None:
    site.put("finding", finding(1, site.clock()))
    for seq in range(2, 60):
        site.clock.pass_s(120)
        site.put("condition", condition(seq, site.clock(), **(broken if seq % 20 == 0 or "machine" in broken else {})))
    site.alerting.turn()
    site.clock.pass_s(601)
    site.alerting.turn()
    assert len(site.ledger.open_alerts()) == 1


_KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
sys.path[:0] = [{tests!r}]
from support.alerts import START, Clock, finding, ledger
from gateway.alerting import Alerting
from gateway.outbox import Wants
from wire.journal import Journal, Record

folder, when = Path(sys.argv[1]), sys.argv[2]
journal = Journal(folder / "journal", readers=["alerts"], max_bytes=4_000_000)
if journal.stats().next == 1:
    journal.append([Record("finding", finding(n, START, id=f"f{{n}}", machine=f"m{{n}}"), START) for n in range(1, 6)], commit=True)
book = ledger(folder, Clock())
book.outbox.register("subscriber", [("all", Wants())], now_ns=START)
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if when == "before_position":
    journal.advance = lambda reader, seq: die() if seq else None
if when == "inside":
    from gateway.ledger_transaction import Transaction
    Transaction.advance_once = Transaction.advance
    Transaction.advance = lambda self, reader, *a: die() if reader == "alerts" else self.advance_once(reader, *a)
Alerting(book, journal, now_ns=Clock(), gather_s=0.0).turn()
journal.close()
book.close()
"""


def test_killed_around_the_commit_every_finding_has_its_effects_once(tmp_path: Path) -> None:
    script = _KILLED.format(tests=str(Path(__file__).parents[1]))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, str(tmp_path)]
    for when, alerts in (("inside", 0), ("before_position", 5)):
        died = subprocess.run([*command, when], timeout=30, check=False, env=environment)
        assert died.returncode == -signal.SIGKILL
        book = ledger(tmp_path, Clock())
        assert len(book.open_alerts()) == alerts
        book.close()
    site = Site(tmp_path)
    site.alerting.turn()
    assert site.journal.position("alerts") == 5
    alerts_now = site.ledger.open_alerts()
    assert len(alerts_now) == 5
    assert all(len(site.ledger.history(alert.id)) == 1 for alert in alerts_now)
    assert site.ledger.deliveries()[0].pending == 10, "each alert and its capacity"
    site.close()


def test_an_older_copy_of_the_journal_is_worked_on_all_the_same(site: Site) -> None:
    with site.ledger.transaction() as work:
        work.advance("alerts", site.journal.log, 1000)
    site.put("telemetry", b"")
    alerting = site.make()
    alerting.turn()
    site.put("finding", finding(1, site.clock()))
    alerting.turn()
    assert len(site.ledger.open_alerts()) == 1
    assert site.ledger.position("alerts", site.journal.log) == 2
