"""The catalogue of what people read: one file per language, `gateway/web/locale/<language>.json`.

The pages, the messages and the command line take their texts from it. It is read here and worded elsewhere, so that a command on
a node has its sentences without any of the gateway's parts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LANGUAGES = ("de", "en")
"""German first: it is what the people at the machine speak."""
LOCALE = Path(__file__).parent / "web" / "locale"


class WordingError(Exception):
    """A language that does not exist, or a catalogue that cannot be read."""


def read_catalogue(language: str, folder: Path = LOCALE) -> dict[str, dict[str, Any]]:
    """A language's texts by section and code.

    Raises:
        WordingError: see there.
    """
    if language not in LANGUAGES:
        raise WordingError(f"language {language!r}: one of {', '.join(LANGUAGES)}")
    path = folder / f"{language}.json"
    try:
        catalogue: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise WordingError(f"{path}: {exc}") from exc
    return catalogue
