"""A relation as people read it, in both languages."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.alerts import START, seen

from gateway.alerts import Alert, Policy
from gateway.lifecycle import begin
from gateway.related import Moved, Related, Relation
from gateway.relation_wording import related_text
from gateway.wording import LANGUAGES, Wording

HOUR = 3600 * 10**9
DAY = 24 * HOUR
WORDINGS = {
    language: Wording(language, zone=ZoneInfo("Europe/Berlin"), titles={"deck": "Linker Herd"})
    for language in LANGUAGES
}
DUTY = Related(
    channel="left_element_current",
    aspect="duty",
    unit="%",
    lag_s=0.0,
    correlation=-0.9,
    low=-0.95,
    high=-0.8,
    significance=0.0083,
    moved=Moved(before=42.0, after=56.2, low=12.1, high=15.8),
)


def alert(*related: Related, **changes: Any) -> Alert:
    relation = Relation(
        product="roll",
        measure="lightness",
        unit="L*",
        since_ns=START - 2 * DAY,
        moved=Moved(before=55.1, after=49.0, low=-6.8, high=-5.3),
        batches=126,
        related=list(related or (DUTY,)),
    )
    made = begin(seen(0, machine="deck", kind="quality", cause="colour_drift"), Policy()).alert
    return msgspec.structs.replace(made, relation=msgspec.structs.replace(relation, **changes))


def said(language: str, *related: Related, later_ns: int = 0, **changes: Any) -> str:
    return related_text(WORDINGS[language], alert(*related, **changes), now_ns=START + later_ns)


def test_the_whole_sentence() -> None:
    assert said("de") == (
        "Linker Herd, roll: Kruste seit Dienstag 6,1 L* dunkler (5,3 bis 6,8); gleichzeitig stieg die Einschaltdauer von "
        "„Strom des linken Heizelements“ von 42 % auf 56 %. Gerechnet aus 126 Chargen; ohne Zusammenhang passte nur in "
        "1 % der Fälle etwas so gut. Beides kann eine gemeinsame Ursache haben."
    )
    assert said("en") == (
        "Linker Herd, roll: crust 6.1 L* darker since Tuesday (5.3 to 6.8); at the same time the share of time on of "
        "“Current of the left element” rose from 42 % to 56 %. Worked out from 126 batches; without a connection anything "
        "would fit as well in only 1 % of cases. Both may have a cause in common."
    )


def test_it_stands_with_the_alert() -> None:
    for words in WORDINGS.values():
        described = words.describe(alert(), now_ns=START)
        assert described.related in described.lines
        assert described.related
        without = msgspec.structs.replace(alert(), relation=None)
        assert words.describe(without, now_ns=START).related == ""
        called = words.describe(alert(), now_ns=START, called={"roll": "Brötchen hell"})
        assert called.related.startswith("Linker Herd, Brötchen hell: ")


@pytest.mark.parametrize(
    ("later_ns", "since"), [(0, "seit Dienstag"), (3 * DAY, "seit Dienstag"), (4 * DAY, "seit 26.05.2026")]
)
def test_since_when(later_ns: int, since: str) -> None:
    assert f"Kruste {since} " in said("de", later_ns=later_ns)


def test_since_this_morning() -> None:
    # START is 22:26 in Berlin.
    assert "Kruste seit heute, 05:26 Uhr, " in said("de", since_ns=START - 17 * HOUR)
    assert "crust 6.1 L* darker since today 05:26 " in said("en", since_ns=START - 17 * HOUR)


def test_lighter_smaller_and_more_rejects() -> None:
    lighter = Moved(before=50.0, after=54.0, low=3.0, high=5.0)
    assert "Kruste seit Dienstag 4 L* heller (3 bis 5)" in said("de", moved=lighter)
    smaller = Moved(before=80.0, after=75.0, low=-6.0, high=-4.0)
    assert "Stücke seit Dienstag 5 mm kleiner (4 bis 6)" in said("de", moved=smaller, measure="size", unit="mm")
    rejects = Moved(before=2.0, after=14.0, low=8.0, high=15.0)
    assert "seit Dienstag 12 Prozentpunkte mehr Ausschuss (8 bis 15 Prozentpunkte)" in said(
        "de", moved=rejects, measure="rejects", unit="%"
    )
    assert "12 percentage points more rejects since Tuesday" in said("en", moved=rejects, measure="rejects", unit="%")


def test_what_was_earlier_fell_or_recovers() -> None:
    earlier = msgspec.structs.replace(DUTY, lag_s=3600.0)
    assert "etwa 60 min vorher stieg die Einschaltdauer" in said("de", earlier)
    level = msgspec.structs.replace(
        DUTY,
        channel="deck_temperature",
        aspect="level",
        unit="°C",
        moved=Moved(before=230.0, after=221.0, low=-10, high=-8),
    )
    assert "sank „Temperatur am Herd“ von 230 °C auf 221 °C" in said("de", level)
    slower = msgspec.structs.replace(
        level, aspect="recovery", unit="min", moved=Moved(before=5.0, after=9.0, low=3.0, high=5.0)
    )
    assert "stieg die Erholzeit nach dem Beladen bei „Temperatur am Herd“ von 5 min auf 9 min" in said("de", slower)
    weaker = msgspec.structs.replace(DUTY, aspect="on_level", unit="A")
    assert "“Current of the left element” while switched on rose from 42 A" in said("en", weaker)


def test_two_that_moved_at_the_same_time_are_both_told() -> None:
    other = msgspec.structs.replace(
        DUTY, channel="right_element_current", moved=Moved(before=42.0, after=30.0, low=-14, high=-10)
    )
    text = said("de", DUTY, other, other)
    assert "auf 56 % und sank die Einschaltdauer von „Strom des rechten Heizelements“ von 42 % auf 30 %." in text
    earlier = msgspec.structs.replace(other, lag_s=1800.0)
    assert "rechten" not in said("de", DUTY, earlier)


def test_both_languages_name_every_measure_and_aspect() -> None:
    for words in WORDINGS.values():
        section = words.catalogue["relation"]
        names = {f"{measure}_{way}" for measure in ("lightness", "size", "rejects") for way in ("up", "down")}
        assert names | {"level", "duty", "on_level", "recovery"} <= set(section)
        assert len(section["weekdays"]) == 7
