"""Events over real HTTP on loopback: outages, order, refusals, dead letters, and a sender killed at the worst moment."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from support.alerts import KEY, SECOND, Clock, ledger, seen

from gateway.events import CAPACITY, COST, Outgoing
from gateway.forward import Forwarder, Subscriber, SubscriberError, check
from gateway.ledger import Ledger
from gateway.retry import Retry
from gateway.signing import SecretError
from gateway.triage import Triage
from werkpuls.receivers import Outage, Receiver
from wire.messages import Severity

FAST = Retry(first_s=0.02, most_s=0.05, poll_s=0.02, draw=random.Random(1))  # noqa: S311  # spreads load, guards nothing
PATIENCE_S = 25.0


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    served = Receiver("forecast", [KEY]).start()
    yield served
    served.stop()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    opened = ledger(tmp_path, Clock(time.time_ns()), now_ns=time.time_ns)
    yield opened
    opened.close()


def subscriber(receiver: Receiver, secret: Path, **changes: object) -> Subscriber:
    fields: dict[str, object] = {"name": "forecast", "url": receiver.url, "secret_file": secret, "timeout_s": 2.0}
    return Subscriber(**{**fields, **changes})  # type: ignore[arg-type]  # a test names what it changes


def put(book: Ledger, number: int, subject: str, event_type: str = CAPACITY) -> str:
    event_id = f"e{number}"
    body = f'{{"specversion":"1.0","id":"{event_id}","type":"{event_type}","subject":"{subject}","data":{number}}}'
    with book.transaction() as work:
        work.queue([Outgoing(event_id, event_type, subject, "alarm", time.time_ns(), body.encode(), machine=subject)])
    return event_id


@pytest.fixture
def forwarding(book: Ledger, receiver: Receiver, secret: Path) -> Iterator[Forwarder]:
    forwarder = Forwarder(book, [subscriber(receiver, secret)], retry=FAST)
    forwarder.start()
    yield forwarder
    forwarder.stop()


@pytest.mark.usefixtures("forwarding")
def test_outage_and_recovery_keep_order_and_deliver_once(book: Ledger, receiver: Receiver) -> None:
    put(book, 0, "mixer")
    assert receiver.wait(1, PATIENCE_S)
    receiver.outage = Outage(503)
    for number in range(1, 21):
        put(book, number, "mixer" if number % 2 else "oven")
    assert until(lambda: receiver.requests > 10)
    receiver.outage = Outage(0)
    assert until(lambda: receiver.requests > 15)
    receiver.outage = None
    assert receiver.wait(21, PATIENCE_S)
    for subject in ("mixer", "oven"):
        numbers = [event["data"] for event in receiver.events if event["subject"] == subject]
        assert numbers == sorted(numbers)
    assert until(lambda: book.deliveries()[0].delivered == 21)
    assert len({event["id"] for event in receiver.events}) == 21
    assert book.deliveries()[0].pending == 0


def test_one_blocked_subject_does_not_hold_back_the_others(
    book: Ledger, receiver: Receiver, forwarding: Forwarder
) -> None:
    receiver.refuse_subjects = {"mixer": 503}
    put(book, 1, "mixer")
    put(book, 2, "oven")
    put(book, 3, "mixer")
    assert receiver.wait(1, PATIENCE_S)
    assert until(lambda: forwarding.stats()[0].failed >= 3)
    assert [event["subject"] for event in receiver.events] == ["oven"]
    assert book.deliveries()[0].pending == 2
    assert "503" in book.deliveries()[0].last_error
    receiver.refuse_subjects = {}
    assert receiver.wait(3, PATIENCE_S)
    assert [event["data"] for event in receiver.events] == [2, 1, 3]


@pytest.mark.usefixtures("forwarding")
def test_what_is_refused_becomes_a_dead_letter_and_can_be_sent_again(book: Ledger, receiver: Receiver) -> None:
    receiver.refuse_subjects = {"mixer": 422}
    put(book, 1, "mixer")
    put(book, 2, "mixer")
    assert until(lambda: len(book.dead_letters()) == 2)
    letter = book.dead_letters()[-1]
    assert (letter.event, letter.target, letter.attempts) == ("e1", "forecast", 3)
    assert "422" in letter.error
    assert until(lambda: [entry.what for entry in book.audit()].count("dead_letter") == 2)
    receiver.refuse_subjects = {}
    assert book.resend(letter.id, by="anna")
    assert not book.resend(letter.id, by="anna")
    assert receiver.wait(1, PATIENCE_S)
    assert receiver.events[0]["id"] == "e1"
    assert until(lambda: len(book.dead_letters()) == 1)


@pytest.mark.usefixtures("forwarding")
def test_gone_disables_visibly_until_a_person_enables(book: Ledger, receiver: Receiver) -> None:
    receiver.outage = Outage(410)
    put(book, 1, "mixer")
    assert until(lambda: book.deliveries()[0].disabled != "")
    receiver.outage = None
    put(book, 2, "mixer")
    requests = receiver.requests
    time.sleep(0.2)
    assert receiver.requests == requests
    assert book.deliveries()[0].pending == 2
    assert book.enable("subscriber", "forecast", by="anna")
    assert not book.enable("subscriber", "nobody", by="anna")
    assert receiver.wait(2, PATIENCE_S)


def test_a_wrong_key_is_refused_and_waits(book: Ledger, receiver: Receiver, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"x" * 32)
    wrong.chmod(0o600)
    forwarder = Forwarder(book, [subscriber(receiver, wrong)], retry=FAST)
    forwarder.start()
    put(book, 1, "mixer")
    assert until(lambda: receiver.refused.get("signature", 0) >= 5)
    assert not receiver.events
    assert not book.dead_letters(), "a wrong key is mended by a person, and then nothing is lost"
    forwarder.stop()
    assert "401" in forwarder.stats()[0].last_error


def test_after_a_week_it_is_given_up(tmp_path: Path, secret: Path) -> None:
    clock = Clock(time.time_ns())
    book = ledger(tmp_path, clock)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}/"
        config = Subscriber(name="forecast", url=url, secret_file=secret, timeout_s=1.0)
        forwarder = Forwarder(book, [config], now_ns=clock, retry=Retry(first_s=1.0, most_s=60.0, poll_s=0.02))
        with book.transaction() as work:
            work.queue([Outgoing("e1", CAPACITY, "mixer", "alarm", clock(), b"{}")])
        forwarder.start()
        assert until(lambda: book.deliveries()[0].last_error != "")
        clock.pass_s(6.9 * 86_400)
        assert until(lambda: forwarder.stats()[0].failed == 2)
        assert not book.dead_letters()
        clock.pass_s(0.2 * 86_400)
        assert until(lambda: len(book.dead_letters()) == 1)
        assert "ConnectError" in book.dead_letters()[0].error
        forwarder.stop()
    book.close()


def test_a_receiver_that_asks_for_time_gets_it(tmp_path: Path, secret: Path, receiver: Receiver) -> None:
    clock = Clock(time.time_ns())
    book = ledger(tmp_path, clock)
    receiver.outage = Outage(429, retry_after_s=120)
    forwarder = Forwarder(book, [subscriber(receiver, secret)], now_ns=clock, retry=FAST)
    with book.transaction() as work:
        work.queue([Outgoing("e1", CAPACITY, "mixer", "alarm", clock(), b"{}")])
    forwarder.start()
    assert until(lambda: "429" in book.deliveries()[0].last_error)
    assert not book.outbox.due("subscriber", "forecast", now_ns=clock() + 119 * SECOND)
    assert book.outbox.due("subscriber", "forecast", now_ns=clock() + 120 * SECOND)
    forwarder.stop()
    book.close()


def test_a_redirect_is_not_followed(book: Ledger, receiver: Receiver, secret: Path) -> None:
    receiver.outage = Outage(307)
    forwarder = Forwarder(book, [subscriber(receiver, secret)], retry=FAST)
    forwarder.start()
    put(book, 1, "mixer")
    assert until(lambda: forwarder.stats()[0].failed >= 2)
    forwarder.stop()
    assert "307" in forwarder.stats()[0].last_error


def test_filters_and_retired_subscribers(book: Ledger, receiver: Receiver, secret: Path) -> None:
    forecast = subscriber(receiver, secret, types=[CAPACITY], machines=["mixer"])
    budget = subscriber(receiver, secret, name="budget", types=[COST])
    Forwarder(book, [forecast, budget])
    put(book, 1, "mixer", CAPACITY)
    put(book, 2, "mixer", COST)
    put(book, 3, "oven", CAPACITY)
    assert {(t.name, t.pending) for t in book.deliveries()} == {("forecast", 1), ("budget", 1)}
    Forwarder(book, [forecast])
    put(book, 4, "mixer", COST)
    budget_status = next(t for t in book.deliveries() if t.name == "budget")
    assert budget_status.retired
    assert budget_status.pending == 1, "what waits for it is kept"


def test_an_alert_arrives_signed_with_everything(book: Ledger, receiver: Receiver, secret: Path) -> None:
    forwarder = Forwarder(book, [subscriber(receiver, secret)], retry=FAST)
    forwarder.start()
    with book.transaction() as work:
        Triage(work, book.policy).observe(seen(0, severity=Severity.ALARM))
    assert until(lambda: book.deliveries()[0].delivered == 3)
    forwarder.stop()
    (capacity,) = receiver.of_type(CAPACITY)
    assert capacity["subject"] == "mixer"
    assert capacity["data"]["share"] == 0.5
    assert capacity["data"]["expected_lost_hours"] == pytest.approx(0.8 * 6 * 0.5)


_KILLED = """
import os, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from support.alerts import ledger, seen
from gateway.forward import Forwarder, Line, Subscriber
from gateway.triage import Triage
from wire.messages import (Severity)

folder, url, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
book = ledger(folder, time.time_ns)
forwarder = Forwarder(book, [Subscriber(name="forecast", url=url, secret_file=folder / "secret")])
with book.transaction() as work:
    Triage(work, book.policy).observe(seen(0, severity=Severity.ALARM))
    if when == "before_commit":
        os.kill(os.getpid(), signal.SIGKILL)
if when == "before_send":
    os.kill(os.getpid(), signal.SIGKILL)
book.outbox.delivered = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
forwarder.start()
time.sleep(30)
"""


@pytest.mark.parametrize("when", ["before_commit", "before_send", "before_mark"])
def test_killed_between_commit_and_send_every_event_arrives_once(
    when: str, tmp_path: Path, receiver: Receiver, secret: Path
) -> None:
    script = _KILLED.format(tests=str(Path(__file__).parents[1]))
    died = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), receiver.url, when],
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert died.returncode == -signal.SIGKILL
    assert len(receiver.events) == (1 if when == "before_mark" else 0)
    book = ledger(tmp_path, Clock(), now_ns=time.time_ns)
    assert len(book.open_alerts()) == (0 if when == "before_commit" else 1)
    with book.transaction() as work:
        # The journal's position was in the same transaction, so the entry is read again only where nothing was kept.
        if when == "before_commit":
            Triage(work, book.policy).observe(seen(0, severity=Severity.ALARM))
    forwarder = Forwarder(book, [subscriber(receiver, secret)], retry=FAST)
    forwarder.start()
    assert until(lambda: book.deliveries()[0].delivered == 3)
    forwarder.stop()
    book.close()
    assert len(receiver.events) == 2, "capacity and alert; the cost is not for the forecast"
    assert receiver.duplicates == (1 if when == "before_mark" else 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://example.com/"}, "plain http"),
        ({"url": "ftp://example.com/"}, r"http\(s\)"),
        ({"url": "https://a:b@example.com/"}, "password"),
        ({"url": "http://[::1"}, "url"),
        ({"url": "http://nas\x7f/events"}, "url"),
        ({"types": ["de.werkpuls.capacty.v1"]}, "no event type"),
    ],
)
def test_what_can_never_work_is_refused_before_anything_starts(
    changes: dict[str, object], says: str, receiver: Receiver, secret: Path
) -> None:
    with pytest.raises(SubscriberError, match=says):
        check([subscriber(receiver, secret, **changes)])


def test_two_of_one_name_and_open_secrets_are_refused(receiver: Receiver, secret: Path) -> None:
    one = subscriber(receiver, secret)
    with pytest.raises(SubscriberError, match="two"):
        check([one, one])
    assert check([subscriber(receiver, secret, url="http://example.com", allow_http=True)]) == {"forecast": KEY}
    secret.chmod(0o644)
    with pytest.raises(SecretError, match="chmod"):
        check([one])


def test_certificates_are_verified(book: Ledger, receiver: Receiver, secret: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    receiver._server.socket = served.wrap_socket(receiver._server.socket, server_side=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    url = receiver.url.replace("http:", "https:")
    unknown = Forwarder(book, [subscriber(receiver, secret, url=url)], retry=FAST)
    unknown.start()
    put(book, 1, "mixer")
    assert until(lambda: "CERTIFICATE_VERIFY_FAILED" in book.deliveries()[0].last_error)
    unknown.stop()
    assert not receiver.events
    known = Forwarder(book, [subscriber(receiver, secret, url=url, ca_file=tmp_path / "ca.pem")], retry=FAST)
    known.start()
    assert receiver.wait(1, PATIENCE_S)
    known.stop()


def test_a_missing_authority_is_told_before_anything_starts(receiver: Receiver, secret: Path, tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for path in (tmp_path / "missing.pem", broken):
        with pytest.raises(SubscriberError, match="ca_file"):
            check([subscriber(receiver, secret, ca_file=path)])
