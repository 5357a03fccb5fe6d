"""What is wrong with the gateway itself: in short for monitors (`/health`), and in the reader's language with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import NamedTuple

from gateway.ledger_file import LedgerError, LedgerUnavailable
from gateway.services import Services
from gateway.wording import Wording
from wire.journal import JournalError

APART_NS = 86_400_000_000_000
"""A finding that could not be worked on, or a message that was given up, is told for so long."""
TEXTS = MappingProxyType(
    {
        "stopped": "{part} has stopped",
        "broker": "no connection to the broker",
        "journal_full": "the journal cannot be written",
        "journal": "the journal cannot be read",
        "store": "the store cannot be reached",
        "ledger": "the ledger cannot be read",
        "alerting": "alerts cannot be worked on",
        "alert": "an alert cannot be worked on",
        "finding": "a finding could not be worked on",
        "people": "people cannot be told",
        "telling": "people are not told at the moment",
        "relating": "goods and oven cannot be held against each other",
        "batches": "subscribers cannot be told of batches",
        "pictures": "pictures of goods cannot be kept",
    }
)
"""English, without any machine's name; the catalogue's section `troubles` has the same keys."""


BLINDING = frozenset({"stopped", "broker", "journal_full", "journal", "ledger", "alerting", "alert", "finding"})
"""While one of these lasts, nobody knows that everything runs as usual."""


class Trouble(NamedTuple):
    """One thing that is wrong."""

    code: str
    part: str = ""
    """Which part of the gateway, where that is not said by the code."""
    machines: tuple[str, ...] = ()
    """Whom it is about, for those who may know."""
    people: tuple[str, ...] = ()
    """Who is not told, for those who may know."""

    @property
    def text(self) -> str:
        """For monitors; names no machine."""
        return TEXTS[self.code].format(part=self.part)


def works(alive: Callable[[], bool]) -> bool:
    """Whether a part's thread runs."""
    try:
        return alive()
    except JournalError:
        return False


def troubles(services: Services) -> list[Trouble]:
    """What is wrong now, the worst first."""
    found = [Trouble("stopped", name) for name, alive in services.alive.items() if not works(alive)]
    ingest = services.ingest.stats()
    if not ingest.link.connected:
        found.append(Trouble("broker"))
    if ingest.last_error:
        found.append(Trouble("journal_full"))
    try:
        if not services.storing.stats().available:
            found.append(Trouble("store"))
    except JournalError:
        found.append(Trouble("journal"))
    return [*found, *_alerting(services), *_others(services), *_ledger(services)]


def _alerting(services: Services) -> Iterator[Trouble]:
    try:
        alerting = services.alerting.stats()
    except JournalError:
        return  # told above
    if alerting.last_error:
        yield Trouble("alerting")
    if alerting.stumbles:
        yield Trouble("alert", machines=tuple(sorted({one.about for one in alerting.stumbles.values()})))
    if alerting.batches_error:
        yield Trouble("batches")
    if alerting.goods_error:
        yield Trouble("pictures")


def _others(services: Services) -> Iterator[Trouble]:
    for code, part in (("telling", "notifying"), ("relating", "relating")):
        failures = services.failures.get(part)
        if failures is not None and failures().error:
            yield Trouble(code)


def _ledger(services: Services) -> Iterator[Trouble]:
    try:
        services.ledger.counts()
        since_ns = services.wall_ns() - APART_NS
        if services.ledger.set_apart(limit=1, stream="finding", since_ns=since_ns):
            yield Trouble("finding")
        people = {
            address.partition("#")[0] for address in services.ledger.outbox.unreached("person", since_ns=since_ns)
        }
        if people:
            yield Trouble("people", people=tuple(sorted(people)))
        unreadable = services.ledger.unreadable()
        if unreadable:
            yield Trouble("alert", machines=tuple(sorted(unreadable)))
    except (LedgerError, LedgerUnavailable):
        yield Trouble("ledger")


def sentences(found: list[Trouble], words: Wording) -> list[str]:
    """What a person reads of it: what it means and what to do."""
    texts = words.catalogue["troubles"]
    said = (
        str(texts[one.code]).format(
            machines=", ".join(words.machine(machine) for machine in one.machines), people=", ".join(one.people)
        )
        for one in found
    )
    return list(dict.fromkeys(said))
