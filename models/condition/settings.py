"""What a condition model may be told about its machine; the same defaults serve every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of a condition model.

    Args:
        warmup: samples that are taken as normal before anything is judged, 8 or more.
        kind: kind of machine (oven, mixer, compressor, lathe, generic); opens causes that only make sense there.
        iso_class: machine class I to IV of ISO 10816-1, for severity zones of measured velocity; None for none.
        budget: probability of a false excess per sample; 4e-7 is one in a month of seconds.

    Raises:
        ValueError: a warm-up too short to learn from, an unknown class, or a budget that is no probability.
    """

    warmup: int = 90
    kind: str = "generic"
    iso_class: str | None = None
    budget: float = 4e-7

    def __post_init__(self) -> None:
        """Checks the ranges."""
        if self.warmup < 8:
            raise ValueError(f"warm-up of {self.warmup} samples, at least 8")
        if self.iso_class not in (None, "I", "II", "III", "IV"):
            raise ValueError(f"ISO machine class {self.iso_class!r}, one of I, II, III, IV")
        if not 0.0 < self.budget < 0.5:
            raise ValueError(f"alarm budget {self.budget} is not a small probability")

    def state(self) -> list[Any]:
        """For the snapshot."""
        return [self.warmup, self.kind, self.iso_class, self.budget]

    @classmethod
    def of(cls, state: Sequence[Any]) -> Self:
        """From a snapshot."""
        warmup, kind, iso_class, budget = state
        return cls(int(warmup), str(kind), iso_class, float(budget))
