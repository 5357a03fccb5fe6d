"""Holds a commented sample configuration against its types, in both directions.

In a sample, `#key = value` (no blank after the hash) is an option at its default or, where it has none, at an example;
`#[table]` is a table that is left out; `# text` is prose. A value stands on one line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wire.options import Option

_TABLE = re.compile(r"^(?P<off>#?)\[(?P<list>\[?)(?P<name>[a-z0-9_.]+)\]?\]$")
_ASSIGNED = re.compile(r"^(?P<off>#?)(?P<name>[a-z][a-z0-9_]*) = ")


class Entry(NamedTuple):
    """One option in a sample; inline tables give one entry for each option in them."""

    path: str
    """As in `wire.options`: `machine[].sensor[].type`."""
    table: int
    """Ordinal of the table it stands in, 0 for the top."""
    value: Any
    commented: bool
    explained: bool
    """Prose stands above it, or above the run of options that it belongs to."""


def entries(file: Path) -> list[Entry]:
    """Every option that a sample shows."""
    found: list[Entry] = []
    prefix, table, explained = "", 0, False
    lists: set[str] = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        header, option = _TABLE.match(line), _ASSIGNED.match(line)
        if header:
            if header["list"]:
                lists.add(header["name"])
            prefix, table = _prefix(header["name"], lists), table + 1
            explained = False
        elif option:
            value = tomllib.loads(line.removeprefix("#"))
            found.extend(
                Entry(prefix + path, table, inner, bool(option["off"]), explained) for path, inner in flattened(value)
            )
        else:
            explained = line.startswith("# ")
    return found


def flattened(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path; an empty table or list counts as a value."""
    for name, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            for one in value:
                yield from flattened(one, f"{prefix}{name}[].")
        else:
            yield f"{prefix}{name}", value


def complete(file: Path) -> dict[str, Any]:
    """The sample with every commented option and table switched on."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return tomllib.loads("\n".join(re.sub(r"^#(?=[a-z\[])", "", line) for line in lines))


def differences(shown: Sequence[Entry], known: Sequence[Option]) -> list[str]:
    """What sample and types disagree about; empty when each holds exactly what the other holds."""
    options = {option.path: option for option in known}
    said = [f"{path}: in the types, not in the sample" for path in options.keys() - {entry.path for entry in shown}]
    for entry in shown:
        option = options.get(entry.path)
        if option is None:
            said.append(f"{entry.path}: in the sample, not in the types")
            continue
        if not entry.explained:
            said.append(f"{entry.path}: no prose above it")
        if not option.doc:
            said.append(f"{entry.path}: the type has no description")
        if entry.commented and option.default is not None and entry.value != option.default:
            said.append(f"{entry.path}: the sample says {entry.value!r}, the default is {option.default!r}")
    return sorted(said)


def _prefix(name: str, lists: set[str]) -> str:
    path, full = "", ""
    for part in name.split("."):
        full = f"{full}.{part}" if full else part
        path += f"{part}[]." if full in lists else f"{part}."
    return path
