"""Every call of the API over a real socket, held against the published document."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.broker import until
from support.gateways import Feed
from support.openapi import check, document, operation_of

from gateway.daemon import Gateway
from gateway.web.app import ENDPOINTS
from wire.messages import Cause, Evidence, Prognosis, Severity

MIXER = "/api/v1/machines/oven-pi/mixer"


@pytest.fixture(scope="module", autouse=True)
def machines(gateway: Gateway, feed: Feed) -> None:
    for number in range(5):
        feed.telemetry({"vibration.x.rms": 0.1 * number, "motor_current": 4.0})
    feed.condition(
        evidence=[Evidence(feature="vibration.x.rms", value=2.0, expected=1.0, unit="g", deviation=4.0)],
        causes=[Cause(code="bearing_outer", confidence=0.8)],
    )
    feed.telemetry({"deck_temperature": 230.0}, machine="oven", unit="°C")
    feed.condition(machine="oven", learned=0.4, limit=None)
    feed.tell(feed.node.health(time.time_ns()))
    until(lambda: gateway.live.position == gateway.journal.stats().next - 1)
    until(lambda: gateway.storing.stats().backlog == 0)


@pytest.fixture
def alert(gateway: Gateway, feed: Feed, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"f-{abs(hash(request.node.name))}"
    made = feed.alert(id=name, cause="looseness", causes=[Cause(code="looseness", confidence=0.7)])
    yield made
    feed.finding(id=name, cause="looseness", state="cleared")
    if any(one.id == made for one in gateway.ledger.open_alerts()):
        gateway.ledger.resolve(made, done="test", by="test")


def test_machines_with_their_condition(http: httpx.Client) -> None:
    mixer, oven = check(http.get("/api/v1/machines"))
    assert (mixer["machine"], mixer["title"], mixer["severity"]) == ("mixer", "Spiralkneter", "good")
    assert mixer["values"]["vibration.x.rms"] == {"value": 0.4, "unit": "mm/s"}
    assert mixer["causes"][0]["code"] == "bearing_outer"
    assert (oven["machine"], oven["learned"]) == ("oven", 0.4)
    assert oven["severity"] is None, "nothing is good before it is known what good is"
    assert check(http.get(MIXER)) == mixer


def test_what_is_stored_and_a_chart_of_it(http: httpx.Client) -> None:
    channels = {channel["name"]: channel["unit"] for channel in check(http.get(f"{MIXER}/channels"))}
    assert channels["motor_current"] == "mm/s"
    assert "condition.score" in channels
    chart = check(http.get(f"{MIXER}/chart", params={"channel": "vibration.x.rms", "minutes": 5, "points": 100}))
    assert chart["unit"] == "mm/s"
    assert max(chart["high"]) == pytest.approx(0.4, abs=0.01)
    assert len(chart["times_ms"]) == len(chart["mean"]) == len(chart["low"]) == len(chart["high"]) > 0
    empty = check(http.get(f"{MIXER}/chart", params={"channel": "no_such"}))
    assert empty["times_ms"] == []
    long_ago = check(http.get(f"{MIXER}/chart", params={"channel": "vibration.x.rms", "until_ms": 1}))
    assert long_ago["times_ms"] == []


def test_a_chart_ends_with_the_last_finished_bucket(feed: Feed, http: httpx.Client) -> None:
    feed.telemetry({"jumpy": 1.0}, ago_s=7_200.0)
    feed.telemetry({"jumpy": 9.0})
    asked: dict[str, str | int] = {"channel": "jumpy", "minutes": 1440, "points": 25}
    until(
        lambda: check(http.get(f"{MIXER}/chart", params=asked | {"minutes": 5, "points": 5000}))["mean"][-1:] == [9.0]
    )
    assert check(http.get(f"{MIXER}/chart", params=asked))["mean"] == [1.0], "the hour that runs is left out"


def test_an_alert_in_the_asked_language(http: httpx.Client, alert: str) -> None:
    found = {view["alert"]["id"]: view for view in check(http.get("/api/v1/alerts"))}[alert]
    assert found["text"]["title"].startswith("Alarm: Spiralkneter – Etwas ist locker")
    english = check(http.get(f"/api/v1/alerts/{alert}", params={"lang": "en"}))
    assert "Something is loose" in english["text"]["title"]
    assert [entry["what"] for entry in english["history"]][-1] == "opened"
    assert alert in check(http.get(MIXER))["alerts"]
    assert len(check(http.get("/api/v1/alerts", params={"state": "all", "limit": 1}))) == 1


@pytest.mark.parametrize(
    ("action", "body", "state"),
    [
        ("acknowledge", {"note": "ich schaue"}, "acknowledged"),
        ("snooze", {"minutes": 30}, "open"),
        ("note", {"text": "hm"}, "open"),
        ("confirm", {"cause": "belt"}, "open"),
        ("confirm", {"label": "Splint fehlt"}, "open"),
        ("acknowledge", {"cause": "looseness"}, "acknowledged"),
        ("resolve", {"done": "Schraube angezogen", "new_normal": True}, "resolved"),
        ("false_alarm", {"note": "war die Reinigung"}, "resolved"),
    ],
)
def test_a_persons_word(http: httpx.Client, alert: str, action: str, body: dict[str, Any], state: str) -> None:
    version = check(http.get(f"/api/v1/alerts/{alert}"))["alert"]["version"]
    said = {"by": "Anna", "version": version, **body}
    changed = check(http.post(f"/api/v1/alerts/{alert}/{action}", json=said))
    assert changed["alert"]["state"] == state
    history = check(http.get(f"/api/v1/alerts/{alert}"))["history"]
    assert "Anna" in {entry["by"] for entry in history}
    audit = check(http.get("/api/v1/audit", params={"limit": 20}))
    assert ("Anna", action, alert) in {(line["by"], line["what"], line["object"]) for line in audit}
    stale = http.post(f"/api/v1/alerts/{alert}/{action}", json=said)
    assert check(stale)["status"] == stale.status_code == 409


def test_a_confirmed_cause_must_say_something_that_can_be_wrong_with_a_machine(http: httpx.Client, alert: str) -> None:
    path = f"/api/v1/alerts/{alert}/confirm"
    for body in ({}, {"cause": "node_offline"}, {"cause": "no_such"}, {"label": "x" * 81}, {"label": " "}):
        assert check(http.post(path, json={"by": "Anna", **body}))["status"] == 422
    own = check(http.post(path, json={"by": "Anna", "label": "Splint  fehlt"}))["alert"]
    assert own["confirmed"].startswith("own-")
    assert (own["confirmed_label"], own["confirmed_by"]) == ("Splint fehlt", "Anna")
    sent = http.post(f"{MIXER}/commands", json={"action": "confirm_fault", "by": "Anna", "cause": "belt"})
    assert sent.status_code == 202
    refused = http.post(f"{MIXER}/commands", json={"action": "confirm_fault", "by": "Anna", "cause": "shape"})
    assert check(refused)["status"] == 422


def test_a_machine_says_what_is_coming_and_how_sure_it_is(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    coming = Prognosis(low_s=7200.0, high_s=90_000.0, confidence=0.8, reaches=Severity.WARNING)
    feed.condition(machine="stamp", certainty=0.6, prognosis=coming)
    until(lambda: gateway.live.machine("oven-pi", "stamp") is not None)
    found = check(http.get("/api/v1/machines/oven-pi/stamp"))
    assert found["certainty"] == 0.6
    assert 89_000 < found["prognosis"]["high_s"] <= 90_000, "from now on, not from when it was said"
    feed.condition(machine="young", learned=0.4, limit=None, learning_left_s=1500.0)
    until(lambda: gateway.live.machine("oven-pi", "young") is not None)
    young = check(http.get("/api/v1/machines/oven-pi/young"))
    assert 1400 < young["learning_left_s"] <= 1500
    assert young["prognosis"] is None


def test_a_command_and_its_fate(http: httpx.Client) -> None:
    sent = http.post(f"{MIXER}/commands", json={"action": "pause", "by": "Anna", "seconds": 60})
    assert sent.status_code == 202
    command = check(sent)["id"]
    fate = check(http.get(f"/api/v1/commands/{command}"))
    assert (fate["id"], fate["machine"], fate["action"], fate["state"]) == (command, "mixer", "pause", "queued")
    assert check(http.get("/api/v1/audit"))[0]["what"] == "pause"
    assert check(http.post(f"{MIXER}/commands", json={"action": "explode", "by": "Anna"}))["status"] == 422
    gone = http.post("/api/v1/machines/oven-pi/lathe/commands", json={"action": "pause", "by": "Anna"})
    assert check(gone)["status"] == 404


def test_an_old_command_is_found_among_many(gateway: Gateway, http: httpx.Client) -> None:
    ledger = gateway.ledger
    first = ledger.command("resume", site="bakery", node="oven-pi", machine="mixer", by="x")
    with ledger.transaction() as work:
        work.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
            " INSERT INTO commands(id, site, node, origin, machine, action, body, state, by, at_ns, expires_ns, next_ns)"
            " SELECT 'c-' || i, site, node, origin, machine, action, body, 'done', by, at_ns + i, expires_ns, next_ns"
            " FROM commands, n WHERE id = ?",
            (first.id,),
        )
    assert first.id not in {command.id for command in ledger.commands(limit=1000)}
    assert check(http.get(f"/api/v1/commands/{first.id}"))["action"] == "resume"


def test_the_rest_of_what_can_be_read(gateway: Gateway, http: httpx.Client) -> None:
    assert check(http.get("/api/v1/nodes")) == []
    assert check(http.get("/api/v1/deliveries")) == []
    assert check(http.get("/api/v1/dead-letters")) == []
    assert check(http.get("/api/v1/rejected")) == []
    stats = check(http.get("/api/v1/stats"))
    assert stats["stored"] >= 9
    assert stats["journal_next"] == gateway.journal.stats().next


def test_requests_that_were_refused_are_counted(http: httpx.Client) -> None:
    before = check(http.get("/api/v1/stats"))["requests_refused"].get("404", 0)
    assert http.get("/nowhere").status_code == 404
    assert check(http.get("/api/v1/stats"))["requests_refused"]["404"] == before + 1


def test_health_says_what_is_missing(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert answer.status_code == 503  # there is no broker
    found = check(answer)
    assert found["trouble"] == ["no connection to the broker"]
    assert all(found["parts"].values())
    assert {"ingest", "storing", "alerting", "live"} <= set(found["parts"])


def test_the_served_document_is_the_published_one(http: httpx.Client) -> None:
    assert http.get("/api/v1/openapi.json").json() == document()


def test_every_call_is_published_with_its_refusals() -> None:
    for endpoint in ENDPOINTS:
        _, operation = operation_of(endpoint.method, endpoint.path)
        assert {str(endpoint.status), "400", "401", "403", "429", "500", "503"} <= set(operation["responses"])
    assert len({operation["operationId"] for path in document()["paths"].values() for operation in path.values()}) == (
        len(ENDPOINTS) + 2
    )


def test_severity_is_kept_from_a_machine_that_learns_only_where_it_is_good(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    feed.condition(machine="press", learned=0.2, limit=None, severity=Severity.WARNING)
    until(lambda: gateway.live.machine("oven-pi", "press") is not None)
    assert check(http.get("/api/v1/machines/oven-pi/press"))["severity"] == "warning"
