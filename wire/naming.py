"""From what people call a thing to a name that a file, a topic and a message can bear."""

from __future__ import annotations

import re
import unicodedata


def plain_name(name: str) -> str:
    """A name as `wire.fields.Name` takes it, near to the one given; empty where no letter and no digit of it can be kept.

    >>> plain_name("Brötchen hell"), plain_name("Weißbrot"), plain_name("…")
    ('broetchen-hell', 'weissbrot', '')
    """
    spelt = name.lower()
    for letter, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        spelt = spelt.replace(letter, plain)
    bare = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_-]+", "-", bare).strip("-_")[:63]
