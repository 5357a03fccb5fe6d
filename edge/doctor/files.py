"""Reading the kernel's small files; one that is not there or not readable is None."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str | None:
    """Its text without blanks and NULs around it."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace").strip(" \t\r\n\0")
    except OSError:
        return None


def number(path: Path, base: int = 10) -> int | None:
    """Its text as a whole number; `base` 16 takes `0x…` and plain digits."""
    found = text(path)
    try:
        return None if found is None else int(found, base)
    except ValueError:
        return None
