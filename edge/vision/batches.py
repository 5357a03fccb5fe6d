"""Batches: what was inspected of one product between two changes of product, oven load or shift. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2s

import msgspec

from models.quality.tallies import Moments, wilson
from wire.messages import Item


class Batch(msgspec.Struct):
    """One batch so far.

    Args:
        id: unique.
        product: what it is.
        since_ns: monotonic time of its first inspection.
        boot: of that time.
        wall_ns: the same as wall time, None while that was unknown.
        last_ns: monotonic time of its last item.
        inspections: how many.
        labels: judged items by label.
        verdicts: judged items by verdict.
        cut_off: items that were not judged because they were not whole.
        lightness: of the judged items, L*.
        size_mm: of those that could be measured.
    """

    id: str
    product: str
    since_ns: int
    boot: str
    wall_ns: int | None = None
    last_ns: int = 0
    inspections: int = 0
    labels: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    cut_off: int = 0
    lightness: Moments = msgspec.field(default_factory=Moments)
    size_mm: Moments = msgspec.field(default_factory=Moments)

    @property
    def judged(self) -> int:
        """Items with a verdict other than `unsure`."""
        return self.verdicts.get("good", 0) + self.verdicts.get("reject", 0)

    @property
    def reject_rate(self) -> tuple[float, float, float]:
        """Share of rejects among the judged, with the low and high end of its 95 % interval."""
        rejects, judged = self.verdicts.get("reject", 0), self.judged
        low, high = wilson(rejects, judged)
        return (rejects / judged if judged else 0.0), low, high

    def add(self, items: Iterable[Item]) -> None:
        """Counts an inspection."""
        self.inspections += 1
        for item in items:
            if item.cut_off:
                self.cut_off += 1
                continue
            self.labels[item.label] = self.labels.get(item.label, 0) + 1
            self.verdicts[item.verdict] = self.verdicts.get(item.verdict, 0) + 1
            if item.lightness is not None:
                self.lightness.add(item.lightness)
            if item.size_mm is not None:
                self.size_mm.add(item.size_mm)

    def correct(self, before: str, after: str) -> None:
        """A person's verdict takes the place of the machine's."""
        if self.verdicts.get(before, 0) > 0:
            self.verdicts[before] -= 1
            self.verdicts[after] = self.verdicts.get(after, 0) + 1


class Batches:
    """Which batch an inspection belongs to. State is plain data: `kept` and `resume`.

    Args:
        camera: its name, part of the batch's id.
        boot: id of the present boot.
        load_gap_s: after so long without an item the next one belongs to another oven load.
        shifts_min: minutes after midnight at which shifts begin, rising.
    """

    def __init__(self, camera: str, boot: str, *, load_gap_s: float, shifts_min: Sequence[int] = ()) -> None:
        self._camera = camera
        self._boot = boot
        self._gap_ns = round(load_gap_s * 1e9)
        self._shifts = tuple(shifts_min)
        self._shift: int | None = None
        self.current: Batch | None = None
        """The batch of the last inspection."""

    def resume(self, batch: Batch | None) -> None:
        """Goes on with what was kept. Monotonic time does not outlive a boot: the batch then ends with its next item."""
        self.current = batch if batch is not None and batch.boot == self._boot else None

    def of(self, product: str, now_ns: int, *, wall_ns: int | None, minute: int | None) -> Batch:
        """The batch for an inspection with items at this moment, a new one where product, load or shift have changed.

        Args:
            product: what it is.
            now_ns: monotonic time.
            wall_ns: the same as wall time, None while unknown.
            minute: minutes since local midnight, None while unknown.
        """
        shift = self._shift_of(minute)
        current = self.current
        ended = (
            current is None
            or current.product != product
            or now_ns - current.last_ns > self._gap_ns
            or (shift is not None and self._shift is not None and shift != self._shift)
        )
        if shift is not None:
            self._shift = shift
        if current is None or ended:
            text = f"{self._camera}|{product}|{self._boot}|{now_ns}"
            current = Batch(
                id=f"b-{blake2s(text.encode(), digest_size=8).hexdigest()}",
                product=product,
                since_ns=now_ns,
                boot=self._boot,
                wall_ns=wall_ns,
                last_ns=now_ns,
            )
            self.current = current
        current.last_ns = now_ns
        return current

    def _shift_of(self, minute: int | None) -> int | None:
        if minute is None or not self._shifts:
            return None
        begun = [place for place, start in enumerate(self._shifts) if start <= minute]
        return begun[-1] if begun else len(self._shifts) - 1
