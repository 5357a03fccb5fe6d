"""What a text table looks like: encoding, separator, decimal sign, header, and what each column holds."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from edge.recordings.base import RecordingError
from edge.recordings.naming import is_unit
from edge.recordings.preamble import first_of_values, is_rule, separator_told, top_of_table
from edge.recordings.time_names import name_says_time
from edge.recordings.times import looks_dated

MISSING = frozenset(
    {
        "", "nan", "na", "n/a", "null", "none", "-", "--", "---", "?", "nil", "unavailable", "unknown", "#n/a", "#nv",
        "#div/0!", "#value!", "#wert!", "#ref!", "#bezug!", "#num!", "#zahl!", "#name?",
    }
)  # fmt: skip
"""Cells (in lower case) that say: no value here."""
SWITCHES = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0, "ein": 1.0, "aus": 0.0, "an": 1.0, "yes": 1.0, "no": 0.0}
_SEPARATORS = (";", "\t", "|", ",", " ")
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_COMMA_NUMBER = re.compile(r"^[+-]?\d+,\d+([eE][+-]?\d+)?$")
_THOUSANDS = re.compile(r"^[+-]?\d{1,3}(\.\d{3})+,\d+$|^[+-]?\d{1,3}(,\d{3})+\.\d+$")
_GERMAN = re.compile(r"^[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+$")
_GROUPED = re.compile(r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$")
_HEAD = 400
_MOST_BELOW = 2
_LOOKED_AT = 20
_TYPES = frozenset(
    {
        "bool", "date", "datetime", "double", "float", "float32", "float64", "int", "int64", "integer", "number",
        "numeric", "real", "str", "string", "text", "time",
    }
)  # fmt: skip


class Cell(StrEnum):
    """What one cell, or most of a column, holds."""

    EMPTY = "empty"
    NUMBER = "number"
    TIME = "time"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the rows of one file are split and read."""

    separator: str
    decimal_comma: bool
    width: int
    """Fields in a row."""
    header: bool
    comments: int
    """Lines before the table that begin with #."""
    names: tuple[str, ...]
    """Column names; numbers as text where there is no header."""
    preamble: int = 0
    """Lines before the table that have fewer fields, such as a logger's name and serial number."""
    below: int = 0
    """Lines of words below the header, such as units or a second line of names."""

    @property
    def skipped(self) -> int:
        """Lines before the first row of values."""
        return self.comments + self.preamble + self.header + self.below


def encoding_of(head: bytes) -> str:
    """UTF-8 (with or without mark), UTF-16 by its mark, or else the Windows code page of western Europe."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        head[: head.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def cell_kind(text: str, *, decimal_comma: bool = False) -> Cell:
    """What a cell holds.

    >>> [cell_kind(text).value for text in ("", " 0.5 ", "1e-3", "2020-03-09 14:34:41", "aus", "eui-a8")]
    ['empty', 'number', 'number', 'time', 'number', 'text']
    """
    text = text.strip()
    lowered = text.lower()
    if lowered in MISSING:
        return Cell.EMPTY
    if _NUMBER.match(text) or (decimal_comma and (_COMMA_NUMBER.match(text) or _GERMAN.match(text))):
        return Cell.NUMBER
    if lowered in SWITCHES or lowered.lstrip("+-") in ("inf", "infinity"):
        return Cell.NUMBER
    return Cell.TIME if looks_dated(text) else Cell.TEXT


def has_thousands(text: str) -> bool:
    """Whether a number is written with a sign between its thousands: `1.200,5`."""
    return bool(_THOUSANDS.match(text.strip()))


def is_german(text: str) -> bool:
    """Whether a number has points between its thousands and a decimal comma, so that it can mean one thing only.

    >>> [is_german(text) for text in ("1.408,9", "-1.234.567,0", "1.408", "1408,9", "12.34,5", "1,408.9")]
    [True, True, False, False, False, False]
    """
    return bool(_GERMAN.match(text.strip()))


def ungrouped(text: str, *, grouped: bool) -> str:
    """A number of a table with decimal commas with a decimal point and nothing between its thousands.

    Args:
        text: the cell, without blanks around it.
        grouped: whether its column has points between thousands, so that one before just three digits is none of a decimal.

    >>> ungrouped("1.408,9", grouped=False), ungrouped("1.408", grouped=True), ungrouped("1.408", grouped=False)
    ('1408.9', '1408', '1.408')
    """
    if _GERMAN.match(text) or (grouped and _GROUPED.match(text)):
        text = text.replace(".", "")
    return text.replace(",", ".")


def find_dialect(name: str, text: str, separator: str | None) -> Dialect:
    """Looks at the first lines of a file.

    Args:
        name: the file, for messages.
        text: its beginning, whole lines.
        separator: the caller's word on the separator; None to find it.

    Raises:
        RecordingError: there is no row, or the separator given does not occur while another fits.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    comments = 0
    told = separator_told(lines[0]) if lines else None
    while comments < len(lines) and (lines[comments].lstrip().startswith("#") or (told and not comments)):
        comments += 1
    table = [line for line in lines[comments : comments + _HEAD] if not is_rule([line])]
    if not table:
        raise RecordingError(name, "has no rows")
    found = told or _best_separator(table)
    if separator and found != separator and not any(separator in line for line in table):
        hint = f"; it looks separated by {_spoken(found)}" if len(split(table[-1], found)) > 1 else ""
        if hint:
            raise RecordingError(name, f"separator {_spoken(separator)} does not occur{hint}", row=0)
    separator = separator or found
    rows = [split(line, separator) for line in table]
    decimal_comma = _has_decimal_comma(rows, separator)
    width = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]
    preamble, above = _preamble(rows, width), rows
    rows = rows[preamble:]
    header = _is_header(rows[0], rows[1:], decimal_comma=decimal_comma)
    below = _lines_below(rows, decimal_comma=decimal_comma) if header else 0
    names = _names(rows[0], width) if header else tuple(str(index) for index in range(width))
    for line in rows[1 : 1 + below]:
        names = _joined(names, line)

    def is_word(cell: str) -> bool:
        return cell_kind(cell, decimal_comma=decimal_comma) is Cell.TEXT

    start = preamble + header + below
    first = first_of_values(above, start, width, is_word)
    if first > start and not (header and len(above[preamble]) == width):
        top = top_of_table(above[:first], width, is_word)
        preamble, header, below = top.preamble, top.names is not None, top.below
        names = top.names or tuple(str(index) for index in range(width))
    if not header and comments:
        commented = split(lines[comments - 1].lstrip()[1:], separator)
        if len(commented) == width and not any(cell_kind(cell) is Cell.NUMBER for cell in commented):
            names = _names(commented, width)
    return Dialect(separator, decimal_comma, width, header, comments, names, preamble, below)


def _preamble(rows: Sequence[Sequence[str]], width: int) -> int:
    """Rows before the table: shorter than it by more than a nameless index column; 0 where the table does not follow."""
    shortest = max(width - 1, 2)
    first = next((at for at, row in enumerate(rows) if len(row) >= shortest), 0)
    return first if first < len(rows) - 1 else 0


def _lines_below(rows: Sequence[Sequence[str]], *, decimal_comma: bool) -> int:
    """How many lines of words follow the header: no number in them, and words where numbers or dates are further down."""
    table = rows[1 + _MOST_BELOW : 1 + _MOST_BELOW + _LOOKED_AT]
    for below in range(_MOST_BELOW, 0, -1):
        table = table or rows[1 + below :]
        filled = {
            at
            for row in table
            for at, cell in enumerate(row)
            if cell_kind(cell, decimal_comma=decimal_comma) in (Cell.NUMBER, Cell.TIME)
        }
        lines = rows[1 : 1 + below]
        kinds = [[cell_kind(cell, decimal_comma=decimal_comma) for cell in line] for line in lines]
        if len(lines) == below and all(
            not {Cell.NUMBER, Cell.TIME} & set(line)
            and any(k is Cell.TEXT and at in filled for at, k in enumerate(line))
            for line in kinds
        ):
            return below
    return 0


def _joined(names: Sequence[str], below: Sequence[str]) -> tuple[str, ...]:
    """Names with the line below them: units go behind them, types are nothing new, and other words are names as well."""
    words = [cell.strip().strip('"') for cell in below][: len(names)]
    words += [""] * (len(names) - len(words))
    told = [word for word in words if word not in ("", "-")]
    if all(word.lower() in _TYPES for word in told):
        return tuple(names)
    if all(is_unit(word) for word in told):
        return tuple(
            f"{name} [{word.strip('[]()')}]" if word.strip("[]()-") and not name.endswith(("]", ")")) else name
            for name, word in zip(names, words, strict=True)
        )
    if any(not name for name in names):  # a title, or groups of columns
        return tuple(word or name for name, word in zip(names, words, strict=True))
    return tuple(
        f"{name} {word}".strip() if len(set(names)) < len(names) else name
        for name, word in zip(names, words, strict=True)
    )


def split(line: str, separator: str) -> list[str]:
    """The fields of one line; a blank at its end is no field."""
    fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    if separator == " " and fields and not fields[-1]:
        fields.pop()
    return fields


def column_kinds(rows: Sequence[Sequence[str]], width: int, *, decimal_comma: bool) -> list[Cell]:
    """What each column mostly holds: text only where no cell of it is a number or a date."""
    kinds = []
    for index in range(width):
        seen = Counter(cell_kind(row[index], decimal_comma=decimal_comma) for row in rows if index < len(row))
        filled = [kind for kind in (Cell.NUMBER, Cell.TIME, Cell.TEXT) if seen[kind]]
        kinds.append(max(filled, key=lambda kind: seen[kind]) if filled else Cell.EMPTY)
        if kinds[-1] is Cell.TEXT and seen[Cell.NUMBER]:
            kinds[-1] = Cell.NUMBER
    return kinds


def _best_separator(table: Sequence[str]) -> str:
    """The separator under which most cells are numbers, dates or empty, and rows are equally long."""
    best, best_rank = ",", (-1.0, 0)
    for separator in _SEPARATORS:
        rows = [split(line, separator) for line in (table[1:] or table)[-60:]]
        width, count = Counter(len(row) for row in rows).most_common(1)[0]
        if width < 2:
            continue
        cells = [cell for row in rows for cell in row]
        readable = (
            (separator != "," and has_thousands(cell)) or cell_kind(cell, decimal_comma=True) is not Cell.TEXT
            for cell in cells
        )
        good = sum(readable) / len(cells)
        rank = (round(good * count / len(rows), 2), width if separator != " " else 0)
        if rank[0] > best_rank[0] or (rank[0] == best_rank[0] and best == "," and rank[1] > best_rank[1]):
            best, best_rank = separator, rank
    return best


def _has_decimal_comma(rows: Sequence[Sequence[str]], separator: str) -> bool:
    """Whether numbers have a comma. Between commas they are then quoted, and not just three digits follow each.

    Columns are counted and not cells, so that what is missing in one decides nothing.
    """
    columns = [[cell.strip() for cell in column] for column in zip_longest(*(rows[1:] or rows), fillvalue="")]
    commas = [cell for column in columns for cell in column if _has_comma(cell)]
    if separator == "," and all(re.fullmatch(r"[+-]?\d{1,3},\d{3}", cell) for cell in commas):
        return False
    signs = [_decimal_sign(column) for column in columns]
    return "," in signs and signs.count(",") >= signs.count(".")


def _has_comma(cell: str) -> bool:
    return bool(_COMMA_NUMBER.match(cell) or _GERMAN.match(cell))


def _decimal_sign(cells: Sequence[str]) -> str:
    """The decimal sign of most of a column's numbers; empty where there is no telling: without one, or with what may be thousands.

    >>> _decimal_sign(["4,5", "", "5"]), _decimal_sign(["4.5", "1.225"]), _decimal_sign(["1.225", "980"]), _decimal_sign(["a", "b", "1,5"])
    (',', '.', '', '')
    """
    commas = sum(map(_has_comma, cells))
    points = [cell for cell in cells if "." in cell and _NUMBER.match(cell)]
    if commas and commas >= len(points):
        return "," if commas >= sum(cell_kind(cell, decimal_comma=True) is Cell.TEXT for cell in cells) else ""
    return "." if any(not _GROUPED.match(cell) for cell in points) else ""


def _is_header(first: Sequence[str], rest: Sequence[Sequence[str]], *, decimal_comma: bool) -> bool:
    """A first row without a number or a date in it; or the one pandas writes for unnamed columns: ,0,1,2."""
    kinds = [cell_kind(cell, decimal_comma=decimal_comma) for cell in first]
    if first and not first[0].strip() and len(first) > 2 and list(first[1:]) == [str(i) for i in range(len(first) - 1)]:
        return bool(rest) and rest[0][0].strip() == "0"
    numbers = [cell.strip() for cell, kind in zip(first, kinds, strict=True) if kind is Cell.NUMBER]
    if Cell.TEXT in kinds and Cell.TIME not in kinds and numbers in (_counted(0, numbers), _counted(1, numbers)):
        return (
            any(
                cell_kind(row[kinds.index(Cell.TEXT)], decimal_comma=decimal_comma) in (Cell.NUMBER, Cell.TIME)
                for row in rest[:_LOOKED_AT]
                if len(row) == len(first)
            )
            or not numbers
        )
    if any(kind in (Cell.NUMBER, Cell.TIME) for kind in kinds):
        return False
    return any(kind is Cell.TEXT for kind in kinds) or any(name_says_time(cell) for cell in first)


def _counted(start: int, cells: Sequence[str]) -> list[str]:
    return [str(at) for at in range(start, start + len(cells))]


def _names(cells: Sequence[str], width: int) -> tuple[str, ...]:
    """Column names; a row that is one short has no name for a leading index column, as R writes it."""
    named = [cell.strip().strip('"') for cell in cells]
    if len(named) == width - 1:
        named = ["", *named]
    return tuple(named[:width] + [""] * (width - len(named)))


def _spoken(separator: str) -> str:
    return {"\t": "tab", " ": "blank"}.get(separator, repr(separator))
