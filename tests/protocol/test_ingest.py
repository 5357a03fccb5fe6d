"""Ingest against a real broker, spoken to by hand: bad input, a full disk, other people's topics."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.broker import Broker, until
from support.parties import Party, config
from support.raw import RawNode
from support.spine import SITE, Gateway

from gateway.ingest import OriginState
from gateway.sequence import PATIENCE
from wire import topics
from wire.codec import Codec, Refused
from wire.commands import Command
from wire.journal import JournalError
from wire.messages import Ack, Status, TimeBeacon


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def gateway(broker: Broker, tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(tmp_path / "gateway", broker.port) as started:
        yield started.up()


@pytest.fixture
def node(broker: Broker) -> Iterator[RawNode]:
    with RawNode(broker.port) as raw:
        raw.up()
        yield raw


def poison(node: RawNode) -> list[tuple[str, dict[str, Any] | bytes, dict[str, Any]]]:
    """Kind, message, and how to publish it."""
    whole = json.dumps(node.message(1)).encode()
    nan = whole.replace(b"[1.0]", b"[NaN]")
    return [
        ("not_json", whole[: len(whole) // 2], {}),
        ("not_json", b"", {}),
        ("not_json", b"\xff\xfe\x00", {}),
        ("invalid", b"[" * 100_000, {}),
        ("not_json", nan, {}),
        ("not_json", nan.replace(b"NaN", b"Infinity"), {}),
        ("not_json", nan.replace(b"NaN", b"-Infinity"), {}),
        ("too_large", whole + b" " * 10_000_000, {}),
        ("version", node.message(1, v=2), {}),
        ("unknown_kind", node.message(1, kind="rumour"), {}),
        ("invalid", node.message(1, surprise=True), {}),
        ("invalid", node.message(1, trust="blind"), {}),
        ("invalid", node.message(1, seq="one"), {}),
        ("invalid", node.message(1, series={"vibration": {"unit": "mm/s", "values": [1.0, 2.0]}}), {}),
        ("invalid", b"17", {}),
        ("time", node.message(1, time_ns=0), {}),
        ("time", node.message(1, time_ns=4_102_444_800_000_000_000), {}),
        ("sequence", node.message(1, seq=7, prev=7), {}),
        ("sequence", node.message(1, seq=7, prev=9), {}),
        ("topic", node.message(1), {"node": "mixer-pi"}),
        ("topic", node.message(1, site="elsewhere"), {}),
        ("topic", node.message(1), {"stream": "health"}),
        ("topic", node.message(1, node="gateway"), {"node": "gateway"}),
    ]


def test_poison_of_every_kind_is_refused_counted_and_passed(
    gateway: Gateway, node: RawNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.status()
    expected: dict[str, int] = {}
    seq = 0
    with caplog.at_level(logging.WARNING, logger="gateway.ingest"):
        for kind, message, how in poison(node):
            node.say(message, **how)
            expected[kind] = expected.get(kind, 0) + 1
            seq += 1
            node.say(node.message(seq))
        until(lambda: gateway.numbers() == list(range(1, seq + 1)))
    stats = gateway.ingest.stats()
    assert stats.refused == expected
    assert (stats.accepted, stats.duplicates, stats.gaps, stats.skipped, stats.journal_errors) == (seq, 0, 0, 0, 0)
    assert stats.link.handler_errors == 0
    assert gateway.ingest.alive
    told = [record.message for record in caplog.records]
    assert len(told) == len(expected)
    for kind in expected:
        assert sum(f"({kind})" in line and "werkpuls/v1/" in line for line in told) == 1


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e400"])
def test_numbers_beyond_the_finite_do_not_come_in(gateway: Gateway, node: RawNode, number: str) -> None:
    node.status()
    node.say(json.dumps(node.message(1)).encode().replace(b"[1.0]", f"[{number}]".encode()))
    node.say(node.message(1))
    until(lambda: gateway.numbers() == [1])
    assert sum(gateway.ingest.stats().refused.values()) == 1


def test_poison_in_the_status_topic(gateway: Gateway, node: RawNode) -> None:
    own = topics.status(SITE, "oven-pi", "sense")
    other = Status(site=SITE, node="mixer-pi", origin="sense", online=True)
    for payload in (b"{", Codec().encode(other), b"x" * 300_000):
        node.link.publish(own, payload)
    node.link.publish(topics.status(SITE, "oven-pi", "nobody"), Codec().encode(other))
    node.status()
    node.say(node.message(1))
    until(lambda: gateway.numbers() == [1])
    assert gateway.ingest.stats().refused == {"not_json": 1, "topic": 2, "too_large": 1}


def test_a_gap_is_asked_for_and_a_duplicate_dropped(gateway: Gateway, node: RawNode) -> None:
    node.status()
    for seq in (1, 2, 2, 1, 5):
        node.say(node.message(seq))
    until(lambda: Ack(log="log-1", seq=2, resend=True) in node.acks())
    for seq in (3, 4, 5):
        node.say(node.message(seq))
    until(lambda: node.acks()[-1] == Ack(log="log-1", seq=5))
    assert gateway.numbers() == [1, 2, 3, 4, 5]
    stats = gateway.ingest.stats()
    assert (stats.duplicates, stats.gaps) == (2, 1)


def test_many_messages_behind_a_gap_ask_once(gateway: Gateway, node: RawNode) -> None:
    node.status()
    node.say(node.message(1))
    for seq in range(10, 200):
        node.say(node.message(seq))
    until(lambda: gateway.ingest.stats().gaps == 190)
    time.sleep(0.1)
    assert node.acks().count(Ack(log="log-1", seq=1, resend=True)) <= 2


def test_data_before_its_status_is_asked_for_once_that_is_known(gateway: Gateway, node: RawNode) -> None:
    node.say(node.message(1))
    until(lambda: gateway.ingest.stats().early == 1)
    assert node.acks() == []
    node.status(next=2)
    until(lambda: node.acks() == [Ack(log="log-1", seq=0, resend=True)])
    node.say(node.message(1))
    until(lambda: gateway.numbers() == [1])


def test_a_message_refused_each_time_is_given_up_and_the_node_goes_on(gateway: Gateway, node: RawNode) -> None:
    node.status()
    node.say(node.message(1))
    for _ in range(PATIENCE):
        node.say(node.message(2, machine="Not A Name"))
        node.say(node.message(3))
    until(lambda: gateway.numbers() == [1, 3])
    origin = gateway.ingest.nodes()[0]
    assert (origin.skipped, origin.last) == (1, 3)
    gateway.close()
    gateway.open()
    assert gateway.ingest.nodes()[0].skipped == 1


def test_a_wrong_time_holds_a_node_but_loses_nothing(gateway: Gateway, node: RawNode) -> None:
    node.status()
    for _ in range(PATIENCE + 2):
        node.say(node.message(1, time_ns=0))
    node.say(node.message(1))
    until(lambda: gateway.numbers() == [1])
    assert gateway.ingest.stats().skipped == 0


def test_a_journal_that_cannot_append_holds_everything_until_it_can(
    broker: Broker, tmp_path: Path, node: RawNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gateway(tmp_path / "gateway", broker.port) as gateway:
        gateway.up()
        node.status()
        node.say(node.message(1))
        until(lambda: gateway.numbers() == [1])
        append = gateway.journal.append

        def full(*_: object, **__: object) -> range:
            raise JournalError("no space left on device")

        monkeypatch.setattr(gateway.journal, "append", full)
        node.say(node.message(2))
        until(lambda: "no space left" in gateway.ingest.stats().last_error)
        node.say(node.message(3))
        # Coming back while the disk is full: nothing may be acknowledged that is not on it.
        broker.kill()
        broker.start()
        until(lambda: gateway.ingest.stats().link.connected and node.link.connected)
        time.sleep(0.4)
        assert max(ack.seq for ack in node.acks()) == 1
        monkeypatch.setattr(gateway.journal, "append", append)
        until(lambda: gateway.numbers()[:2] == [1, 2])
        node.up()
        node.say(node.message(3))
        until(lambda: gateway.numbers() == [1, 2, 3])
        until(lambda: node.acks()[-1].seq == 3)
        assert gateway.ingest.stats().last_error == ""


def test_what_waits_for_the_disk_is_kept_whatever_else_goes_wrong(
    broker: Broker, tmp_path: Path, node: RawNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsure() -> bool:
        raise RuntimeError("no such clock")

    with Gateway(tmp_path / "gateway", broker.port) as gateway:
        gateway.up()
        node.status()
        node.say(node.message(1))
        until(lambda: gateway.numbers() == [1])
        append = gateway.journal.append

        def full(*_: object, **__: object) -> range:
            raise JournalError("no space left on device")

        monkeypatch.setattr(gateway.journal, "append", full)
        node.say(node.message(2))
        until(lambda: "no space left" in gateway.ingest.stats().last_error)
        monkeypatch.setattr(gateway.ingest, "_synced", unsure)
        until(lambda: "no such clock" in gateway.ingest.stats().last_error)
        monkeypatch.undo()
        monkeypatch.setattr(gateway.journal, "append", append)
        until(lambda: gateway.numbers() == [1, 2])
        until(lambda: node.acks()[-1].seq == 2)


def test_a_copied_card_is_noticed(gateway: Gateway, node: RawNode) -> None:
    node.status()
    for seq in range(1, 6):
        node.say(node.message(seq))
    until(lambda: len(gateway.numbers()) == 5)
    node.status(next=3)
    until(lambda: gateway.ingest.stats().refused == {"sequence": 1})


def test_a_retained_status_of_long_ago_is_no_copied_card(gateway: Gateway, node: RawNode) -> None:
    node.status()
    for seq in range(1, 6):
        node.say(node.message(seq))
    until(lambda: len(gateway.numbers()) == 5)
    gateway.close()
    gateway.open()
    gateway.up()
    until(lambda: gateway.ingest.nodes()[0].online)
    assert gateway.ingest.stats().refused == {}


def test_who_is_online_and_what_is_told_of_it(broker: Broker, tmp_path: Path) -> None:
    told: list[OriginState] = []
    with Gateway(tmp_path / "gateway", broker.port, on_status=told.append) as gateway, RawNode(broker.port) as node:
        gateway.up()
        node.up()
        node.status()
        until(lambda: len(told) == 1)
        node.status(online=False)
        until(lambda: len(told) == 2)
        assert [state.online for state in told] == [True, False]
        assert not gateway.ingest.nodes()[0].online
        node.link.publish(topics.status(SITE, "oven-pi", "sense"), b"", retain=True)
        node.status()
        until(lambda: gateway.ingest.nodes()[0].online)


def test_a_listener_that_fails_disturbs_nothing(broker: Broker, tmp_path: Path) -> None:
    def fail(_state: OriginState) -> None:
        raise RuntimeError("listener")

    with Gateway(tmp_path / "gateway", broker.port, on_status=fail) as gateway, RawNode(broker.port) as node:
        gateway.up()
        node.up()
        node.status()
        node.say(node.message(1))
        until(lambda: gateway.numbers() == [1])
        assert gateway.ingest.alive


def test_the_gateway_says_that_it_is_there_and_what_time_it_is(broker: Broker, tmp_path: Path) -> None:
    status, beacons = topics.gateway_status(SITE), topics.time(SITE)
    with Party(config(broker.port), status, beacons) as ears:
        ears.up()
        with Gateway(tmp_path / "gateway", broker.port, synced=lambda: True):
            until(lambda: len(ears.payloads(beacons)) >= 2)
        until(lambda: len(ears.payloads(status)) >= 2)
        codec = Codec()
        beacon = codec.decode_as(TimeBeacon, ears.payloads(beacons)[-1])
        assert abs(beacon.time_ns - time.time_ns()) < 5_000_000_000
        assert beacon.synced
        assert not any(inbound.retain for inbound in ears.heard if inbound.topic == beacons)
        assert [codec.decode_as(Status, payload).online for payload in ears.payloads(status)] == [True, False]


def test_a_gateway_without_a_clock_tells_no_time(broker: Broker, tmp_path: Path) -> None:
    beacons = topics.time(SITE)
    with (
        Party(config(broker.port), beacons) as ears,
        Gateway(tmp_path / "gateway", broker.port, wall_ns=lambda: 5_000_000_000) as gateway,
    ):
        ears.up()
        until(lambda: gateway.ingest.stats().link.connected)
        time.sleep(0.5)
        assert ears.heard == []


def test_a_command_reaches_its_node_and_a_late_one_does_not_leave(gateway: Gateway, node: RawNode) -> None:
    now = time.time_ns()
    command = Command(id="c-1", machine="oven", action="resume", issued_ns=now, expires_ns=now + 60_000_000_000)
    until(lambda: gateway.ingest.stats().link.connected)
    assert gateway.ingest.send_command("oven-pi", "sense", command).wait(10)
    topic = topics.command(SITE, "oven-pi", "sense")
    until(lambda: len(node.payloads(topic)) == 1)
    assert Codec().decode_as(Command, node.payloads(topic)[0]) == command
    late = Command(id="c-2", machine="oven", action="resume", issued_ns=now - 2, expires_ns=now - 1)
    with pytest.raises(Refused, match="expired"):
        gateway.ingest.send_command("oven-pi", "sense", late)


def test_a_flood_of_unasked_qos_0_does_not_fill_the_memory(broker: Broker, tmp_path: Path) -> None:
    with (
        Gateway(tmp_path / "gateway", broker.port, link={"receive_maximum": 10}) as gateway,
        RawNode(broker.port) as node,
    ):
        gateway.up()
        node.up()
        node.status()
        until(lambda: gateway.ingest.nodes() != [])
        with gateway.ingest._lock:  # the worker waits
            for _ in range(300):
                node.say(b"{", qos=0)
            until(lambda: gateway.ingest._overrun > 0)
        node.say(node.message(1))
        until(lambda: gateway.numbers() == [1])
        assert gateway.ingest.stats().refused["overrun"] > 0
