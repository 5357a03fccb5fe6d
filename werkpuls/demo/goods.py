"""What the camera saw of the goods, counted from the gateway's journal after the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from werkpuls.demo.proof import messages
from wire.messages import Inspection


@dataclass(slots=True)
class BatchSeen:
    """One oven load. Items that were cut off by the picture's edge do not count."""

    batch: str
    product: str
    items: int = 0
    rejects: int = 0
    unsure: int = 0
    lightness_sum: float = 0.0

    @property
    def lightness(self) -> float | None:
        """Mean L* of its crusts; None without items."""
        return round(self.lightness_sum / self.items, 1) if self.items else None


@dataclass(slots=True)
class Goods:
    """All that was inspected."""

    inspections: int = 0
    batches: dict[str, BatchSeen] = field(default_factory=dict)
    """By id, in the order of their first inspection."""

    @property
    def items(self) -> int:
        """That were judged."""
        return sum(batch.items for batch in self.batches.values())

    @property
    def rejects(self) -> int:
        """Of them."""
        return sum(batch.rejects for batch in self.batches.values())

    @property
    def unsure(self) -> int:
        """Of them, left to a person."""
        return sum(batch.unsure for batch in self.batches.values())

    def add(self, seen: Inspection) -> None:
        """Counts an inspection."""
        self.inspections += 1
        batch = self.batches.setdefault(seen.batch, BatchSeen(seen.batch, seen.product))
        for item in seen.items:
            if item.cut_off:
                continue
            batch.items += 1
            batch.rejects += item.verdict == "reject"
            batch.unsure += item.verdict == "unsure"
            batch.lightness_sum += item.lightness or 0.0


def inspected(gateway_journal: Path) -> Goods:
    """Reads the journal of a stopped gateway."""
    goods = Goods()
    for message in messages(gateway_journal):
        if isinstance(message, Inspection):
            goods.add(message)
    return goods
