"""Strict configuration: a TOML file becomes a typed msgspec Struct, or one sentence says what is wrong and where.

Every problem is a `SettingsError` that names the file, where in it the option stands (`machine 2, sensor 1, rate_hz`,
counted from 1) and what is allowed there. An unknown option names the nearest right one. A value of type `Path` is taken
relative to the configuration file's folder. Nothing is read from or written to anywhere else.
"""

from __future__ import annotations

import difflib
import math
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect

from wire.options import describe, fields_of, without_metadata

StructT = TypeVar("StructT", bound=Struct)

MAX_BYTES = 1_000_000
"""A configuration longer than this is a mistake (a log, a database) and is not parsed."""
UNITS = {
    "ns", "us", "ms", "s", "min", "minutes", "h", "hours", "d", "days", "hz", "khz", "rpm", "mm", "cm", "m", "um",
    "mb", "gb", "kb", "bytes", "deg", "rad", "g", "c", "k", "f", "v", "mv", "a", "ma", "w", "kw", "bar", "kpa", "pa",
    "percent",
}  # fmt: skip
"""Unit endings of option names: `interval_ms` for `interval_s` is told as a wrong unit, not as a wrong name."""

_AT = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_SOME = "[...]"
"""In msgspec's path: an entry of a table with free names, it does not say which."""
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")
_PLACE = re.compile(r"\[(\d+)\](\.)?")
_PARTS = re.compile(r"[^.\[\]]+|\[\d+\]")
_QUANTITY = re.compile(r"^\s*-?[\d.]+\s*[^\d\s].*$")
_OTHERS_MAY = stat.S_IROTH | stat.S_IWOTH


class SettingsError(Exception):
    """A configuration that cannot be used; the command line shows the text and exits with 2.

    `path` counts from 0 (`machine[1].sensor[0].rate_hz`), the text from 1, as a person does.
    """

    def __init__(self, where: str, path: str, what: str) -> None:
        super().__init__(": ".join(part for part in (where, spoken(path), what) if part))
        self.where = where
        self.path = path
        self.what = what


def spoken(path: str) -> str:
    """An option's path in words.

    >>> spoken("machine[1].sensor[0].rate_hz"), spoken("mqtt.ca")
    ('machine 2, sensor 1, rate_hz', 'mqtt.ca')
    """
    return _PLACE.sub(lambda found: f" {int(found[1]) + 1}" + ", " * bool(found[2]), path)


def read(path: Path) -> dict[str, Any]:
    """The file as tables.

    Raises:
        SettingsError: it cannot be read, is too large, is not UTF-8 or not TOML (with line and column), or names a
            key twice.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(str(path), "", f"{path.stat().st_size} bytes; a configuration has at most {MAX_BYTES}")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise SettingsError(str(path), "", f"not UTF-8 text (byte {exc.start})") from exc
    except OSError as exc:
        raise SettingsError(str(path), "", exc.strerror or str(exc)) from exc
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        said = str(exc)
        hint = " (the same key or table twice?)" if "overwrite" in said or "declare" in said else ""
        raise SettingsError(str(path), "", f"not TOML: {said}{hint}") from exc
    except RecursionError as exc:
        raise SettingsError(str(path), "", "not TOML: nested too deeply") from exc


def load(path: Path, kind: type[StructT]) -> StructT:
    """Reads and checks a configuration file.

    Raises:
        SettingsError: see the module's text.
    """
    return convert(read(path), kind, where=str(path), base=path.absolute().parent)


def convert(raw: Mapping[str, Any], kind: type[StructT], *, where: str, path: str = "", base: Path = Path()) -> StructT:
    """Checks tables against a Struct.

    Args:
        raw: tables, lists and values as `tomllib` gives them.
        kind: the Struct; its `Meta` says which values are allowed.
        where: name of the file, for the error.
        path: where `raw` stands in the file, e.g. `machine[0].sensor[1]`.
        base: folder that relative paths start from.

    Raises:
        SettingsError: see the module's text.
    """
    _walk(raw, inspect.type_info(kind), where, path)

    def paths(wanted: type, value: object) -> object:
        if wanted is not Path:
            raise NotImplementedError(f"options of type {wanted!r}")
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("expected the path of a file or folder")
        return base / Path(value).expanduser()

    def attempt(tables: Mapping[str, Any]) -> StructT:
        return msgspec.convert(tables, kind, strict=True, dec_hook=paths)

    try:
        return attempt(raw)
    except msgspec.ValidationError as exc:
        raise _explained(exc, raw, kind, where, path, attempt) from exc


def nearest(word: str, known: Iterable[str]) -> str:
    """` did you mean …?` for a misspelt word, or ` known: …` when nothing is near."""
    names = sorted(known)
    stem, _, unit = word.rpartition("_")
    if unit.lower() in UNITS:
        for name in names:
            other, _, right = name.rpartition("_")
            if other == stem and right in UNITS:
                return f"wrong unit, this is given in {right}: {name}"
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    found = found or [name for name in names if name.startswith(f"{word}_") or word.startswith(f"{name}_")][:1]
    if found:
        return f"did you mean {found[0]}?"
    return f"known here: {', '.join(names)}" if names else "there are no options here"


def require_unique(names: Iterable[str], *, where: str, path: str, what: str) -> None:
    """Refuses a name that stands twice in `path` (a list of tables), naming both places.

    Raises:
        SettingsError: for the second one.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            raise SettingsError(
                where, f"{path}[{place}].name", f"{what} {name!r} is already {spoken(f'{path}[{seen[name]}]')}"
            )
        seen[name] = place


def require_file(file: Path, *, where: str, path: str, secret: bool = False) -> None:
    """Refuses a file that is not there or cannot be read, and a secret that other users may read or write.

    Raises:
        SettingsError: with the file's name and, for a secret, the command that mends it.
    """
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise SettingsError(where, path, f"{file} is not a file")
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as exc:
        raise SettingsError(where, path, f"{file}: {exc.strerror or exc}") from exc
    if secret and mode & _OTHERS_MAY:
        raise SettingsError(where, path, f"{file} can be read or changed by every user; chmod o-rwx {file}")


def _walk(value: object, kind: inspect.Type, where: str, path: str) -> None:
    """Unknown names and numbers that are none, which msgspec either words badly or lets pass."""
    kind = without_metadata(kind)
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(where, path, f"{value} is not a number to work with")
    if isinstance(kind, inspect.UnionType):
        fitting = [one for one in map(without_metadata, kind.types) if _takes(one, value)]
        if len(fitting) == 1:
            _walk(value, fitting[0], where, path)
    elif isinstance(value, Mapping):
        _walk_table(value, kind, where, path)
    elif isinstance(value, list):
        inside = kind.item_type if isinstance(kind, inspect.ListType) else inspect.AnyType()
        for place, inner in enumerate(value):
            _walk(inner, inside, where, f"{path}[{place}]")


def _walk_table(value: Mapping[str, object], kind: inspect.Type, where: str, path: str) -> None:
    if not isinstance(kind, inspect.StructType):
        inside = kind.value_type if isinstance(kind, inspect.DictType) else inspect.AnyType()
        for name, inner in value.items():
            _walk(inner, inside, where, join(path, name))
        return
    known = {field.encode_name: field.type for field in kind.fields}
    for name, inner in value.items():
        if name not in known:
            raise SettingsError(where, join(path, name), f"unknown option; {nearest(name, known)}")
        _walk(inner, known[name], where, join(path, name))


def _takes(kind: inspect.Type, value: object) -> bool:
    if isinstance(value, Mapping):
        return isinstance(kind, inspect.StructType | inspect.DictType)
    return isinstance(value, list) and isinstance(kind, inspect.ListType)


def join(path: str, name: str) -> str:
    """`name` below `path`."""
    return f"{path}.{name}" if path else name


def _explained(
    exc: msgspec.ValidationError,
    raw: Mapping[str, Any],
    kind: type[Struct],
    where: str,
    path: str,
    attempt: Callable[[Mapping[str, Any]], object],
) -> SettingsError:
    match = _AT.match(str(exc))
    what, inner = (match["what"], (match["path"] or "$")[1:].lstrip(".")) if match else (str(exc), "")
    if match is not None and match["key"]:
        name = _culprit(raw, inner, str(exc), attempt)
        _, table = _lookup(raw, inspect.type_info(kind), inner)
        wanted = None if table is None else fields_of(table).get("{name}")
        said = what if wanted is None else f"expected {describe(wanted)}, got {_shown(name)}"
        return SettingsError(where, join(path, join(inner, name)), said)
    before, some, after = inner.partition(_SOME)
    if some:
        inner = join(before, _culprit(raw, before, str(exc), attempt)) + after
    full = path + inner if inner.startswith("[") else join(path, inner) if inner else path
    missing = _MISSING.search(what)
    if missing:
        _, table = _lookup(raw, inspect.type_info(kind), inner)
        wanted = None if table is None else fields_of(table).get(missing["name"])
        choice = f"; {describe(wanted)}" if isinstance(wanted, inspect.LiteralType) else ""
        return SettingsError(where, join(full, missing["name"]), f"must be given{choice}")
    found, expected = _lookup(raw, inspect.type_info(kind), inner)
    if expected is None:
        return SettingsError(where, full, what)
    if exc.__cause__ is not None and isinstance(exc.__cause__, ValueError):
        return SettingsError(where, full, str(exc.__cause__))
    unit = full.rpartition("_")[2]
    said = f"expected {describe(expected)}"
    if unit in UNITS and isinstance(found, str):
        hint = f"; a plain number in {unit}, without the unit" if _QUANTITY.match(found) else ""
        said = f"{said} in {unit}{hint}"
    return SettingsError(where, full, f"{said}, got {_shown(found)}")


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return f"a list of length {len(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:57]}…"


def _culprit(raw: Mapping[str, Any], path: str, said: str, attempt: Callable[[Mapping[str, Any]], object]) -> str:
    """Which entry of the table at `path` is what msgspec spoke of: the one that alone makes it say the same; else empty."""
    parts = _PARTS.findall(path)
    table: Any = raw
    for part in parts:
        table = table[int(part[1:-1]) if part.startswith("[") else part]
    for name, value in table.items():
        try:
            attempt(_replaced(raw, parts, {name: value}))
        except msgspec.ValidationError as exc:
            if str(exc) == said:
                return str(name)
    return ""


def _replaced(raw: Any, parts: Sequence[str], value: object) -> Any:
    """The tables with this value at that place."""
    if not parts:
        return value
    key: Any = int(parts[0][1:-1]) if parts[0].startswith("[") else parts[0]
    copied = raw.copy()
    copied[key] = _replaced(raw[key], parts[1:], value)
    return copied


def _lookup(raw: object, kind: inspect.Type, path: str) -> tuple[object, inspect.Type | None]:
    """The value at msgspec's path and the type wanted there; (…, None) when the path leads nowhere."""
    for part in _PARTS.findall(path):
        fields = fields_of(kind)
        if part.startswith("["):
            place = int(part[1:-1])
            item = fields.get("[]", fields.get(part))
            if item is None or not isinstance(raw, list) or place >= len(raw):
                return raw, None
            raw, kind = raw[place], item
        else:
            inside = fields.get(part, fields.get("{}"))
            if inside is None or not isinstance(raw, Mapping) or part not in raw:
                return raw, None
            raw, kind = raw[part], inside
    return raw, kind
