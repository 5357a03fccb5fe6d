"""Rows read from bare pages are the rows that SQLite reads."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from wire.eviction import PAGE_BYTES as PAGE
from wire.sqlite_pages import PageImage, Value, index_wal

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.binary(max_size=40),
    st.builds(bytes, st.sampled_from([489, 1900, 2010, 2011, 2012, 2013, 2014, 4050, 4056, 4057, 4058, 8153, 20_000])),
)


def rows_of(path: Path, wal: Path, columns: int) -> list[list[Value]]:
    with PageImage(path, wal) as image:
        found = [(place, row) for place, row in image.rows() if len(row) == columns and isinstance(row[0], int)]
        assert all(image.row(place) == row for place, row in found)
    return sorted((row for _, row in found), key=lambda row: row[0] if isinstance(row[0], int) else 0)


@settings(max_examples=25, deadline=None)
@given(
    first=st.lists(st.tuples(VALUES, VALUES), max_size=30),
    second=st.lists(st.tuples(VALUES, VALUES), max_size=30),
    torn=st.integers(0, 9000),
)
def test_rows_agree_with_sqlite_in_the_file_and_in_its_log(
    first: list[tuple[Value, Value]], second: list[tuple[Value, Value]], torn: int, tmp_path_factory: object
) -> None:
    folder = tmp_path_factory.mktemp("pages")  # type: ignore[attr-defined]  # pytest's factory; hypothesis needs it by name
    path, wal = folder / "a.db", folder / "a.db-wal"
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        f"PRAGMA page_size = {PAGE}; PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)"
    )
    insert = "INSERT INTO t (a, b) VALUES (?, ?)"
    for batch in (first, second):
        db.execute("BEGIN")
        db.executemany(insert, batch)
        db.execute("COMMIT")
        if batch is first:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    expected = [list(row) for row in db.execute("SELECT id, a, b FROM t ORDER BY id")]
    assert rows_of(path, wal, 3) == expected
    # As a power failure leaves it: the log ends somewhere. SQLite's own recovery is the judge.
    for name in (path, wal):
        shutil.copy(name, folder / f"torn{name.name[1:]}")
    db.close()
    torn_wal = folder / "torn.db-wal"
    kept = torn_wal.read_bytes()[: max(0, torn_wal.stat().st_size - torn)]
    torn_wal.write_bytes(kept)
    found = rows_of(folder / "torn.db", torn_wal, 3) if len(kept) == 0 or len(kept) >= 32 else None
    again = sqlite3.connect(folder / "torn.db")
    recovered = [list(row) for row in again.execute("SELECT id, a, b FROM t ORDER BY id")]
    again.close()
    assert found is None or found == recovered


def test_the_log_of_many_commits_is_followed_to_its_end_and_past_a_bad_frame(tmp_path: Path) -> None:
    path, wal = tmp_path / "a.db", tmp_path / "a.db-wal"
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        f"PRAGMA page_size = {PAGE}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)"
    )
    for number in range(600):
        db.execute("INSERT INTO t VALUES (?)", (bytes([number % 251]) * 3000,))
    index = index_wal(wal)
    assert index.sound
    assert index.lost_commits == 0
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    assert set(index.pages) == set(range(1, pages + 1))
    data = bytearray(wal.read_bytes())
    data[32 + (PAGE + 24) * 5 + 1000] ^= 1
    bad = tmp_path / "bad-wal"
    bad.write_bytes(data)
    assert index_wal(bad).lost_commits > 590
    assert len(index_wal(bad).pages) < 6
    db.close()
    assert index_wal(tmp_path / "absent") == ({}, 0, True)
