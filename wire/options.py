"""What a configuration Struct offers: every option with its path, type, default and meaning.

For the sentences of `wire.settings`, and for the tests that hold the commented sample configurations against the
types in both directions.
"""

from __future__ import annotations

import ast
import inspect as python
import itertools
import textwrap
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, inspect

from wire.fields import NAME_PATTERN


class Option(NamedTuple):
    """One option. `path` has `[]` for each list of tables: `machine[].sensor[].rate_hz`."""

    path: str
    type: str
    """What is allowed, in words."""
    required: bool
    default: Any
    """The default as TOML would write it, None when there is none (or it is left out)."""
    doc: str


def options(kind: type[Struct], prefix: str = "") -> list[Option]:
    """Every option of a Struct and of the tables in it, in the order of the types.

    The meaning is the field's `Meta(description=…)`, or the string below the field in the class's source.
    """
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{kind!r} is not a Struct")
    listed: list[Option] = []
    _collect(info, prefix, listed)
    return listed


def without_metadata(kind: inspect.Type) -> inspect.Type:
    """The type itself, without description and examples."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def fields_of(kind: inspect.Type) -> dict[str, inspect.Type]:
    """Fields of a table type by name, or `[]` for the items of a list, `[0]` and so on for those of a fixed number; for `X | None` those of X.

    Of a table with free names `{}` are its values and `{name}` its names. Of several kinds of tables, those of all; the one that tells them apart allows all their tags.
    """
    kind = without_metadata(kind)
    if isinstance(kind, inspect.UnionType):
        found: dict[str, inspect.Type] = {}
        tags: dict[str, list[str | int]] = {}
        for one in map(without_metadata, kind.types):
            found.update(fields_of(one))
            if isinstance(one, inspect.StructType) and one.tag_field is not None and one.tag is not None:
                tags.setdefault(one.tag_field, []).append(one.tag)
        return found | {name: inspect.LiteralType(tuple(values)) for name, values in tags.items()}
    if isinstance(kind, inspect.StructType):
        return {field.encode_name: field.type for field in kind.fields}
    if isinstance(kind, inspect.ListType):
        return {"[]": kind.item_type}
    if isinstance(kind, inspect.TupleType):
        return {f"[{place}]": one for place, one in enumerate(kind.item_types)}
    if isinstance(kind, inspect.DictType):
        return {"{}": kind.value_type, "{name}": kind.key_type}
    return {}


def describe(kind: inspect.Type) -> str:
    """What is allowed, in words: `a number from 0.05 to 60`, `one of i, ii, iii`; a type's `Meta(title=…)` where it has one."""
    while isinstance(kind, inspect.Metadata):
        if title := (kind.extra_json_schema or {}).get("title"):
            return str(title)
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        each = [describe(one) for one in kind.types if not isinstance(one, inspect.NoneType)]
        return " or ".join(dict.fromkeys(each))
    return next((words(kind) for wanted, words in _WORDS if isinstance(kind, wanted)), "a value")


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f"{kind.ge:.12g}" if kind.ge is not None else f"above {kind.gt:.12g}" if kind.gt is not None else ""
    high = f"{kind.le:.12g}" if kind.le is not None else f"below {kind.lt:.12g}" if kind.lt is not None else ""
    if low and high:
        return f" {low} to {high}" if low.startswith("above") else f" from {low} to {high}"
    if low:
        return f" {low}" if low.startswith("above") else f" of at least {low}"
    if high:
        return f" {high}" if high.startswith("below") else f" of at most {high}"
    return ""


def _text(kind: inspect.StrType) -> str:
    said = []
    if kind.max_length is not None:
        said.append(f"{f'{kind.min_length} to' if kind.min_length else 'at most'} {kind.max_length} characters")
    elif kind.min_length:
        said.append(f"at least {kind.min_length}")
    if kind.pattern:
        said.append(_PATTERNS.get(kind.pattern, f"like {kind.pattern}"))
    return f"text ({', '.join(said)})" if said else "text"


def _list(kind: inspect.ListType) -> str:
    low, high = kind.min_length, kind.max_length
    if low and high is not None:
        size = f" of {low} entries" if low == high else f" of {low} to {high} entries"
    elif high is not None:
        size = f" of at most {high} entries"
    else:
        size = f" of at least {low} entries" if low else ""
    return f"a list{size}, each {describe(kind.item_type)}"


def _fixed(kind: inspect.TupleType) -> str:
    each = " or ".join(dict.fromkeys(map(describe, kind.item_types)))
    return f"a list of {len(kind.item_types)} entries, each {each}"


def _one_of(kind: Any) -> str:
    values = kind.values if isinstance(kind, inspect.LiteralType) else [member.value for member in kind.cls]
    return "one of " + ", ".join(str(value) for value in values)


def _custom(kind: Any) -> str:
    return "the path of a file or folder" if issubclass(kind.cls, Path) else f"a {kind.cls.__name__}"


_PATTERNS = {
    NAME_PATTERN: "small letters, digits, - and _, at most 63",
    r"^([01]\d|2[0-3]):[0-5]\d$": "a time as HH:MM",
    "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$": "from and until as HH:MM-HH:MM",
    "^[a-z0-9_-]*$": "small letters, digits, - and _",
    "^[A-Z][A-Z0-9_]*$": "capital letters, digits and _",
    "^[A-Z]{3}$": "three capital letters, such as EUR",
}
"""Patterns of options in words: a person need not read a regular expression."""
_WORDS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (inspect.LiteralType, _one_of),
    (inspect.EnumType, _one_of),
    (inspect.IntType, lambda kind: "a whole number" + _range(kind)),
    (inspect.FloatType, lambda kind: "a number" + _range(kind)),
    (inspect.StrType, _text),
    (inspect.ListType, _list),
    (inspect.TupleType, _fixed),
    (inspect.BoolType, lambda _: "true or false"),
    (inspect.StructType, lambda _: "a table"),
    (inspect.DictType, lambda _: "a table"),
    (inspect.CustomType, _custom),
)


def _collect(info: inspect.StructType, prefix: str, listed: list[Option]) -> None:
    strings = _strings(info.cls)
    for field in info.fields:
        path = f"{prefix}{field.encode_name}"
        inner, below = _table(field.type)
        if inner is not None:
            _collect(inner, f"{path}{below}", listed)
            continue
        listed.append(
            Option(
                path=path,
                type=describe(field.type),
                required=field.required,
                default=_default(field),
                doc=_description(field.type) or strings.get(field.name, ""),
            )
        )


def _table(kind: inspect.Type) -> tuple[inspect.StructType | None, str]:
    kind = without_metadata(kind)
    if isinstance(kind, inspect.UnionType):
        tables = [one for one in kind.types if isinstance(without_metadata(one), inspect.StructType)]
        return _table(tables[0]) if len(tables) == 1 else (None, "")
    if isinstance(kind, inspect.StructType):
        return kind, "."
    if isinstance(kind, inspect.ListType):
        item = without_metadata(kind.item_type)
        if isinstance(item, inspect.StructType):
            return item, "[]."
    return None, ""


def _default(field: inspect.Field) -> Any:
    value = field.default
    if value is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT or value is None:
        return None
    return msgspec.to_builtins(value, enc_hook=str)


def _description(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        said = (kind.extra_json_schema or {}).get("description")
        return str(said) if said else _description(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next((said for said in map(_description, kind.types) if said), "")
    return ""


@lru_cache(maxsize=64)
def _strings(kind: type) -> dict[str, str]:
    """The string below each annotated field, from the class's source and its bases'."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base in (object, Struct):
            continue
        try:
            tree = ast.parse(textwrap.dedent(python.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for this, after in itertools.pairwise(body):
            if (
                isinstance(this, ast.AnnAssign)
                and isinstance(this.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                found[this.target.id] = " ".join(after.value.value.split())
    return found
