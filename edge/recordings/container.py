"""Opens a recording by its content: plain, gzip, or a member of a zip file (`runs.zip!healthy/run1.csv`)."""

from __future__ import annotations

import fnmatch
import gzip
import io
import os
import re
import sys
import zipfile
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from edge.recordings.base import RecordingError
from edge.recordings.foreign import WORKBOOK, office_instead, what_instead

MEMBER = "!"
"""Between the name of a zip file and that of its member."""
_MAX_IN_MEMORY = 1 << 30
"""Largest packed array file that is unpacked into memory; tables are streamed and have no such bound."""

_HEAD_BYTES = 512
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
"""What reading packed bytes raises when they are not whole."""


class Kind(StrEnum):
    """File formats, told apart by their first bytes."""

    TEXT = "text"
    NPY = "npy"
    NPZ = "npz"
    ZIP = "zip"
    GZIP = "gzip"
    WAV = "wav"
    MAT = "mat"
    PARQUET = "parquet"
    WORKBOOK = "xlsx"


_WILD = "*?["
_BESIDE = frozenset(
    {
        ".md",
        ".json",
        ".toml",
        ".yaml",
        ".yml",
        ".png",
        ".jpg",
        ".jpeg",
        ".svg",
        ".pdf",
        ".html",
        ".xml",
        ".py",
        ".ipynb",
        ".ini",
        ".log",
        ".doc",
        ".docx",
        ".xls",
        ".zip",
        ".rar",
        ".7z",
    }
)
"""Endings of what people keep beside recordings."""

_SIGNATURES = (
    (b"\x93NUMPY", Kind.NPY),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"\x1f\x8b", Kind.GZIP),
    (b"MATLAB 5.0", Kind.MAT),
    (b"PAR1", Kind.PARQUET),
)


def kind_of(head: bytes) -> Kind | None:
    """The format that a file's first bytes (128 are enough) announce; None where it is binary and none of these.

    Sources: NumPy format specification, RIFF/WAVE, MATLAB MAT-file format (level 5 says so in its text header),
    Parquet signature.
    """
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return Kind.WAV
    for start, kind in _SIGNATURES:
        if head.startswith(start):
            return kind
    if b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    return Kind.TEXT


@dataclass(slots=True)
class Opened:
    """An open recording: its bytes, what they are, and how far the file on disk was read."""

    name: str
    kind: Kind
    stream: IO[bytes]
    path: Path | None
    """The file itself where it is neither packed nor a member, so that arrays can be mapped."""
    _disk: IO[bytes]
    _size: int
    notes: list[str] = field(default_factory=list)
    """What was decided in opening it, in English."""

    def progress(self) -> float:
        """Share of the file on disk that was read, 0 to 1."""
        try:
            return min(self._disk.tell() / self._size, 1.0) if self._size else 1.0
        except ValueError:  # closed: all of it was read
            return 1.0

    def seekable(self) -> IO[bytes]:
        """The bytes where one can jump in them: the file itself, or its unpacked content in memory.

        Raises:
            RecordingError: unpacked it is larger than a gigabyte, or the packing is damaged.
        """
        if self.path is not None:
            return self.stream
        try:
            content = self.stream.read(_MAX_IN_MEMORY + 1)
        except DAMAGED as exc:
            raise RecordingError(self.name, f"damaged packing: {exc}") from exc
        if len(content) > _MAX_IN_MEMORY:
            raise RecordingError(self.name, "larger than a gigabyte unpacked; unpack it first")
        return io.BytesIO(content)

    def close(self) -> None:
        """Closes the stream and the file under it."""
        self.stream.close()
        self._disk.close()


def open_container(name: str) -> Opened:
    """Opens a file, or a member of a zip file named `file.zip!member`.

    Raises:
        RecordingError: it cannot be read, is empty, is a folder, is of no known format, or is a zip of several
            recordings without one being named.
    """
    file, _, member = name.partition(MEMBER)
    path = Path(name)
    if not path.exists() and member:
        path = Path(file)
    else:
        member = ""
    if path.is_dir():
        raise RecordingError(name, "is a folder; name the files in it")
    try:
        disk = path.open("rb")
        size = os.fstat(disk.fileno()).st_size
    except OSError as exc:
        raise RecordingError(name, f"cannot be read: {exc.strerror or exc}") from exc
    try:
        return _open(name, path, member, disk, size)
    except BaseException:
        disk.close()
        raise


def _open(name: str, path: Path, member: str, disk: IO[bytes], size: int) -> Opened:
    if size == 0:
        raise RecordingError(name, "is empty")
    kind = _peek(name, disk)
    if kind is Kind.ZIP:
        return _open_zip(name, path, member, disk, size)
    if member:
        raise RecordingError(name, f"{path.name} is no zip file, so it has no member {member!r}")
    if kind is Kind.GZIP:
        unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=disk, mode="rb"))
        return Opened(name, _inner(name, unpacked), unpacked, None, disk, size)
    return Opened(name, kind, disk, path, disk, size)


def _open_zip(name: str, path: Path, member: str, disk: IO[bytes], size: int) -> Opened:
    try:
        archive = zipfile.ZipFile(disk)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as exc:
        raise RecordingError(name, f"damaged zip file: {exc}") from exc
    members = _recordings_in(archive)
    if WORKBOOK in members:
        from edge.recordings.workbook import sheet_as_text  # noqa: PLC0415  # loaded when a file is one

        notes: list[str] = []
        table = io.BytesIO(sheet_as_text(name, disk, member, notes))
        return Opened(name, Kind.WORKBOOK, table, None, disk, size, notes)
    instead = office_instead(members)
    if instead:
        raise RecordingError(name, instead)
    if not member and members and all(entry.endswith(".npy") for entry in members):
        disk.seek(0)
        return Opened(name, Kind.NPZ, disk, path, disk, size)
    if not member:
        if len(members) != 1:
            raise RecordingError(
                name,
                f"holds {len(members)} recordings: name one, as {path}{MEMBER}{members[0]}"
                if members
                else "is an empty zip file",
            )
        member = members[0]
    if member not in members:
        near = [entry for entry in members if entry.endswith(member)] or members
        raise RecordingError(name, f"has no member {member!r}; it has for instance {near[0]!r}" if near else "is empty")
    try:
        stream = archive.open(member)
        kind = _inner(name, stream)
    except (*DAMAGED, RuntimeError, NotImplementedError) as exc:
        raise RecordingError(name, f"damaged or locked zip member: {exc}") from exc
    return Opened(name, kind, stream, None, disk, size)


def _inner(name: str, stream: IO[bytes]) -> Kind:
    try:
        kind = _peek(name, stream)
    except DAMAGED as exc:
        raise RecordingError(name, f"damaged packing: {exc}") from exc
    if kind in (Kind.ZIP, Kind.GZIP):
        raise RecordingError(name, "is packed twice; unpack it first")
    return kind


def _peek(name: str, stream: IO[bytes]) -> Kind:
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    if not head:
        raise RecordingError(name, "is empty")
    instead = what_instead(head)
    if instead:
        raise RecordingError(name, instead)
    kind = kind_of(head)
    if kind is None:
        raise RecordingError(name, "is neither text nor NPY, NPZ, WAV, MAT, Parquet or Excel")
    return kind


def _recordings_in(archive: zipfile.ZipFile) -> list[str]:
    """Members that are files and not what macOS adds to every zip."""
    return sorted(
        entry.filename
        for entry in archive.infolist()
        if entry.filename
        and not entry.is_dir()
        and not entry.filename.startswith("__MACOSX/")
        and not Path(entry.filename).name.startswith(".")
    )


def expand(name: str) -> list[str]:
    """The recordings that a name stands for, in the order in which people number them (2 before 10).

    It is itself, or the files of a folder, or those that a pattern with `*` or `?` matches, on the disk or in a zip file
    (`file.zip!pattern`).

    Raises:
        RecordingError: the folder has no recording, or the pattern matches nothing.
    """
    path = Path(name)
    if path.is_dir():
        files = [str(file) for file in path.iterdir() if file.is_file() and _is_recording(file.name)]
        if not files:
            raise RecordingError(name, "is a folder without recordings")
        return sorted(files, key=_as_numbered)
    file, _, pattern = name.partition(MEMBER)
    if path.exists() or not any(sign in name for sign in _WILD):
        return [name]
    if pattern and any(sign in pattern for sign in _WILD) and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            members = fnmatch.filter(_recordings_in(archive), pattern)
        if not members:
            raise RecordingError(name, "no member of the zip file has such a name")
        return sorted((f"{file}{MEMBER}{member}" for member in members), key=_as_numbered)
    try:
        files = [str(found) for found in Path(path.anchor).glob(name[len(path.anchor) :]) if found.is_file()]
    except ValueError:  # `a**b` is no pattern
        files = []
    return sorted(files, key=_as_numbered) or [name]


def _as_numbered(name: str) -> list[tuple[int, str]]:
    """Sorts the numbers in a name by their size.

    >>> sorted(["10.csv", "2.csv", "b.csv"], key=_as_numbered)
    ['2.csv', '10.csv', 'b.csv']
    """
    return [(int(part), "") if part.isdecimal() else (sys.maxsize, part) for part in re.split(r"(\d+)", name) if part]


def _is_recording(name: str) -> bool:
    """Whether a file of a folder is meant, and not what lies beside recordings."""
    return (
        not name.startswith((".", "~$"))
        and Path(name).suffix.lower() not in _BESIDE
        and not name.upper().startswith("LICENSE")
    )
