"""Which things of a picture count as goods: no crumbs, and on a belt each of them once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import msgspec

from edge.vision.inspector import InspectedItem
from edge.vision.tracking import Tracker

SMALLEST_PX = 20
"""Of a thing that is smaller in both directions the net sees nothing; it is a crumb, like what the finder calls so."""
CRUMB = 0.04
"""So is what has less than this share of the area that goods of its product usually have: what is left on a tray that was emptied."""
TINY = 0.01
"""And less than this share of what other products usually have: small biscuits of 3 cm have a sixtieth of a loaf's area, and no goods a
hundredth."""
LEAST_ALIKE, ALIKE, MOSTLY = 5, 1.5, 0.75
"""So many things, most of all that lie there within this factor of their median, are goods that nobody has announced: crumbs are of
all sizes."""
RECENT, ENOUGH = 48, 12
"""Of so many last ones it is told how large goods usually are, from so many on."""
MOST_PRODUCTS = 16


class Counted(NamedTuple):
    """What counts of a picture."""

    items: list[InspectedItem]
    crumbs: int
    """How many things were too small."""


@dataclass
class _Size:
    """How large the goods of a product usually are, in pixels of area."""

    before: float = 0.0
    """As it was known when the daemon began, 0 where it was not."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def usual(self) -> float:
        """0 while nothing is known."""
        if self.recent and (len(self.recent) >= ENOUGH or not self.before):
            return median(self.recent)
        return self.before


class Counting:
    """Counts for one camera.

    Args:
        tracker: follows items from picture to picture, so that each is counted once; None: each picture is a tray of its own.
        mark: what `state` was, None or empty for the first time.
    """

    def __init__(self, tracker: Tracker | None, mark: str | None) -> None:
        self.crumbs = 0
        """How many things were too small, since start."""
        self._tracker = tracker
        self._sizes = {product: _Size(area) for product, area in _load(mark).items()}

    @property
    def state(self) -> str:
        """What must be known after a restart; with two digits, so that it does not change with every picture."""
        usual = {product: size.usual for product, size in self._sizes.items()}
        return msgspec.json.encode({name: float(f"{area:.2g}") for name, area in usual.items() if area}).decode()

    def count(
        self, items: Sequence[InspectedItem], product: str, *, size: tuple[int, int], taken_ns: int, crumbs: int = 0
    ) -> Counted:
        """All goods of a tray; of a belt those that are seen whole for the first time.

        Args:
            items: that were found.
            product: what lies there.
            size: of the picture, width and height in pixels.
            taken_ns: when it was taken, monotonic.
            crumbs: what the finder has already called so.
        """
        goods = self._goods(items, product)
        crumbs += len(items) - len(goods)
        self.crumbs += crumbs
        if self._tracker is None:
            return Counted(goods, crumbs)
        tracked = self._tracker.track([item.found for item in goods], size=size, taken_ns=taken_ns)
        return Counted([item for item, known in zip(goods, tracked, strict=True) if known.new], crumbs)

    def forget(self, product: str) -> None:
        """How large the goods of a product are is learned anew."""
        self._sizes.pop(product, None)

    def _goods(self, items: Sequence[InspectedItem], product: str) -> list[InspectedItem]:
        seen = [item for item in items if max(item.found.box[2:]) >= SMALLEST_PX]
        usual = self._sizes[product].usual if product in self._sizes else 0.0
        others = max((size.usual for size in self._sizes.values()), default=0.0)
        least = CRUMB * usual if usual else TINY * others
        goods = [item for item in seen if item.found.area_px >= least]
        small = [item for item in seen if item.found.area_px >= TINY * usual]
        if usual and len(goods) < len(small) and _alike(small):
            goods = small
            self.forget(product)
        self._remember(product, [item.found.area_px for item in goods if not item.cut_off])
        return goods

    def _remember(self, product: str, areas: Sequence[float]) -> None:
        if areas:
            # The product that was seen last is at the end, and the first makes room.
            size = self._sizes[product] = self._sizes.pop(product, _Size())
            size.recent.extend(areas)
            if len(self._sizes) > MOST_PRODUCTS:
                del self._sizes[next(iter(self._sizes))]


def _alike(items: Sequence[InspectedItem]) -> bool:
    """Whether these lie there as goods do, and not as crumbs."""
    areas = [item.found.area_px for item in items if not item.cut_off]
    if len(areas) < LEAST_ALIKE:
        return False
    middle = median(areas)
    return sum(middle / ALIKE <= area <= middle * ALIKE for area in areas) >= MOSTLY * len(areas)


def _load(mark: str | None) -> dict[str, float]:
    try:
        return msgspec.json.decode(mark or "{}", type=dict[str, float])
    except msgspec.DecodeError:
        return {}
