"""From single inspections and people's corrections to a batch's tally: pure counting, and when a tally is worth telling."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from gateway.alerts import SECOND_NS
from models.quality.tallies import Moments, wilson
from wire.messages import Inspection, Seconds

Verdict: TypeAlias = Literal["good", "reject", "unsure"]
OTHER = "other"
"""The label of an item that only a person called a reject."""


class BatchPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[batches]` in gateway.toml: when a batch's scrap is reported to subscribers."""

    idle_close_s: Seconds = 1800.0
    """A batch without an inspection for this long is over."""
    report_every_s: Seconds = 900.0
    """While a batch runs, a changed number of rejects is reported at most this often."""


class Rate(Struct, frozen=True, kw_only=True):
    """Share of rejects among the judged items, 0 to 1, with its 95 % interval (Wilson, 1927); 0 to 1 where none is judged."""

    share: float | None
    low: float
    high: float

    @classmethod
    def of(cls, rejects: int, judged: int) -> Rate:
        """Of counts.

        >>> Rate.of(2, 20)
        Rate(share=0.1, low=0.02786648096169143, high=0.3010336471864123)
        """
        rejects = max(rejects, 0)  # a ledger restored from a backup knows less than people correct
        judged = max(judged, rejects)
        low, high = wilson(rejects, judged)
        return cls(share=rejects / judged if judged else None, low=low, high=high)


class Batch(Struct, frozen=True, kw_only=True):
    """One batch's tally."""

    site: str
    machine: str
    product: str
    batch: str
    node: str = ""
    camera: str = ""
    items: int = 0
    rejects: int = 0
    unsure: int = 0
    corrected: int = 0
    """Verdicts that people have changed; they are counted as people said."""
    labels: dict[str, int] = {}
    """Rejected items by label."""
    lightness: Moments = msgspec.field(default_factory=Moments)
    """Of its items' crusts, CIELAB L*."""
    size_mm: Moments = msgspec.field(default_factory=Moments)
    """Of the items that a calibrated camera could measure."""
    since_ns: int
    last_ns: int
    closed: bool = False
    revision: int = 0
    """Counts the reports made of it."""
    reported_ns: int = 0
    reported_rejects: int = 0

    @property
    def rate(self) -> Rate:
        """Of its rejects."""
        return Rate.of(self.rejects, self.items - self.unsure)


def tally(batch: Batch | None, seen: Inspection, *, now_ns: int) -> Batch:
    """The batch with one more inspection; items cut off by the picture's edge are left to the frame that shows them whole."""
    at_ns = min(seen.time_ns, now_ns)
    if batch is None:
        batch = Batch(
            site=seen.site,
            machine=seen.machine,
            product=seen.product,
            batch=seen.batch,
            node=seen.node,
            camera=seen.camera,
            since_ns=at_ns,
            last_ns=at_ns,
        )
    whole = [item for item in seen.items if not item.cut_off]
    labels, lightness, size_mm = dict(batch.labels), copy(batch.lightness), copy(batch.size_mm)
    for item in whole:
        if item.verdict == "reject":
            labels[item.label] = labels.get(item.label, 0) + 1
        if item.lightness is not None:
            lightness.add(item.lightness)
        if item.size_mm is not None:
            size_mm.add(item.size_mm)
    return msgspec.structs.replace(
        batch,
        items=batch.items + len(whole),
        rejects=batch.rejects + sum(item.verdict == "reject" for item in whole),
        unsure=batch.unsure + sum(item.verdict == "unsure" for item in whole),
        labels=labels,
        lightness=lightness,
        size_mm=size_mm,
        since_ns=min(batch.since_ns, at_ns),
        last_ns=max(batch.last_ns, at_ns),
        closed=False,
    )


def corrected(batch: Batch, label: str, before: Verdict, after: Verdict) -> Batch:
    """The batch with one item's verdict changed by a person; a batch that was told of as ended is told of again.

    Args:
        batch: the item's.
        label: what the camera had called it.
        before: its verdict until now.
        after: its verdict from now on.
    """
    if before == after:
        return batch
    changes = {verdict: (verdict == after) - (verdict == before) for verdict in ("reject", "unsure")}
    labels = _moved(batch.labels, OTHER if label == "good" else label, changes["reject"])
    return msgspec.structs.replace(
        batch,
        rejects=max(batch.rejects + changes["reject"], 0),
        unsure=max(batch.unsure + changes["unsure"], 0),
        corrected=batch.corrected + 1,
        labels=labels,
        closed=False,
    )


def _moved(labels: Mapping[str, int], label: str, by: int) -> dict[str, int]:
    return {name: count for name, count in {**labels, label: labels.get(label, 0) + by}.items() if count > 0}


def due(batch: Batch, policy: BatchPolicy, *, now_ns: int) -> bool:
    """Whether there is something to report now: it ended, or its rejects changed a while ago."""
    if batch.closed:
        return False
    return is_over(batch, policy, now_ns=now_ns) or (
        batch.rejects != batch.reported_rejects and now_ns - batch.reported_ns >= policy.report_every_s * SECOND_NS
    )


def is_over(batch: Batch, policy: BatchPolicy, *, now_ns: int) -> bool:
    """Whether nothing more is expected of it."""
    return now_ns - batch.last_ns >= policy.idle_close_s * SECOND_NS


def reported(batch: Batch, *, now_ns: int, closed: bool) -> Batch:
    """The batch after a report."""
    return msgspec.structs.replace(
        batch,
        closed=closed,
        revision=batch.revision + 1,
        reported_ns=now_ns,
        reported_rejects=batch.rejects,
    )
