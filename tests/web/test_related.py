"""What goods and oven have to do with each other, from a running gateway's stores to the page, the API and a subscriber."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from support.broker import until
from support.gateways import Feed, running
from support.openapi import check
from support.ovens import Oven, fill

from gateway.daemon import Gateway
from gateway.events import ALERT
from gateway.outbox import Wants
from wire.messages import Severity


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway")) as gateway:
        gateway.ledger.outbox.register("subscriber", [("all", Wants())], now_ns=0)
        fill(gateway.store, gateway.ledger, "mixer", Oven(end_ns=time.time_ns()))
        yield gateway


def test_the_page_the_api_and_subscribers_are_told(gateway: Gateway, http: httpx.Client) -> None:
    made = Feed(gateway).alert(type="quality", cause="too_dark", severity=Severity.ALARM, id="dark", product="roll")

    def told() -> bool:
        found = gateway.ledger.alert(made)
        return found is not None and found.relation is not None

    until(told, what="nothing was related")
    detail = check(http.get(f"/api/v1/alerts/{made}?lang=de"))
    related = detail["text"]["related"]
    assert related.startswith("Spiralkneter, roll: Kruste seit ")
    assert "gleichzeitig stieg die Einschaltdauer von „Strom des linken Heizelements“ von 4" in related
    assert detail["alert"]["relation"]["related"][0]["channel"] == "left_element_current"
    assert "related" in [entry["what"] for entry in detail["history"]]
    assert related in http.get("/?lang=de").text
    assert "crust" in http.get("/?lang=en").text
    with gateway.ledger.transaction() as work:
        bodies = [row["body"] for row in work.execute("SELECT body FROM outbox WHERE type = ? ORDER BY seq", (ALERT,))]
    events = [msgspec.json.decode(body)["data"] for body in bodies]
    assert events[0]["relation"] is None, "the alarm did not wait for it"
    assert check(http.get("/health"))["parts"]["relating"] is True
