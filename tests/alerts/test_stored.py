"""What a version with wider bounds kept is read by this one, and what nothing can be made of holds up nothing else."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from support.alerts import Clock, ledger, seen
from support.gateways import Feed, client, running
from support.openapi import check

from gateway.alerts import Alert
from gateway.stored import read
from gateway.triage import Triage
from gateway.web.trouble import troubles
from wire.messages import Evidence, Prognosis, Severity

PROGNOSIS = Prognosis(low_s=1.0, high_s=2.0, confidence=0.8, reaches=Severity.ALARM)


def rewrite(path: Path, machine: str, before: str, after: str) -> None:
    """As if a version before had kept it like that."""
    with closing(sqlite3.connect(path)) as db, db:
        changed = db.execute(
            "UPDATE alerts SET body = CAST(replace(CAST(body AS TEXT), ?, ?) AS BLOB) WHERE machine = ? AND CAST(body AS TEXT) LIKE ?",
            (before, after, machine, f"%{before}%"),
        )
        assert changed.rowcount == 1


def test_what_the_present_bounds_do_not_allow_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    book = ledger(tmp_path, Clock())
    evidence = (Evidence(feature="power", value=1.0, expected=2.0, unit="W", deviation=3.0, since_ms=-1.0),)
    with book.transaction() as work:
        Triage(work, book.policy).observe(
            seen(0, severity=Severity.ALARM, prognosis=PROGNOSIS, evidence=evidence, score=7.0)
        )
    (alert,) = book.open_alerts()
    body = msgspec.json.encode(alert)
    assert read(body, Alert) == alert
    long_ago = body.replace(b'"high_s":2.0', b'"high_s":1e12').replace(b'"since_ms":-1.0', b'"since_ms":1e99')
    assert read(long_ago, Alert) == msgspec.structs.replace(alert, prognosis=None, evidence=[])
    with pytest.raises(msgspec.ValidationError):
        read(body.replace(b'"severity":"alarm"', b'"severity":"apocalypse"', 1), Alert)
    book.close()


def test_a_gateway_starts_over_alerts_that_a_version_before_took(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as gateway:
        feed = Feed(gateway)
        for number, machine in enumerate(("mixer", "oven", "press")):
            feed.alert(id=f"f{number}", machine=machine, prognosis=PROGNOSIS)
        path = tmp_path / "state" / "ledger.sqlite"
    rewrite(path, "mixer", '"high_s":2.0', '"high_s":1e12')
    rewrite(path, "press", '"kind":"machine"', '"kind":"planet"')
    with caplog.at_level(logging.ERROR), running(tmp_path) as gateway, client(gateway) as http:
        gateway.turn()
        gateway.turn()
        assert {one["alert"]["machine"] for one in check(http.get("/api/v1/alerts"))} == {"mixer", "oven"}
        page = http.get("/", headers={"accept-language": "de"})
        assert page.status_code == 200
        assert "press" in page.text.partition("<main")[2].partition("alert-")[0], "it is told of which machine"
        told = [one for one in troubles(gateway.services) if one.code == "alert"]
        assert [one.machines for one in told] == [("press",)]
    assert sum("cannot be read" in line for line in caplog.messages) == 1


def test_open_pages_that_cannot_be_told_do_not_end_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as gateway:
        Feed(gateway).alert()

        def fail(_event: object) -> None:
            raise ValueError("not to be told")

        monkeypatch.setattr(gateway.live, "publish", fail)
        gateway._seen_alerts = {}
        with caplog.at_level(logging.ERROR):
            gateway.turn()
            gateway.turn()
    assert sum("are not told" in line for line in caplog.messages) == 1


def test_a_finding_that_could_not_be_worked_on_is_told_whatever_else_was_set_apart(tmp_path: Path) -> None:
    clock = Clock()
    book = ledger(tmp_path, clock)
    with book.transaction() as work:
        for seq in range(200):
            stream = "health" if seq else "finding"
            work.set_apart(log="log", seq=seq, stream=stream, reason="error", detail="", payload=b"")
    assert [one.seq for one in book.set_apart(limit=1, stream="finding", since_ns=clock())] == [0]
    assert not book.set_apart(stream="finding", since_ns=clock() + 1)
    assert len(book.set_apart()) == 100
    book.close()
