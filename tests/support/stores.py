"""What the stores' contract suite is run against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.store.base import Store
from gateway.store.config import StoreConfig


@dataclass
class Place:
    """A store and what it keeps beyond the least that the contract asks for."""

    name: str
    config: StoreConfig
    store: Store
    site: str
    """Unique, so that a server that outlives a test does not mix them up."""
    texts: bool
    settle: Callable[[], None]
    """Makes what was written visible to reads."""
