"""One alert that cannot be worked on, or told of, stops no other and is not passed over in silence; a damaged ledger ends it all."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec
import pytest
from support.alerting import Site
from support.alerts import finding
from support.broker import until

from gateway.alerts import Alert, Reason, State
from gateway.events import ALERT, Outgoing
from gateway.ledger import LedgerError
from gateway.outbox import Wants
from gateway.stumbles import RETRY_NS
from wire.messages import Severity


@pytest.fixture
def defect(site: Site, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Machines of which no event can be made for services, while they are in it."""
    made = site.ledger._translator.of_alert  # type: ignore[union-attr]  # the support ledger has one
    machines = {"mixer"}

    def of_alert(
        alert: Alert, reason: Reason, *, now_ns: int, called: Mapping[str, str] | None = None
    ) -> list[Outgoing]:
        if alert.machine in machines:
            raise ValueError("year 33715 is out of range")
        return made(alert, reason, now_ns=now_ns, called=called)

    monkeypatch.setattr(site.ledger._translator, "of_alert", of_alert)
    return machines


def test_an_alert_of_which_no_event_can_be_made_opens_all_the_same(site: Site, defect: set[str]) -> None:
    site.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    site.ledger.outbox.register("person", [("anna", Wants())], now_ns=0)
    for seq, (machine, severity) in enumerate(
        [("mixer", Severity.WARNING), ("oven", Severity.WARNING), ("press", Severity.ALARM)], start=1
    ):
        site.put("finding", finding(seq, site.clock(), id=machine, machine=machine, severity=severity))
    site.alerting.turn()
    site.clock.pass_s(31)
    site.alerting.turn()
    assert {alert.machine for alert in site.ledger.open_alerts()} == {"mixer", "oven", "press"}
    assert not site.ledger.set_apart()
    assert {one.about for one in site.alerting.stats().stumbles.values()} == {"mixer"}
    assert site.alerting.stats().failures == 1
    told = {item.subject for item in site.ledger.outbox.due("subscriber", "all", now_ns=site.clock())}
    assert told == {"bakery/oven", "bakery/press"}
    assert len(site.ledger.outbox.due("person", "anna", now_ns=site.clock())) == 3
    # It is tried again, and told once it can be.
    site.clock.pass_s(61)
    site.alerting.turn()
    assert site.alerting.stats().failures == 2
    defect.clear()
    site.clock.pass_s(61)
    site.alerting.turn()
    told = {item.subject for item in site.ledger.outbox.due("subscriber", "all", now_ns=site.clock())}
    assert "bakery/mixer" in told
    assert not site.alerting.stats().stumbles, "as soon as it could be told"


def test_that_an_alert_is_over_is_told_to_services_once_it_can_be(site: Site, defect: set[str]) -> None:
    site.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    site.put("finding", finding(1, site.clock()))
    defect.clear()
    site.alerting.turn()
    (alert,) = site.ledger.open_alerts()
    defect.add("mixer")
    site.clock.pass_s(61)
    site.put("finding", finding(2, site.clock(), state="cleared"))
    site.alerting.turn()
    site.clock.pass_s(601)
    site.alerting.turn()
    assert site.ledger.alerts()[0].state is State.RESOLVED

    def reasons() -> list[str]:
        with site.ledger.transaction() as work:
            rows = work.execute("SELECT body FROM outbox WHERE type = ? ORDER BY seq", (ALERT,)).fetchall()
        return [msgspec.json.decode(row["body"])["data"]["reason"] for row in rows]

    assert reasons() == ["opened"]
    defect.clear()
    site.clock.pass_s(61)
    site.alerting.turn()
    assert reasons() == ["opened", "resolved"]
    site.clock.pass_s(61)
    site.alerting.turn()
    assert reasons() == ["opened", "resolved"]
    assert [entry.what for entry in site.ledger.history(alert.id)] == ["opened", "resolved"]


def test_whatever_is_wrong_with_pictures_alerts_go_on(site: Site) -> None:
    class Broken:
        def take(self, *_: object, **__: object) -> None:
            raise KeyError("tray")

    site.alerting._goods = Broken()  # type: ignore[assignment]  # what it raises is no part of its contract
    site.put("finding", finding(1, site.clock()))
    site.alerting.turn()
    assert len(site.ledger.open_alerts()) == 1
    assert "tray" in site.alerting.stats().goods_error


def test_an_alert_that_time_cannot_change_holds_up_no_other(site: Site) -> None:
    for seq, machine in enumerate(["mixer", "oven"], start=1):
        site.put("finding", finding(seq, site.clock(), id=machine, machine=machine, severity=Severity.WARNING))
    site.alerting.turn()
    before = "UPDATE alerts SET body = replace(CAST(body AS TEXT), '\"version\":%d', '\"version\":%d') WHERE machine = 'mixer'"
    site.spoil(before % (1, 0))
    site.clock.pass_s(31)
    for _ in range(3):
        site.alerting.turn()
    assert [alert.machine for alert in site.ledger.open_alerts()] == ["oven"]
    ((what, stumble),) = site.alerting.stats().stumbles.items()
    assert (what.split()[0], stumble.about) == ("alert", "mixer")
    assert "IntegrityError" in stumble.error
    assert site.alerting.stats().failures == 1, "left alone for a while"
    site.spoil(before % (0, 1))
    site.clock.pass_s(RETRY_NS / 1e9)
    site.alerting.turn()
    assert {alert.machine for alert in site.ledger.open_alerts()} == {"mixer", "oven"}
    assert not site.alerting.stats().stumbles


def test_a_damaged_ledger_ends_alerting_and_passes_over_nothing(site: Site) -> None:
    site.put("finding", finding(1, site.clock()))
    site.alerting.turn()
    damage(site)
    site.put("finding", finding(2, site.clock(), id="f2", state="open", machine="oven"))
    with pytest.raises(LedgerError, match="damaged"):
        site.alerting.turn()
    assert site.journal.position("alerts") == 1, "the journal still holds what the ledger could not take"
    site.alerting.start()
    until(lambda: not site.alerting.stats().running)
    assert "damaged" in site.alerting.stats().last_error


def damage(site: Site) -> None:
    """Writes over the pages of the alerts' table, and lets the open connections forget what they know of it."""
    path = site.folder / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'alerts'")]
        (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)
    for connection in (site.ledger._file._writer, site.ledger._file._reader):
        connection.execute("PRAGMA shrink_memory")


def test_a_turn_that_works_again_forgets_why_the_one_before_did_not(site: Site) -> None:
    site.ledger._file._writer.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(site.folder / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    site.put("finding", finding(1, site.clock()))
    site.alerting.start()
    until(lambda: "locked" in site.alerting.stats().last_error)
    assert site.alerting.stats().running
    other.execute("ROLLBACK")
    other.close()
    until(lambda: site.alerting.stats().last_error == "")
    assert [alert.state for alert in site.ledger.open_alerts()] == [State.OPEN]
