"""Reads WAV files of any length: integer samples of 8 to 32 bit scaled to ±1, or floating point as they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.recordings.base import CHUNK_ROWS, Layout, Raw, RecordingError
from edge.recordings.container import DAMAGED, Opened

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)
"""What recorders that were cut off leave as the length of the samples."""


class Wav:
    """A RIFF/WAVE file (Multimedia Programming Interface 1.0, with Microsoft's extensible format); little endian.

    Raises:
        RecordingError: cut off before its samples, or of a compressed format.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._stream = opened.stream
        head = self._stream.read(12)
        if not head.startswith(b"RIFF"):
            raise RecordingError(opened.name, f"{head[:4].decode('ascii', 'replace')} is not read, only RIFF WAV files")
        self._kind = self._channels = self._bits = 0
        rate = 0
        while True:
            header = self._stream.read(8)
            if len(header) < 8:
                raise RecordingError(opened.name, "WAV file without samples")
            tag, size = struct.unpack("<4sI", header)
            if tag == b"data":
                break
            body = self._stream.read(size + size % 2)
            if tag == b"fmt " and len(body) >= 16:
                self._kind, self._channels, rate, _, _, self._bits = struct.unpack("<HHIIHH", body[:16])
                if self._kind == _EXTENSIBLE and len(body) >= 26:
                    (self._kind,) = struct.unpack("<H", body[24:26])
        wanted = ((8, 16, 24, 32) if self._kind == _PCM else (32, 64)) if self._kind in (_PCM, _FLOAT) else ()
        if self._bits not in wanted or not self._channels or not rate:
            raise RecordingError(
                opened.name,
                f"WAV format {self._kind} with {self._bits} bit, {self._channels} channels at {rate} Hz is not read; "
                "save it as 16, 24 or 32 bit PCM or as float",
            )
        self._left = None if size in _UNKNOWN_LENGTHS else size
        names = tuple(str(at) for at in range(self._channels))
        self.layout = Layout(names, tuple(range(self._channels)), None, False, float(rate))

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """See `Source.rows`."""
        if time is not None:
            raise RecordingError(self._opened.name, "a WAV file has no time column; its rate says when")
        frame = self._channels * self._bits // 8
        row = 0
        while data := self._read(CHUNK_ROWS * frame):
            whole = len(data) - len(data) % frame
            if whole < len(data):
                self.layout.notes.append(f"the last sample is cut off (byte {len(data) - whole} of {frame})")
            values = self._scaled(data[:whole]).reshape(-1, self._channels)[:, list(columns)]
            if not len(values):
                return
            if np.isinf(values).any():
                at = int(np.flatnonzero(np.isinf(values).any(axis=1))[0])
                raise RecordingError(self._opened.name, "a sample is infinite", row=row + at)
            yield Raw(row, values, None)
            row += len(values)

    def progress(self) -> float:
        """See `Source.progress`."""
        return self._opened.progress()

    def close(self) -> None:
        """See `Source.close`."""
        self._opened.close()

    def _read(self, size: int) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
        try:
            data = self._stream.read(size)
        except DAMAGED as exc:
            raise RecordingError(self._opened.name, f"damaged packing: {exc}") from exc
        if self._left is not None:
            self._left -= len(data)
        return data

    def _scaled(self, data: bytes) -> NDArray[np.float64]:
        if self._kind == _FLOAT:
            return np.frombuffer(data, dtype="<f4" if self._bits == 32 else "<f8").astype(np.float64)
        if self._bits == 8:
            return (np.frombuffer(data, dtype=np.uint8).astype(np.float64) - 128.0) / 128.0
        if self._bits == 24:
            triples = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
            padded = np.zeros((len(triples), 4), dtype=np.uint8)
            padded[:, 1:] = triples  # as the high bytes of 32 bit: the sign comes for free
            return padded.view("<i4").reshape(-1).astype(np.float64) / 2.0**31
        return np.frombuffer(data, dtype=f"<i{self._bits // 8}").astype(np.float64) / 2.0 ** (self._bits - 1)
