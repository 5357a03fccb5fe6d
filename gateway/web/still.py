"""Why a machine is in trouble without an open alert: a person said that it is over, and its node still finds it."""

from __future__ import annotations

from gateway.alerts import State
from gateway.ledger import Ledger
from gateway.web import views
from gateway.wording import Wording

LATEST = 20
"""Alerts of the machine that are looked at."""
_HALF_DAY_NS = 12 * 3600 * 10**9
_SAID = {"done": "still_done", "false_alarm": "still_false_alarm"}


def still_there(ledger: Ledger, machine: views.Machine, words: Wording, now_ns: int) -> list[str]:
    """Who said when that it is over, of each trouble that a machine's node has not cleared since; latest seen first.

    Raises:
        LedgerError, LedgerUnavailable: alerts cannot be read now.
    """
    if machine.severity in (None, "good") or machine.paused:
        return []
    lines = []
    for alert in ledger.alerts(machine=machine.machine, limit=LATEST):
        key = _SAID.get(alert.resolution)
        mine = any(source.startswith(f"{machine.node}/") for source in alert.settled)
        if alert.kind != "machine" or alert.state is not State.RESOLVED or key is None or not mine:
            continue
        at_ns = alert.resolved_ns or 0
        when = words.clock(at_ns)[:5] if now_ns - at_ns < _HALF_DAY_NS else words.when(at_ns)
        cause = words.cause(alert.cause, alert.label).name
        lines.append(str(words.catalogue["page"][key]).format(cause=cause, by=alert.resolved_by, when=when))
    return lines
