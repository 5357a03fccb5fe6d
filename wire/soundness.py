"""Whether a journal's file can be trusted, and which of its rows can."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wire.entry import JournalCorrupt, JournalError, Row, is_sound
from wire.journal_file import FORMAT, NEWEST, load_state, state_crc, translated
from wire.sqlite_pages import PageImage, Place, Value, index_wal

_ENTRY_COLUMNS = (int, int, int, int, str, str, bytes)
_STATE_COLUMNS = (int, str, str, int, int)
_CHECKED_AT_ONCE = 500


def beside(path: Path, suffix: str) -> Path:
    """The companion of a journal's file, e.g. `journal.db-wal`."""
    return path.with_name(path.name + suffix)


def mark_suspect(path: Path, reason: str) -> None:
    """Remembers beside the journal that its file was found damaged, for the next opening."""
    try:
        beside(path, ".suspect").write_text(reason + "\n", encoding="utf-8")
    except OSError:
        logging.getLogger(__name__).exception("%s: cannot note that it is damaged: %s", path, reason)


def read_by_all(state: Mapping[str, str], readers: Sequence[str]) -> int:
    """The sequence number up to which every one of these readers has read."""
    return min(int(state.get(f"reader:{name}", "0")) for name in readers)


def require_sound(path: Path, readers: Sequence[str]) -> None:
    """Checks a file before it is used; changes nothing.

    One that was closed in order is taken as it is: its entries are checked when they are read. After a kill or a power
    failure the structure and every unread entry are checked here.

    Raises:
        JournalCorrupt: it is damaged; the text says how.
        JournalError: it cannot be read, or is not a journal.
    """
    suspect, wal = beside(path, ".suspect"), beside(path, "-wal")
    if suspect.exists():
        raise JournalCorrupt(suspect.read_text(encoding="utf-8", errors="replace").strip() or "marked as damaged")
    if not path.exists():
        raise JournalCorrupt("the file is missing, its write-ahead log is not")
    if path.stat().st_size == 0:
        raise JournalCorrupt("the file is empty")
    has_wal, index = wal.exists(), index_wal(wal)
    if not index.sound:
        raise JournalCorrupt("the write-ahead log has no sound header")
    # A power failure can tear the one transaction that was not synced yet. More behind a bad frame had been synced.
    if index.lost_commits > 1:
        raise JournalCorrupt(f"the write-ahead log is damaged before {index.lost_commits} commits")
    try:
        with translated():
            _require_sound_inside(path, readers, has_wal=has_wal)
    except JournalCorrupt:
        raise
    except JournalError as exc:
        if getattr(exc.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            # Disk full, I/O, permission: says nothing about the file.
            raise
        # A table is missing: another program's file, or the list of tables is damaged.
        with PageImage(path, wal) as image:
            if "log" not in newest_state(image):
                raise JournalError(f"{path}: not a journal: {exc}") from exc
        raise JournalCorrupt(str(exc)) from exc


def _require_sound_inside(path: Path, readers: Sequence[str], *, has_wal: bool) -> None:
    # Read-only, so that closing it neither folds the log into a damaged file nor removes it.
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        state, _ = load_state(db)
        if "log" not in state:
            raise JournalCorrupt("the name of the log is missing")
        if state.get("format") != FORMAT:
            # Sound as far as can be told; whoever opens it says that it is another version's.
            return
        (newest,) = db.execute(NEWEST).fetchone()
        last = max(newest or 0, int(state.get("next", "1")) - 1)
        ahead = [key for key, value in state.items() if key.startswith("reader:") and int(value) > last]
        if ahead:
            raise JournalCorrupt(f"{ahead[0]} is past the newest entry, {last}: entries were lost")
        if state.get("clean") == "1":
            return
        if not has_wal:
            raise JournalCorrupt("it was not closed and its write-ahead log is gone")
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise JournalCorrupt(str(found))
        _require_sound_entries(db, read_by_all(state, readers))
    finally:
        db.close()


def _require_sound_entries(db: sqlite3.Connection, read_to: int) -> None:
    for table in ("telemetry", "events"):
        cursor = db.execute(f"SELECT * FROM {table} WHERE seq > ?", (read_to,))  # noqa: S608  # one of two constants
        while rows := cursor.fetchmany(_CHECKED_AT_ONCE):
            for row in rows:
                if not is_sound(row):
                    raise JournalCorrupt(f"entry {row[0]} does not match its checksum")


def newest_state(image: PageImage) -> dict[str, str]:
    """The newest sound row of each key of `state`; pages no longer in use hold older ones."""
    found: dict[str, tuple[int, str]] = {}
    for _, row in image.rows():
        if not _fits(row, _STATE_COLUMNS):
            continue
        _, key, value, revision, crc = row
        if not isinstance(key, str) or not isinstance(value, str) or not isinstance(revision, int):
            continue
        if state_crc(key, value, revision) == crc and found.get(key, (-1, ""))[0] < revision:
            found[key] = (revision, value)
    return {key: value for key, (_, value) in found.items()}


def sound_rows(image: PageImage) -> Iterator[tuple[Place, Row]]:
    """Every entry that matches its checksum, in no order, with where it lies."""
    for place, values in image.rows():
        if _fits(values, _ENTRY_COLUMNS):
            row: Row = tuple(values)  # type: ignore[assignment]  # _fits has seen the types
            if is_sound(row):
                yield place, row


def _fits(values: Sequence[Value], columns: Sequence[type]) -> bool:
    return len(values) == len(columns) and all(type(v) is kind for v, kind in zip(values, columns, strict=True))
