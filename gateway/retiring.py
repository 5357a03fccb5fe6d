"""A node, or one daemon of it, is no longer in use: what becomes of it in every part of the gateway.

Its alerts end, for nobody will ever clear them; it and its machines are no longer shown, and nobody is called because it is away. What was
measured, the history of the alerts and the audit trail stay. When it is heard again, it is a new one, but for what was taken of it,
which is not taken twice, and what it had found and not cleared: it does not tell that twice, so those alerts are open again.
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
        _end_alerts(work, services, node, origin, by)
        work.execute(
            "UPDATE commands SET state = 'expired', reason = 'no longer in use'"
            " WHERE site = ? AND node = ? AND origin = ? AND state IN ('queued', 'sent')",
            (services.site, node, origin),
        )
        work.audit(by, "retire", f"{node}/{origin}")
    services.ingest.retire(node, origin)
    services.alerting.forget_node(services.site, node, origin)
    services.live.drop(node, origin)
    # What alerting had in hand just then; from here on it takes nothing of it any more.
    with services.ledger.transaction() as work:
        _end_alerts(work, services, node, origin, by)


def _end_alerts(work: Transaction, services: Services, node: str, origin: str, by: str) -> None:
    for alert, sources in work.reported_by(services.site, node, origin):
        gone = sources - alert.away.keys()
        if gone:
            work.put(retire_alert(alert, gone, services.wall_ns(), services.ledger.policy, by=by))
