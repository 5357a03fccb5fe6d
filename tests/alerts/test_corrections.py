"""A person's verdict: counted at once and for good, told to the camera, told to subscribers, and in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.alerts import SECOND, START, Clock, finding, inspection, ledger
from support.goods import tray

from gateway.alerting import READER, Alerting
from gateway.batches import Rate
from gateway.goods import Goods
from gateway.ledger import Ledger
from gateway.ledger_goods import QUARTER_NS
from gateway.ledger_transaction import Transaction
from gateway.outbox import Wants
from wire.commands import Command
from wire.journal import Journal, Record


class Office:
    """A gateway's reader of inspections, without threads."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(START // QUARTER_NS * QUARTER_NS)
        self.sent: list[tuple[str, str, Command]] = []
        self.journal = Journal(folder / "journal.sqlite", readers=[READER], max_bytes=10_000_000)
        self.ledger: Ledger = ledger(folder, self.clock)
        self.goods = Goods(folder / "goods.sqlite")
        self.alerting = Alerting(
            self.ledger,
            self.journal,
            goods=self.goods,
            send=lambda node, origin, command: self.sent.append((node, origin, command)),
            now_ns=self.clock,
            gather_s=0.0,
        )
        self.seq = 0

    def inspect(self, good: int, reject: int, unsure: int = 0, **changes: object) -> None:
        self.seq += 1
        payload = inspection(
            self.seq,
            self.clock(),
            good=0,
            bad=0,
            **{"items": tray(good, reject, unsure), "id": f"i-{self.seq}", **changes},
        )
        self.journal.append([Record("inspection", payload, self.clock(), event=True)], commit=True)
        self.alerting.turn()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.goods.close()
    made.ledger.close()
    made.journal.close()


def counts(office: Office) -> tuple[int, int, int]:
    """Items, rejects and unsure of the batch; those of the quarters add up to the same."""
    (batch,) = office.ledger.batches()
    (tally,) = office.ledger.goods.tallies(0)
    assert (tally.items, tally.rejects, tally.unsure) == (batch.items, batch.rejects, batch.unsure)
    return batch.items, batch.rejects, batch.unsure


def test_a_persons_verdict_counts_at_once_and_the_camera_is_told(office: Office) -> None:
    office.inspect(6, 2, 2)
    assert counts(office) == (10, 2, 2)
    (batch,) = office.ledger.batches()
    assert (batch.node, batch.camera, batch.lightness.count, batch.lightness.mean) == ("pi-1", "belt", 10, 55.0)
    by_item = {each.item: each for each in office.goods.items()}
    command = office.ledger.correct(by_item[6], "good", by="Anna")
    assert counts(office) == (10, 1, 2)
    office.ledger.correct(by_item[8], "reject", by="Anna")
    assert counts(office) == (10, 2, 1)
    assert office.ledger.batches()[0].labels == {"burnt": 1, "cracked": 1}
    office.ledger.correct(by_item[7], "reject", by="Bernd")
    assert counts(office) == (10, 2, 1), "it was one already; it teaches all the same"
    office.ledger.correct(by_item[6], "reject", by="Bernd")
    office.ledger.correct(by_item[6], "good", by="Anna")
    office.ledger.correct(by_item[6], "good", by="Anna")
    assert counts(office) == (10, 2, 1), "whatever was said last"
    assert office.ledger.batches()[0].rate.share == pytest.approx(2 / 9)

    office.alerting.turn()
    node, origin, sent = next(each for each in office.sent if each[2].id == command.id)
    assert (node, origin) == ("pi-1", "watch")
    assert (sent.action, sent.inspection, sent.item, sent.verdict) == ("correct_verdict", "i-1", 6, "good")
    found = office.ledger.goods.corrections("bakery", [("pi-1", "i-1", number) for number in range(10)])
    assert {key[2]: (each.verdict, each.by) for key, each in found.items()} == {
        6: ("good", "Anna"),
        7: ("reject", "Bernd"),
        8: ("reject", "Anna"),
    }
    trail = [(entry.by, entry.text) for entry in office.ledger.audit() if entry.what == "correct_verdict"]
    assert trail[::-1][:3] == [("Anna", "good"), ("Anna", "reject"), ("Bernd", "reject")]
    assert len(trail) == 6


def test_a_correction_after_the_end_of_a_batch_is_told_to_subscribers(office: Office) -> None:
    office.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    office.inspect(8, 2)
    office.clock.pass_s(2000)
    office.alerting.turn()
    (batch,) = office.ledger.batches()
    assert (batch.closed, batch.rejects) == (True, 2)
    revision = batch.revision
    item = office.goods.items()[0]
    office.ledger.correct(item, "good", by="Anna")
    office.alerting.turn()
    (batch,) = office.ledger.batches()
    assert (batch.closed, batch.rejects, batch.revision) == (True, 1, revision + 1)
    assert batch.last_ns < office.clock() - 1900 * SECOND, "it did not begin anew"
    (tally,) = office.ledger.goods.tallies(0)
    assert tally.rejects == 1, "in the quarter in which it was baked"
    assert office.ledger.goods.tallies(item.at_ns + QUARTER_NS) == []


def test_pictures_that_cannot_be_kept_hold_up_nothing(office: Office) -> None:
    office.goods.close()
    office.inspect(8, 2)
    assert counts(office) == (10, 2, 0)
    assert office.alerting.stats().failures == 0
    assert "goods.sqlite" in office.alerting.stats().goods_error


def test_a_batch_that_cannot_be_read_stops_nothing(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    office.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
    for number, name in enumerate(("sizes", "broken", "good")):
        office.inspect(8, 2, batch=name)
        office.clock.pass_s(number)
    body = "UPDATE batches SET body = CAST(replace(body, ?, ?) AS BLOB) WHERE batch = ?"
    with office.ledger.transaction() as work:
        # What an endless sum of squares becomes in JSON, and what a failing disk leaves.
        assert work.execute(body, ('"squares":0.0', '"squares":null', "sizes")).rowcount == 1
        assert work.execute(body, ('"items":10', '"items":', "broken")).rowcount == 1
    assert [(each.batch, each.items, each.rejects) for each in office.ledger.batches()] == [
        ("good", 10, 2),
        ("sizes", 10, 2),
    ]
    office.clock.pass_s(2000)
    office.alerting.turn()
    office.alerting.turn()
    stats = office.alerting.stats()
    assert (stats.failures, stats.set_apart) == (0, {"batch": 1})
    assert {each.batch: (each.closed, each.rejects) for each in office.ledger.batches()} == {
        "good": (True, 2),
        "sizes": (True, 2),
    }
    assert caplog.text.count("batch broken of roll at oven") == 1, "said once"
    for name in ("sizes", "broken"):
        office.inspect(4, 1, batch=name)
    assert {each.batch: (each.items, each.rejects) for each in office.ledger.batches()} == {
        "good": (10, 2),
        "sizes": (15, 3),
        "broken": (5, 1),
    }


def test_what_goes_wrong_with_batches_holds_up_no_alert(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ValueError("no such batch")

    office.inspect(8, 2)
    monkeypatch.setattr(Transaction, "report_batches", fail)
    late = finding(2, office.clock(), node="pi-2", severity="warning")
    office.journal.append([Record("finding", late, office.clock(), event=True)], commit=True)
    office.alerting.turn()
    assert office.ledger.open_alerts() == []
    office.clock.pass_s(3600)
    office.alerting.turn()
    assert [each.state for each in office.ledger.open_alerts()] == ["open"]
    assert office.alerting.stats().batches_error == "no such batch"
    monkeypatch.undo()
    office.alerting.turn()
    assert office.alerting.stats().batches_error == ""
    assert office.ledger.batches()[0].closed


def test_more_corrections_than_are_known_of_make_no_share_below_nothing(office: Office) -> None:
    """A ledger that was restored from a backup knows of fewer rejects than people go on to correct."""
    office.inspect(5, 1)
    (item,) = office.goods.items()
    with office.ledger.transaction() as work:
        work.execute("UPDATE tallies SET rejects = 0")
    office.ledger.correct(item, "good", by="Anna")
    (tally,) = office.ledger.goods.tallies(0)
    assert (tally.items, tally.rejects, tally.rate.share) == (6, 0, 0.0)
    assert Rate.of(-1, 5).share == 0.0
