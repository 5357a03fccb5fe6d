"""Publisher, broker and ingest together: every message once and in order, whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import Broker, until
from support.spine import Gateway, Node


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


def test_messages_arrive_once_in_order_and_the_node_hears_so(broker: Broker, tmp_path: Path) -> None:
    with Gateway(tmp_path / "gateway", broker.port) as gateway, Node(tmp_path, broker.port, window=50) as node:
        numbers = node.produce(500)
        until(lambda: len(gateway.numbers()) == 500)
        assert gateway.numbers() == numbers
        assert [message.seq for message in gateway.messages()] == list(range(1, 501))
        until(lambda: node.journal.position("publisher") == 500)
        stats, origin = gateway.ingest.stats(), gateway.ingest.nodes()[0]
        assert (stats.accepted, stats.refused, stats.evicted) == (500, {}, 0)
        assert (origin.node, origin.last, origin.online, origin.log) == ("oven-pi", 500, True, node.journal.log)


def test_nothing_is_published_before_there_is_a_gateway(broker: Broker, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port) as node:
        node.produce(20)
        until(lambda: node.publisher.stats().link.connected)
        until(lambda: node.publisher.stats().link.published == 1)
        assert node.publisher.stats().sent == 0
        with Gateway(tmp_path / "gateway", broker.port) as gateway:
            until(lambda: len(gateway.numbers()) == 20)
        until(lambda: not node.publisher.stats().gateway_online)


def test_a_restarted_gateway_goes_on_where_it_was(broker: Broker, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port) as node:
        gateway = Gateway(tmp_path / "gateway", broker.port)
        node.produce(100)
        until(lambda: len(gateway.numbers()) == 100)
        gateway.close()
        node.produce(100)
        gateway.open()
        until(lambda: len(gateway.numbers()) >= 200)
        assert gateway.numbers() == list(range(200))
        assert gateway.ingest.stats().refused == {}
        gateway.close()


def test_a_restarted_node_goes_on_where_it_was(broker: Broker, tmp_path: Path) -> None:
    with Gateway(tmp_path / "gateway", broker.port) as gateway:
        node = Node(tmp_path, broker.port)
        for _ in range(3):
            node.produce(50)
            node.close()
            node.open()
        until(lambda: len(gateway.numbers()) == 150)
        assert gateway.numbers() == list(range(150))
        node.close()


@pytest.mark.parametrize("durable", [True, False])
def test_a_killed_broker_loses_and_doubles_nothing(tmp_path: Path, *, durable: bool) -> None:
    with (
        Broker(tmp_path / "broker", durable=durable) as broker,
        Gateway(tmp_path / "gateway", broker.port) as gateway,
        Node(tmp_path, broker.port, window=40) as node,
    ):
        count = 0
        for _ in range(3):
            count += len(node.produce(100 if not durable else 30))
            until(lambda: node.publisher.stats().sent > 0)
            broker.kill()
            count += len(node.produce(30))
            broker.start()
        until(lambda: len(gateway.numbers()) >= count, 20)
        assert gateway.numbers() == list(range(count))
        until(lambda: node.journal.position("publisher") == count)


def test_a_replaced_gateway_gets_the_history_the_node_still_has(broker: Broker, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port) as node:
        with Gateway(tmp_path / "first", broker.port) as first:
            node.produce(100)
            until(lambda: node.journal.position("publisher") == 100)
            assert len(first.numbers()) == 100
        with Gateway(tmp_path / "second", broker.port) as second:
            until(lambda: len(second.numbers()) == 100)
            assert second.numbers() == list(range(100))
            assert second.ingest.nodes()[0].evicted == 0
            node.produce(10)
            until(lambda: len(second.numbers()) == 110)


def test_what_the_disk_bound_forced_out_is_counted(broker: Broker, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port, max_bytes=300_000) as node:
        for _ in range(40):
            node.produce(50, size=20)
        node.journal.flush()
        dropped = node.journal.stats().dropped
        assert dropped > 0
        with Gateway(tmp_path / "gateway", broker.port) as gateway:
            until(lambda: node.journal.position("publisher") == 2000)
            assert gateway.numbers() == list(range(dropped, 2000))
            assert gateway.ingest.nodes()[0].evicted == dropped


def test_several_nodes_do_not_disturb_each_other(broker: Broker, tmp_path: Path) -> None:
    with (
        Gateway(tmp_path / "gateway", broker.port) as gateway,
        Node(tmp_path, broker.port, name="oven-pi") as oven,
        Node(tmp_path, broker.port, name="mixer-pi") as mixer,
    ):
        for _ in range(5):
            oven.produce(30)
            mixer.produce(20)
        until(lambda: len(gateway.numbers("oven-pi")) == 150 and len(gateway.numbers("mixer-pi")) == 100)
        assert gateway.numbers("oven-pi") == list(range(150))
        assert gateway.numbers("mixer-pi") == list(range(100))
