"""`/metrics` in the Prometheus text format, read from the parts at each request."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.services import Services
from gateway.web.state import health, machine_views, node_views, stats
from wire.messages import Severity


class GatewayCollector(Collector):
    """Metrics of one gateway; names follow Prometheus' conventions (base units, `_total`)."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from self._flow()
        yield from self._machines()
        yield from self._nodes()
        yield from self._deliveries()

    def _flow(self) -> Iterator[Metric]:
        now = stats(self._services)
        for name, text, value in (
            ("received", "Messages taken from the broker", now.received),
            ("accepted", "Messages appended to the journal", now.accepted),
            ("duplicates", "Messages that arrived again and were dropped", now.duplicates),
            ("evicted", "Messages that nodes' disk bounds forced out", now.evicted),
            ("stored", "Messages whose points are in the store", now.stored),
            ("points", "Points written to the store", now.points),
            ("rejected", "Lines set apart because the store refuses them", now.rejected),
            ("alerts", "Alerts ever opened", now.alerts_total),
        ):
            yield CounterMetricFamily(f"werkpuls_{name}", text, value=value)
        refused = CounterMetricFamily("werkpuls_refused", "Messages refused, by reason", labels=["reason"])
        for reason, count in now.refused.items():
            refused.add_metric([reason], count)
        yield refused
        requests = CounterMetricFamily(
            "werkpuls_requests_refused", "HTTP requests refused, by status", labels=["status"]
        )
        for status, count in now.requests_refused.items():
            requests.add_metric([status], count)
        yield requests
        yield CounterMetricFamily(
            "werkpuls_pictures_refused", "Pictures of goods that were none", value=self._services.goods.refused
        )
        yield GaugeMetricFamily("werkpuls_store_backlog", "Messages not yet stored", value=now.backlog)
        yield GaugeMetricFamily("werkpuls_journal_bytes", "Size of the journal", value=now.journal_bytes)
        yield GaugeMetricFamily("werkpuls_alerts_open", "Alerts that wait for somebody", value=now.alerts_open)
        latency = GaugeMetricFamily("werkpuls_store_latency_seconds", "From sample to stored", labels=["quantile"])
        for quantile, seconds in (("0.5", now.latency_p50_s), ("0.99", now.latency_p99_s)):
            if seconds is not None:
                latency.add_metric([quantile], seconds)
        yield latency
        up = GaugeMetricFamily("werkpuls_part_up", "Whether a part of the gateway works", labels=["part"])
        for part, alive in health(self._services).parts.items():
            up.add_metric([part], float(alive))
        yield up
        failed = CounterMetricFamily(
            "werkpuls_part_failures", "What went wrong in a part that goes on all the same", labels=["part"]
        )
        for part, failures in self._services.failures.items():
            failed.add_metric([part], failures().total)
        yield failed

    def _machines(self) -> Iterator[Metric]:
        labels = ["node", "machine"]
        score = GaugeMetricFamily("werkpuls_machine_score", "Distance from normal", labels=labels)
        limit = GaugeMetricFamily("werkpuls_machine_limit", "Where the alarm starts", labels=labels)
        severity = GaugeMetricFamily("werkpuls_machine_severity", "0 good, 1 watch, 2 warning, 3 alarm", labels=labels)
        for machine in machine_views(self._services):
            where = [machine.node, machine.machine]
            if machine.stale:
                continue  # a score that nobody confirms would be drawn as one
            if machine.score is not None:
                score.add_metric(where, machine.score)
            if machine.limit is not None:
                limit.add_metric(where, machine.limit)
            if machine.severity is not None:
                severity.add_metric(where, Severity(machine.severity).rank)
        yield from (score, limit, severity)

    def _nodes(self) -> Iterator[Metric]:
        labels = ["node", "origin"]
        online = GaugeMetricFamily("werkpuls_node_online", "Whether a node is connected", labels=labels)
        last = GaugeMetricFamily("werkpuls_node_sequence", "Everything up to this number is durable", labels=labels)
        for node in node_views(self._services):
            online.add_metric([node.node, node.origin], float(node.online))
            last.add_metric([node.node, node.origin], node.last)
        yield from (online, last)

    def _deliveries(self) -> Iterator[Metric]:
        labels = ["kind", "name"]
        pending = GaugeMetricFamily("werkpuls_deliveries_pending", "Events that wait for a receiver", labels=labels)
        dead = GaugeMetricFamily("werkpuls_deliveries_dead", "Events given up", labels=labels)
        delivered = CounterMetricFamily("werkpuls_deliveries", "Events delivered", labels=labels)
        dropped = CounterMetricFamily("werkpuls_deliveries_dropped", "Events that nobody will get", labels=labels)
        for target in self._services.ledger.deliveries():
            where = [target.kind, target.name]
            pending.add_metric(where, target.pending)
            dead.add_metric(where, target.dead)
            delivered.add_metric(where, target.delivered)
            dropped.add_metric(where, target.dropped)
        yield from (pending, dead, delivered, dropped)


class Metrics:
    """Serves `/metrics`."""

    def __init__(self, services: Services) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(GatewayCollector(services))

    async def serve(self, _request: Request) -> Response:
        """The metrics now."""
        text = await run_in_threadpool(generate_latest, self._registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)
