"""/metrics as Prometheus reads it."""

from __future__ import annotations

import time

import httpx
from prometheus_client.parser import text_string_to_metric_families
from support.broker import until
from support.gateways import Feed

from gateway.daemon import Gateway
from wire.messages import Severity


def read(http: httpx.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation and family.name.startswith("werkpuls_") for family in families)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_metrics(gateway: Gateway, http: httpx.Client, feed: Feed) -> None:
    where = (("machine", "mixer"), ("node", "oven-pi"))
    feed.condition(score=3.0, limit=4.0, severity=Severity.WATCH)
    feed.condition(machine="new", learned=0.1, limit=None)
    feed.tell(feed.node.health(time.time_ns()))
    until(lambda: gateway.storing.stats().stored >= 3)
    until(lambda: gateway.live.position >= 3)
    http.get("/nowhere")
    found = read(http)
    assert found["werkpuls_machine_score", where] == 3.0
    assert found["werkpuls_machine_limit", where] == 4.0
    assert found["werkpuls_machine_severity", where] == 1.0
    assert ("werkpuls_machine_severity", (("machine", "new"), ("node", "oven-pi"))) not in found
    assert found["werkpuls_stored_total", ()] >= 3
    assert found["werkpuls_requests_refused_total", (("status", "404"),)] >= 1
    assert found["werkpuls_part_up", (("part", "storing"),)] == 1.0
    assert found["werkpuls_store_latency_seconds", (("quantile", "0.99"),)] >= 0
    assert found["werkpuls_journal_bytes", ()] > 0
    assert found["werkpuls_pictures_refused_total", ()] == 0
