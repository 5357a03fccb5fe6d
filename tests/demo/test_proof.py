"""The proof notices whatever is taken away, doubled, moved or changed, and nothing else.

Journals and store are real, and filled as node, gateway and store writer fill them; then one thing is changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.alerting import READER as ALERTS_READER
from gateway.store.base import Record as Point
from gateway.store.config import EmbeddedConfig
from gateway.store.embedded import EmbeddedStore
from gateway.storing import READER as STORE_READER
from werkpuls.demo.proof import FOREVER_NS, PUBLISHER, EmbeddedTimes, Proof, prove
from wire.clock import Stamp
from wire.codec import Codec
from wire.envelope import Draft, Envelope
from wire.journal import Journal, Record
from wire.messages import Condition, Origin, Series, Severity, Telemetry, Trust

SITE = "bakery"
NODES = ("oven-pi", "mixer-pi")
START_NS = 1_790_000_100_000_000_000
SECOND_NS = 1_000_000_000
COUNT = 6
"""Messages of each node."""


@dataclass
class World:
    """What every part holds; a test changes one of the lists before `prove`."""

    folder: Path
    written: dict[str, list[Draft]] = field(default_factory=dict)
    """By node: what its journal gets."""
    arrived: list[tuple[str, bytes]] = field(default_factory=list)
    """(stream, message) in the gateway's journal, in order."""
    stored: list[bytes] = field(default_factory=list)
    """Messages whose points the store has."""
    passed: dict[str, int] = field(default_factory=dict)
    """By reader of the gateway's journal: how many entries it leaves unread."""
    sealed: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def fill(self) -> None:
        """A run in which all went well: telemetry and conditions of two nodes, mixed."""
        for node in NODES:
            with closing_journal(self.folder / node, [PUBLISHER]) as journal:
                envelope = Envelope(SITE, node, "sense", journal.log)
                drafts = [envelope.draft(message(envelope, number)) for number in range(1, COUNT + 1)]
                self.written[node] = drafts
                journal.append([Record(d.stream, d.body, n, d.boot) for n, d in enumerate(drafts)], commit=True)
                for number, draft in enumerate(drafts, 1):
                    stamp = Stamp(START_NS + number * SECOND_NS, Trust.SYNCED)
                    self.sealed[node, number] = envelope.seal(draft, seq=number, prev=number - 1, stamp=stamp)
        for number in range(1, COUNT + 1):
            for node in NODES:
                body = self.sealed[node, number]
                self.arrived.append((self.written[node][number - 1].stream, body))
                self.stored.append(body)

    def prove(self) -> Proof:
        """Writes the gateway's journal and store as the lists say, and compares."""
        codec = Codec()
        with closing_journal(self.folder / "gateway", [STORE_READER, ALERTS_READER]) as journal:
            journal.append([Record(stream, body, 0) for stream, body in self.arrived], commit=True)
            for reader in (STORE_READER, ALERTS_READER):
                journal.advance(reader, len(self.arrived) - self.passed.get(reader, 0))
        config = EmbeddedConfig(dir=self.folder / "store", exact=True)
        store = EmbeddedStore(config)
        points = [codec.decode(body, now_ns=FOREVER_NS) for body in self.stored]
        report = store.write([Point(place, one) for place, one in enumerate(points, 1)])
        assert not report.rejected
        store.close()
        times = EmbeddedTimes(self.folder / "store")
        try:
            return prove({node: self.folder / node for node in NODES}, self.folder / "gateway", times, SITE)
        finally:
            times.close()

    def change(self, place: int, change: Callable[[bytes], bytes]) -> bytes:
        """Changes one message of the gateway's journal; returns the new one."""
        stream, body = self.arrived[place]
        changed = change(body)
        assert changed != body
        self.arrived[place] = (stream, changed)
        return changed


class closing_journal:  # noqa: N801  # reads as the `with` statement's verb
    """A journal that is closed at the end."""

    def __init__(self, path: Path, readers: Sequence[str]) -> None:
        self._journal = Journal(path, readers=readers, max_bytes=1 << 30, commit_interval_s=0.01)

    def __enter__(self) -> Journal:
        return self._journal

    def __exit__(self, *_: object) -> None:
        self._journal.close()


def message(envelope: Envelope, number: int) -> Telemetry | Condition:
    if number % 3 == 0:
        return envelope.new(
            Condition,
            "boot",
            machine="oven",
            regime="on",
            score=0.25 * number,
            limit=1.0,
            severity=Severity.GOOD,
            learned=1.0,
        )
    series = {
        "temperature": Series(unit="°C", values=[200.1 + number, 0.1 + 1 / number], step_ms=100.0),
        "power": Series(unit="W", values=[1000.0 * number]),
    }
    return envelope.new(Telemetry, "boot", machine="oven", series=series)


def world() -> tuple[World, TemporaryDirectory[str]]:
    folder = TemporaryDirectory()
    made = World(Path(folder.name))
    made.fill()
    return made, folder


def counts(proof: Proof) -> dict[str, int]:
    """What is wrong, by name."""
    names = (
        "lost", "dropped", "duplicates", "disordered", "altered", "points_missing", "points_extra", "points_altered",
    )  # fmt: skip
    return {name: getattr(proof, name) for name in names if getattr(proof, name)}


def test_a_good_run_has_nothing_to_tell() -> None:
    made, folder = world()
    with folder:
        proof = made.prove()
    assert counts(proof) == {}
    assert proof.details == []
    assert proof.published == proof.accepted == proof.stored == COUNT * len(NODES)
    # Two telemetry messages of three (three points each) and one condition (five) in every three.
    assert proof.points == len(NODES) * (4 * 3 + 2 * 5)


PLACES = st.integers(0, COUNT * len(NODES) - 1)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(place=PLACES)
def test_a_message_that_never_arrived_is_lost(place: int) -> None:
    made, folder = world()
    with folder:
        _, gone = made.arrived.pop(place)
        made.stored.remove(gone)
        found = counts(made.prove())
    assert found == {"lost": 1}


@few
@given(place=PLACES)
def test_a_message_whose_points_are_not_stored_is_lost(place: int) -> None:
    made, folder = world()
    with folder:
        points = 5 if b'"kind":"condition"' in made.stored[place] else 3
        del made.stored[place]
        proof = made.prove()
    assert counts(proof) == {"lost": 1, "points_missing": points}
    assert proof.stored == proof.published - 1
    assert "not stored" in proof.details[0]


@few
@given(place=PLACES, later=st.integers(0, 5))
def test_a_message_twice_is_a_duplicate(place: int, later: int) -> None:
    made, folder = world()
    with folder:
        made.arrived.insert(min(place + 1 + later, len(made.arrived)), made.arrived[place])
        proof = made.prove()
    assert counts(proof) == {"duplicates": 1}
    assert "twice" in proof.details[0]


@few
@given(number=st.integers(1, COUNT - 1), node=st.sampled_from(NODES))
def test_a_message_behind_a_later_one_is_disordered(number: int, node: str) -> None:
    made, folder = world()
    with folder:
        one, two = (
            next(place for place, (_, body) in enumerate(made.arrived) if body == made.sealed[node, wanted])
            for wanted in (number, number + 1)
        )
        made.arrived[one], made.arrived[two] = made.arrived[two], made.arrived[one]
        found = counts(made.prove())
    assert found == {"disordered": 1}


def test_the_nodes_may_overtake_each_other() -> None:
    made, folder = world()
    with folder:
        made.arrived[0], made.arrived[1] = made.arrived[1], made.arrived[0]
        assert counts(made.prove()) == {}


@few
@given(place=PLACES)
def test_content_that_the_node_did_not_write_is_altered(place: int) -> None:
    made, folder = world()
    with folder:
        changed = made.change(place, lambda body: body.replace(b'"oven"', b'"stove"', 1))
        made.stored[place] = changed
        proof = made.prove()
    assert counts(proof) == {"altered": 1}
    assert "not what the node wrote" in proof.details[0]


@few
@given(place=PLACES)
def test_a_stored_value_that_nobody_sent_is_altered(place: int) -> None:
    made, folder = world()
    codec = Codec()
    with folder:
        body = made.stored[place]
        sent = codec.decode(body, now_ns=FOREVER_NS)
        if isinstance(sent, Telemetry):
            forged = codec.encode(with_other_power(sent))
        else:
            assert isinstance(sent, Condition)
            forged = body.replace(b'"score":', b'"score":1')
        assert forged != body
        made.stored[place] = forged
        proof = made.prove()
    assert counts(proof) == {"points_altered": 1}
    assert "sent" in proof.details[0]


def with_other_power(sent: Telemetry) -> Telemetry:
    """The message with one value changed in its last digits."""
    power = Series(unit="W", values=[(sent.series["power"].values[0] or 0.0) * (1 + 1e-9)])
    return with_series(sent, {**sent.series, "power": power})


def with_series(sent: Telemetry, series: dict[str, Series]) -> Telemetry:
    fields = {name: getattr(sent, name) for name in sent.__struct_fields__}
    return Telemetry(**{**fields, "series": series})


@few
@given(place=PLACES)
def test_a_stored_point_that_no_message_brought_is_a_duplicate(place: int) -> None:
    made, folder = world()
    with folder:
        sent = Codec().decode(made.stored[place], now_ns=FOREVER_NS)
        forged = made.stored[place].replace(f'"seq":{sent.seq},"prev":{sent.prev}'.encode(), b'"seq":99,"prev":98')
        # The store takes a message once, by its number: this one has a number of its own, and a time of its own.
        made.stored.append(forged.replace(str(sent.time_ns).encode(), str(sent.time_ns + 50_000_000).encode()))
        proof = made.prove()
    assert set(counts(proof)) == {"duplicates", "points_extra"}
    assert proof.duplicates == proof.points_extra > 0
    assert "no message brought it" in proof.details[0]


@pytest.mark.parametrize("reader", [STORE_READER, ALERTS_READER])
def test_what_a_reader_has_not_worked_on_is_not_stored(reader: str) -> None:
    made, folder = world()
    with folder:
        made.passed[reader] = 2
        proof = made.prove()
    assert counts(proof) == {"lost": 2}
    assert all("not worked on" in line for line in proof.details)


def test_what_the_disk_bound_forced_out_is_dropped_and_not_lost(tmp_path: Path) -> None:
    node, gateway = tmp_path / "oven-pi", tmp_path / "gateway"
    journal = Journal(node, readers=[PUBLISHER], max_bytes=400_000, commit_interval_s=0.01)
    try:
        for _ in range(40):
            journal.append(
                [Record("telemetry", b',"machine":"oven","series":{}}' + b" " * 20_000, 1, "boot")], commit=True
            )
        dropped = journal.stats().dropped
        assert 0 < dropped < 40
        envelope = Envelope(SITE, "oven-pi", "sense", journal.log)
        bodies = []
        for entry in journal.read(0):
            stamp = Stamp(START_NS + entry.seq, Trust.SYNCED)
            draft = Draft(entry.stream, entry.boot, entry.payload)
            bodies.append(envelope.seal(draft, seq=entry.seq, prev=entry.prev, stamp=stamp))
    finally:
        journal.close()
    with closing_journal(gateway, [STORE_READER, ALERTS_READER]) as made:
        made.append([Record("telemetry", body, 0) for body in bodies], commit=True)
        for reader in (STORE_READER, ALERTS_READER):
            made.advance(reader, len(bodies))
    proof = prove({"oven-pi": node}, gateway, lambda _key, _first, _last: set(), SITE)
    assert counts(proof) == {"dropped": dropped}
    assert proof.published == 40
    assert proof.accepted == proof.stored == 40 - dropped


def test_a_nodes_cameras_have_a_journal_of_their_own_that_counts_as_well(tmp_path: Path) -> None:
    sealed: list[bytes] = []
    origins: tuple[Origin, ...] = ("sense", "watch")
    for origin in origins:
        with closing_journal(tmp_path / origin, [PUBLISHER]) as journal:
            envelope = Envelope(SITE, "oven-pi", origin, journal.log)
            draft = Draft("telemetry", "boot", b',"machine":"oven","series":{}}')
            records = [Record(draft.stream, draft.body, number, draft.boot) for number in range(COUNT)]
            journal.append(records, commit=True)
            stamp = Stamp(START_NS, Trust.SYNCED)
            sealed += [envelope.seal(draft, seq=n, prev=n - 1, stamp=stamp) for n in range(1, COUNT + 1)]

    def compared(arrived: list[bytes], name: str) -> Proof:
        with closing_journal(tmp_path / name, [STORE_READER, ALERTS_READER]) as journal:
            journal.append([Record("telemetry", body, 0) for body in arrived], commit=True)
            for reader in (STORE_READER, ALERTS_READER):
                journal.advance(reader, len(arrived))
        node, camera = {"oven-pi": tmp_path / "sense"}, {"oven-pi": tmp_path / "watch"}
        return prove(node, tmp_path / name, lambda _key, _first, _last: set(), SITE, watch_journals=camera)

    whole = compared(sealed, "whole")
    assert (whole.published, whole.accepted, counts(whole)) == (2 * COUNT, 2 * COUNT, {})
    assert counts(compared(sealed[:-1], "one short")) == {"lost": 1}


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        prove({"oven-pi": tmp_path / "gone"}, tmp_path / "gateway", lambda *_: set(), SITE)
    assert not list(tmp_path.iterdir())


def test_the_details_stay_few() -> None:
    proof = Proof()
    for number in range(100):
        proof.tell(str(number))
    assert len(proof.details) == 20
    assert [one.name for one in dataclasses.fields(Proof)][-1] == "details"
