"""Opening a journal's file: making it, checking it, and carrying over what a damaged one still holds.

A damaged file is never repaired in place and never deleted: it is set aside as `<name>.corrupt-<n>` with its `-wal`, and
what was unread and passes its checksum moves in order into a new journal. That has a new log name, because nobody can
tell which of the old numbers were given out; readers begin at the place in it that matches what they had read.
What they all had read is not carried over: it would be sent a second time under the new name.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from wire.durable import sync_folder
from wire.entry import JournalCorrupt, JournalError, Record, Row, body_crc, numbered_crc
from wire.journal_file import (
    FORMAT,
    INSERT,
    SCHEMA,
    Bound,
    JournalFile,
    connect,
    state_crc,
    translated,
)
from wire.soundness import beside, newest_state, read_by_all, require_sound, sound_rows
from wire.sqlite_pages import PageImage, Place

_ROOM_TO_OPEN = 1024 * 1024


def open_sound(path: Path, bound: Bound, readers: Sequence[str]) -> JournalFile:
    """Opens the file, made anew where there is none and salvaged where it is damaged.

    Raises:
        JournalError: it cannot be opened or is not a journal; nothing was touched.
    """
    try:
        if shutil.disk_usage(path.parent).free < _ROOM_TO_OPEN:
            # Opening needs some room itself; the ballast is made again later.
            beside(path, ".ballast").unlink(missing_ok=True)
        _finish(path)
        wal = beside(path, "-wal")
        if not path.exists() and not (wal.exists() and wal.stat().st_size):
            _write(path, {"log": _new_name(), "format": FORMAT, "clean": "1"}, ())
        else:
            try:
                require_sound(path, readers)
            except JournalCorrupt as damage:
                _salvage(path, str(damage), readers)
        file = JournalFile(path, bound)
    except OSError as exc:
        raise JournalError(f"{path}: {exc}") from exc
    if file.state.get("format") != FORMAT:
        file.close()
        raise JournalError(f"{path}: its format is {file.state.get('format')}, this version reads {FORMAT}")
    if file.state.get("clean") != "1":
        with suppress(JournalError):
            file.fold()
    return file


def _salvage(path: Path, damage: str, readers: Sequence[str]) -> None:
    """Carries over what can be read, then exchanges the files.

    The order makes every step safe to be cut off: the new journal is complete under another name before the old one
    moves, and `_finish` goes on from there.
    """
    log = logging.getLogger(__name__)
    # A full disk must not keep the salvage from running; the ballast is made again later.
    beside(path, ".ballast").unlink(missing_ok=True)
    aside = next(aside for n in count(1) if not (aside := beside(path, f".corrupt-{n}")).exists())
    with PageImage(path, beside(path, "-wal")) as image:
        old = newest_state(image)
        read_to = read_by_all(old, readers)
        places = {row[0]: place for place, row in sound_rows(image) if row[0] > read_to}
        unread = sorted(places)
        state = {key: value for key, value in old.items() if key.startswith(("mark:", "quarantined:"))}
        for key, value in old.items():
            if key.startswith("reader:"):
                state[key] = str(bisect_right(unread, int(value)))
        known = [key for key in state if key.startswith("quarantined:")]
        state[f"quarantined:{len(known):06d}"] = str(aside)
        state.update(log=_new_name(), format=FORMAT, clean="1")
        _write(beside(path, ".salvaged"), state, _renumbered(image, [places[seq] for seq in unread]))
    last = max(read_to, int(old.get("next", "1")) - 1, *unread[-1:])
    log.error(
        "%s: damaged (%s) and set aside as %s; %d unread entries carried over from log %s to %s, %d numbers above %d"
        " not found (lost or evicted)%s",
        path,
        damage,
        aside,
        len(unread),
        old.get("log", "unknown"),
        state["log"],
        last - read_to - len(unread),
        read_to,
        "" if "log" in old else "; positions and marks could not be read, all readers begin anew",
    )
    if path.exists():
        path.rename(aside)
    _finish(path, aside)


def _finish(path: Path, aside: Path | None = None) -> None:
    """The second half of a salvage, also after it was cut off; without effect when there is none under way."""
    salvaged = beside(path, ".salvaged")
    if not salvaged.exists():
        return
    if path.exists():
        # Cut off before the old file moved: salvaging it again gives the same.
        salvaged.unlink()
        return
    if aside is None:
        aside = max(path.parent.glob(f"{path.name}.corrupt-*[0-9]"), key=lambda p: int(p.name.rpartition("-")[2]))
    wal = beside(path, "-wal")
    if wal.exists():
        wal.rename(beside(aside, "-wal"))
    beside(path, "-shm").unlink(missing_ok=True)
    beside(path, ".suspect").unlink(missing_ok=True)
    salvaged.rename(path)
    sync_folder(path.parent)


def _renumbered(image: PageImage, places: Iterable[Place]) -> Iterator[Row]:
    for seq, place in enumerate(places, 1):
        values = image.row(place)
        if values is None:
            raise JournalError(f"page {place.page} read once and not again")
        _, event, at_ns, _, stream, boot, payload = values
        record = Record(stream, payload, at_ns, boot, bool(event))  # type: ignore[arg-type]  # checked when it was found
        yield (
            seq,
            record.event,
            record.at_ns,
            numbered_crc(body_crc(record), seq),
            *record[0:1],
            record.boot,
            record.payload,
        )


def _write(path: Path, state: Mapping[str, str], rows: Iterable[Row]) -> None:
    """A whole new journal, complete and synced before it has its name."""
    draft = beside(path, ".new")
    for suffix in ("", "-wal", "-shm"):
        beside(draft, suffix).unlink(missing_ok=True)
    with translated():
        db = connect(draft)
        try:
            db.executescript(SCHEMA)
            db.execute("BEGIN")
            db.executemany(
                "INSERT INTO state (key, value, revision, crc) VALUES (?,?,0,?)",
                [(key, value, state_crc(key, value, 0)) for key, value in state.items()],
            )
            for row in rows:
                db.execute(INSERT[row[1]], row)
            db.execute("COMMIT")
        finally:
            db.close()
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def _new_name() -> str:
    return secrets.token_hex(8)
