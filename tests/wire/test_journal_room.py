"""What the journal promises when its room or the disk runs out, one promise a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.journals import SMALL, Open, event, telemetry

from wire.journal import Journal, JournalFull


def fill_with_events(journal: Journal) -> int:
    """Appends unread events until no more fits; the sequence number that did not."""
    for number in range(1, 1000):
        try:
            journal.append([event(number, 3000)])
        except JournalFull:
            return number
    raise AssertionError("never full")


def test_dropped_is_counted_exactly_by_stream_and_survives(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL)
    for _ in range(50):
        three = [telemetry(1, 900), telemetry(2, 900, "condition"), telemetry(3, 900)]
        journal.append(three * 6, commit=True)
    held = journal.read(0, limit=10_000)
    stats = journal.stats()
    assert stats.dropped == 900 - len(held) == held[0].prev + held[0].seq - 1
    streams = ["telemetry", "condition", "telemetry"] * 300
    gone = streams[: 900 - len(held)]
    assert stats.dropped_by_stream == {name: gone.count(name) for name in ("telemetry", "condition")}
    journal.close()
    again = open_journal(max_bytes=SMALL).stats()
    assert (again.dropped, again.dropped_by_stream, again.oldest) == (
        stats.dropped,
        stats.dropped_by_stream,
        held[0].seq,
    )


def test_prev_names_the_entry_before_that_still_exists(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL)
    journal.append([event(1)])
    for number in range(2, 300, 20):
        journal.append([telemetry(n, 2000) for n in range(number, number + 20)], commit=True)
    first, second, third = journal.read(0, limit=3)
    assert (first.seq, first.prev, second.prev) == (1, 0, 1)
    assert second.seq > 2
    assert third.prev == second.seq
    assert journal.read(1, limit=1)[0].prev == 1


def test_unread_events_are_never_evicted_full_says_so_and_reading_makes_room(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL)
    number = fill_with_events(journal)
    for refused in (event(0, 3000), telemetry(0, 9000)):
        with pytest.raises(JournalFull, match="bytes in use"):
            journal.append([refused])
    entries = journal.read(0)
    assert [entry.seq for entry in entries] == list(range(1, number))
    assert journal.stats().next == number
    assert journal.stats().dropped == 0
    journal.advance("publisher", number - 1)
    assert journal.append([event(number, 3000)]) == range(number, number + 1)


def test_positions_become_durable_while_the_journal_is_full(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL, commit_interval_s=0.02)
    fill_with_events(journal)
    journal.advance("publisher", 5)
    journal.close()
    assert open_journal().position("publisher") == 5


def test_numbers_are_not_used_again_after_everything_was_evicted(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL)
    journal.append([telemetry(n, 2000) for n in range(100)], commit=True)
    journal.advance("publisher", 100)
    with pytest.raises(JournalFull):
        journal.append([event(0, SMALL)])
    # Everything that lies in the file is read, so this one takes the room of all of it.
    assert journal.append([event(0, SMALL * 3 // 4)]) == range(101, 102)
    journal.advance("publisher", 101)
    journal.append([telemetry(0, SMALL * 3 // 4)], commit=True)
    journal.close()
    reopened = open_journal(max_bytes=SMALL)
    assert reopened.append([telemetry(1)], commit=True) == range(103, 104)
    assert [(entry.seq, entry.prev) for entry in reopened.read(0)] == [(102, 0), (103, 102)]


def test_without_free_disk_everything_but_unread_events_goes_and_numbers_go_on(open_journal: Open) -> None:
    space = [10**9]
    journal = open_journal(min_free_bytes=10**6, free_bytes=lambda _: space[0])
    journal.append([telemetry(n) for n in range(10)], commit=True)
    journal.advance("publisher", 7)
    space[0] = 0
    journal.append([event(11)])
    assert [entry.seq for entry in journal.read(0)] == [11]
    assert (journal.stats().evicted_read, journal.stats().dropped) == (7, 3)
    with pytest.raises(JournalFull, match="free on disk"):
        journal.append([event(12)], marks={"last": "12"})
    journal.advance("publisher", 11)
    journal.append([telemetry(12)], commit=True)
    journal.advance("publisher", 12)
    with pytest.raises(JournalFull, match=r"bytes in use|free on disk"):
        journal.append([event(13, 2_000_000)])
    assert journal.stats().oldest in (0, 12)
    journal.close()
    space[0] = 10**9
    reopened = open_journal()
    assert reopened.log == journal.log
    assert reopened.mark("last") is None
    assert reopened.append([event(13)]) == range(13, 14)


def test_low_disk_evicts_and_shrinks_the_file(open_journal: Open, tmp_path: Path) -> None:
    room = 8_000_000
    files = ("journal.db", "journal.db-wal", "journal.db.ballast")

    def free(_: Path) -> int:
        return room - sum((tmp_path / name).stat().st_size for name in files if (tmp_path / name).exists())

    journal = open_journal(max_bytes=16_000_000, min_free_bytes=500_000, free_bytes=free)
    journal.append([telemetry(n, 2000) for n in range(1000)], commit=True)
    before = (tmp_path / "journal.db").stat().st_size
    room = 2_300_000 + (tmp_path / "journal.db.ballast").stat().st_size
    journal.append([telemetry(0)], commit=True)
    assert free(tmp_path) >= 500_000
    assert (tmp_path / "journal.db").stat().st_size < before
    assert journal.stats().dropped > 0
    assert not journal.read(0)[-1].event


def test_a_lost_ballast_is_made_again_before_the_disk_is_full(open_journal: Open, tmp_path: Path) -> None:
    """Without it a disk that is full to the last byte would stay so for ever: evicting needs room, too."""
    files = ("journal.db", "journal.db-wal", "journal.db.ballast")
    ballast = tmp_path / "journal.db.ballast"

    def free(_: Path) -> int:
        return 5_000_000 - sum((tmp_path / name).stat().st_size for name in files if (tmp_path / name).exists())

    journal = open_journal(max_bytes=8_000_000, free_bytes=free)
    assert ballast.exists()
    journal._room._ballast.release()
    for _ in range(300):
        journal.append([telemetry(n, 2000) for n in range(10)], commit=True)
        assert free(tmp_path) > 0 or ballast.exists(), "on a real disk nothing could be written any more"
    assert ballast.exists()


def test_history_is_kept_until_the_room_is_needed(open_journal: Open) -> None:
    journal = open_journal()
    journal.append([telemetry(n) for n in range(100)], commit=True)
    journal.advance("publisher", 100)
    journal.append([event(1)])
    assert len(journal.read(0)) == 101
    assert journal.stats().evicted_read == 0
