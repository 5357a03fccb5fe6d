"""What a browser is shown where a page cannot be had, and the address of an alert that messages to people carry."""

from __future__ import annotations

import httpx
import pytest
from support.gateways import Feed

from gateway.daemon import Gateway
from gateway.ledger_file import LedgerUnavailable

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "de"}


def test_a_browser_is_told_in_its_language_and_a_program_gets_a_problem_document(http: httpx.Client) -> None:
    answer = http.get("/nothing", headers=BROWSER)
    assert answer.status_code == 404
    assert "Diese Seite gibt es nicht." in answer.text
    assert '<a href="/?lang=de">Zu den Maschinen</a>' in answer.text
    assert 'http-equiv="refresh"' not in answer.text
    for path, headers in (("/nothing", {}), ("/api/v1/nothing", BROWSER), ("/static/nothing", BROWSER)):
        assert http.get(path, headers=headers).headers["content-type"] == "application/problem+json"


def test_a_page_that_cannot_be_shown_now_tries_again_by_itself(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> None:
        raise LedgerUnavailable("<locked>")

    monkeypatch.setattr(gateway.ledger, "open_alerts", busy)
    answer = http.get("/?lang=en", headers=BROWSER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "cannot answer just now" in answer.text
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert "&lt;locked&gt;" in answer.text
    assert "no-store" in answer.headers["cache-control"]


def test_the_address_in_a_message_leads_to_its_alert_also_when_it_is_over(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    alert = feed.alert(id="linked", machine="mixer", cause="belt")
    place = f"/#alert-{alert}"
    answer = http.get(f"/alerts/{alert}", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, place)
    assert f'id="alert-{alert}"' in http.get("/").text
    gateway.ledger.resolve(alert, done="Riemen neu", by="Anna")
    assert http.get(f"/alerts/{alert}", headers=BROWSER).headers["location"] == place
    assert f'<li id="alert-{alert}">' in http.get("/").text
    with gateway.ledger.transaction() as work:
        work.execute("UPDATE alerts SET body = json_set(CAST(body AS TEXT), '$.resolved_ns', 1) WHERE id = ?", (alert,))
    past = http.get(f"/alerts/{alert}", headers=BROWSER)
    assert past.status_code == 200
    assert "Diese Meldung ist vorbei" in past.text
    gone = http.get("/alerts/nothing?lang=en", headers=BROWSER)
    assert gone.status_code == 404
    assert "This alert does not exist any more" in gone.text


def test_a_page_that_breaks_has_the_safe_headers_as_every_other(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("boom")

    fine = http.get("/", headers=BROWSER)
    monkeypatch.setattr(gateway.ledger, "open_alerts", broken)
    answer = http.get("/", headers=BROWSER)
    assert answer.status_code == 500
    assert "Hier ist etwas schiefgegangen." in answer.text
    for name in ("content-security-policy", "x-frame-options", "x-content-type-options"):
        assert answer.headers[name] == fine.headers[name]


def test_whom_the_gateway_does_not_let_in_is_told_in_their_language(http: httpx.Client) -> None:
    elsewhere = http.get("/", headers={**BROWSER, "host": "evil.example"})
    assert elsewhere.status_code == 403
    assert elsewhere.headers["content-type"].startswith("text/html")
    assert "So darf diese Seite nicht aufgerufen werden." in elsewhere.text
    program = http.get("/api/v1/machines", headers={**BROWSER, "host": "evil.example"})
    assert program.headers["content-type"] == "application/problem+json"
