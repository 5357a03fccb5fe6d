"""One commit for what belongs together, events at once, nothing lost while the journal cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from support.broker import until

from edge import writer as module
from edge.writer import Writer
from wire.clock import boottime_ns
from wire.journal import Journal, JournalCorrupt, JournalError, JournalFull, Record


def record(number: int, *, event: bool = False, stream: str = "telemetry") -> Record:
    return Record(stream=stream, payload=str(number).encode(), at_ns=number, boot="b", event=event)


class Counting(Journal):
    """A real journal that counts its transactions and can be told to refuse."""

    commits = 0
    refuse: Exception | None = None

    def append(
        self, records: Sequence[Record], *, marks: Mapping[str, str] | None = None, commit: bool | None = None
    ) -> range:
        if self.refuse is not None:
            raise self.refuse
        given = super().append(records, marks=marks, commit=commit)
        self.commits += 1
        return given


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Counting]:
    made = Counting(tmp_path / "j.sqlite", readers=["publisher"], max_bytes=8_000_000)
    yield made
    made.refuse = None
    made.close()


def started(journal: Journal, commit_s: float) -> Writer:
    made = Writer(journal, commit_s=commit_s, moved=lambda: None, monotonic_ns=boottime_ns)
    made.start()
    return made


def payloads(journal: Journal) -> list[int]:
    return [int(entry.payload) for entry in journal.read(0)]


def test_what_arrives_together_shares_a_commit_with_its_marks(journal: Counting) -> None:
    moves: list[int] = []
    writer = Writer(journal, commit_s=0.3, moved=lambda: moves.append(1), monotonic_ns=boottime_ns)
    for number in range(30):
        writer.put([record(number)], {"last": str(number)})
    writer.start()
    until(lambda: bool(moves))
    assert payloads(journal) == list(range(30))
    assert journal.commits == 1
    assert journal.mark("last") == "29"
    assert writer.stop(5)


def test_an_event_takes_everything_before_it_along_at_once(journal: Counting) -> None:
    writer = started(journal, commit_s=60.0)
    writer.put([record(0)])
    writer.put([record(1, event=True)])
    until(lambda: payloads(journal) == [0, 1], 5)
    writer.put([record(2)])  # within the minute: waits
    assert writer.stop(5)
    assert payloads(journal) == [0, 1, 2]


def test_marks_alone_are_written_too(journal: Counting) -> None:
    writer = started(journal, commit_s=0.05)
    writer.put([], {"clock": "{}"})
    until(lambda: journal.mark("clock") == "{}")
    assert writer.stop(5)


def test_who_waits_for_a_commit_gets_it_at_once_or_hears_why_not(
    journal: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    writer = started(journal, commit_s=60.0)
    writer.put([record(0)])
    writer.flush()
    writer.put([record(1)], {"n": "1"})
    writer.flush()  # within the minute
    assert (payloads(journal), journal.mark("n")) == ([0, 1], "1")
    journal.refuse = JournalFull("no room")
    writer.put([], {"n": "2"})
    with pytest.raises(JournalError, match="no room"):
        writer.flush()
    journal.refuse = None
    until(lambda: journal.mark("n") == "2")
    writer.flush()
    assert writer.stop(5)
    writer.put([], {"n": "3"})
    with pytest.raises(JournalError, match="in time"):
        writer.flush()


def test_a_full_disk_is_waited_out_in_order(journal: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    journal.refuse = JournalFull("no room")
    writer = started(journal, commit_s=0.05)
    for number in range(5):
        writer.put([record(number, event=number == 3)], {"n": str(number)})
    until(lambda: writer.failing == "no room")
    writer.put([record(5)])
    journal.refuse = None
    until(lambda: payloads(journal) == list(range(6)))
    until(lambda: writer.failing is None)
    assert journal.mark("n") == "4"
    assert writer.dropped == {}
    assert writer.stop(5)


def test_beyond_the_bound_telemetry_goes_and_events_stay(journal: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_RECORDS", 10)
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    journal.refuse = JournalFull("no room")
    writer = started(journal, commit_s=0.05)
    for number in range(20):
        event = number % 4 == 0
        writer.put([record(number, event=event, stream="finding" if event else "telemetry")])
    until(lambda: writer.dropped == {"telemetry": 10})
    journal.refuse = None
    until(lambda: len(payloads(journal)) == 10)
    assert [number for number in payloads(journal) if number % 4 == 0] == [0, 4, 8, 12, 16]
    assert payloads(journal) == sorted(payloads(journal))
    assert writer.stop(5)


def test_damage_is_told_and_the_end_is_not_clean(journal: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    journal.refuse = JournalCorrupt("page 3")
    writer = started(journal, commit_s=0.05)
    writer.put([record(0)])
    until(lambda: writer.broken == "page 3")
    assert not writer.stop(5)
