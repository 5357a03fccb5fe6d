"""What the journal promises, one promise a test."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.journals import SMALL, Open, event, telemetry

from wire.journal import Journal, JournalBusy, JournalError, JournalFull, Record


@contextmanager
def soon(seconds: float = 10.0) -> Iterator[Callable[[], bool]]:
    """A condition for a loop that has to end within a bounded time."""
    end = time.monotonic() + seconds
    yield lambda: time.monotonic() < end


def test_entries_come_back_as_appended_numbered_from_one(open_journal: Open) -> None:
    journal = open_journal()
    assert journal.append([telemetry(1), event(2), telemetry(3)]) == range(1, 4)
    first, second, third = journal.read(0)
    assert (first.seq, first.prev, first.stream, first.payload, first.at_ns) == (1, 0, "telemetry", b"1", 1)
    assert (second.seq, second.prev, second.event, second.boot) == (2, 1, True, "boot-1")
    assert (third.seq, third.prev, third.event) == (3, 2, False)
    assert [entry.seq for entry in journal.read(1, limit=1)] == [2]
    assert journal.read(2)[0].prev == 2
    assert journal.read(3) == []


def test_odd_fields_survive(open_journal: Open) -> None:
    journal = open_journal()
    odd = [
        Record("", b"", 0),
        Record("täglich\0", bytes(range(256)) * 40, 2**63 - 1, "b\0ot"),
        Record("s", b"\0" * 100_000, -(2**63), "", event=True),
    ]
    journal.append(odd)
    journal.close()
    entries = open_journal().read(0)
    assert [Record(e.stream, e.payload, e.at_ns, e.boot, e.event) for e in entries] == odd


def test_what_the_file_cannot_hold_is_refused_and_nothing_of_the_call_is_kept(open_journal: Open) -> None:
    journal = open_journal()
    for bad in (Record("s", b"", 2**63), Record("\ud800", b"", 0), Record("s" * 70_000, b"", 0)):
        with pytest.raises(ValueError, match=r"argument|surrogates|format|range"):
            journal.append([telemetry(1), bad], commit=True)
    assert journal.append([telemetry(1)], commit=True) == range(1, 2)


def test_reading_stops_at_the_byte_limit_but_gives_at_least_one(open_journal: Open) -> None:
    journal = open_journal()
    journal.append([telemetry(n, 1000) for n in range(10)], commit=True)
    assert len(journal.read(0, max_bytes=3500)) == 3
    assert len(journal.read(0, max_bytes=1)) == 1


def test_telemetry_is_read_only_after_its_group_commit(open_journal: Open) -> None:
    journal = open_journal()
    assert journal.append([telemetry(1)]) == range(1, 2)
    assert journal.read(0) == []
    assert journal.wait(0, 0.0) is False
    assert journal.stats().next == 2
    journal.flush()
    assert [entry.seq for entry in journal.read(0)] == [1]
    assert journal.wait(0, 0.0) is True


def test_an_event_commits_what_was_buffered_before_it(open_journal: Open) -> None:
    journal = open_journal()
    journal.append([telemetry(1)])
    journal.append([event(2)], commit=False)
    assert [entry.seq for entry in journal.read(0)] == [1, 2]


def test_the_timer_commits_and_wakes_the_waiting(open_journal: Open) -> None:
    journal = open_journal(commit_interval_s=0.05)
    journal.append([telemetry(1)])
    assert journal.wait(0, 10.0) is True
    assert [entry.seq for entry in journal.read(0)] == [1]
    journal.append([telemetry(2)])
    assert journal.wait(1, 10.0) is True


def test_waiting_ends_when_the_journal_closes(open_journal: Open) -> None:
    journal = open_journal()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(journal.wait(0, 30.0)))
    waiting.start()
    journal.close()
    waiting.join(10.0)
    assert not waiting.is_alive()
    assert answers in ([False], [])


def test_positions_are_durable_and_never_go_back(open_journal: Open) -> None:
    journal = open_journal(readers=["a", "b"])
    journal.append([telemetry(n) for n in range(5)], commit=True)
    journal.advance("a", 4)
    journal.advance("a", 2)
    assert (journal.position("a"), journal.position("b")) == (4, 0)
    journal.close()
    reopened = open_journal(readers=["a", "c"])
    assert (reopened.position("a"), reopened.position("c")) == (4, 0)
    reopened.close()
    assert open_journal(readers=["a", "b"]).stats().positions == {"a": 4, "b": 0}


def test_a_reader_cannot_pass_what_is_not_committed_nor_be_unknown(open_journal: Open) -> None:
    journal = open_journal()
    journal.append([telemetry(1)])
    with pytest.raises(ValueError, match="newest committed is 0"):
        journal.advance("publisher", 1)
    with pytest.raises(ValueError, match="no reader 'nobody'"):
        journal.advance("nobody", 0)
    with pytest.raises(ValueError, match="no reader"):
        journal.position("nobody")


def test_marks_change_with_their_records_and_survive(open_journal: Open) -> None:
    journal = open_journal()
    assert journal.mark("last") is None
    journal.append([telemetry(1)], marks={"last": "1"})
    journal.set_marks({"clock": "{}"})
    assert (journal.mark("last"), journal.mark("clock")) == ("1", "{}")
    journal.close()
    reopened = open_journal()
    assert (reopened.mark("last"), reopened.mark("clock")) == ("1", "{}")
    assert [entry.seq for entry in reopened.read(0)] == [1]


def test_a_failing_append_leaves_neither_marks_nor_numbers(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL)
    journal.append([telemetry(1)], marks={"last": "1"})
    with pytest.raises(JournalFull):
        journal.append([event(2, SMALL)], marks={"last": "2", "new": "2"})
    assert (journal.mark("last"), journal.mark("new")) == ("1", None)
    assert journal.append([event(3)]) == range(2, 3)
    journal.close()
    reopened = open_journal()
    assert (reopened.mark("last"), reopened.mark("new")) == ("1", None)
    assert [entry.payload for entry in reopened.read(0)] == [b"1", b"3"]


def test_read_telemetry_goes_first_then_read_events_then_unread_telemetry(open_journal: Open) -> None:
    journal = open_journal(max_bytes=SMALL)
    journal.append([event(1, 2000), telemetry(2, 2000), event(3, 2000), telemetry(4, 2000)])
    journal.advance("publisher", 4)
    seen_without: list[set[int]] = []
    kept = {1, 2, 3, 4}
    for number in range(5, 400):
        journal.append([telemetry(number, 2000)], commit=True)
        left = {entry.seq for entry in journal.read(0)} & {1, 2, 3, 4}
        if left != kept:
            seen_without.append(left)
            kept = left
        if journal.stats().dropped:
            break
    assert kept == set(), "history goes before anything unread"
    assert all(left in ({1, 3}, {3}, set()) for left in seen_without)
    stats = journal.stats()
    assert stats.evicted_read == 4
    assert stats.bytes <= SMALL


def test_a_second_opener_is_refused_with_the_holders_pid(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal()
    with pytest.raises(JournalBusy, match=str(os.getpid())):
        open_journal()
    journal.close()
    open_journal().append([event(1)])
    assert (tmp_path / "journal.db.lock").exists()


def test_bad_arguments_and_a_missing_folder_are_refused(open_journal: Open, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one reader"):
        open_journal(readers=[])
    with pytest.raises(ValueError, match="max_bytes"):
        open_journal(max_bytes=1000)
    with pytest.raises(JournalError, match="nowhere"):
        Journal(tmp_path / "nowhere" / "journal.db", readers=["a"], max_bytes=SMALL)


def test_after_close_every_call_says_so(open_journal: Open) -> None:
    journal = open_journal()
    journal.close()
    journal.close()
    for call in (
        lambda: journal.append([event(1)]),
        lambda: journal.read(0),
        lambda: journal.wait(0, 1),
        journal.flush,
    ):
        with pytest.raises(JournalError, match="closed"):
            call()


def test_close_commits_what_was_buffered(open_journal: Open) -> None:
    journal = open_journal()
    journal.append([telemetry(1)])
    journal.close()
    assert len(open_journal().read(0)) == 1


def test_a_failure_of_the_timer_is_raised_by_the_next_append_and_nothing_buffered_is_lost(
    open_journal: Open, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [False]

    def free(_: Path) -> int:
        if broken[0]:
            raise OSError("the card is gone")
        return 10**9

    journal = open_journal(commit_interval_s=0.02, free_bytes=free)
    broken[0] = True
    journal.append([telemetry(1)])
    with soon() as waiting:
        while "group commit failed" not in caplog.text and waiting():
            time.sleep(0.01)
    assert caplog.text.count("group commit failed") == 1
    with pytest.raises(JournalError, match="the card is gone"):
        journal.append([telemetry(2)])
    broken[0] = False
    assert journal.append([telemetry(3)]) == range(2, 3)
    journal.flush()
    assert [entry.payload for entry in journal.read(0)] == [b"1", b"3"]


class Follower(threading.Thread):
    """One reader in its own thread, until it has seen so many entries."""

    def __init__(self, journal: Journal, name: str, count: int) -> None:
        super().__init__()
        self.journal, self.reader, self.count = journal, name, count
        self.seen: list[tuple[int, str, bytes]] = []
        self.gaps: list[int] = []

    def run(self) -> None:
        after = 0
        while len(self.seen) < self.count and self.journal.wait(after, 10.0):
            for entry in self.journal.read(after, limit=37):
                if entry.prev != after:
                    self.gaps.append(entry.seq)
                after = entry.seq
                self.seen.append((entry.seq, entry.stream, entry.payload))
            self.journal.advance(self.reader, after)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_around_the_commit_leaves_numbers_and_entries_in_step(open_journal: Open, moment: str) -> None:
    journal = open_journal()
    commit = journal._room.commit

    def interrupted(*args: object, **options: object) -> None:
        if moment == "after":
            commit(*args, **options)  # type: ignore[arg-type]  # passed on as they came
        raise KeyboardInterrupt

    journal._room.commit = interrupted  # type: ignore[method-assign]  # there is no other way to be interrupted just there
    with pytest.raises(KeyboardInterrupt):
        journal.append([telemetry(1)], commit=True)
    journal._room.commit = commit  # type: ignore[method-assign]  # as above
    first = 2 if moment == "after" else 1
    assert journal.append([telemetry(2)], commit=True) == range(first, first + 1)
    assert [entry.seq for entry in journal.read(0)] == list(range(1, first + 1))


def test_a_disk_that_cannot_be_asked_refuses_to_open_and_lets_go(open_journal: Open) -> None:
    def free(_: Path) -> int:
        raise OSError("no such device")

    with pytest.raises(JournalError, match="no such device"):
        open_journal(free_bytes=free)
    assert open_journal().read(0) == []


def test_many_threads_append_read_and_advance(open_journal: Open) -> None:
    journal = open_journal(readers=["a", "b"], commit_interval_s=0.01, max_bytes=64 * SMALL)
    per_writer, writers = 150, 4
    given: list[int] = []

    def write(name: int) -> None:
        for number in range(per_writer):
            given.extend(journal.append([Record(f"w{name}", b"%d" % number, number, event=number % 20 == 0)]))

    followers = [Follower(journal, name, writers * per_writer) for name in ("a", "b")]
    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in (*threads, *followers):
        thread.start()
    for thread in (*threads, *followers):
        thread.join(30.0)
    assert sorted(given) == list(range(1, writers * per_writer + 1))
    assert [follower.gaps for follower in followers] == [[], []]
    assert followers[0].seen == followers[1].seen
    for name in range(writers):
        own = [int(payload) for _, stream, payload in followers[0].seen if stream == f"w{name}"]
        assert own == list(range(per_writer))
    assert journal.stats().positions == {"a": 600, "b": 600}
