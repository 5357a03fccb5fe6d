"""Holds a commented sample configuration against its types, in both directions.

In a sample, `#key = value` (no blank after the hash) is an option that is left at its default, `#[table]` a table that is left
out, and `# text` prose.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_OPTION = re.compile(r"^#(?=[A-Za-z_\[])")
_ASSIGNED = re.compile(r"^#?(?P<name>[a-z][a-z0-9_]*) = ")
_PROSE = re.compile(r"^# ")


def complete(path: Path) -> dict[str, Any]:
    """The sample with every commented option switched on."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tomllib.loads("\n".join(_OPTION.sub("", line) for line in lines))


def paths(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every option given, as `machine[].sensor[].type`, with its value."""
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            for one in value:
                yield from paths(one, f"{prefix}{name}[].")
        else:
            yield f"{prefix}{name}", value


def commented_defaults(path: Path) -> list[tuple[str, str]]:
    """Options that the sample leaves at their default: (line, the value as written)."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and _ASSIGNED.match(line):
            found.append((line[1:].split(" = ", 1)[0], line.split(" = ", 1)[1]))
    return found


def unexplained(path: Path) -> list[str]:
    """Options without a line of prose right above them (or above the run of options they belong to)."""
    missing = []
    explained = False
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _ASSIGNED.match(line)
        if match and not explained:
            missing.append(match["name"])
        explained = bool(_PROSE.match(line)) or (explained and not match and bool(line.strip()))
    return missing
