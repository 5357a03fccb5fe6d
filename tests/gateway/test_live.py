"""The live view: rebuilt from the journal, gapless into the present, bounded, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import until
from support.messages import T0, Node

from gateway import live as module
from gateway.listener import Listener
from gateway.live import Live, MachineState
from gateway.remembered import silent_machines
from gateway.store.base import Record as StoreRecord
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore
from wire.codec import Codec
from wire.journal import Journal, Record
from wire.messages import Message, Reply

CODEC = Codec()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "j.sqlite", readers=["store"], max_bytes=64_000_000, commit_interval_s=0.01)
    yield journal
    journal.close()


def append(journal: Journal, *messages: Message) -> None:
    records = [
        Record(str(m.__struct_config__.tag), CODEC.encode(m), time.time_ns(), m.boot, event=False) for m in messages
    ]
    journal.append(records, commit=True)


def following(live: Live, journal: Journal) -> None:
    until(lambda: live.position == journal.stats().next - 1)


def reply(node: Node, command: str) -> Reply:
    return Reply(command=command, machine="oven", action="pause", ok=True, **node.envelope(time.time_ns()))


def test_the_latest_of_everything(journal: Journal) -> None:
    node, now = Node(), time.time_ns()
    append(journal, node.telemetry(now, {"a": [1.0, 2.0, None], "b": [5.0]}), node.condition(now, 2.5))
    live = Live(journal)
    live.start()
    following(live, journal)
    append(journal, node.telemetry(now + 1, {"a": [9.0]}), node.health(now + 2), reply(node, "c1"))
    following(live, journal)
    state = live.machine("oven-pi", "oven")
    assert state is not None
    assert state.values == {"a": (9.0, "°C"), "b": (5.0, "°C")}
    assert state.condition is not None
    assert (state.condition.score, state.seen_ns) == (2.5, now + 1)
    assert [health.seq for health in live.nodes()] == [4]
    found = live.reply("c1")
    assert found is not None
    assert found.ok
    assert live.reply("c2") is None
    assert (live.unreadable, live.machine("oven-pi", "none")) == (0, None)
    live.stop()


def test_nothing_is_missed_between_the_past_and_the_present(journal: Journal) -> None:
    node = Node()
    append(journal, *(reply(node, f"old-{n}") for n in range(100)))
    go = threading.Event()

    def write() -> None:
        go.wait(5)
        for n in range(300):
            append(journal, reply(node, f"new-{n}"))

    writer = threading.Thread(target=write)
    writer.start()
    live = Live(journal)
    listener = Listener()
    live.listen(listener)
    go.set()
    live.start()
    writer.join(30)
    following(live, journal)
    assert all(live.reply(f"{age}-{n}") for age, count in (("old", 100), ("new", 300)) for n in range(count))
    told = [event.data.split(b'"command":"')[1].split(b'"')[0].decode() for event in listener.take()]
    # In order and without a gap up to the end; what was there before the start is not told.
    assert told == [f"new-{n}" for n in range(300 - len(told), 300)]
    live.stop()
    assert listener.closed


def test_a_view_that_was_stopped_ends_new_listeners(journal: Journal) -> None:
    live = Live(journal)
    live.stop()
    listener = Listener()
    live.listen(listener)
    assert listener.closed
    assert not live.alive()


def test_it_is_bounded(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAX_MACHINES": 50, "MAX_NODES": 5, "KEPT_REPLIES": 10, "MAX_VALUES": 20}.items():
        monkeypatch.setattr(module, name, value)
    node, now = Node(), time.time_ns()
    live = Live(journal)
    live.start()
    append(journal, *(node.telemetry(now, {f"v{n}": [1.0]}, machine=f"m{n}") for n in range(80)))
    append(journal, *(node.telemetry(now, {f"v{n}": [1.0]}, machine="chatty") for n in range(45)))
    append(journal, *(reply(node, f"c{n}") for n in range(30)))
    append(journal, *(Node(node=f"n{n}", log=f"l{n}").health(now) for n in range(9)))
    following(live, journal)
    machines = {state.machine: state for state in live.machines()}
    assert len(machines) == 50
    assert {"chatty", "m79"} <= set(machines)
    assert "m0" not in machines
    assert len(machines["chatty"].values) <= 20
    assert "v44" in machines["chatty"].values
    assert live.reply("c19") is None
    assert live.reply("c20") is not None
    assert [health.node for health in live.nodes()] == [f"n{n}" for n in range(4, 9)]
    live.stop()


def test_a_clock_set_back_does_not_empty_the_view(journal: Journal) -> None:
    node, now = Node(), time.time_ns()
    append(journal, node.condition(now))
    live = Live(journal, wall_ns=lambda: now - 40 * 86_400 * 10**9)
    live.start()
    following(live, journal)
    assert live.unreadable == 0
    assert len(live.machines()) == 1
    live.stop()


def test_what_cannot_be_read_is_counted_and_passed(journal: Journal) -> None:
    journal.append([Record("condition", b"{", time.time_ns(), "b", event=False)], commit=True)
    node = Node()
    append(journal, node.condition(time.time_ns()))
    live = Live(journal)
    live.start()
    following(live, journal)
    assert live.unreadable == 1
    assert len(live.machines()) == 1
    live.stop()


def test_machines_that_have_been_silent_are_shown_from_the_store(journal: Journal, tmp_path: Path) -> None:
    store = EmbeddedStore(EmbeddedConfig(dir=tmp_path / "store"))
    day = 86_400 * 10**9
    node = Node(node="cellar-pi")
    store.write([StoreRecord(1, node.condition(T0))])
    here = Node()
    append(journal, here.condition(time.time_ns()))
    live = Live(journal, known=lambda found: silent_machines(store, "bakery", found, now_ns=T0 + 5 * day))
    live.start()
    until(lambda: len(live.machines()) == 2)
    cellar = live.machine("cellar-pi", "oven")
    assert cellar is not None
    assert cellar.condition is None
    assert T0 - day <= cellar.seen_ns <= T0
    live.stop()
    assert list(silent_machines(store, "bakery", {("cellar-pi", "oven")}, now_ns=T0 + day)) == []
    assert list(silent_machines(store, "bakery", (), now_ns=T0 + 40 * day)) == [], "taken away long ago"
    assert list(silent_machines(store, "other", (), now_ns=T0 + day)) == []
    store.close()


def test_a_store_that_is_away_costs_only_the_silent_ones(journal: Journal) -> None:
    def known(_found: frozenset[tuple[str, str]]) -> list[MachineState]:
        raise OSError("away")

    live = Live(journal, known=known)
    live.start()
    node = Node()
    append(journal, node.condition(time.time_ns()))
    until(lambda: len(live.machines()) == 1)
    assert live.alive()
    live.stop()
