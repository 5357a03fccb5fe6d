"""The publisher against a real broker, with a gateway spoken by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import Broker, until
from support.parties import Party, config
from support.spine import SITE, Gateway, Node

from edge.publisher import READER, Publisher
from wire import topics
from wire.clock import Clock
from wire.codec import Codec
from wire.commands import Command
from wire.envelope import Envelope
from wire.journal import Journal, Record
from wire.messages import Ack, Status, Telemetry, TimeBeacon, Trust

ACK = topics.ack(SITE, "oven-pi", "sense")
COMMAND = topics.command(SITE, "oven-pi", "sense")
STATUS = topics.status(SITE, "oven-pi", "sense")
DATA = topics.data(SITE, "oven-pi", "telemetry")


class RawGateway(Party):
    """Says what a gateway says, when the test wants it."""

    def __init__(self, port: int) -> None:
        self.codec = Codec()
        super().__init__(config(port, "raw-gateway"), f"{topics.ROOT}/{SITE}/oven-pi/#")

    def online(self, *, online: bool = True) -> None:
        status = Status(site=SITE, node="gateway", origin="gateway", online=online, log="g")
        assert self.link.publish(topics.gateway_status(SITE), self.codec.encode(status), retain=True).wait(10)

    def ack(self, node: Node, seq: int, *, resend: bool = False) -> None:
        ack = Ack(log=node.journal.log, seq=seq, resend=resend)
        assert self.link.publish(ACK, self.codec.encode(ack), retain=True).wait(10)

    def seqs(self) -> list[int]:
        now = time.time_ns()
        return [self.codec.decode(payload, now_ns=now).seq for payload in self.payloads(DATA)]

    def statuses(self) -> list[Status]:
        return [self.codec.decode_as(Status, payload) for payload in self.payloads(STATUS)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def gateway(broker: Broker) -> Iterator[RawGateway]:
    with RawGateway(broker.port) as raw:
        raw.up()
        raw.online()
        yield raw


def test_no_more_than_a_window_is_sent_ahead(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port, window=10, stall_s=60) as node:
        node.produce(100)
        until(lambda: len(gateway.seqs()) == 10)
        time.sleep(0.2)
        assert gateway.seqs() == list(range(1, 11))
        gateway.ack(node, 4)
        until(lambda: gateway.seqs() == list(range(1, 15)))
        until(lambda: node.journal.position(READER) == 4)
        assert node.publisher.stats().window == 10


def test_the_window_counts_bytes_too(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port, window_bytes=20_000, stall_s=60) as node:
        node.produce(20, size=1000)
        until(lambda: len(gateway.seqs()) >= 4)
        time.sleep(0.2)
        assert 4 <= len(gateway.seqs()) <= 6


def test_asked_to_resend_it_goes_back(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port, stall_s=60) as node:
        node.produce(5)
        until(lambda: gateway.seqs() == [1, 2, 3, 4, 5])
        gateway.ack(node, 2, resend=True)
        until(lambda: gateway.seqs() == [1, 2, 3, 4, 5, 3, 4, 5])
        assert node.publisher.stats().resends == 3


def test_the_same_asked_again_and_again_makes_no_storm(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port, stall_s=60) as node:
        node.produce(200)
        until(lambda: len(gateway.seqs()) == 200)
        for _ in range(30):
            gateway.ack(node, 0, resend=True)
        time.sleep(1.0)
        assert len(gateway.seqs()) <= 410
        gateway.ack(node, 200)
        node.produce(10)
        until(lambda: gateway.seqs()[-10:] == list(range(201, 211)))


def test_without_progress_it_probes(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    with Node(tmp_path, broker.port, stall_s=0.2) as node:
        node.produce(50)
        until(lambda: len(gateway.seqs()) >= 52)
        assert gateway.seqs()[50:] == [1] * (len(gateway.seqs()) - 50)


def test_status_comes_before_data_and_again_for_a_gateway_that_came_back(
    broker: Broker, gateway: RawGateway, tmp_path: Path
) -> None:
    with Node(tmp_path, broker.port, stall_s=60) as node:
        node.produce(3)
        until(lambda: gateway.seqs() == [1, 2, 3])
        kinds = [inbound.topic for inbound in gateway.heard]
        assert kinds.index(STATUS) < kinds.index(DATA)
        gateway.ack(node, 2)
        until(lambda: node.journal.position(READER) == 2)
        before = len(gateway.heard)
        gateway.online(online=False)
        gateway.online()
        until(lambda: gateway.seqs() == [1, 2, 3, 3])
        since = [inbound.topic for inbound in gateway.heard[before:] if inbound.topic != ACK]
        assert since == [STATUS, DATA]
        status = gateway.statuses()[-1]
        assert (status.online, status.log, status.acked, status.oldest, status.next) == (
            True,
            node.journal.log,
            2,
            1,
            4,
        )
    until(lambda: not gateway.statuses()[-1].online)


def test_it_goes_offline_when_it_is_killed(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    node = Node(tmp_path, broker.port)
    until(lambda: any(status.online for status in gateway.statuses()))
    node.publisher._link._connection._client.socket().close()  # type: ignore[union-attr]  # as the kernel does for a killed process
    until(lambda: not gateway.statuses()[-1].online)
    until(lambda: gateway.statuses()[-1].online)
    node.close()


def test_without_a_time_nothing_is_sent_and_a_beacon_gives_one(
    broker: Broker, gateway: RawGateway, tmp_path: Path
) -> None:
    with Node(tmp_path, broker.port, clock=lambda: Clock(synced=lambda: False)) as node:
        node.produce(3)
        until(lambda: not node.publisher.stats().clock_known)
        assert gateway.seqs() == []
        beacon = gateway.codec.encode(TimeBeacon(time_ns=time.time_ns(), synced=True))
        gateway.link.publish(topics.time(SITE), beacon, qos=0)
        until(lambda: gateway.seqs() == [1, 2, 3])
        message = gateway.codec.decode(gateway.payloads(DATA)[0], now_ns=time.time_ns())
        assert message.trust is Trust.GATEWAY
        assert abs(message.time_ns - time.time_ns()) < 20_000_000_000
        assert node.publisher.stats().clock_known


def test_a_retained_beacon_is_not_believed(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    old = gateway.codec.encode(TimeBeacon(time_ns=1_710_000_000_000_000_000, synced=True))
    assert gateway.link.publish(topics.time(SITE), old, retain=True).wait(10)
    with Node(tmp_path, broker.port, clock=lambda: Clock(synced=lambda: False)) as node:
        node.produce(1)
        until(lambda: node.publisher.stats().refused == {"time": 1})
        assert node.clock.wall_ns() is None


def test_commands_are_handed_on_and_bad_ones_refused(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    good = Command(id="c-1", machine="oven", action="resume", issued_ns=1, expires_ns=2)
    with Node(tmp_path, broker.port) as node:
        until(lambda: gateway.statuses() != [])
        for payload in (
            b"{",
            b'{"id":"x","v":9}',
            gateway.codec.encode(good).replace(b"resume", b"explode"),
            b"x" * 300_000,
        ):
            gateway.link.publish(COMMAND, payload)
        gateway.link.publish(ACK, b"nonsense")
        gateway.link.publish(topics.gateway_status(SITE), b"nonsense")
        gateway.link.publish(COMMAND, gateway.codec.encode(good))
        until(lambda: node.commands == [good])
        assert node.publisher.stats().refused == {"not_json": 3, "invalid": 1, "version": 1, "too_large": 1}
        assert node.publisher.stats().link.handler_errors == 0


def test_a_command_waits_for_an_offline_node(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    node = Node(tmp_path, broker.port)
    until(lambda: gateway.statuses() != [])
    node.close()
    good = Command(id="c-1", machine="oven", action="resume", issued_ns=1, expires_ns=2)
    assert gateway.link.publish(COMMAND, gateway.codec.encode(good), expiry_s=60).wait(10)
    node.open()
    until(lambda: node.commands == [good])
    node.close()


def test_a_command_handler_that_fails_disturbs_nothing(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    def fail(_command: Command) -> None:
        raise RuntimeError("handler")

    journal = Journal(tmp_path / "node.db", readers=[READER], max_bytes=1_000_000, commit_interval_s=0.02)
    clock = Clock(synced=lambda: True)
    clock.poll()
    envelope = Envelope(SITE, "oven-pi", "sense", journal.log)
    publisher = Publisher(journal, envelope, clock, config(broker.port, "oven-pi-sense"), on_command=fail)
    publisher.start()
    try:
        until(lambda: gateway.statuses() != [])
        command = Command(id="c-1", machine="oven", action="resume", issued_ns=1, expires_ns=2)
        gateway.link.publish(COMMAND, gateway.codec.encode(command))
        until(lambda: publisher.stats().link.handler_errors == 1)
        draft = envelope.draft(envelope.new(Telemetry, clock.boot, machine="oven", series={}))
        journal.append([Record(draft.stream, draft.body, clock.monotonic_ns(), draft.boot)])
        until(lambda: gateway.seqs() == [1])
        assert publisher.alive
    finally:
        publisher.stop()
        journal.close()


def test_an_entry_that_is_too_large_is_passed_over_and_told(broker: Broker, tmp_path: Path) -> None:
    with Gateway(tmp_path / "gateway", broker.port) as gateway, Node(tmp_path, broker.port) as node:
        node.produce(2)
        body = b',"machine":"oven","series":{"vibration":{"unit":"' + b"m" * 300_000 + b'","values":[]}}}'
        node.journal.append([Record("telemetry", body, node.clock.monotonic_ns(), node.clock.boot)] * 2)
        node.produce(2)
        until(lambda: len(gateway.numbers()) == 4)
        assert [message.seq for message in gateway.messages()] == [1, 2, 5, 6]
        until(lambda: node.journal.position(READER) == 6)
        stats = node.publisher.stats()
        assert stats.unsendable == 2


def test_an_access_list_that_refuses_is_visible_and_loses_nothing(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite #\ntopic deny werkpuls/v1/bakery/oven-pi/telemetry\n")
    with (
        Broker(tmp_path / "broker", acl=acl) as broker,
        Gateway(tmp_path / "gateway", broker.port) as gateway,
        Node(tmp_path, broker.port, stall_s=0.2) as node,
    ):
        node.produce(5)
        until(lambda: node.publisher.stats().failed_deliveries > 0)
        assert "0x87" in node.publisher.stats().last_error
        acl.write_text("topic readwrite #\n")
        broker.kill()
        broker.start()
        until(lambda: gateway.numbers() == [0, 1, 2, 3, 4])


def test_a_gateway_that_holds_more_than_the_journal_stops_it(
    broker: Broker, gateway: RawGateway, tmp_path: Path
) -> None:
    with Node(tmp_path, broker.port) as node:
        until(lambda: gateway.statuses() != [])
        gateway.ack(node, 900)
        until(lambda: "older copy" in node.publisher.stats().last_error)
        node.produce(3)
        time.sleep(0.3)
        assert gateway.seqs() == []
        assert node.journal.position(READER) == 0


def test_an_ack_for_another_log_changes_nothing(broker: Broker, gateway: RawGateway, tmp_path: Path) -> None:
    gateway.link.publish(ACK, gateway.codec.encode(Ack(log="an-older-one", seq=70)), retain=True)
    with Node(tmp_path, broker.port, stall_s=60) as node:
        node.produce(3)
        until(lambda: gateway.seqs() == [1, 2, 3])
        assert node.journal.position(READER) == 0


def test_journal_and_envelope_must_belong_together(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "node.db", readers=[READER], max_bytes=1_000_000)
    clock = Clock()
    envelope = Envelope(SITE, "oven-pi", "sense", "another")
    with pytest.raises(ValueError, match="another"):
        Publisher(journal, envelope, clock, config(1), on_command=lambda _command: None)
    journal.close()
