"""From alerts and batches to events for other services. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from gateway.alerts import Alert, Reason
from gateway.batches import Batch
from gateway.costs import Costs, MachineFacts, extra_power_kw, money, outage, scrap
from gateway.events import (
    ALERT,
    CAPACITY,
    COST,
    SCRAP,
    AlertData,
    Capacity,
    CloudEvent,
    Cost,
    Expected,
    Explanation,
    Outgoing,
    Scrap,
    Together,
    rfc3339,
    schema_uri,
)
from gateway.wording import Wording


class Translator:
    """Turns alerts and batches into events for other services. Pure; safe to call from several threads."""

    def __init__(self, costs: Costs, machines: Sequence[MachineFacts], wordings: Sequence[Wording]) -> None:
        self._costs = costs
        self._facts = {facts.name: facts for facts in machines}
        self._wordings = tuple(wordings)

    def of_alert(
        self, alert: Alert, reason: Reason, *, now_ns: int, called: Mapping[str, str] | None = None
    ) -> list[Outgoing]:
        """The alert itself and, for a machine in trouble, the capacity and the money at stake.

        `called` are the names that people gave products.
        """
        made = [self._event(ALERT, alert, self._alert(alert, reason, now_ns, called or {}), now_ns)]
        if alert.kind != "machine":
            return made
        facts = self._facts.get(alert.machine, MachineFacts(name=alert.machine))
        made.append(self._event(CAPACITY, alert, self._capacity(alert, facts, now_ns), now_ns))
        if facts.has_costs or (self._costs.energy_price_per_kwh and extra_power_kw(alert.evidence)):
            made.append(self._event(COST, alert, self._cost(alert, facts, now_ns), now_ns))
        return made

    def of_batch(self, batch: Batch, *, now_ns: int, called: Mapping[str, str] | None = None) -> list[Outgoing]:
        """A batch's scrap and, where its items have a cost, the money; `called` as in `of_alert`."""
        product_name = (called or {}).get(batch.product, batch.product)
        key = f"{batch.site}/{batch.machine}/{batch.product}/{batch.batch}"
        name = hashlib.blake2b(key.encode(), digest_size=10).hexdigest()
        data = Scrap(
            machine=batch.machine,
            batch=batch.batch,
            product=batch.product,
            product_name=product_name,
            items=batch.items,
            rejects=batch.rejects,
            unsure=batch.unsure,
            reasons=batch.labels,
            start=rfc3339(batch.since_ns),
            until=rfc3339(batch.last_ns),
            final=batch.closed,
        )
        made = [self._wrap(SCRAP, name, batch.revision, batch.site, batch.machine, "good", data, now_ns)]
        lost = scrap(batch.rejects, batch.product, self._costs)
        if lost is not None:
            cost = Cost(
                reference=f"batch:{batch.batch}",
                kind="scrap",
                machine=batch.machine,
                state="final" if batch.closed else "expected",
                currency=self._costs.currency,
                repair=0.0,
                downtime=0.0,
                energy=0.0,
                scrap=lost,
                total=lost,
                probability=1.0,
                product=batch.product,
                product_name=product_name,
            )
            made.append(self._wrap(COST, name, batch.revision, batch.site, batch.machine, "good", cost, now_ns))
        return made

    def _capacity(self, alert: Alert, facts: MachineFacts, now_ns: int) -> Capacity:
        expected = outage(alert, self._costs, facts, now_ns=now_ns)
        return Capacity(
            alert=alert.id,
            machine=alert.machine,
            state="over" if alert.state.closed else "expected",
            start=rfc3339(expected.from_ns),
            until=rfc3339(expected.until_ns),
            share=expected.share,
            probability=expected.probability,
            outage_hours=expected.hours,
            expected_lost_hours=round(expected.expected_lost_hours, 3),
            cause=alert.cause,
            severity=alert.severity,
        )

    def _cost(self, alert: Alert, facts: MachineFacts, now_ns: int) -> Cost:
        expected = money(alert, self._costs, facts, now_ns=now_ns)
        return Cost(
            reference=alert.id,
            kind="machine",
            machine=alert.machine,
            state="final" if alert.state.closed else "expected",
            currency=self._costs.currency,
            repair=expected.repair,
            downtime=expected.downtime,
            energy=expected.energy,
            scrap=0.0,
            total=round(expected.total, 2),
            probability=outage(alert, self._costs, facts, now_ns=now_ns).probability,
            cause=alert.cause,
        )

    def _alert(self, alert: Alert, reason: Reason, now_ns: int, called: Mapping[str, str]) -> AlertData:
        texts: dict[str, Explanation] = {}
        for wording in self._wordings:
            said = wording.describe(alert, now_ns=now_ns, called=called)
            check = wording.cause(alert.cause, alert.label).check
            texts[wording.language] = Explanation(title=said.title, text="\n".join(said.lines), check=check)
        between, prognosis = alert.expected_ns, alert.prognosis
        return AlertData(
            alert=alert.id,
            version=alert.version,
            reason=reason,
            state=alert.state,
            site=alert.site,
            machine=alert.machine,
            node=alert.node,
            kind=alert.kind,
            cause=alert.cause,
            severity=alert.severity,
            confidence=alert.confidence,
            since=rfc3339(alert.since_ns),
            opened=rfc3339(alert.opened_ns) if alert.opened_ns is not None else None,
            resolved=rfc3339(alert.resolved_ns) if alert.resolved_ns is not None else None,
            resolution=alert.resolution,
            done=alert.done,
            count=alert.count,
            channel=alert.channel,
            causes=alert.causes,
            evidence=alert.evidence,
            texts=texts,
            prognosis=Expected(
                start=rfc3339(between[0]),
                until=rfc3339(between[1]),
                confidence=prognosis.confidence,
                reaches=prognosis.reaches,
            )
            if between is not None and prognosis is not None
            else None,
            confirmed=alert.confirmed_label or alert.confirmed,
            relation=_together(alert),
        )

    def _event(self, event_type: str, alert: Alert, data: Capacity | Cost | AlertData, now_ns: int) -> Outgoing:
        # Whoever heard of an alarm must hear of its end, though it had eased by then: the worst that was told decides.
        worst = max(alert.severity, alert.notified or alert.severity, key=lambda grade: grade.rank)
        return self._wrap(event_type, alert.id, alert.version, alert.site, alert.machine, worst.value, data, now_ns)

    @staticmethod
    def _wrap(
        event_type: str,
        name: str,
        sequence: int,
        site: str,
        machine: str,
        severity: str,
        data: Capacity | Scrap | Cost | AlertData,
        now_ns: int,
    ) -> Outgoing:
        event_id = f"{name}.{sequence}.{event_type.split('.')[-2]}"
        event = CloudEvent(
            id=event_id,
            source=f"/werkpuls/{site}",
            type=event_type,
            subject=machine,
            time=rfc3339(now_ns),
            dataschema=schema_uri(event_type),
            sequence=f"{sequence:010d}",
            data=data,
        )
        body = msgspec.json.encode(event)
        return Outgoing(event_id, event_type, f"{site}/{machine}", severity, now_ns, body, machine)


def _together(alert: Alert) -> Together | None:
    found = alert.relation
    if found is None:
        return None
    return Together(
        product=found.product,
        measure=found.measure,
        unit=found.unit,
        since=rfc3339(found.since_ns),
        moved=found.moved,
        batches=found.batches,
        related=found.related,
    )
