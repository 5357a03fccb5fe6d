"""Where a text table begins below what a logger writes in front of it: its name, settings, a block of properties."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

_STEADY = 5
"""So many rows of the table in a row are its beginning."""
_MOST_WORDS = 0.5
_NAME_KEYS = ("name", "signal", "channel", "kanal", "symbol", "variable", "tag")
_LEAST_PROPERTIES = 3
_SPREADSHEET_HINT = re.compile(r'^"?sep=(.)"?$', re.IGNORECASE)
_RULE = re.compile(r"---|===")
_DRAWN = re.compile(r"^[\s|;,+:=-]*$")
Row = Sequence[str]


class Top(NamedTuple):
    """What stands above the first row of values."""

    preamble: int
    """Lines above the names."""
    names: tuple[str, ...] | None
    """Of the columns; None where no line has them."""
    below: int
    """Lines between the names and the values."""


def separator_told(line: str) -> str | None:
    """The separator that a first line tells a spreadsheet; None where it tells none.

    >>> separator_told("sep=;"), separator_told("a;b")
    (';', None)
    """
    found = _SPREADSHEET_HINT.match(line.strip())
    return found[1] if found else None


def is_rule(fields: Sequence[str]) -> bool:
    """Whether a line, whole or in its fields, is only drawn, as below the names of a table in a text.

    >>> is_rule(["|---|:---|"]), is_rule(["", "---", "---"]), is_rule(["-", "-"]), is_rule(["---", "5"])
    (True, True, False, False)
    """
    return any(_RULE.search(field) for field in fields) and all(map(_DRAWN.match, fields))


def first_of_values(rows: Sequence[Row], start: int, width: int, is_word: Callable[[str], bool]) -> int:
    """The first row from which on rows look like those further down, or `start` where that one does already.

    Args:
        rows: fields of the first lines.
        start: the row that should be the first by the look of the lines above it.
        width: fields that most rows have.
        is_word: whether a cell is neither a number nor a time nor empty.
    """
    lower = [row for row in rows[len(rows) // 2 :] if len(row) == width]
    numeric = [
        at for at in range(width) if lower and sum(is_word(row[at]) for row in lower) <= _MOST_WORDS * len(lower)
    ]
    if not numeric:
        return start

    def foreign(row: Row) -> bool:
        filled = [is_word(row[at]) for at in numeric if at < len(row) and row[at].strip()]
        return filled[0] or sum(filled) >= _MOST_WORDS * len(filled) if filled else any(map(is_word, row))

    if start >= len(rows) or not foreign(rows[start]):
        return start
    odd = [foreign(row) for row in rows]
    return next((at for at in range(start, len(rows)) if not any(odd[at : at + _STEADY])), start)


def top_of_table(above: Sequence[Row], width: int, is_word: Callable[[str], bool]) -> Top:
    """The names among the lines above the first row of values.

    In a block of properties (`Name`, `Unit`, `Offset` …, one a line, for every column) they are the line of the names. Otherwise
    they are the last line of words.
    """
    start = len(above)
    while start and len(above[start - 1]) == width:
        start -= 1
    block = above[start:]
    keys = [row[0].strip().lower() for row in block]
    keyed = len(block) >= _LEAST_PROPERTIES and len(set(keys)) == len(keys) and all(map(is_word, keys))
    if keyed:
        at = next((at for at, key in enumerate(keys) if key.startswith(_NAME_KEYS)), None)
        if at is not None:
            named = tuple("time" if cell.strip().lower() == keys[at] else cell.strip() for cell in block[at])
            return Top(start + at, named, len(block) - at - 1)
    last = above[-1]
    if abs(len(last) - width) <= 1 and sum(map(is_word, last)) > _MOST_WORDS * len(last):
        return Top(len(above) - 1, tuple(cell.strip() for cell in last[:width]) + ("",) * (width - len(last)), 0)
    return Top(len(above), None, 0)
