"""The link against a real mosquitto."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import Broker, free_port, until
from support.parties import Party, config

from wire.connection import READS_PER_POLL
from wire.link import Delivery, Inbound, Link, LinkBusy, LinkDown, PayloadTooLarge


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


def test_messages_arrive_in_order_and_are_acknowledged(broker: Broker) -> None:
    with Party(config(broker.port), "t/#") as ears, Party(config(broker.port)) as mouth:
        ears.up()
        mouth.up()
        deliveries = [mouth.link.publish("t/a", b"%d" % number) for number in range(300)]
        assert all(delivery.wait(10) for delivery in deliveries)
        until(lambda: len(ears.heard) == 300)
        assert ears.payloads() == [b"%d" % number for number in range(300)]
        stats = mouth.link.stats()
        assert (stats.published, stats.refused, stats.inflight) == (300, 0, 0)


def test_publish_without_a_connection_is_refused_at_once() -> None:
    link = Link(config(free_port()), on_message=lambda _inbound: None)
    with pytest.raises(LinkDown):
        link.publish("t", b"")
    link.start()
    try:
        until(lambda: "refused" in link.stats().last_error.lower())
        assert not link.connected
        with pytest.raises(LinkDown, match=r"127\.0\.0\.1"):
            link.publish("t", b"")
    finally:
        link.stop()


def test_unacknowledged_messages_come_again_in_order_after_a_reconnect(tmp_path: Path) -> None:
    with Broker(tmp_path / "told", verbose=True) as broker:
        _check_redelivery(broker)


def _check_redelivery(broker: Broker) -> None:
    settings = config(broker.port)
    with Party(settings, "t", auto_ack=False) as ears:
        ears.up()
        with Party(config(broker.port)) as mouth:
            mouth.up()
            for number in range(10):
                mouth.link.publish("t", b"%d" % number)
            until(lambda: len(ears.heard) == 10)
            ears.link.ack_all(ears.heard[:4])
            until(lambda: broker.log().count("Received PUBACK from " + settings.client_id) == 4)
    with Party(settings, "t") as again:
        until(lambda: len(again.heard) == 6)
        assert again.payloads() == [b"%d" % number for number in range(4, 10)]
        assert all(inbound.duplicate for inbound in again.heard)


def test_receive_maximum_holds_the_broker_back(broker: Broker) -> None:
    with Party(config(broker.port, receive_maximum=5), "t", auto_ack=False) as ears:
        ears.up()
        with Party(config(broker.port)) as mouth:
            mouth.up()
            deliveries = [mouth.link.publish("t", b"%d" % number) for number in range(200)]
            assert all(delivery.wait(10) for delivery in deliveries)
            until(lambda: len(ears.heard) == 5)
            time.sleep(0.1)
            assert len(ears.heard) == 5
            # mosquitto 2.0.11 sends five more for each acknowledgement; the link stops reading then.
            ears.link.ack_all(ears.heard[:4])
            time.sleep(0.2)
            assert 5 < len(ears.heard) <= 2 * 5 + 4 + READS_PER_POLL
            acknowledged = 4
            while acknowledged < 200:
                until(lambda done=acknowledged: len(ears.heard) > done)
                upto = len(ears.heard)
                ears.link.ack_all(ears.heard[acknowledged:upto])
                acknowledged = upto
            assert ears.payloads() == [b"%d" % number for number in range(200)]


def test_the_window_is_bounded_and_opens_again(broker: Broker) -> None:
    with Party(config(broker.port, inflight=3)) as mouth:
        mouth.up()
        broker.freeze()
        deliveries = [mouth.link.publish("t", b"x") for _ in range(3)]
        with pytest.raises(LinkBusy):
            mouth.link.publish("t", b"x")
        broker.thaw()
        assert all(delivery.wait(10) for delivery in deliveries)
        assert mouth.link.publish("t", b"x").wait(10)


def test_more_messages_than_the_broker_takes_at_once_do_not_end_the_connection(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "small", extra="max_inflight_messages 10") as broker,
        Party(config(broker.port, inflight=500)) as mouth,
    ):
        mouth.up()
        deliveries = [mouth.link.publish("t", b"x" * 300) for _ in range(400)]
        assert all(delivery.wait(10) for delivery in deliveries)
        assert mouth.disconnects == []


def test_a_killed_broker_fails_deliveries_and_the_link_comes_back(broker: Broker) -> None:
    with Party(config(broker.port)) as mouth:
        mouth.up()
        broker.freeze()
        ended: list[Delivery] = []
        delivery = mouth.link.publish("t", b"x", on_done=ended.append)
        broker.kill()
        until(lambda: delivery.done)
        assert not delivery.acknowledged
        assert delivery.failed
        assert ended == [delivery]
        until(lambda: mouth.disconnects != [])
        generation = mouth.link.generation
        broker.start()
        mouth.up()
        assert mouth.link.generation > generation
        assert mouth.link.publish("t", b"x").wait(10)
        assert mouth.link.stats().reconnects == 1


def test_session_survives_a_broker_that_is_killed(tmp_path: Path) -> None:
    with Broker(tmp_path / "durable", durable=True) as broker:
        _check_persistence(broker)


def _check_persistence(broker: Broker) -> None:
    settings = config(broker.port)
    with Party(settings, "t") as ears:
        ears.up()
    with Party(config(broker.port)) as mouth:
        mouth.up()
        assert mouth.link.publish("t", b"kept").wait(10)
        until(lambda: b"kept" in (broker.folder / "mosquitto.db").read_bytes())
        broker.kill()
        broker.start()
        with Party(settings, "t") as again:
            until(lambda: again.payloads() == [b"kept"])


def test_the_last_will_is_published_on_stop_and_on_loss(broker: Broker) -> None:
    with Party(config(broker.port), "will/#") as ears:
        ears.up()
        with Party(config(broker.port), will=("will/a", b"gone")) as mouth:
            mouth.up()
            mouth.link.publish("will/a", b"here", retain=True)
            until(lambda: ears.payloads() == [b"here"])
        until(lambda: ears.payloads() == [b"here", b"gone"])
        with Party(config(broker.port), "will/#") as late:
            until(lambda: late.payloads() == [b"gone"])
            assert late.heard[0].retain


def test_an_exception_in_a_handler_is_counted_and_the_link_goes_on(broker: Broker) -> None:
    good: list[bytes] = []

    def stumble(inbound: Inbound) -> None:
        if inbound.payload == b"bad":
            raise KeyError("stumbled")
        if inbound.payload == b"worse":
            raise SystemExit
        good.append(inbound.payload)
        link.ack(inbound)

    def fail(_delivery: Delivery) -> None:
        raise ValueError("in on_done")

    link = Link(config(broker.port, receive_maximum=2), subscriptions=[("t", 1)], on_message=stumble)
    link.start()
    try:
        with Party(config(broker.port)) as mouth:
            mouth.up()
            until(lambda: link.connected)
            for payload in (b"1", b"bad", b"worse", b"bad", b"2"):
                mouth.link.publish("t", payload, on_done=fail)
            until(lambda: good == [b"1", b"2"])
            until(lambda: mouth.link.stats().handler_errors == 5)
        stats = link.stats()
        assert (stats.handler_errors, stats.reconnects, link.alive) == (3, 0, True)
        assert "stumbled" in stats.last_error
    finally:
        link.stop()


def test_an_exception_in_on_connected_is_counted(broker: Broker) -> None:
    def fail() -> None:
        raise RuntimeError("at the door")

    link = Link(config(broker.port), on_message=lambda _inbound: None, on_connected=fail)
    link.start()
    try:
        until(lambda: link.stats().handler_errors == 1)
        assert link.connected
        assert link.publish("t", b"x").wait(10)
    finally:
        link.stop()


def test_a_refused_publish_fails_visibly(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite allowed/#\n")
    with Broker(tmp_path / "broker", acl=acl) as broker, Party(config(broker.port)) as mouth:
        mouth.up()
        delivery = mouth.link.publish("forbidden", b"x")
        until(lambda: delivery.done)
        assert delivery.failed is not None
        assert "0x87" in delivery.failed
        assert mouth.link.publish("allowed/a", b"x").wait(10)
        assert mouth.link.stats().refused == 1
        assert "0x87" in mouth.link.stats().last_error


def test_payloads_beyond_the_limits(tmp_path: Path) -> None:
    with (
        Broker(tmp_path / "broker", extra="max_packet_size 300000") as broker,
        Party(config(broker.port, max_payload_bytes=1000), "t") as ears,
        Party(config(broker.port)) as mouth,
    ):
        ears.up()
        mouth.up()
        with pytest.raises(PayloadTooLarge):
            mouth.link.publish("t", bytes(300_000))
        assert mouth.link.publish("t", bytes(200_000)).wait(10)
        assert mouth.link.publish("t", b"small").wait(10)
        until(lambda: len(ears.heard) == 2)
        assert [(inbound.payload, inbound.size) for inbound in ears.heard] == [(b"", 200_000), (b"small", 5)]
        assert ears.link.stats().oversize == 1


def test_a_message_expires(broker: Broker) -> None:
    settings = config(broker.port)
    with Party(settings, "t") as ears:
        ears.up()
    with Party(config(broker.port)) as mouth:
        mouth.up()
        assert mouth.link.publish("t", b"short", expiry_s=1).wait(10)
        assert mouth.link.publish("t", b"long", expiry_s=60).wait(10)
        time.sleep(2.1)
        with Party(settings, "t") as again:
            until(lambda: again.payloads() == [b"long"])


def test_a_broker_that_is_silent_is_left(broker: Broker) -> None:
    with Party(config(broker.port, keepalive_s=1)) as mouth:
        mouth.up()
        broker.freeze()
        until(lambda: mouth.disconnects != [], 5)
        broker.thaw()
        until(lambda: mouth.link.connected)


def test_a_second_client_of_the_same_name_is_visible_and_does_not_storm(broker: Broker) -> None:
    settings = config(broker.port, "twin", backoff_min_s=0.2, backoff_max_s=5.0)
    with Party(settings) as first:
        first.up()
        with Party(settings) as second:
            second.up()
            until(lambda: first.disconnects != [])
            assert first.link.stats().reconnects == 1
            assert "connection lost" in first.link.stats().last_error
            time.sleep(0.5)
            assert first.link.generation + second.link.generation < 10


def test_publishing_from_many_threads_loses_nothing(broker: Broker) -> None:
    with Party(config(broker.port), "t/#") as ears, Party(config(broker.port)) as mouth:
        ears.up()
        mouth.up()

        def talk(name: int) -> None:
            for number in range(100):
                while True:
                    try:
                        mouth.link.publish(f"t/{name}", b"%d" % number)
                        break
                    except LinkBusy:
                        time.sleep(0.005)

        threads = [threading.Thread(target=talk, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        until(lambda: len(ears.heard) == 400)
        for name in range(4):
            assert ears.payloads(f"t/{name}") == [b"%d" % number for number in range(100)]


def test_stop_is_quick_and_can_be_repeated(broker: Broker) -> None:
    party = Party(config(broker.port))
    with party:
        party.up()
    party.link.stop()
    assert not party.link.alive
    assert not party.link.connected
