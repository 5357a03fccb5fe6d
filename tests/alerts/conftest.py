"""A ledger with its clock, and a site of a journal, a ledger and an alerting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.alerting import Site
from support.alerts import Clock, ledger

from gateway.ledger import Ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    opened = ledger(tmp_path, clock)
    yield opened
    opened.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()
