"""How the lines of `werkpuls score` are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from werkpuls.scoring import COLUMNS


class Writer(Protocol):
    """What takes lines, as `csv.writer` does."""

    def writerow(self, row: Sequence[object], /) -> object:
        """Takes one."""
        ...


class Excel:
    """Lines as a German Excel reads them: numbers with a decimal comma, dates as it knows them."""

    _NUMBERS = ("time", "score", "limit")

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def writerow(self, row: Sequence[object], /) -> object:
        """Writes the fields of `COLUMNS`."""
        return self._writer.writerow(
            [
                str(cell).replace(".", ",").replace("T", " ") if name in self._NUMBERS else cell
                for name, cell in zip(COLUMNS, row, strict=True)
            ]
        )
