"""The catalogue is complete in both languages, and an alert reads as a person would say it."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.alerts import SECOND, START, seen

from edge.sensors.base import Fault
from gateway import lifecycle, triage
from gateway.alerts import Policy, Reason, Resolution, State
from gateway.lifecycle import begin, clear
from gateway.nodewatch import _CAUSES
from gateway.wording import LANGUAGES, Wording, WordingError, machine_causes
from models.condition.bearing import Bearing
from models.condition.causes import RULES
from models.condition.features import Features
from wire.commands import Action
from wire.messages import Cause, Evidence, FindingType, Prognosis, Severity

ROOT = Path(__file__).parents[2]
WORDINGS = {language: Wording(language) for language in LANGUAGES}


def keys(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {key for name, inner in value.items() for key in keys(inner, f"{path}/{name}")}
    return {path}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value]


def test_both_languages_have_the_same_keys() -> None:
    assert keys(WORDINGS["de"].catalogue) == keys(WORDINGS["en"].catalogue)


@pytest.mark.parametrize(
    ("cause", "feature", "value", "said"),
    [
        ("colour_drift", "lightness", 50.0, ("nach und nach dunkler.", "slowly becoming darker.")),
        ("colour_drift", "lightness", 60.0, ("nach und nach heller.", "slowly becoming lighter.")),
        ("size_drift", "size", 50.0, ("nach und nach kleiner.", "slowly getting smaller.")),
        ("size_drift", "size", 60.0, ("nach und nach größer.", "slowly getting larger.")),
        ("colour_drift", "shift", 60.0, ("dunkler oder heller.", "darker or lighter.")),
    ],
)
def test_which_way_goods_drift_is_said_by_their_numbers(
    cause: str, feature: str, value: float, said: tuple[str, str]
) -> None:
    shown = Evidence(feature=feature, value=value, expected=55.0, unit="", deviation=value - 55.0)
    alert = begin(seen(0, kind="quality", cause=cause, evidence=(shown,)), Policy()).alert
    for language, words in zip(("de", "en"), said, strict=True):
        assert WORDINGS[language].describe(alert, now_ns=START).explain.endswith(words)


def test_what_its_machine_has_is_checked_before_the_goods_where_both_began_together() -> None:
    def alert(at_s: float, **fields: Any) -> Any:
        return begin(seen(at_s, **fields), Policy()).alert

    dark, oven = alert(0, kind="quality", cause="too_dark"), alert(900, cause="heating_element_open")
    words = WORDINGS["de"]
    both = words.describe(dark, now_ns=START, beside=[dark, oven])
    assert "„Heizelement ausgefallen“" in both.check
    assert "senken" not in both.check
    for beside in (
        [],
        [dark],
        [alert(7200, cause="heating_element_open")],
        [alert(0, machine="saw")],
        [alert(0, kind="sensor", cause="sensor_no_data")],
    ):
        assert "senken" in words.describe(dark, now_ns=START, beside=beside).check
    assert words.describe(oven, now_ns=START, beside=[dark]) == words.describe(oven, now_ns=START)


def test_sentences_take_the_same_values_in_both_languages() -> None:
    def fields(language: str) -> dict[str, set[str | None]]:
        found = WORDINGS[language].catalogue["texts"]
        return {key: {name for _, name, _, _ in string.Formatter().parse(text) if name} for key, text in found.items()}

    assert fields("de") == fields("en")


def test_no_german_sentence_bends_a_duration() -> None:
    # It is "2 Tage": what stands before it must not ask for "2 Tagen".
    bending = re.compile(r"\b(ab|aus|bei|binnen|in|mit|nach|seit|von|vor|zu) (etwa |fast |über )?\{(duration|days)\}")
    said = texts(WORDINGS["de"].catalogue)
    assert bending.search("zuletzt gehört vor {duration}")
    assert [text for text in said if bending.search(text)] == []


def camera_faults() -> set[str]:
    """What the program says of cameras, as its source has it."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "edge").rglob("*.py"))
    named = re.findall(r'"((?:camera|model|profile|inspection)_(?:[a-z]+_)?[a-z]+)"', source)
    return set(named)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_the_program_can_produce_is_there(language: str) -> None:
    found = WORDINGS[language].catalogue
    of_cameras = camera_faults()
    assert len(of_cameras) > 11
    of_grading = {fault for fault in of_cameras if not fault.startswith("camera_")}
    assert {fault.value for fault in Fault} | of_grading == set(found["faults"])
    assert {*RULES, "unknown", *_CAUSES, *of_cameras - of_grading} <= set(found["causes"])
    assert {severity.value for severity in Severity} <= set(found["severities"])
    assert {state.value for state in State} <= set(found["states"])
    assert set(get_args(FindingType)) == set(found["kinds"])
    assert set(get_args(Reason)) == set(found["reasons"])
    assert set(get_args(Action)) == set(found["actions"])
    assert set(get_args(Resolution)) - {""} == set(found["resolutions"])


def test_figures_of_goods_and_cameras_come_with_their_limit_and_in_words() -> None:
    source = (ROOT / "edge" / "vision" / "camera_check.py").read_text(encoding="utf-8")
    figures = set(re.findall(r'Fault\("camera_[a-z]+", "([a-z_]+)"', source))
    assert len(figures) > 5
    for language in LANGUAGES:
        known = WORDINGS[language].catalogue["features"]
        assert figures | {"reject_rate"} == set(known["limited"])
        assert {"lightness", "size"} <= set(known["channels"])
    dark = Evidence(feature="brightness", value=4.25, expected=20.0, unit="", deviation=0.0)
    assert WORDINGS["de"].evidence(dark, at_ns=0, now_ns=0) == "Gemessen: Helligkeit des Bildes 4,25 (Grenze 20)"
    rejects = Evidence(feature="reject_rate", value=0.425, expected=0.1, unit="", deviation=9.0)
    assert WORDINGS["de"].evidence(rejects, at_ns=0, now_ns=0) == "Gemessen: Anteil Ausschuss 42,5 % (Grenze 10 %)"


def test_every_history_entry_has_a_name() -> None:
    written: set[str] = set()
    for module in (lifecycle, triage):
        source = module.__loader__.get_source(module.__name__)  # type: ignore[union-attr]  # loaded from a file
        written |= set(re.findall(r'\.write\(\s*"([a-z_]+)"', source or ""))
    assert written
    assert written | {"passed", "merged", "resolved"} == set(WORDINGS["de"].catalogue["history"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_causes_say_what_it_is_and_what_to_do_in_plain_words(language: str) -> None:
    found = WORDINGS[language].catalogue
    for code, text in {**found["causes"], **found["faults"]}.items():
        assert set(text) == {"name", "explain", "check"}, code
        assert len(text["name"]) <= 48, code
        assert text["explain"].endswith((".", "?")), code
        assert text["check"].endswith((".", "?")), code
    jargon = re.compile(r"\b(BPF[OI]|kurtosis|crest|regime|score|sigma|threshold|anomal\w*)\b", re.IGNORECASE)
    assert not [text for text in texts([found["causes"], found["faults"]]) if jargon.search(text)]


def test_an_alert_in_plain_words() -> None:
    observation = seen(
        0,
        causes=(Cause(code="bearing_outer", confidence=0.82), Cause(code="looseness", confidence=0.3)),
        evidence=(
            Evidence(
                feature="vibration.velocity_rms",
                value=7.25,
                expected=1.2,
                unit="mm/s",
                deviation=9.0,
                since_ms=-600_000.0,
            ),
            Evidence(feature="speed", value=900.0, expected=1400.0, unit="rpm", deviation=-20.0),
        ),
        prognosis=Prognosis(low_s=3 * 86_400.0, high_s=9 * 86_400.0, confidence=0.8, reaches=Severity.ALARM),
    )
    alert = begin(observation, Policy()).alert
    zone = ZoneInfo("Europe/Berlin")
    said = Wording("de", zone=zone, titles={"mixer": "Spiralkneter"}).describe(
        alert, now_ns=START + 3 * 3600 * SECOND, reason="escalated"
    )
    assert said.title == "Schlimmer geworden: Warnung: Spiralkneter – Lagerschaden, Außenring"
    assert said.since == "Seit: 28.05.2026 22:26 (3 h)"
    assert said.sure == "Wie sicher: ziemlich sicher (82 %)"
    assert said.also == "Auch möglich: Etwas ist locker"
    assert said.evidence == (
        "Gemessen: Schwingung: Rütteln insgesamt 7,25 mm/s, sonst 1,2 mm/s (deutlich höher, seit 22:16)",
        "Gemessen: Drehzahl 900 U/min, sonst 1400 U/min (viel niedriger)",
    )
    assert said.expected == "Alarmstufe voraussichtlich in 3 bis 9 Tagen erreicht (80 % sicher)"
    assert said.expected in said.lines
    assert said.check.startswith("Zuerst prüfen: Lager abhören")
    english = Wording("en", zone=zone).describe(alert, now_ns=START + 90 * SECOND)
    assert english.title == "Warning: mixer – Bearing damage, outer ring"
    assert english.since == "Since: 28 May 2026 22:26 (90 s)"
    assert english.expected == "Alarm level probably reached in 3 to 9 days (80 % sure)"
    later = Wording("en", zone=zone).describe(alert, now_ns=START + 8 * 86_400 * SECOND)
    assert later.expected == "Alarm level probably reached within 24 h (80 % sure)"
    assert later.evidence[0].endswith("(clearly higher, since 28 May 2026 22:16)")
    assert Wording("en").describe(alert, now_ns=START + 10 * 86_400 * SECOND).expected == "", "its time has passed"


def test_an_alert_says_when_little_was_learned_and_when_it_is_not_seen_any_more() -> None:
    observation = seen(0, causes=(Cause(code="bearing_outer", confidence=0.2),), certainty=0.45)
    young = begin(observation, Policy()).alert
    said = WORDINGS["en"].describe(young, now_ns=START)
    assert said.sure == "How sure: unsure (20 %). Only 45 % of this operation is learned: it may be a false alarm"
    assert said.explain.startswith("What: ")
    grown = begin(replace(observation, certainty=0.9), Policy()).alert
    assert "learned" not in WORDINGS["en"].describe(grown, now_ns=START).sure
    calm = clear(young, observation.source, START + 60 * SECOND, Policy()).alert
    said = WORDINGS["de"].describe(calm, now_ns=START + 60 * SECOND)
    clock = WORDINGS["de"].clock(START + 60 * SECOND)[:5]
    assert said.explain.startswith(f"Seit {clock} wieder normal; bleibt es so, endet die Meldung von selbst. Was: ")


def test_the_direction_is_that_of_the_numbers_beside_it() -> None:
    def said(value: float, deviation: float) -> str:
        item = Evidence(
            feature="vibration.envelope_ftf", value=value, expected=1.2, unit="", deviation=deviation, since_ms=-1000.0
        )
        return WORDINGS["de"].evidence(item, at_ns=START, now_ns=START).partition("Lagerkäfigs ")[2]

    assert said(1.48, -8.0) == "1,48, sonst 1,2 (etwas höher)"
    assert said(1.01, 8.0) == "1,01, sonst 1,2 (etwas niedriger)"
    assert said(1.01, -8.0).startswith("1,01, sonst 1,2 (deutlich niedriger, seit ")
    assert said(1.2, -8.0).startswith("1,2, sonst 1,2 (deutlich niedriger, seit ")


def test_a_code_nobody_knows_is_said_to_be_unknown_with_its_code() -> None:
    alert = msgspec.structs.replace(begin(seen(0), Policy()).alert, cause="flux_capacitor")
    said = WORDINGS["en"].describe(alert, now_ns=START)
    assert "flux_capacitor" in said.title
    assert "unclear" in said.title


def test_a_fault_that_is_known_by_a_persons_name_is_called_that() -> None:
    known = Cause(code="own-1", confidence=0.93, label="Splint fehlt", recognised=True)
    alert = begin(seen(0, cause="own-1", causes=(known, Cause(code="belt", confidence=0.4))), Policy()).alert
    said = WORDINGS["de"].describe(alert, now_ns=START)
    assert said.title == "Warnung: mixer – Splint fehlt"
    assert "beim letzten Mal" in said.sure
    assert "93 %" in said.sure
    assert said.also == "Auch möglich: Riemen rutscht oder ist verschlissen"
    assert "own-1" not in "".join(WORDINGS["en"].describe(alert, now_ns=START).lines)


@pytest.mark.parametrize(
    ("low_s", "high_s", "german", "english"),
    [
        (3 * 86_400, 9 * 86_400, "in 3 bis 9 Tagen", "in 3 to 9 days"),
        (5400, 10 * 3600, "in 2 bis 10 Stunden", "in 2 to 10 h"),
        (600, 3000, "in 10 bis 50 Minuten", "in 10 to 50 min"),
        (10, 7000, "innerhalb von 117 Minuten", "within 117 min"),
        (86_000 * 2, 88_000 * 2, "in etwa 2 Tagen", "in about 2 days"),
        (0, 30, "innerhalb von 30 Sekunden", "within 30 seconds"),
    ],
)
def test_a_time_to_come_is_told_in_one_unit(low_s: float, high_s: float, german: str, english: str) -> None:
    assert (WORDINGS["de"].span(low_s, high_s), WORDINGS["en"].span(low_s, high_s)) == (german, english)


def test_what_a_person_can_confirm_of_a_machine_is_in_the_catalogue_and_of_machines_only() -> None:
    found = machine_causes()
    assert {"bearing_outer", "belt", "heating_element_open", "winding_short"} <= found
    assert not found & {"unknown", "own", "node_offline", "camera_dark", "too_dark", "rejects_high"}
    assert found <= set(WORDINGS["en"].catalogue["causes"])


def test_an_unknown_cause_is_never_sure() -> None:
    for code in ("unknown", "flux_capacitor"):
        sure = begin(seen(0, cause=code, causes=(Cause(code=code, confidence=1.0),)), Policy()).alert
        for language in LANGUAGES:
            said = WORDINGS[language].describe(sure, now_ns=START).sure
            assert "unkl" in said or "unclear" in said
            assert "%" not in said


@pytest.mark.parametrize(
    ("name", "german", "english"),
    [
        ("vibration", "Schwingung", "Vibration"),
        ("vibration.rms", "Schwingung: Stärke", "Vibration: strength"),
        ("vibration.x", "Schwingung (Richtung X)", "Vibration (direction X)"),
        ("vibration.z.band_4", "Schwingung: sehr hohe Töne (Richtung Z)", "Vibration: very high tones (direction Z)"),
        ("vibration.a4.rms", "Schwingung: Stärke (Richtung 4)", "Vibration: strength (direction 4)"),
        ("vibration_2.rms", "Schwingung 2: Stärke", "Vibration 2: strength"),
        ("current.x.rms", "Strom: Stärke (Phase 1)", "Current: strength (phase 1)"),
        ("current_l3", "Strom Phase 3", "Current phase 3"),
        ("motor_current.unbalance", "Motorstrom: Ungleichheit der Phasen", "Motor current: unevenness of the phases"),
        ("deck_temperature.slope", "Temperatur am Herd: Anstieg", "Deck temperature: rise"),
        ("condition.score", "Abstand vom Normalzustand", "Distance from normal"),
        ("my_own_thing", "my own thing", "my own thing"),
        ("my_own_thing.x.odd_one", "my own thing: odd one (Richtung X)", "my own thing: odd one (direction X)"),
        ("a.b.c.d", "a: b.c.d", "a: b.c.d"),
    ],
)
def test_channels_and_features_have_plain_names(name: str, german: str, english: str) -> None:
    assert (WORDINGS["de"].feature(name), WORDINGS["en"].feature(name)) == (german, english)


@given(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,94}", fullmatch=True))
def test_any_channel_name_has_words(name: str) -> None:
    assert all(isinstance(WORDINGS[language].feature(name), str) for language in LANGUAGES)


def test_every_feature_of_a_waveform_has_a_plain_name() -> None:
    made = Features(running_speed_hz=24.6, bearing=Bearing(9, 7.94, 39.04), gear_teeth=12)
    wave = np.sin(np.arange(8192 * 3, dtype=np.float64)).reshape(-1, 3)
    names = [*made.vibration(wave, 8000.0, "g").values, *made.current(wave, 8000.0, "A").values]
    found = {name.rsplit(".", 1)[-1] for name in names}
    assert len(found) > 25
    for language in LANGUAGES:
        assert found <= set(WORDINGS[language].catalogue["features"]["endings"])


def test_a_language_that_does_not_exist() -> None:
    with pytest.raises(WordingError, match="de, en"):
        Wording("fr")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (172_800, "2 days")],
)
def test_durations(seconds: float, said: str) -> None:
    assert WORDINGS["en"].duration(seconds) == said
