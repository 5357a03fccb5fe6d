"""Cards of what the page stumbles over: shown as that, with what to do, so that one alert or machine takes no other with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from gateway.alerts import Alert, State
from gateway.ledger_file import LedgerError, LedgerUnavailable
from gateway.web import views
from gateway.wording import Wording

Card: TypeAlias = dict[str, Any]


def card_or(otherwise: Callable[[], Card], make: Callable[[], Card]) -> Card:
    """What `make` makes, else the card that says that it cannot be shown.

    Raises:
        LedgerError, LedgerUnavailable: it is the ledger that cannot be read; that concerns the whole page.
    """
    try:
        return make()
    except (LedgerError, LedgerUnavailable):
        raise
    except Exception:
        # Whatever it was, people must see the others.
        logging.getLogger(__name__).exception("a card of the page cannot be shown")
        return otherwise()


def unshown_alert(alert: Alert, words: Wording) -> Card:
    """An alert of which nothing can be said but that it is there; people can still take it on and settle it."""
    return {
        "id": alert.id,
        "version": alert.version,
        "severity": alert.severity.value,
        "severity_name": words.severity(alert.severity),
        "machine": words.machine(alert.machine),
        "cause": alert.cause,
        "explain": words.catalogue["page"]["unshown_alert"],
        "lines": [],
        "check": "",
        "confirmed": "",
        "notes": [],
        "causes": [],
        "owner": alert.owner,
        "acknowledged": alert.state is State.ACKNOWLEDGED,
        "state_name": words.word("states", alert.state),
        "goods": False,
        "until": "",
    }


def unshown_machine(machine: views.Machine, words: Wording) -> Card:
    """A machine of which nothing can be said: not that it is good either."""
    return {
        "node": machine.node,
        "machine": machine.machine,
        "title": machine.title,
        "severity": "new",
        "severity_name": words.word("severities", "unknown"),
        "facts": machine.node,
        "cameras": [],
        "judged": False,
        "learned": 1.0,
        "notes": [words.catalogue["page"]["unshown_machine"]],
        "sensor_faults": [],
        "channels": [],
        "tended": False,
        "paused": [],
        "told": [],
    }
