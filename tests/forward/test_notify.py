"""Telling people: a real Apprise address (`json://`) on loopback, its failure, quiet hours, and secrets that stay secret."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from support.alerts import SECOND, Clock, inspection, ledger, seen

from gateway.events import ALERT, SCRAP
from gateway.ledger import Ledger
from gateway.notify import Notifications, Notifier, NotifyError, Person, addresses, quiet_until
from gateway.outbox import Wants
from gateway.retry import Retry
from gateway.triage import Triage
from gateway.wording import Wording
from wire.codec import Codec
from wire.messages import Inspection, Severity

FAST = Retry(first_s=0.02, most_s=0.05, poll_s=0.02, draw=random.Random(1))  # noqa: S311  # spreads load, guards nothing
WORDINGS = {language: Wording(language, titles={"mixer": "Spiralkneter"}) for language in ("de", "en")}


class Box(BaseHTTPRequestHandler):
    """What Apprise's json:// posts to."""

    received: ClassVar[list[dict[str, Any]]]
    status: ClassVar[list[int]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.status[0] == 200:
            self.received.append(json.loads(body))
        self.send_response(self.status[0])
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server uses
        pass


class Mailbox:
    """A service that takes messages, or does not."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = [200]
        handler = type("Handler", (Box,), {"received": self.messages, "status": self.status})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, password: str = "secret-word") -> str:  # noqa: S107  # of a server that lives for a test
        return f"json://user:{password}@127.0.0.1:{self.server.server_address[1]}/hook"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def box() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time_ns())


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    opened = ledger(tmp_path, clock)
    yield opened
    opened.close()


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 25
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return False


def notifier(book: Ledger, persons: list[Person], box: Mailbox, clock: Clock, **changes: Any) -> Notifier:
    environment = {"ANNA": box.url(), "BOTH": f"{box.url()}\n# nobody\n{box.url('other')}"}
    fields: dict[str, Any] = {"wordings": WORDINGS, "now_ns": clock, "retry": FAST, "environment": environment}
    return Notifier(book, persons, **{**fields, **changes})


def observe(book: Ledger, clock: Clock, **changes: object) -> None:
    with book.transaction() as work:
        Triage(work, book.policy).observe(seen(0, at_ns=clock(), since_ns=clock() - 3600 * SECOND, **changes))


def test_one_message_per_alert_and_one_when_it_gets_worse(book: Ledger, box: Mailbox, clock: Clock) -> None:
    anna = Person(name="anna", urls_env="ANNA", severity=Severity.WATCH)
    bert = Person(name="bert", urls_env="ANNA", severity=Severity.ALARM, language="en")
    telling = notifier(book, [anna, bert], box, clock, settings=Notifications(page_url="http://werk.lan/"))
    telling.start()
    observe(book, clock, severity=Severity.WATCH)
    with book.transaction() as work:
        Triage(work, book.policy).tick(clock.pass_s(31))
    assert until(lambda: len(box.messages) == 1)
    observe(book, clock, severity=Severity.WATCH, id="f2")
    observe(book, clock, severity=Severity.ALARM, state="changed")
    assert until(lambda: len(box.messages) == 3)
    observe(book, clock, severity=Severity.ALARM, id="f3")
    time.sleep(0.1)
    telling.stop()
    assert len(box.messages) == 3
    first = box.messages[0]
    assert first["title"] == "Beobachten: Spiralkneter – Lagerschaden, Außenring"
    assert "Zuerst prüfen" in first["message"]
    assert f"http://werk.lan/alerts/{book.open_alerts()[0].id}" in first["message"]
    assert {message["title"].split(":")[0] for message in box.messages[1:]} == {"Schlimmer geworden", "Has got worse"}
    assert telling.stats().sent == 3
    assert [entry.text for entry in book.audit() if entry.what == "notify"].count("anna#1") == 2


def test_people_are_told_of_a_product_as_they_call_it(book: Ledger, box: Mailbox, clock: Clock) -> None:
    telling = notifier(book, [Person(name="anna", urls_env="ANNA")], box, clock)
    told = Codec().decode(inspection(1, clock(), good=8, bad=4, called="Brötchen hell"), now_ns=clock())
    assert isinstance(told, Inspection)
    with book.transaction() as work:
        work.inspected(told)
    telling.start()
    observe(book, clock, machine="oven", kind="quality", cause="rejects_high", severity=Severity.ALARM, product="roll")
    with book.transaction() as work:
        Triage(work, book.policy).tick(clock.pass_s(61))
        work.report_batches()
    assert until(lambda: len(box.messages) == 1)
    telling.stop()
    assert "Betroffene Sorte: Brötchen hell" in box.messages[0]["message"]
    with book.transaction() as work:
        events = [json.loads(row["body"]) for row in work.execute("SELECT body FROM outbox WHERE type LIKE 'de.%'")]
    texts = [event["data"]["texts"]["en"]["text"] for event in events if event["type"] == ALERT]
    assert all("Product: Brötchen hell" in text for text in texts)
    assert texts
    assert [event["data"]["product_name"] for event in events if event["type"] == SCRAP] == ["Brötchen hell"]


def test_a_failure_is_retried_and_visible(
    book: Ledger, box: Mailbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    box.status[0] = 500
    telling = notifier(book, [Person(name="anna", urls_env="ANNA")], box, clock)
    telling.start()
    observe(book, clock, severity=Severity.ALARM)

    def tries() -> bool:
        clock.pass_s(1)
        return telling.stats().failed >= 3

    assert until(tries)
    assert telling.stats().last_error == "json did not take the message"
    assert book.deliveries()[0].last_error == "json did not take the message"
    assert [entry.what for entry in book.audit()] == ["notify_failed"]
    box.status[0] = 200
    assert until(lambda: clock.pass_s(1) > 0 and len(box.messages) == 1)
    telling.stop()
    assert "secret-word" not in caplog.text
    assert "secret-word" not in str(book.deliveries()) + str(book.audit())


def test_one_address_that_breaks_holds_back_no_other(
    book: Ledger, box: Mailbox, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    persons = [Person(name="anna", urls_env="ANNA"), Person(name="bert", urls_env="ANNA")]
    telling = notifier(book, persons, box, clock)

    def broken(*_: object) -> bool:
        raise RuntimeError(box.url())

    monkeypatch.setattr(telling._addresses["anna#1"][1], "send", broken)
    telling.start()
    observe(book, clock, severity=Severity.ALARM)
    assert until(lambda: len(box.messages) == 1 and telling.stats().failed == 1)
    telling.stop()
    assert book.deliveries()[0].last_error == "json failed with RuntimeError"
    assert "secret-word" not in caplog.text + str(book.deliveries()) + str(book.audit())


def test_who_is_not_reached_is_known_whoever_is_told_meanwhile_and_for_a_day_after_giving_up(
    book: Ledger, clock: Clock
) -> None:
    outbox, day_ns = book.outbox, 86_400 * 10**9
    outbox.register("person", [("anna#1", Wants()), ("bert#1", Wants()), ("gone#1", Wants())], now_ns=0)
    observe(book, clock, severity=Severity.ALARM)
    waiting = {name: outbox.due("person", name, now_ns=clock())[0].delivery for name in ("anna#1", "bert#1")}

    def unreached() -> list[str]:
        return outbox.unreached("person", since_ns=clock() - day_ns)

    assert unreached() == [], "nothing was tried yet"
    outbox.failed(waiting["anna#1"], error="x", next_ns=clock() + 1, now_ns=clock())
    outbox.delivered(waiting["bert#1"], now_ns=clock.pass_s(1))
    assert unreached() == ["anna#1"]
    outbox.give_up(waiting["anna#1"], error="x", now_ns=clock.pass_s(1))
    assert unreached() == ["anna#1"]
    clock.pass_s(86_401)
    assert unreached() == [], "a monitor that is red for ever is switched off"
    clock.pass_s(-86_000)
    assert unreached() == ["anna#1"]
    observe(book, clock, machine="oven", severity=Severity.ALARM)
    outbox.delivered(outbox.due("person", "anna#1", now_ns=clock())[0].delivery, now_ns=clock())
    assert unreached() == [], "the next message got through"


def test_after_a_day_it_is_a_dead_letter(book: Ledger, box: Mailbox, clock: Clock) -> None:
    box.status[0] = 500
    telling = notifier(book, [Person(name="anna", urls_env="ANNA")], box, clock)
    observe(book, clock, severity=Severity.ALARM)
    clock.pass_s(86_401)
    telling.start()
    assert until(lambda: len(book.dead_letters()) == 1)
    telling.stop()
    assert book.dead_letters()[0].target == "anna#1"


def test_quiet_hours_hold_back_what_is_no_alarm(book: Ledger, box: Mailbox, clock: Clock) -> None:
    clock.now_ns = round(datetime(2026, 5, 28, 23, 0, tzinfo=UTC).timestamp()) * SECOND
    telling = notifier(book, [Person(name="anna", urls_env="ANNA", quiet="22:00-05:30")], box, clock)
    with book.transaction() as work:
        triage = Triage(work, book.policy)
        triage.observe(seen(0, at_ns=clock(), since_ns=clock(), severity=Severity.WARNING))
        triage.tick(clock() + 31 * SECOND)
        triage.observe(seen(0, id="f2", machine="oven", at_ns=clock(), since_ns=clock(), severity=Severity.ALARM))
    clock.pass_s(60)
    telling.start()
    assert until(lambda: len(box.messages) == 1)
    assert "oven" in box.messages[0]["title"]
    clock.pass_s(7 * 3600)
    assert until(lambda: len(box.messages) == 2)
    telling.stop()


def test_what_is_over_when_it_is_sent_is_said_to_be(book: Ledger, box: Mailbox, clock: Clock) -> None:
    telling = notifier(book, [Person(name="anna", urls_env="ANNA")], box, clock)
    observe(book, clock, severity=Severity.ALARM)
    book.resolve(book.open_alerts()[0].id, done="x", by="anna")
    telling.start()
    assert until(lambda: len(box.messages) == 1)
    telling.stop()
    assert "Inzwischen vorbei (behoben)." in box.messages[0]["message"]


def test_each_address_is_a_queue_of_its_own(book: Ledger, box: Mailbox, clock: Clock) -> None:
    notifier(book, [Person(name="anna", urls_env="BOTH")], box, clock)
    assert [target.name for target in book.deliveries()] == ["anna#1", "anna#2"]


def test_addresses_that_cannot_be_used(tmp_path: Path, book: Ledger, box: Mailbox, clock: Clock) -> None:
    file = tmp_path / "urls"
    with pytest.raises(NotifyError, match="one of them"):
        addresses(Person(name="anna"), {})
    with pytest.raises(NotifyError, match="no address"):
        addresses(Person(name="anna", urls_env="ANNA"), {})
    with pytest.raises(NotifyError, match="cannot be read"):
        addresses(Person(name="anna", urls_file=file), {})
    file.write_text("mailto://anna:secret-word@example.org\n")
    file.chmod(0o604)
    with pytest.raises(NotifyError, match="chmod"):
        addresses(Person(name="anna", urls_file=file), {})
    file.chmod(0o600)
    assert len(addresses(Person(name="anna", urls_file=file), {})) == 1
    with pytest.raises(NotifyError, match="two persons"):
        notifier(book, [Person(name="anna", urls_env="ANNA")] * 2, box, clock)
    with pytest.raises(NotifyError, match="address 1") as refused:
        notifier(book, [Person(name="anna", urls_env="X")], box, clock, environment={"X": "nosuch://secret-word@x"})
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("quiet", "local", "ends"),
    [
        ("22:00-05:30", "21:59", None),
        ("22:00-05:30", "22:00", "05:30"),
        ("22:00-05:30", "05:29", "05:30"),
        ("22:00-05:30", "05:30", None),
        ("12:00-13:00", "12:30", "13:00"),
        ("12:00-13:00", "11:30", None),
        ("06:00-06:00", "05:00", "06:00"),
    ],
)
def test_quiet_hours(quiet: str, local: str, ends: str | None) -> None:
    zone = ZoneInfo("Europe/Berlin")
    hour, minute = (int(part) for part in local.split(":"))
    now_ns = round(datetime(2026, 6, 15, hour, minute, 10, tzinfo=zone).timestamp()) * SECOND
    until_ns = quiet_until(quiet, now_ns, zone)
    if ends is None:
        assert until_ns is None
    else:
        assert until_ns is not None
        assert until_ns > now_ns
        assert f"{datetime.fromtimestamp(until_ns // SECOND, tz=zone):%H:%M}" == ends
