"""Damaged files: set aside whole, what can be read carried over in order, nothing invented."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wire.eviction import PAGE_BYTES as PAGE
from wire.journal import Entry, Journal, JournalCorrupt, JournalError, Record
from wire.journal_file import state_crc

SIZES = (10, 500, 1500, 2013, 2014, 9000)
FRAME = PAGE + 24
RECORDS = [
    Record("finding" if n % 7 == 0 else "telemetry", b"%d;" % n * SIZES[n % 6], n, "b", n % 7 == 0) for n in range(60)
]


def opened(path: Path, readers: Sequence[str] = ("a", "b")) -> Journal:
    return Journal(path, readers=readers, max_bytes=64 << 20, commit_interval_s=60.0)


def held(journal: Journal) -> list[Entry]:
    return journal.read(0, limit=100_000, max_bytes=1 << 40)


def made(folder: Path, *, clean: bool) -> Path:
    """A journal with 60 entries, of which reader a has read 20 and b 30; not clean: as a power failure leaves it."""
    folder.mkdir(exist_ok=True)
    path = folder / "journal.db"
    journal = opened(path)
    for first in range(0, 60, 4):
        journal.append(RECORDS[first : first + 4], marks={"last": str(first + 4)}, commit=True)
    journal.advance("a", 20)
    journal.advance("b", 30)
    journal.flush()
    if not clean:
        crashed = folder / "crashed"
        crashed.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(folder / name, crashed / name)
        journal.close()
        return crashed / "journal.db"
    journal.close()
    return path


def overwrite(path: Path, at: int, data: bytes) -> bytes:
    """Changes bytes in place; the file as it is then."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    return path.read_bytes()


def require_salvaged(path: Path, log: str, bad: bytes | None, *, most_lost: int) -> list[Entry]:
    """What every salvage promises; the entries carried over."""
    journal = opened(path)
    stats, entries = journal.stats(), held(journal)
    aside = path.with_name("journal.db.corrupt-1")
    assert stats.quarantined == (str(aside),)
    if bad is not None:
        assert aside.read_bytes() == bad
    assert journal.log != log
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    payloads = [record.payload for record in RECORDS]
    places = [payloads.index(entry.payload) for entry in entries]
    assert places == sorted(set(places)), "in order, once each"
    for entry, place in zip(entries, places, strict=True):
        assert entry == Entry(entry.seq, entry.seq - 1, *RECORDS[place])
    assert len([place for place in places if place >= 20]) >= 40 - most_lost
    if journal.position("b"):
        assert journal.position("a") == 0
        assert all(place < 30 for place in places[: journal.position("b")])
        assert all(place >= 30 for place in places[journal.position("b") :])
    assert journal.append([Record("t", b"", 0)], commit=True).start == len(entries) + 1
    journal.close()
    again = opened(path)
    assert (again.log, again.stats().quarantined) == (journal.log, stats.quarantined)
    again.close()
    return entries


def log_of(path: Path) -> str:
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as db:
        name = str(db.execute("SELECT value FROM state WHERE key = 'log'").fetchone()[0])
    db.close()
    return name


@pytest.mark.parametrize("size", [16, 100, PAGE])
def test_a_garbage_header_or_first_page_costs_no_entry(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = made(tmp_path, clean=True)
    log = log_of(path)
    bad = overwrite(path, 0, random.Random(1).randbytes(size))  # noqa: S311  # garbage, not a secret
    entries = require_salvaged(path, log, bad, most_lost=0)
    assert [entry.at_ns for entry in entries] == list(range(20, 60))
    assert "40 unread entries carried over" in caplog.text
    assert opened(path).mark("last") == "60"


def test_a_cut_off_tail_costs_what_lay_there(tmp_path: Path) -> None:
    path = made(tmp_path, clean=True)
    log, size = log_of(path), path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 10 * PAGE - 100)
    entries = require_salvaged(path, log, path.read_bytes(), most_lost=12)
    assert len(entries) < 40


def test_an_empty_file_is_set_aside_and_never_taken_for_a_new_journal(tmp_path: Path) -> None:
    path = made(tmp_path, clean=True)
    path.write_bytes(b"")
    assert require_salvaged(path, "", b"", most_lost=40) == []


@pytest.mark.parametrize("clean", [True, False])
def test_a_flipped_payload_costs_one_entry(tmp_path: Path, caplog: pytest.LogCaptureFixture, *, clean: bool) -> None:
    path = made(tmp_path / "j", clean=clean)
    log = log_of(path)
    if not clean:
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
        path.with_name("journal.db-wal").touch()
    at = path.read_bytes().index(b"45;45;45;") + 100
    bad = overwrite(path, at, b"X")
    if clean:
        # Closed in order, so it is found by whoever reads it; from then on nothing is written to that file.
        journal = opened(path)
        with pytest.raises(JournalCorrupt, match="entry 46"):
            held(journal)
        for call in (lambda: journal.append([Record("t", b"", 0)], commit=True), lambda: journal.read(0, limit=1)):
            with pytest.raises(JournalCorrupt, match="entry 46"):
                call()
        journal.close()
    entries = require_salvaged(path, log, bad, most_lost=1)
    assert [entry.at_ns for entry in entries] == [n for n in range(20, 60) if n != 45]
    assert "1 numbers above 20 not found" in caplog.text


@pytest.mark.parametrize("seed", range(6))
def test_a_destroyed_page_costs_what_lay_on_it(tmp_path: Path, seed: int) -> None:
    path = made(tmp_path, clean=True)
    log, dice = log_of(path), random.Random(seed)  # noqa: S311  # a place, not a secret
    page = dice.randrange(1, path.stat().st_size // PAGE)
    bad = overwrite(path, page * PAGE, dice.randbytes(PAGE))
    try:
        journal = opened(path)
        entries = held(journal)
        journal.close()
    except JournalCorrupt:
        journal.close()
    else:
        if journal.log == log:
            # It hit what no read touches: history's pages, or the map of pages. Everything is there.
            assert [entry.at_ns for entry in entries] == list(range(60))
            return
    require_salvaged(path, log, bad, most_lost=20)


def test_after_a_power_failure_the_log_belongs_to_the_journal(tmp_path: Path) -> None:
    path = made(tmp_path, clean=False)
    journal = opened(path)
    assert [entry.at_ns for entry in held(journal)] == list(range(60))
    assert journal.stats().quarantined == ()
    assert journal.mark("last") == "60"
    journal.close()


def test_a_torn_last_transaction_is_no_damage(tmp_path: Path) -> None:
    path = made(tmp_path, clean=False)
    log, wal = log_of(path), path.with_name("journal.db-wal")
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - 500)
    journal = opened(path)
    assert journal.log == log
    assert [entry.at_ns for entry in held(journal)] == list(range(60))
    assert journal.position("b") in (0, 30)
    journal.close()


@pytest.mark.parametrize("at", [0, 12, 20, 32 + FRAME * 9 + 10, 32 + FRAME * 9 + 500])
def test_a_damaged_write_ahead_log_is_never_taken_for_a_short_one(tmp_path: Path, at: int) -> None:
    path = made(tmp_path, clean=False)
    wal = path.with_name("journal.db-wal")
    old = wal.read_bytes()[at]
    bad_wal = overwrite(wal, at, bytes([old ^ 0x10]))
    bad = path.read_bytes()
    log = log_of_image(path)
    entries = require_salvaged(path, log, bad, most_lost=40)
    assert path.with_name("journal.db.corrupt-1-wal").read_bytes() == bad_wal
    assert at < 32 or entries, "what lies before the damage is carried over"


def log_of_image(path: Path) -> str:
    """The name of the log without letting SQLite near a damaged write-ahead log."""
    data = path.read_bytes() + path.with_name("journal.db-wal").read_bytes()
    at = data.index(b"log") + 3
    return data[at : at + 16].decode(errors="replace")


@pytest.mark.parametrize("missing", ["journal.db", "journal.db-wal"])
def test_a_missing_half_is_damage(tmp_path: Path, missing: str) -> None:
    path = made(tmp_path, clean=False)
    path.with_name(missing).unlink()
    journal = opened(path)
    assert len(journal.stats().quarantined) == 1
    assert journal.append([Record("t", b"", 0)], commit=True).start == len(held(journal))
    journal.close()


def test_a_second_damage_is_set_aside_beside_the_first(tmp_path: Path) -> None:
    path = made(tmp_path, clean=True)
    for number in (1, 2):
        overwrite(path, 0, b"garbage!" * 20)
        journal = opened(path)
        assert journal.stats().quarantined == tuple(f"{path}.corrupt-{n}" for n in range(1, number + 1))
        assert len(held(journal)) == 40
        journal.close()


@pytest.mark.parametrize("moved", ["nothing", "file", "file and log"])
def test_a_salvage_that_was_cut_off_is_finished(tmp_path: Path, moved: str) -> None:
    path = made(tmp_path, clean=False)
    whole = made(tmp_path / "whole", clean=True)
    shutil.copy(whole, path.with_name("journal.db.salvaged"))
    if moved == "nothing":
        path.with_name("journal.db.suspect").write_text("because")
    else:
        path.rename(path.with_name("journal.db.corrupt-1"))
    if moved == "file and log":
        path.with_name("journal.db-wal").rename(path.with_name("journal.db.corrupt-1-wal"))
    log = log_of(whole)
    journal = opened(path)
    names = {found.name for found in path.parent.iterdir()}
    assert {"journal.db.corrupt-1", "journal.db.corrupt-1-wal"} <= names
    assert names.isdisjoint({"journal.db.salvaged", "journal.db.suspect", "journal.db.new"})
    assert (journal.log == log) == (moved != "nothing")
    assert held(journal)[-1].at_ns == 59
    journal.close()


def test_another_database_or_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE precious (x)")
    db.close()
    newer = made(tmp_path, clean=True)
    with sqlite3.connect(newer) as db:
        db.execute("UPDATE state SET value = '99', crc = ? WHERE key = 'format'", (state_crc("format", "99", 0),))
    db.close()
    for path, text in ((other, "not a journal"), (newer, "99")):
        before = path.read_bytes()
        with pytest.raises(JournalError, match=text) as raised:
            opened(path)
        assert not isinstance(raised.value, JournalCorrupt)
        assert path.read_bytes() == before
        with pytest.raises(JournalError, match=text):
            opened(path)  # the lock was let go


def test_something_else_altogether_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("not a database at all\n" * 500)
    require_salvaged(path, "", b"not a database at all\n" * 500, most_lost=40)


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("sound"), clean=True).read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_change_nothing_is_invented_and_unread_order_holds(
    data: st.DataObject, sound_file: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bad") / "journal.db"
    bad = bytearray(sound_file)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bad) - 1))
        bad[at] = data.draw(st.integers(0, 255))
    del bad[data.draw(st.integers(len(bad) // 2, len(bad))) :]
    path.write_bytes(bad)
    # Damage may show at once or when it is read; a second opening always gets over it.
    for _ in range(2):
        journal = opened(path)
        try:
            entries = held(journal)
        except JournalCorrupt:
            continue
        finally:
            journal.close()
        break
    times = [entry.at_ns for entry in entries]
    assert times == sorted(set(times))
    assert all(Record(*entry[2:]) == RECORDS[entry.at_ns] for entry in entries)
