"""A finding's life on the node: told after it was seen some times in a row, over after as many times without it.

No clock, no files: the caller puts the records and the state to the journal in one transaction, so that what is open is right
also after a power cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2s
from typing import Any

import msgspec

from edge.drafts import Drafter
from wire.journal import Record
from wire.messages import Evidence, Finding, Severity


class Standing(msgspec.Struct):
    """What survives a restart: id and cause of the open finding, both empty for none."""

    id: str = ""
    cause: str = ""


class StandingFinding:
    """One thing that can be wrong, with one cause at a time.

    Args:
        drafter: makes the records.
        fixed: what all of its findings share: machine, type and channel.
        raise_after: looks in a row before it is told or changes.
        clear_after: looks in a row without it before it is over.
    """

    def __init__(self, drafter: Drafter, fixed: Mapping[str, Any], *, raise_after: int, clear_after: int) -> None:
        self.kept = Standing()
        self._drafter = drafter
        self._fixed = fixed
        self._raise_after = raise_after
        self._clear_after = clear_after
        self._candidate = ""
        self._stood = 0

    @property
    def cause(self) -> str:
        """Of the open finding, empty for none."""
        return self.kept.cause

    def look(
        self,
        cause: str,
        now_ns: int,
        *,
        severity: Severity = Severity.WARNING,
        detail: str = "",
        evidence: Sequence[Evidence] = (),
        **more: Any,
    ) -> list[Record]:
        """Takes what one look says; returns the record of a finding where there is one to tell.

        Args:
            cause: what is wrong, empty for nothing.
            now_ns: monotonic time.
            severity: of what is wrong.
            detail: English.
            evidence: what moved.
            **more: further fields of the finding.
        """
        self._stood = self._stood + 1 if cause == self._candidate else 1
        self._candidate = cause
        before = self.kept
        if cause == before.cause or self._stood < (self._raise_after if cause else self._clear_after):
            return []
        state = "cleared" if not cause else "changed" if before.cause else "open"
        text = f"{self._fixed}|{cause}|{now_ns}"
        self.kept = Standing(before.id or f"c-{blake2s(text.encode(), digest_size=10).hexdigest()}", cause)
        told = self._drafter.record(
            Finding,
            now_ns,
            event=True,
            id=self.kept.id,
            state=state,
            cause=cause or before.cause,
            severity=severity if cause else Severity.GOOD,
            since_ms=0.0,
            evidence=list(evidence),
            detail=detail[:500],
            **self._fixed,
            **more,
        )
        if not cause:
            self.kept = Standing()
        return [told]


def standing(mark: object) -> Standing:
    """What was kept; nothing open where it cannot be read."""
    try:
        return msgspec.convert(mark, Standing)
    except msgspec.ValidationError:
        return Standing()
