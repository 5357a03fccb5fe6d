"""Opens a recording by its content: plain, gzip, or a member of a zip file (`runs.zip!healthy/run1.csv`)."""

from __future__ import annotations

import fnmatch
import gzip
import io
import os
import zipfile
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from edge.recordings.base import RecordingError

MEMBER = "!"
"""Between the name of a zip file and that of its member."""
_MAX_IN_MEMORY = 1 << 30
"""Largest packed array file that is unpacked into memory; tables are streamed and have no such bound."""

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
    HDF5 = "hdf5"
    PARQUET = "parquet"


_SIGNATURES = (
    (b"\x93NUMPY", Kind.NPY),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"\x1f\x8b", Kind.GZIP),
    (b"MATLAB 7.3", Kind.HDF5),
    (b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (b"MATLAB 5.0", Kind.MAT),
    (b"PAR1", Kind.PARQUET),
)


def kind_of(head: bytes) -> Kind | None:
    """The format that a file's first bytes (128 are enough) announce; None where it is binary and none of these.

    Sources: NumPy format specification, RIFF/WAVE, MATLAB MAT-file format (level 5 says so in its text header),
    HDF5 and Parquet signatures.
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
    except (zipfile.BadZipFile, OSError) as exc:
        raise RecordingError(name, f"damaged zip file: {exc}") from exc
    members = _recordings_in(archive)
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
    head = stream.read(128)
    stream.seek(0)
    if not head:
        raise RecordingError(name, "is empty")
    kind = kind_of(head)
    if kind is None:
        raise RecordingError(name, "is neither text nor NPY, NPZ, WAV, MAT or Parquet")
    return kind


def _recordings_in(archive: zipfile.ZipFile) -> list[str]:
    """Members that are files and not what macOS adds to every zip."""
    return sorted(
        entry.filename
        for entry in archive.infolist()
        if not entry.is_dir()
        and not entry.filename.startswith("__MACOSX/")
        and not Path(entry.filename).name.startswith(".")
    )


def expand(name: str) -> list[str]:
    """The recordings that a name stands for: itself, or every member that `file.zip!pattern` with `*` or `?` matches.

    Raises:
        RecordingError: the pattern matches nothing.
    """
    file, _, pattern = name.partition(MEMBER)
    if not any(sign in pattern for sign in "*?[") or Path(name).exists() or not zipfile.is_zipfile(file):
        return [name]
    with zipfile.ZipFile(file) as archive:
        found = fnmatch.filter(_recordings_in(archive), pattern)
    if not found:
        raise RecordingError(name, "no member of the zip file has such a name")
    return [f"{file}{MEMBER}{member}" for member in found]
