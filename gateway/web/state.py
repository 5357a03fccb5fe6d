"""The gateway's parts, summed up for API, page and metrics."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version

import msgspec

from gateway.live import MachineState
from gateway.services import Services
from gateway.web import views
from gateway.web.trouble import troubles, works
from wire.messages import Condition, Prognosis, Severity


def machine_views(services: Services) -> list[views.Machine]:
    """Every machine by node and name."""
    online, alerts = _online(services), _alerts(services)
    return [_view(services, state, online, alerts) for state in services.live.machines()]


def machine_view(services: Services, state: MachineState) -> views.Machine:
    """One machine."""
    return _view(services, state, _online(services), _alerts(services))


def _online(services: Services) -> set[str]:
    return {origin.node for origin in services.ingest.nodes() if origin.online}


def _alerts(services: Services) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for alert in services.ledger.open_alerts():
        found[alert.machine].append(alert.id)
    return found


def _view(services: Services, state: MachineState, online: set[str], alerts: dict[str, list[str]]) -> views.Machine:
    condition, stale = state.condition, state.stale(services.wall_ns())
    age_s = max(services.wall_ns() - condition.time_ns, 0) / 1e9 if condition else 0.0
    return views.Machine(
        site=state.site,
        node=state.node,
        machine=state.machine,
        title=services.titles.get(state.machine) or state.machine,
        online=state.node in online,
        seen_ns=state.seen_ns,
        condition_ns=condition.time_ns if condition else 0,
        regime=condition.regime if condition else None,
        stale=stale,
        severity=None if stale else _severity(condition),
        score=condition.score if condition else None,
        limit=condition.limit if condition else None,
        learned=condition.learned if condition else 0.0,
        learning_left_s=_left_s(condition.learning_left_s, age_s) if condition else None,
        certainty=condition.certainty if condition else None,
        prognosis=_later(condition.prognosis, age_s) if condition else None,
        paused=bool(condition and condition.paused),
        paused_left_s=_left_s(condition.paused_left_s, age_s) if condition and condition.paused else None,
        unsteady=list(condition.unsteady) if condition else [],
        unjudged=condition.unjudged if condition else 0,
        sensor_faults=list(condition.sensor_faults) if condition else [],
        causes=list(condition.causes) if condition else [],
        evidence=list(condition.evidence) if condition else [],
        model=condition.model if condition else "",
        values={name: views.Value(value=value, unit=unit) for name, (value, unit) in state.values.items()},
        alerts=alerts.get(state.machine, []),
    )


def _left_s(told_s: float | None, age_s: float) -> float | None:
    return None if told_s is None else max(told_s - age_s, 0.0)


def _later(told: Prognosis | None, age_s: float) -> Prognosis | None:
    """A prognosis as it reads so much later; None once its time has passed."""
    if told is None or told.high_s <= age_s:
        return None
    return msgspec.structs.replace(told, low_s=max(told.low_s - age_s, 0.0), high_s=told.high_s - age_s)


def _severity(condition: Condition | None) -> str | None:
    """Nothing is good before it is known what good is."""
    if condition is None or (condition.learned < 1 and condition.severity is Severity.GOOD):
        return None
    return condition.severity.value


def node_views(services: Services) -> list[views.Node]:
    """Every daemon with its latest health."""
    healths = {(health.node, str(health.origin)): health for health in services.live.nodes()}
    found = []
    for origin in services.ingest.nodes():
        health = healths.get((origin.node, origin.origin))
        found.append(
            views.Node(
                node=origin.node,
                origin=origin.origin,
                online=origin.online,
                log=origin.log,
                last=origin.last,
                evicted=origin.evicted,
                duplicates=origin.duplicates,
                seen_ns=origin.seen_ns,
                trust=origin.trust.value if origin.trust else None,
                cpu_temperature_c=health.cpu_temperature_c if health else None,
                disk_free_bytes=health.disk_free_bytes if health else None,
                sensors_bad=[f"{s.machine or ''}/{s.name}" for s in health.sensors if not s.ok] if health else [],
            )
        )
    return found


def stats(services: Services) -> views.Stats:
    """Counters."""
    ingest, storing, journal = services.ingest.stats(), services.storing.stats(), services.journal.stats()
    counts = services.ledger.counts()
    return views.Stats(
        received=ingest.received,
        accepted=ingest.accepted,
        duplicates=ingest.duplicates,
        refused=dict(ingest.refused),
        evicted=ingest.evicted,
        stored=storing.stored,
        points=storing.points,
        rejected=storing.rejected,
        backlog=storing.backlog,
        alerts_backlog=services.alerting.stats().backlog,
        latency_p50_s=storing.latency_p50_s,
        latency_p99_s=storing.latency_p99_s,
        journal_bytes=journal.bytes,
        journal_next=journal.next,
        alerts_open=counts.open + counts.acknowledged,
        alerts_total=counts.total,
        requests_refused=services.refused.snapshot(),
    )


def health(services: Services) -> views.HealthView:
    """Which parts work, and what is in trouble; names no machine, as anybody may ask."""
    parts = {name: works(alive) for name, alive in services.alive.items()}
    trouble = [each.text for each in troubles(services)]
    return views.HealthView(
        status="trouble" if trouble else "ok", version=version("werkpuls"), parts=parts, trouble=trouble
    )
