"""From batches to findings about the goods: too many rejects, with what most of them have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from edge.drafts import Drafter, shorten
from edge.standing import Standing, StandingFinding, standing
from edge.vision.batches import Batch
from wire.journal import Record
from wire.messages import Cause, Evidence, Severity

FEWEST = 10
"""Judged items below which a batch says nothing."""
CALM = 3
"""Subgroups in a row without a warning after which a drift is over."""
ALARM = 3.0
"""So many times the limit, and certainly above it, is an alarm."""
_SHARED = 0.5
"""From this share of the rejects on, what they have in common is the cause."""
_CAUSES: Mapping[str, str] = {
    "burnt": "too_dark",
    "underbaked": "too_light",
    "broken": "shape",
    "cracked": "shape",
    "deformed": "shape",
}


class QualityFindings:
    """What one camera's batches say. No clock, no files.

    Args:
        camera: its name.
        machine: whose goods these are.
        reject_above: share of rejects in a batch that is too much.
        drafter: makes the records.
        mark: what `state` gave before a restart, None for nothing.
    """

    def __init__(self, camera: str, machine: str, reject_above: float, drafter: Drafter, mark: str | None) -> None:
        self._limit = reject_above
        self._camera = camera
        fixed = {"machine": machine, "type": "quality", "channel": camera}
        self._rejects = StandingFinding(drafter, fixed, raise_after=1, clear_after=1)
        self._drift = StandingFinding(drafter, fixed, raise_after=1, clear_after=CALM)
        for name, finding in self._named().items():
            finding.kept = _kept(mark, name)

    @property
    def state(self) -> str:
        """For a mark in the journal."""
        return msgspec.json.encode({name: finding.kept for name, finding in self._named().items()}).decode()

    @property
    def causes(self) -> list[str]:
        """Of what is open."""
        return [finding.cause for finding in self._named().values() if finding.cause]

    def batch(self, batch: Batch, now_ns: int) -> list[Record]:
        """After each inspection.

        There are too many rejects once even the low end of the interval is above the limit; it is over once a batch of enough
        items has no more than the limit.
        """
        judged = batch.judged
        if judged < FEWEST:
            return []
        rate, low, _ = batch.reject_rate
        if low <= self._limit and (self._rejects.cause == "" or rate > self._limit):
            return []
        if low <= self._limit:
            return self._rejects.look("", now_ns)
        shares = _shares(batch)
        cause = next((name for name, share in shares.items() if share >= _SHARED), "rejects_high")
        deviation = (rate - self._limit) / math.sqrt(self._limit * (1 - self._limit) / judged)
        return self._rejects.look(
            # What was told first stands: the mixture of defects changes from tray to tray.
            self._rejects.cause or cause,
            now_ns,
            severity=Severity.ALARM if rate >= ALARM * self._limit else Severity.WARNING,
            detail=f"batch {batch.id} of {batch.product}: {batch.verdicts.get('reject', 0)} of {judged} rejected",
            evidence=[
                Evidence(
                    feature="reject_rate",
                    value=shorten(rate) or 0.0,
                    expected=self._limit,
                    unit="",
                    deviation=shorten(deviation) or 0.0,
                    channel=self._camera,
                )
            ],
            causes=[Cause(code=name, confidence=share) for name, share in shares.items()],
            product=batch.product,
            score=rate,
            limit=self._limit,
        )

    def drift(
        self, cause: str, evidence: Evidence | None, detail: str, now_ns: int, *, product: str = ""
    ) -> list[Record]:
        """What the control charts say: cause of a drift of that product, empty for none."""
        return self._drift.look(
            cause,
            now_ns,
            severity=Severity.WATCH,
            detail=detail,
            evidence=[evidence] if evidence is not None else [],
            # What is over may be another product's.
            product=(product or None) if cause else None,
        )

    def _named(self) -> dict[str, StandingFinding]:
        return {"rejects": self._rejects, "drift": self._drift}


def _shares(batch: Batch) -> dict[str, float]:
    """Causes with their shares of the defects, the largest first."""
    counts: dict[str, int] = {}
    for label, count in batch.labels.items():
        if label in _CAUSES:
            counts[_CAUSES[label]] = counts.get(_CAUSES[label], 0) + count
    total = sum(count for label, count in batch.labels.items() if label != "good")
    return {name: count / total for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))}


def _kept(mark: str | None, name: str) -> Standing:
    try:
        found = msgspec.json.decode(mark or "{}", type=dict[str, object])
    except msgspec.DecodeError:
        return Standing()
    return standing(found.get(name, {}))
