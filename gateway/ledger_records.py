"""What the ledger tells of itself: records that people and metrics read, apart from the alerts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Who did what when."""

    id: int
    at_ns: int
    by: str
    what: str
    object: str
    text: str


class SetApart(Struct, frozen=True, kw_only=True):
    """A journal entry that could not be worked on."""

    id: int
    log: str
    seq: int
    stream: str
    at_ns: int
    reason: str
    detail: str


class CommandState(Struct, frozen=True, kw_only=True):
    """A command to a node and what became of it."""

    id: str
    site: str
    node: str
    origin: str
    machine: str
    action: str
    state: Literal["queued", "sent", "done", "refused", "expired"]
    by: str
    at_ns: int
    attempts: int
    reason: str
    expires_ns: int
    """The node no longer does it when it comes later."""


class Counts(Struct, frozen=True, kw_only=True):
    """Numbers for metrics and the page's head."""

    open: int
    acknowledged: int
    pending: int
    total: int
    set_apart: int
    commands_waiting: int
    batches_open: int
