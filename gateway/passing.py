"""What time alone does to alerts: nodes stay away, findings turn out forgotten, alerts fall due, batches are over.

All of it happens in one transaction, each part of it by itself: one that the code stumbles over is taken back and told, and holds up no
other. A file that cannot be used ends the transaction instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from gateway.alerts import Observation, Policy
from gateway.ledger_file import of_the_file
from gateway.ledger_transaction import Transaction
from gateway.lifecycle import clear
from gateway.stale import Good
from gateway.stumbles import RETRY_NS, Stumbles
from gateway.triage import Triage


class Passing:
    """One thread uses it; `stumbles` and `batches_error` may be read by others."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.stumbles = Stumbles()
        self.batches_error = ""
        """Why subscribers cannot be told of batches now; empty where they can."""

    def work(
        self,
        work: Transaction,
        seen: Sequence[Observation],
        good: Sequence[Good],
        back: Sequence[tuple[str, str, str]],
        now_ns: int,
    ) -> list[Observation]:
        """Lets time pass up to `now_ns`.

        Args:
            work: what it is kept with.
            seen: what was seen of nodes.
            good: which machines proved good.
            back: site, node and origin of daemons that came online.
            now_ns: the moment.

        Returns:
            What was kept of `seen`.
        """
        triage = Triage(work, self._policy)
        for site, node, origin in back:
            step = partial(self._come_back, work, triage, (site, node, origin), now_ns)
            self._part(f"return of {node}/{origin}", node, now_ns, work, step)
        kept = [
            one
            for one in seen
            if self._again(f"report {one.source}", one.machine, now_ns, work, partial(triage.observe, one))
        ]
        for one in good:
            name = f"all-clear {one.node}/{one.origin}/{one.machine}"
            self._again(name, one.machine, now_ns, work, partial(self._forget, work, one))
        for due in work.due(now_ns):
            if not self._part(f"alert {due.id}", due.machine, now_ns, work, partial(triage.wait, due.id, now_ns)):
                # Not first in line again at once: of those that are due a bounded number is looked at.
                work.postpone(due.id, until_ns=now_ns + RETRY_NS)
        self._report_batches(work)
        self.stumbles.forget(now_ns)
        self.untold(work, now_ns)
        return kept

    def untold(self, work: Transaction, now_ns: int) -> None:
        """Notes of which alerts events could be made within a transaction, and of which not."""
        for alert in work.told:
            self.stumbles.passed(f"event of alert {alert.id}")
        for alert, error in work.untold:
            self.stumbles.stumbled(f"event of alert {alert.id}", alert.machine, error, now_ns)

    def _again(self, what: str, about: str, now_ns: int, work: Transaction, step: Callable[[], None]) -> bool:
        """As `_part`, of what comes with every turn until it has been kept."""
        return not self.stumbles.waits(what, now_ns) and self._part(what, about, now_ns, work, step)

    def _part(self, what: str, about: str, now_ns: int, work: Transaction, step: Callable[[], None]) -> bool:
        work.savepoint()
        try:
            step()
        except Exception as exc:  # whatever is wrong with one, the others must not wait for it
            if of_the_file(exc):
                raise
            work.take_back()
            self.stumbles.stumbled(what, about, exc, now_ns)
            return False
        work.release()
        self.stumbles.passed(what)
        return True

    @staticmethod
    def _come_back(work: Transaction, triage: Triage, daemon: tuple[str, str, str], now_ns: int) -> None:
        for alert, sources in work.reported_by(*daemon):
            triage.come_back(alert, sources, now_ns)

    def _forget(self, work: Transaction, good: Good) -> None:
        for alert in work.holding_any(good.site, good.machine):
            for source in good.forgotten(alert):
                held = work.get(alert.id) or alert
                work.put(clear(held, source, good.at_ns, self._policy))

    def _report_batches(self, work: Transaction) -> None:
        work.savepoint()
        try:
            work.report_batches()
        except Exception as exc:  # see above
            if of_the_file(exc):
                raise
            work.take_back()
            if not self.batches_error:
                logging.getLogger(__name__).exception("batches cannot be told of")
            self.batches_error = str(exc) or type(exc).__name__
            return
        work.release()
        self.batches_error = ""
