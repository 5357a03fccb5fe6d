"""A model card for tests, complete and of a model that is none."""

from __future__ import annotations

import msgspec

from models.quality.card import Card, digest


def card(**changes: object) -> Card:
    """The card with these fields changed."""
    whole = {
        "name": "test",
        "labels": ("good", "broken"),
        "side_px": 96,
        "embedding": 4,
        "sha256": digest(b"model"),
        "temperature": 1.5,
        "thresholds": {"good": 0.8, "broken": 0.6},
        "data": "none",
        "figures": {"accuracy": 0.5},
        "limits": ("it knows nothing",),
        "licence": "Apache-2.0",
        "command": "true",
    }
    return msgspec.convert(whole | changes, Card)
