"""The running parts of the gateway, as the page and the API see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.alerting import Alerting
from gateway.goods import Goods
from gateway.ingest import Ingest
from gateway.ledger import Ledger
from gateway.live import Live
from gateway.refused_requests import RefusedRequests
from gateway.store.base import Store
from gateway.storing import Storing
from gateway.wording import Wording
from wire.journal import Journal


class Failures(NamedTuple):
    """What went wrong in a part that goes on all the same."""

    total: int
    """Since start."""
    error: str
    """Why the last attempt failed; empty after one that worked."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may ask; made by the daemon, replaced part by part in tests."""

    site: str
    language: str
    """The site's own language; a request may choose another one."""
    titles: Mapping[str, str]
    """What people call the machines."""
    wordings: Mapping[str, Wording]
    journal: Journal
    ingest: Ingest
    live: Live
    store: Store
    storing: Storing
    ledger: Ledger
    goods: Goods
    alerting: Alerting
    alive: Mapping[str, Callable[[], bool]]
    """Each part's thread by name: whether it still works."""
    failures: Mapping[str, Callable[[], Failures]]
    """What went wrong in each part that counts it, by name."""
    wall_ns: Callable[[], int]
    refused: RefusedRequests = field(default_factory=RefusedRequests)
    """Counts HTTP requests that were refused."""

    def wording(self, language: str | None = None) -> Wording:
        """The wording of a language, the site's own for an unknown one."""
        return self.wordings.get(language or "") or self.wordings[self.language]
