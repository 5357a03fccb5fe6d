"""The labels that pictures are rendered and trained with, in the order of the net's outputs."""

from __future__ import annotations

from typing import Final

LABELS: Final = ("good", "broken", "burnt", "underbaked", "cracked", "deformed", "foreign_object")
"""Order of the net's outputs; the card of a model repeats it, and the loader believes the card."""
