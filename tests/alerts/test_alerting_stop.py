"""A clean stop of alerting keeps what waited for company, and reads nothing again afterwards."""

from __future__ import annotations

from pathlib import Path

from support.alerts import Clock, inspection, ledger
from support.broker import until

from gateway.alerting import READER, Alerting
from wire.journal import Journal, Record


def test_a_stop_keeps_what_waited(tmp_path: Path) -> None:
    clock = Clock()
    kept = ledger(tmp_path, clock)
    journal = Journal(tmp_path / "journal", readers=[READER], max_bytes=4_000_000, commit_interval_s=0.01)
    try:
        alerting = Alerting(kept, journal, now_ns=clock, gather_s=1000.0)
        alerting.start()
        journal.append(
            [
                Record("telemetry", b"never decoded here", clock()),
                Record("inspection", inspection(1, clock(), good=3, bad=0), clock()),
                Record("telemetry", b"never decoded here", clock()),
            ],
            commit=True,
        )
        # Read, but not worth a transaction of its own yet: only the inspection has effects that are still to come.
        until(lambda: alerting.stats().backlog == 1)
        assert alerting.stats().position == 0
        alerting.stop()
        assert (alerting.stats().position, alerting.stats().backlog, alerting.stats().inspections) == (3, 0, 1)
        assert kept.position(READER, journal.log) == 3
        assert journal.position(READER) == 3
    finally:
        kept.close()
        journal.close()
