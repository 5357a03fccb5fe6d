"""Learned models on disk: one JSON file per machine, replaced as a whole or not at all.

A snapshot is written beside the old one, flushed, renamed over it, and the folder is flushed: after a power cut there is
the old one or the new one. A snapshot that cannot be used is moved aside under a name with a time, never deleted.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from wire.durable import sync_folder

FORMAT = 1
MAX_BYTES = 50_000_000
KEPT_ASIDE = 3
"""Damaged snapshots kept per machine; older ones make room."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    machine: str
    crc: int
    """CRC-32 of the state's bytes: a card that returns wrong bytes is noticed."""
    state: msgspec.Raw


class BadSnapshot(Exception):
    """There is a snapshot, and it cannot be used; the text says why."""


class Snapshots:
    """Snapshots of one daemon.

    Args:
        folder: where they are; made when missing.
        name_time: text for the names of files moved aside, e.g. a monotonic count; unique per call.
    """

    def __init__(self, folder: Path, name_time: Callable[[], int]) -> None:
        self._folder = folder
        self._name_time = name_time
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, machine: str) -> Path:
        """Where a machine's snapshot is."""
        return self._folder / f"{machine}.json"

    def save(self, machine: str, state: Mapping[str, Any]) -> int:
        """Writes a snapshot; returns its size in bytes.

        Raises:
            OSError: the disk is full or read-only; the earlier snapshot is untouched.
            TypeError, ValueError: the state is not JSON.
        """
        encoded = msgspec.json.encode(state)
        data = msgspec.json.encode(
            _File(format=FORMAT, machine=machine, crc=zlib.crc32(encoded), state=msgspec.Raw(encoded))
        )
        target = self.file(machine)
        temporary = target.with_suffix(".new")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # On a full disk the part that was written would keep room that the journal needs.
            temporary.unlink(missing_ok=True)
            raise
        temporary.rename(target)
        sync_folder(self._folder)
        return len(data)

    def load(self, machine: str) -> dict[str, Any] | None:
        """The latest snapshot's state; None when there is none.

        Raises:
            BadSnapshot: unreadable, damaged, another machine's or another format.
        """
        file = self.file(machine)
        try:
            if file.stat().st_size > MAX_BYTES:
                raise BadSnapshot(f"{file}: {file.stat().st_size} bytes, at most {MAX_BYTES}")
            data = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise BadSnapshot(f"{file}: {exc.strerror or exc}") from exc
        try:
            found = msgspec.json.decode(data, type=_File)
            state = msgspec.json.decode(found.state)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise BadSnapshot(f"{file}: {exc}") from exc
        if found.format != FORMAT or found.machine != machine or not isinstance(state, dict):
            raise BadSnapshot(f"{file}: format {found.format} of machine {found.machine!r}")
        if zlib.crc32(bytes(found.state)) != found.crc:
            raise BadSnapshot(f"{file}: check sum differs, the file is damaged")
        return state

    def set_aside(self, machine: str, why: str) -> Path | None:
        """Moves a bad snapshot out of the way and logs its new name; None when even that fails."""
        file = self.file(machine)
        aside = file.with_suffix(f".bad-{self._name_time()}")
        log = logging.getLogger(__name__)
        try:
            file.rename(aside)
            sync_folder(self._folder)
            for old in sorted(self._folder.glob(f"{machine}.bad-*"), key=lambda one: one.stat().st_mtime)[:-KEPT_ASIDE]:
                old.unlink()
        except OSError as exc:
            log.warning("%s: the snapshot cannot be used (%s) and not be moved aside: %s", machine, why, exc)
            return None
        log.warning("%s: the snapshot cannot be used (%s); kept as %s, the model starts anew", machine, why, aside)
        return aside
