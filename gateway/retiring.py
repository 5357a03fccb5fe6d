"""A node, or one daemon of it, is no longer in use: what becomes of it in every part of the gateway.

Its alerts end, for nobody will ever clear them; it and its machines are no longer shown, and nobody is called because it is away. What was
measured, the history of the alerts and the audit trail stay. When it is heard again, it is a new one.
"""

from __future__ import annotations

from gateway.ledger_transaction import Transaction
from gateway.lifecycle import retire as retire_alert
from gateway.origins import StillOnline
from gateway.services import Services


def retire(services: Services, node: str, origin: str, *, by: str) -> None:
    """A person says that it is no longer in use; may be said again where it was not kept.

    Raises:
        KeyError: no such daemon is known.
        StillOnline: it is connected; it is switched off first.
        LedgerUnavailable, LedgerError, JournalError, TimeoutError: that cannot be kept now.
    """
    state = {(each.node, each.origin): each for each in services.ingest.nodes()}[(node, origin)]
    if state.online:
        raise StillOnline(f"{node}/{origin}")
    with services.ledger.transaction() as work:
        _end_alerts(work, services, f"{node}/{origin}", by)
        work.execute(
            "UPDATE commands SET state = 'expired', reason = 'no longer in use'"
            " WHERE site = ? AND node = ? AND origin = ? AND state IN ('queued', 'sent')",
            (services.site, node, origin),
        )
        work.audit(by, "retire", f"{node}/{origin}")
    services.ingest.retire(node, origin)
    services.alerting.forget_node(services.site, node, origin)
    services.live.drop(node, origin)


def _end_alerts(work: Transaction, services: Services, daemon: str, by: str) -> None:
    # "0" follows "/": by the index, everything that begins with the daemon's name.
    rows = work.execute(
        "SELECT alert, source FROM sources WHERE site = ? AND source >= ? AND source < ? ORDER BY alert",
        (services.site, f"{daemon}/", f"{daemon}0"),
    ).fetchall()
    gone = {row["source"] for row in rows}
    for found in dict.fromkeys(row["alert"] for row in rows):
        alert = work.get(found)
        if alert is not None:
            work.put(retire_alert(alert, gone, services.wall_ns(), services.ledger.policy, by=by))
