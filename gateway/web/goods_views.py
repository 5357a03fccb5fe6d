"""What the API answers with about goods: types only."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gateway.batches import Rate
from gateway.doubtful import SeenItem
from gateway.ledger_goods import Correction
from gateway.web.views import Person


class Today(Struct, frozen=True, kw_only=True):
    """Items of one product of one machine since midnight, as people corrected them."""

    machine: str
    title: str
    product: str
    items: int
    rejects: int
    unsure: int
    rate: Rate


class BatchView(Struct, frozen=True, kw_only=True):
    """One batch, as people corrected it."""

    machine: str
    title: str
    product: str
    batch: str
    node: str
    camera: str
    since_ns: int
    last_ns: int
    over: bool
    items: int
    rejects: int
    unsure: int
    corrected: int
    """Verdicts that people have changed."""
    labels: dict[str, int]
    """Rejected items by label."""
    rate: Rate
    lightness: float | None
    """Mean CIELAB L* of the crusts."""
    lightness_deviation: float
    """Standard deviation of it among the items."""


class ItemView(SeenItem, frozen=True, kw_only=True):
    """A rejected or doubtful item with its pictures."""

    title: str
    picture: str
    """Path of the picture."""
    seen: str | None
    """Path of the picture of the places that spoke for its label."""
    correction: Correction | None
    """A person's word, which counts instead of the camera's."""


class ProductView(Struct, frozen=True, kw_only=True):
    """A product that a camera can be told to lie under it."""

    product: str
    called: str
    """As people call it."""


class CameraView(Struct, frozen=True, kw_only=True):
    """How a camera is doing."""

    node: str
    camera: str
    machine: str
    title: str
    online: bool
    """Whether its node is connected."""
    ok: bool
    fault: str
    name: str
    """The fault in plain words."""
    explain: str
    check: str
    """What to do first."""
    detail: str
    """English, for engineers."""
    paused_left_s: float | None
    """How long it judges nothing yet because a person asked for it; null where it judges."""
    product: ProductView | None = None
    """What lies under it now; null where its node does not say."""
    products: list[ProductView] = []
    """What it can be told to lie under it, by what people call that."""


class CorrectVerdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person says what an item is; it teaches the product."""

    by: Person
    verdict: Literal["good", "reject"]
