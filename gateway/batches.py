"""From single inspections to a batch's tally: pure counting, and when a tally is worth telling."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.alerts import SECOND_NS
from wire.messages import Inspection, NonNegative


class BatchPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[batches]` in gateway.toml: when a batch's scrap is reported to subscribers."""

    idle_close_s: NonNegative = 1800.0
    """A batch without an inspection for this long is over."""
    report_every_s: NonNegative = 900.0
    """While a batch runs, a changed number of rejects is reported at most this often."""


class Batch(Struct, frozen=True, kw_only=True):
    """One batch's tally."""

    site: str
    machine: str
    product: str
    batch: str
    items: int = 0
    rejects: int = 0
    unsure: int = 0
    labels: dict[str, int] = {}
    """Rejected items by label."""
    since_ns: int
    last_ns: int
    closed: bool = False
    revision: int = 0
    """Counts the reports made of it."""
    reported_ns: int = 0
    reported_rejects: int = 0


def tally(batch: Batch | None, seen: Inspection, *, now_ns: int) -> Batch:
    """The batch with one more inspection; items cut off by the picture's edge are left to the frame that shows them whole."""
    at_ns = min(seen.time_ns, now_ns)
    if batch is None:
        batch = Batch(
            site=seen.site, machine=seen.machine, product=seen.product, batch=seen.batch, since_ns=at_ns, last_ns=at_ns
        )
    whole = [item for item in seen.items if not item.cut_off]
    labels = dict(batch.labels)
    for item in whole:
        if item.verdict == "reject":
            labels[item.label] = labels.get(item.label, 0) + 1
    return msgspec.structs.replace(
        batch,
        items=batch.items + len(whole),
        rejects=batch.rejects + sum(item.verdict == "reject" for item in whole),
        unsure=batch.unsure + sum(item.verdict == "unsure" for item in whole),
        labels=labels,
        since_ns=min(batch.since_ns, at_ns),
        last_ns=max(batch.last_ns, at_ns),
        closed=False,
    )


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
