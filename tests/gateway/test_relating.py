"""From batches in a real ledger and series in a real store to a sentence in the alert, or to none."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.alerts import SECOND, START, Clock, finding, ledger, seen
from support.broker import until
from support.ovens import DAY, Oven, fill

from gateway import relating
from gateway.alerting import Alerting
from gateway.alerts import Alert, Policy, State
from gateway.batches import Batch
from gateway.costs import Costs
from gateway.events import ALERT
from gateway.ledger import Ledger
from gateway.lifecycle import begin
from gateway.machine_reading import MOST_CHANNELS, MachineReading
from gateway.outbox import Wants
from gateway.relating import Relating, asked_of, points_of
from gateway.store.base import Chart, SeriesKey, Store, StoreUnavailable
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore
from gateway.translate import Translator
from gateway.wording import Wording
from models.quality.tallies import Moments
from wire.journal import Journal, Record
from wire.messages import Evidence, Severity

TITLES = {"deck": "Linker Herd"}
ZONE = ZoneInfo("Europe/Berlin")
DARKER = Evidence(feature="lightness", value=49.0, expected=55.0, unit="", deviation=-5.0, channel="belt")


class Bakery:
    """A gateway's parts between a finding and an event, without threads."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.wordings = [Wording(language, zone=ZONE, titles=TITLES) for language in ("de", "en")]
        translator = Translator(Costs(), [], self.wordings)
        self.ledger: Ledger = ledger(folder, self.clock, translator=translator)
        self.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
        self.store = EmbeddedStore(EmbeddedConfig(dir=folder / "store"), wall_ns=self.clock)
        self.journal = Journal(folder / "journal", readers=["alerts"], max_bytes=4_000_000, commit_interval_s=0.01)
        self.alerting = Alerting(self.ledger, self.journal, now_ns=self.clock, gather_s=0.0)
        self.relating = Relating(self.ledger, self.store, now_ns=self.clock)
        self.seq = 0

    def find(self, machine: str = "deck", **changes: Any) -> None:
        """The camera's finding."""
        self.seq += 1
        fields: dict[str, Any] = {
            "machine": machine,
            "type": "quality",
            "cause": "colour_drift",
            "severity": Severity.WATCH,
            "evidence": [DARKER],
            "origin": "watch",
            "node": "camera",
            "log": "findings",
            "id": f"f-{machine}",
            "product": "roll",
        }
        payload = finding(self.seq, self.clock(), **{**fields, **changes})
        self.journal.append([Record("finding", payload, self.clock(), event=True)], commit=True)
        self.alerting.turn()

    def pass_s(self, seconds: float) -> None:
        self.clock.pass_s(seconds)
        self.alerting.turn()

    def only(self) -> Alert:
        (found,) = self.ledger.open_alerts()
        return found

    def events(self) -> list[dict[str, Any]]:
        """What subscribers were told of alerts and have not taken yet; they take it."""
        bodies = []
        while items := self.ledger.outbox.due("subscriber", "all", now_ns=self.clock()):
            for item in items:
                bodies.append(msgspec.json.decode(item.body))
                self.ledger.outbox.delivered(item.delivery, now_ns=self.clock())
        return [body["data"] for body in bodies if body["type"] == ALERT]

    def close(self) -> None:
        self.relating.stop()
        self.alerting.stop()
        self.journal.close()
        self.store.close()
        self.ledger.close()


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks of an oven whose element changed (`deck`) and of one that had nothing to do with its goods (`plain`)."""
    folder = tmp_path_factory.mktemp("weeks")
    made = Bakery(folder)
    fill(made.store, made.ledger, "deck", Oven())
    fill(made.store, made.ledger, "plain", Oven(changed=None, seed=2))
    made.close()
    return folder


@pytest.fixture
def bakery(weeks: Path, tmp_path: Path) -> Iterator[Bakery]:
    shutil.copytree(weeks, tmp_path / "bakery")
    made = Bakery(tmp_path / "bakery")
    yield made
    made.close()


def test_the_alert_opens_with_what_the_oven_did(bakery: Bakery) -> None:
    bakery.find()
    assert bakery.ledger.open_alerts() == [], "pending: people are not told yet"
    assert bakery.relating.turn() == 1
    bakery.pass_s(31.0)
    alert = bakery.only()
    assert alert.relation is not None
    (first, *_) = alert.relation.related
    assert (first.channel, first.aspect) == ("left_element_current", "duty")
    assert first.moved.after - first.moved.before == pytest.approx(14.0, abs=2.0)
    assert alert.relation.moved.after - alert.relation.moved.before == pytest.approx(-6.0, abs=1.0)
    german, english = (words.describe(alert, now_ns=bakery.clock()).related for words in bakery.wordings)
    # START is a Thursday evening; the element changed four and a half days before.
    assert german.startswith("Linker Herd, roll: Kruste seit Sonntag ")
    assert "dunkler" in german
    assert "gleichzeitig stieg die Einschaltdauer von „Strom des linken Heizelements“ von 4" in german
    assert english.startswith("Linker Herd, roll: crust ")
    assert "darker since Sunday" in english
    assert "the share of time on of “Current of the left element” rose from 4" in english
    (event,) = bakery.events()
    assert event["reason"] == "opened"
    assert event["relation"]["related"][0]["channel"] == "left_element_current"
    assert event["relation"]["since"].startswith("2026-05-24")
    assert german in event["texts"]["de"]["text"]
    assert [entry.what for entry in bakery.ledger.history(alert.id)] == ["suspected", "related", "opened"]
    assert bakery.relating.turn() == 0, "told once"
    assert bakery.relating.stats().asked == 1


def test_an_alert_that_is_open_already_is_told_of_again_to_services_and_not_to_people(bakery: Bakery) -> None:
    bakery.ledger.outbox.register("person", [("anna", Wants())], now_ns=0)
    bakery.find(severity=Severity.ALARM)
    assert bakery.only().relation is None
    assert bakery.relating.turn() == 1
    bakery.pass_s(61.0)
    opened, changed = bakery.events()
    assert opened["relation"] is None
    assert (changed["reason"], changed["version"]) == ("changed", opened["version"] + 1)
    assert changed["relation"]["measure"] == "lightness"
    assert len(bakery.ledger.outbox.due("person", "anna", now_ns=bakery.clock())) == 1


def test_an_oven_that_had_nothing_to_do_with_it_is_not_blamed(bakery: Bakery) -> None:
    bakery.find("plain")
    assert bakery.relating.turn() == 0
    assert bakery.relating.stats().asked == 1
    bakery.pass_s(31.0)
    alert = bakery.only()
    assert alert.relation is None
    assert bakery.wordings[0].describe(alert, now_ns=bakery.clock()).related == ""
    assert bakery.events()[0]["relation"] is None
    assert bakery.relating.turn() == 0
    assert bakery.relating.stats().asked == 1, "nothing new: not asked again"


def test_too_few_batches_say_nothing_and_more_are_asked_about(bakery: Bakery) -> None:
    with bakery.ledger.transaction() as work:
        work.execute("DELETE FROM batches WHERE CAST(substr(batch, 2) AS INTEGER) < 97")
    bakery.find()
    assert bakery.relating.turn() == 0
    assert bakery.relating.stats().asked == 0, "the store is not even asked"
    trays = list(Oven().inspections("deck", by=6.0))
    with bakery.ledger.transaction() as work:
        for tray in trays[:96]:
            work.inspected(tray)
    assert bakery.relating.turn() == 0, "asked again only once another batch is over"
    with bakery.ledger.transaction() as work:
        work.inspected(msgspec.structs.replace(trays[-1], batch="b-next", time_ns=START))
    assert bakery.relating.turn() == 0, "not over yet"
    bakery.pass_s(1801.0)
    assert bakery.relating.turn() == 1


def test_goods_that_went_the_other_way_than_the_alert_says_are_not_explained(bakery: Bakery) -> None:
    bakery.find(cause="too_light", evidence=[])
    assert bakery.relating.turn() == 0


def test_what_a_slow_store_gives_in_time_is_no_answer_until_the_rest_is_read(
    bakery: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relating, "READING_S", 0.0)
    read: list[str] = []
    real = bakery.store.read

    def reads(key: SeriesKey, *args: Any) -> Chart:
        if len(read) == 1 and key.channel not in read:
            read.append("")
            raise StoreUnavailable("away for a moment")
        read.append(key.channel)
        return real(key, *args)

    monkeypatch.setattr(bakery.store, "read", reads)
    bakery.find("plain")
    bakery.find()
    assert bakery.relating.turn() == 0
    with pytest.raises(StoreUnavailable):
        bakery.relating.turn()
    turns = [bakery.relating.turn() for _ in range(6)]
    assert sum(turns) == 1
    rest = ["", "room_temperature", "left_element_current"]
    assert read[:4] == ["deck_temperature", *rest], "gone on with where it was left"
    assert read[4:] == ["deck_temperature", *rest[1:]], "each alert in its turn, and each channel once"
    assert bakery.relating.stats().asked == 2
    bakery.pass_s(31.0)
    (told,) = [alert for alert in bakery.ledger.open_alerts() if alert.relation is not None]
    assert told.relation is not None
    assert (told.machine, told.relation.related[0].channel) == ("deck", "left_element_current")


def test_six_weeks_of_a_machine_fit_beside_everything_else() -> None:
    buckets = 4000
    keys = [SeriesKey("bakery", "pi-1", "deck", f"current_{number:02}") for number in range(MOST_CHANNELS)]

    class Weeks:
        def series(self) -> list[tuple[SeriesKey, str]]:
            return [(key, "A") for key in keys]

        def read(self, key: SeriesKey, start_ns: int, *_: int) -> Chart:
            times = [start_ns + number * 120 * SECOND for number in range(buckets)]
            high = [9.0 + number % 7 / 10.0 for number in range(buckets)]
            mean = [value * (number // 4 % 2) for number, value in enumerate(high)]
            return Chart(key, "A", times, mean, [value + 0.0 for value in mean], [value + 0.0 for value in mean])

    tracemalloc.start()
    try:
        reading = MachineReading(cast(Store, Weeks()), "bakery", "deck", START, START + buckets * 120 * SECOND)
        assert reading.go_on(lambda: False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(reading.found) == 2 * MOST_CHANNELS
    assert peak <= 50 * buckets * MOST_CHANNELS, "bytes; 36 MB for six weeks of two minutes"


def test_an_alert_is_held_against_its_own_goods_whatever_is_baked_since(bakery: Bakery) -> None:
    trays = list(Oven().inspections("deck", by=6.0))
    with bakery.ledger.transaction() as work:
        for number, tray in enumerate(trays):
            # Loaves between the rolls: they have changed just as much.
            loaf = msgspec.structs.replace(
                tray, product="loaf", time_ns=tray.time_ns + 60 * SECOND, log="loaves", id=f"l{number}"
            )
            work.inspected(loaf)
    bakery.find(product="bread")
    assert bakery.relating.turn() == 0
    assert bakery.relating.stats().asked == 0, "nothing is known of that"
    bakery.find("deck", cause="too_dark", id="f-2", product=None)
    assert bakery.relating.turn() == 0
    assert bakery.relating.stats().asked == 0, "a node that does not say what it is about"
    bakery.find(state="changed")
    assert bakery.relating.turn() == 1
    bakery.pass_s(31.0)
    (told,) = [alert for alert in bakery.ledger.open_alerts() if alert.relation is not None]
    assert told.relation is not None
    assert (told.cause, told.product, told.relation.product) == ("colour_drift", "roll", "roll")
    assert told.relation.batches == 126
    bakery.find(state="changed", product="loaf")
    (other,) = [alert for alert in bakery.ledger.open_alerts() if alert.cause == "colour_drift"]
    assert (other.product, other.relation) == ("loaf", None), "it is about other goods now"


def test_an_alert_goes_out_without_it_while_the_store_is_down(bakery: Bakery) -> None:
    bakery.store.close()
    bakery.find()
    bakery.relating.start()
    until(lambda: bakery.relating.stats().failures == 1, what="the store was not asked")
    assert "closed" in bakery.relating.stats().last_error
    bakery.pass_s(31.0)
    assert (bakery.only().state, bakery.only().relation) == (State.OPEN, None)
    assert [event["reason"] for event in bakery.events()] == ["opened"]
    assert bakery.relating.stats().running


def test_asking_holds_up_no_alert(bakery: Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store keeps it waiting, the next alert opens; the answer comes when it comes."""
    asked, answers, real = Event(), Event(), bakery.store.read

    def waits(*args: Any) -> Any:
        asked.set()
        answers.wait(30.0)
        return real(*args)

    monkeypatch.setattr(bakery.store, "read", waits)
    bakery.find()
    bakery.relating.start()
    assert asked.wait(10.0)
    bakery.find("mixer", type="machine", cause="looseness", severity=Severity.ALARM, id="f-2", evidence=[])
    assert bakery.only().machine == "mixer"
    assert bakery.relating.stats().told == 0
    answers.set()
    until(lambda: bakery.relating.stats().told == 1, what="it was not told in the end")


def test_a_relation_belongs_to_one_episode(bakery: Bakery) -> None:
    bakery.find()
    bakery.relating.turn()
    bakery.pass_s(31.0)
    bakery.find(state="cleared")
    bakery.pass_s(601.0)
    assert bakery.ledger.open_alerts() == []
    bakery.pass_s(3600.0)
    bakery.find()
    assert bakery.only().reopened == 1
    assert bakery.only().relation is None
    assert bakery.relating.turn() == 1, "asked anew"


def test_what_is_measured_of_the_goods_follows_the_cause() -> None:
    def asked(cause: str, **changes: Any) -> Any:
        return asked_of(begin(seen(0, kind="quality", cause=cause, **changes), Policy()).alert)

    assert asked("colour_drift", evidence=(DARKER,)) == ("lightness", -1)
    assert asked("colour_drift") == ("lightness", 0)
    assert asked("too_dark") == ("lightness", -1)
    assert asked("too_light") == ("lightness", 1)
    assert asked("size_drift") == ("size", 0)
    assert asked("rejects_high") == ("rejects", 1)
    assert asked("shape") == ("rejects", 1)
    assert asked("something_new") is None
    assert asked_of(begin(seen(0, cause="too_dark"), Policy()).alert) is None


def test_batches_of_few_items_have_no_figure() -> None:
    def batch(number: int, items: int, rejects: int) -> Batch:
        return Batch(
            site="bakery",
            machine="deck",
            product="roll",
            batch=f"b{number}",
            items=items,
            rejects=rejects,
            lightness=Moments(count=items, mean=50.0 + number),
            size_mm=Moments(count=items // 2, mean=80.0),
            since_ns=START + number * DAY,
            last_ns=START + number * DAY + 600,
        )

    batches = [batch(0, 8, 2), batch(1, 4, 1), batch(2, 10, 0)]
    points, goods = points_of(batches, "lightness")
    assert [point.value for point in points] == [50.0, 52.0]
    assert points[0].time_ns == START + 300
    assert goods == ("roll", "lightness", "L*", 2.0)
    assert [point.value for point in points_of(batches, "rejects")[0]] == [25.0, 0.0]
    points, goods = points_of(batches, "size")
    assert [point.value for point in points] == [80.0]
    assert goods.least_effect == pytest.approx(2.4)
    assert points_of([], "size")[0] == []
