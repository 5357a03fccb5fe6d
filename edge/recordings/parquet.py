"""Reads Parquet files in batches; needs pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edge.recordings.base import CHUNK_ROWS, Layout, Raw, RecordingError
from edge.recordings.container import Opened
from edge.recordings.roles import Sample, roles

_LOOK_ROWS = 2000


class Parquet:
    """A Parquet table: numeric and boolean columns, and timestamps for the time.

    Raises:
        RecordingError: pyarrow is missing, or the file is damaged or empty.
    """

    def __init__(self, opened: Opened) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415  # large; only Parquet files need it
            import pyarrow.parquet as pq  # noqa: PLC0415  # as above
        except ImportError as exc:
            raise RecordingError(
                opened.name,
                "Parquet files need pyarrow: .venv/bin/pip install -e '.[recordings]' in Werkpuls' folder brings it",
            ) from exc
        self._pa: Any = pa
        self._opened = opened
        self._done = 0.0
        try:
            self._file: Any = pq.ParquetFile(opened.path or io.BytesIO(opened.seekable().read()))
        except (pa.ArrowException, OSError) as exc:
            raise RecordingError(opened.name, f"damaged Parquet file: {exc}") from exc
        self._total = self._file.metadata.num_rows
        if not self._total:
            raise RecordingError(opened.name, "has no rows")
        self.layout = self._lay_out()

    def rows(self, columns: Sequence[int], time: int | None) -> Iterator[Raw]:
        """See `Source.rows`."""
        names = self.layout.names
        wanted = list(dict.fromkeys([names[at] for at in columns] + ([] if time is None else [names[time]])))
        row = 0
        try:
            for batch in self._file.iter_batches(batch_size=CHUNK_ROWS, columns=wanted):
                values = np.empty((batch.num_rows, len(columns)))
                for position, column in enumerate(columns):
                    values[:, position] = self._numbers(batch.column(names[column]), names[column], row)
                times = None if time is None else self._times(batch.column(names[time]), row)
                infinite = np.flatnonzero(np.isinf(values).any(axis=1))
                if len(infinite):
                    raise RecordingError(self._opened.name, "a value is infinite", row=row + int(infinite[0]))
                yield Raw(row, values, times)
                row += batch.num_rows
                self._done = row / self._total
        except (self._pa.ArrowException, OSError) as exc:
            raise RecordingError(self._opened.name, f"damaged Parquet file: {exc}", row=row) from exc

    def progress(self) -> float:
        """See `Source.progress`."""
        return self._done

    def close(self) -> None:
        """See `Source.close`."""
        self._file.close()
        self._opened.close()

    def _lay_out(self) -> Layout:
        types = self._pa.types
        head = next(self._file.iter_batches(batch_size=_LOOK_ROWS))
        notes, samples = [], []
        for at, field in enumerate(self._file.schema_arrow):
            if types.is_timestamp(field.type) or types.is_date(field.type):
                moves = len(head) < 3 or len(head.column(at).unique()) > 1
                samples.append(
                    Sample(field.name, None, dated=True, moves=moves, precise=types.is_timestamp(field.type))
                )
            elif _is_number(types, field.type):
                samples.append(Sample(field.name, self._numbers(head.column(at), field.name, 0)))
            else:
                samples.append(Sample(field.name, None))
                notes.append(f"column {field.name!r} holds no numbers ({field.type}) and is ignored")
        found = roles(samples, named=True, joined=False)
        notes += [f"column {samples[at].name!r} {why} and is ignored" for at, why in found.left_out.items()]
        return Layout(tuple(sample.name for sample in samples), tuple(found.numeric), found.time, True, None, notes)

    def _numbers(self, column: Any, name: str, row: int) -> Any:
        types = self._pa.types
        if not _is_number(types, column.type):
            raise RecordingError(self._opened.name, f"column {name!r} holds no numbers but {column.type}", row=row)
        return column.cast(self._pa.float64()).to_numpy(zero_copy_only=False)

    def _times(self, column: Any, row: int) -> Any:
        if column.null_count:
            at = row + next(at for at, value in enumerate(column) if not value.is_valid)
            raise RecordingError(self._opened.name, "the time is missing", row=at)
        if self._pa.types.is_timestamp(column.type) or self._pa.types.is_date(column.type):
            return column.cast(self._pa.timestamp("ns")).cast(self._pa.int64()).to_numpy(zero_copy_only=False)
        return [str(value) for value in column.to_pylist()]


def _is_number(types: Any, kind: Any) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))
