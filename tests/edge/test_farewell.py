"""A node that is stopped in order has told the gateway everything, if the gateway is there."""

from __future__ import annotations

from pathlib import Path

from support.broker import Broker, until
from support.nodes import write_node
from support.spine import Gateway

from edge.config import read_node
from edge.sense import Sense
from wire.clock import Clock
from wire.journal import Journal


def clock(history: str) -> Clock:
    made = Clock(history=history, synced=lambda: True)
    made.poll()
    return made


def node(tmp_path: Path, port: int) -> Sense:
    path = write_node(tmp_path, "mixer-1", port=port)
    # What is journaled becomes readable long after the stop, unless the stop itself sees to it.
    path.write_text(path.read_text().replace("commit_s = 0.05", "commit_s = 20"))
    return Sense(read_node(path), clock=clock)


def test_nothing_waits_in_the_journal_after_a_stop(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker, Gateway(tmp_path / "gateway", broker.port) as gateway:
        with node(tmp_path, broker.port) as sense:
            until(lambda: sense.publisher.stats().gateway_online and sense.journal.stats().next > 5)
        last = sense.journal.stats().next - 1
        assert [message.seq for message in gateway.messages("pi")] == list(range(1, last + 1))


def test_without_a_gateway_the_journal_keeps_it(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        with node(tmp_path, broker.port) as sense:
            until(lambda: sense.publisher.stats().link.connected and sense.journal.stats().next > 5)
        path = sense.folder / "journal.sqlite"
    journal = Journal(path, readers=["publisher"], max_bytes=1 << 30)
    try:
        assert journal.position("publisher") == 0
        assert len(journal.read(0)) == journal.stats().next - 1 > 0
    finally:
        journal.close()
