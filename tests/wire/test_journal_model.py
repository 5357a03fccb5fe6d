"""The journal against a plain list in memory, over any order of operations."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wire.journal import Entry, Journal, JournalFull, Record

READERS = ("publisher", "store")
MAX_BYTES = 256 * 1024
SIZES = st.sampled_from([0, 10, 300, 1000, 1980, 2013, 3000, 9000, 40_000])
RECORDS = st.lists(
    st.builds(
        lambda stream, size, event: (stream, size, event),
        st.sampled_from(["telemetry", "condition"]),
        SIZES,
        st.sampled_from([False, False, False, True]),
    ),
    max_size=12,
)


class JournalModel(RuleBasedStateMachine):
    """`self.entries` is what must be in the journal, `self.gone` what was evicted."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a place: hundreds of synced commits are not what is tested here.
        memory = Path("/dev/shm")  # noqa: S108  # mkdtemp makes the folder in it
        self.folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        self.entries: dict[int, Record] = {}
        self.buffered: dict[int, Record] = {}
        self.next = 1
        self.positions = dict.fromkeys(READERS, 0)
        self.marks: dict[str, str] = {}
        self.dropped = {"telemetry": 0, "condition": 0}
        self.evicted_read = 0
        self.free = 10**9

    @initialize()
    def open(self) -> None:
        self.journal = Journal(
            self.folder / "journal.db",
            readers=READERS,
            max_bytes=MAX_BYTES,
            min_free_bytes=10**6,
            commit_interval_s=1000.0,
            free_bytes=lambda _: self.free,
        )

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    def held(self) -> list[Entry]:
        return self.journal.read(0, limit=1_000_000, max_bytes=1 << 40)

    def settle(self) -> None:
        """Takes over what was committed and evicted, after checking that it was allowed to be."""
        held = {entry.seq for entry in self.held()}
        if not held.isdisjoint(self.buffered) or self.journal.stats().next == max(held, default=0) + 1:
            self.entries |= self.buffered
            self.buffered = {}
        read_to = min(self.positions.values())
        gone = sorted(self.entries.keys() - held)
        left = sorted(held)
        for seq in gone:
            record = self.entries.pop(seq)
            if seq <= read_to:
                self.evicted_read += 1
                # Read events go after read telemetry.
                assert not record.event or not any(s <= read_to and not self.entries[s].event for s in left)
            else:
                assert not record.event, "an unread event was evicted"
                assert not any(s <= read_to for s in left), "unread telemetry went before history"
                self.dropped[record.stream] += 1
            older = [s for s in left if s < seq and self.entries[s].event == record.event]
            assert not older, "not oldest first"

    @rule(
        records=RECORDS,
        commit=st.sampled_from([None, True]),
        mark=st.none() | st.tuples(st.sampled_from(["a", "b"]), st.text(max_size=5)),
    )
    def append(
        self, records: list[tuple[str, int, bool]], *, commit: bool | None, mark: tuple[str, str] | None
    ) -> None:
        batch = [
            Record(stream, bytes([self.next % 256]) * size, self.next, "boot", event) for stream, size, event in records
        ]
        marks = dict([mark]) if mark else {}
        try:
            given = self.journal.append(batch, marks=marks, commit=commit)
        except JournalFull:
            assert self.journal.stats().next == self.next
        else:
            assert given == range(self.next, self.next + len(batch))
            self.buffered |= dict(zip(given, batch, strict=True))
            self.next += len(batch)
            self.marks |= marks
            if commit or any(record.event for record in batch):
                assert {entry.seq for entry in self.held()} >= set(given)
        self.settle()

    @rule()
    def flush(self) -> None:
        try:
            self.journal.flush()
        except JournalFull:
            assert self.free < 10**6
        else:
            self.entries |= self.buffered
            self.buffered = {}
        self.settle()

    @precondition(lambda self: self.entries)
    @rule(reader=st.sampled_from(READERS), data=st.data())
    def advance(self, reader: str, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(self.entries)))
        self.journal.advance(reader, seq)
        self.positions[reader] = max(self.positions[reader], seq)

    @rule(free=st.sampled_from([10**9, 10**9, 999_000]))
    def other_files_take_or_leave_the_disk(self, free: int) -> None:
        self.free = free

    @rule()
    def reopen(self) -> None:
        log = self.journal.log
        self.free = 10**9
        self.journal.close()
        self.open()
        assert self.journal.log == log
        self.entries |= self.buffered
        self.buffered = {}
        self.settle()

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "journal"):
            return
        held, stats = self.held(), self.journal.stats()
        assert [entry.seq for entry in held] == sorted(self.entries)
        prev = 0
        for entry in held:
            expected = self.entries[entry.seq]
            assert entry == Entry(entry.seq, prev, *expected)
            prev = entry.seq
        assert stats.next == self.next
        assert stats.oldest == min(self.entries, default=0)
        assert stats.bytes <= MAX_BYTES
        assert stats.dropped == sum(self.dropped.values())
        assert stats.dropped_by_stream == {name: count for name, count in self.dropped.items() if count}
        assert stats.evicted_read == self.evicted_read
        assert stats.positions == self.positions
        assert {key: self.journal.mark(key) for key in ("a", "b")} == {key: self.marks.get(key) for key in ("a", "b")}
        newest = max(self.entries, default=0)
        assert self.journal.wait(newest, 0.0) is False
        assert newest == 0 or self.journal.wait(newest - 1, 0.0) is True


TestJournalModel = JournalModel.TestCase
TestJournalModel.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
