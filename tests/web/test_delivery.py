"""What the page says of receivers: in its reader's language, whatever the receivers said in theirs."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from gateway.outbox import TargetStatus
from gateway.web.delivery import delivery
from gateway.wording import Wording

WORDS = Wording("de", zone=UTC, titles={})


def shown(**fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "kind": "subscriber", "name": "budget", "disabled": "", "retired": False, "pending": 0, "delivered": 0, "dead": 0,
        "dropped": 0, "oldest_pending_ns": None, "last_delivered_ns": None, "last_error": "",
    }  # fmt: skip
    return delivery(TargetStatus(**{**values, **fields}), WORDS)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ""),
        (
            {"disabled": "answered 410 Gone at 1764213477"},
            "Abgeschaltet am 27.11.2025 03:17, weil die Gegenstelle nichts mehr annehmen will. Was länger als 30 Tage wartet, verfällt.",
        ),
        (
            {"disabled": "410", "dropped": 7, "last_error": "HTTP 410"},
            "Abgeschaltet, weil die Gegenstelle nichts mehr annehmen will. Was länger als 30 Tage wartet, verfällt. Schon verfallen: 7.",
        ),
        ({"dropped": 7}, "Schon verfallen: 7."),
        (
            {"last_error": "HTTP 503 Service Unavailable"},
            "Wird zurzeit nicht angenommen (Antwort 503). Es wird weiter versucht.",
        ),
        ({"last_error": "ConnectError: refused"}, "Zurzeit nicht zu erreichen. Es wird weiter versucht."),
        (
            {"kind": "person", "last_error": "json did not take the message"},
            "Die letzte Nachricht wurde nicht angenommen. Es wird weiter versucht; Internet und Adresse prüfen.",
        ),
    ],
)
def test_a_receiver_is_told_of_in_the_readers_language(fields: dict[str, Any], said: str) -> None:
    assert shown(**fields)["error"] == said


def test_a_receiver_has_a_button_where_somebody_can_do_something() -> None:
    page = WORDS.catalogue["page"]
    assert shown(dropped=3, pending=2, last_error="HTTP 503")["button"] == ""
    assert shown(dead=2)["button"] == page["resend"]
    assert shown(dead=2, disabled="410")["button"] == page["enable"]
