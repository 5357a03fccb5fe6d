"""The terminal: readable in both languages and widths, with every key explained; and the words at the end."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from gateway.wording import LANGUAGES
from werkpuls.demo.command import _watch
from werkpuls.demo.goods import BatchSeen
from werkpuls.demo.plan import MACHINES
from werkpuls.demo.processes import Child, Usage
from werkpuls.demo.proof import Proof
from werkpuls.demo.report import WRONG, passed, print_words, result
from werkpuls.demo.run import FaultRun, Show
from werkpuls.demo.screen import Keyboard, draw, keys_of
from werkpuls.demo.site import CAMERA_PROCESS, Site

WIDTHS = (80, 120)
OVEN = next(machine for machine in MACHINES if machine.name == "ofen")


def show(folder: Path, language: str, *faults: FaultRun) -> Show:
    """A demo that has an alarm on the mixer, a learning oven, a broken sensor and events at both receivers."""
    made = Show(Site(folder, web_port=8077, language=language), list(faults), language)
    made.look.stats = {
        "accepted": 120, "stored": 118, "points": 4321, "backlog": 2, "evicted": 0, "duplicates": 1,
        "latency_p50_s": 0.09, "latency_p99_s": 0.4, "alerts_total": 1, "refused": {"not_json": 2},
    }  # fmt: skip
    made.look.machines = [
        machine("kneter", "alarm", 1.0, 3.2),
        machine("ofen", None, 0.4, 0.0),
        {**machine("kuehlung", "good", 1.0, 0.3), "sensor_faults": ["suction_pressure"]},
    ]
    made.look.alerts = made.look.history = [
        {
            "alert": {
                "id": "a1", "machine": "kneter", "node": "backstube", "kind": "machine", "cause": "bearing_outer",
                "severity": "alarm", "state": "open", "opened_ns": 2 * 10**18,
            },
            "text": {
                "title": "Alarm: Spiralkneter – Lagerschaden, Außenring", "explain": "Erklärung " * 12,
                "since": "Seit 12:00", "sure": "Sicher", "evidence": ["Gemessen: 1,5 g"], "check": "Lager prüfen",
            },
        }
    ]  # fmt: skip
    made.look.events = {
        "forecast": [
            event(
                "alert",
                {
                    "alert": "a1",
                    "cause": "bearing_outer",
                    "texts": {code: {"title": f"title in {code}"} for code in LANGUAGES},
                },
            ),
            event("capacity", {"alert": "a1", "share": 0.5, "probability": 0.8}),
            event("scrap", {"rejects": 3, "items": 40}),
        ],
        "budget": [
            event("cost", cost("machine", 2412.6)),
            event("cost", cost("scrap", 0.35)),
        ],
    }
    return made


def with_camera(made: Show) -> Show:
    """It has seen a day's rolls, the last load dark."""
    made.site.camera = True
    made.site.children[CAMERA_PROCESS] = Child(CAMERA_PROCESS, ["true"], log=made.site.folder / "log")
    made.look.goods = [{"items": 252, "rejects": 73}, {"items": 10, "rejects": 1}]
    made.look.batches = [{"items": 36, "rejects": 33, "lightness": 42.8}]
    made.goods.batches["b1"] = BatchSeen("b1", "rolls", 36, 33, 2, 36 * 42.8)
    return made


def machine(name: str, severity: str | None, learned: float, score: float) -> dict[str, Any]:
    return {
        "machine": name, "node": "backstube", "regime": "on", "score": score, "limit": 1.0, "severity": severity,
        "learned": learned, "sensor_faults": [], "online": True, "paused": False,
    }  # fmt: skip


def event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": f"de.werkpuls.{kind}.v1", "subject": "kneter", "time": "2026-11-22T12:00:01.5Z", "data": data}


def cost(kind: str, total: float, state: str = "expected") -> dict[str, Any]:
    return {"reference": "a1", "kind": kind, "total": total, "currency": "EUR", "state": state}


def drawn(made: Show, width: int, height: int | None = None) -> str:
    console = Console(width=width, height=60, file=io.StringIO(), force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(draw(made, keys_of(made.site), width, height))
    return capture.get()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fits_and_speaks_the_language(tmp_path: Path, language: str, width: int) -> None:
    made = show(tmp_path, language)
    text = drawn(made, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    flat = " ".join(text.split())
    titles = [one.titles[language] for one in MACHINES if one.name in {"kneter", "ofen", "kuehlung"}]
    assert all(title.split()[0] in flat for title in titles)
    assert f"title in {language}" in flat
    assert "40" in flat
    assert "2413 EUR" in flat
    assert f"{made.wording.number(0.35)} EUR" in flat
    assert "http://127.0.0.1:8077" in flat
    words = {"de": ("Maschinen", "lernt noch", "beenden"), "en": ("Machines", "still learning", "quit")}
    assert all(word in flat for word in words[language])
    assert not any(word in flat for word in words["en" if language == "de" else "de"])
    for code in ("bearing_outer", "heating_element_open", "kuehlung", "de.werkpuls"):
        assert code not in flat, "codes are not for people"


def test_an_alert_that_was_put_off_is_told_apart_and_stands_last(tmp_path: Path) -> None:
    made = show(tmp_path, "de")
    (worst,) = made.look.alerts
    put_off = {**worst, "alert": {**worst["alert"], "id": "a2", "snoozed_until_ns": 2 * 10**18}}
    watched = {"alert": {**worst["alert"], "id": "a3", "severity": "watch"}, "text": {**worst["text"], "title": "Ofen"}}
    made.look.alerts = [put_off, watched]
    text = drawn(made, 120)
    until = made.wording.clock(2 * 10**18)[:5]
    assert f"[zurückgestellt bis {until}]" in text
    assert text.index("Ofen  [offen]") < text.index("Lager prüfen") < text.index("[zurückgestellt")
    made.look.alerts = [put_off]
    assert "Lager prüfen" not in drawn(made, 120), "its details are what a person did not want to see"


def test_no_amount_is_shown_where_nothing_is_to_be_paid_or_nothing_is_known(tmp_path: Path) -> None:
    made = show(tmp_path, "en")
    made.look.events = {
        "budget": [
            event("cost", cost("scrap", 0.0)),
            event("cost", cost("machine", 0.0)),
            event("cost", cost("machine", 12.0, "final")),
        ]
    }
    text = drawn(made, 120)
    assert "0 EUR" not in text
    assert text.index("no cost") < text.index("cost not known, none is configured") < text.index("cost 12 EUR")


@pytest.mark.parametrize("language", LANGUAGES)
def test_before_the_first_answer_it_says_that_it_starts(tmp_path: Path, language: str) -> None:
    made = Show(Site(tmp_path), [], language)
    assert made.wording.catalogue["demo"]["starting"] in drawn(made, 80)
    assert made.wording.catalogue["page"]["no_alerts"] not in drawn(made, 80), "nobody knows that yet"
    assert made.wording.catalogue["page"]["no_alerts_only"] in drawn(made, 80)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_that_all_runs_as_usual_only_where_that_is_known(tmp_path: Path, language: str) -> None:
    made = show(tmp_path, language)
    usual = made.wording.catalogue["page"]["no_alerts"]
    made.look.alerts = []
    good = machine("kneter", "good", 1.0, 0.2)
    made.look.machines = [good]
    assert usual in drawn(made, 120)
    for other in (machine("ofen", None, 0.4, 0.0), machine("ofen", "alarm", 1.0, 3.0), {**good, "paused": True},
                  {**good, "online": False}, {**good, "severity": None}):  # fmt: skip
        made.look.machines = [good, other]
        assert usual not in drawn(made, 120)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_key_is_shown_with_what_it_breaks(tmp_path: Path, width: int) -> None:
    made = show(tmp_path, "en")
    keys = keys_of(made.site)
    assert [key.key for key in keys] == ["1", "2", "3", "4", "5", "6"]
    flat = " ".join(drawn(made, width).split())
    for key in keys:
        assert f"{key.machine.titles['en']}: {made.wording.cause(key.fault).name}" in flat
    assert all(f" {letter} " in flat for letter in "haq")


@pytest.mark.parametrize(
    ("width", "height", "details"), [(80, 24, False), (100, 26, False), (120, 40, True), (200, 60, True)]
)
def test_on_a_low_screen_details_give_way_and_events_stay(
    tmp_path: Path, width: int, height: int, *, details: bool
) -> None:
    made = with_camera(show(tmp_path, "de"))
    flat = drawn(made, width, height)
    assert len(flat.splitlines()) <= height
    assert "→ budget" in flat
    assert "Kamera: 262 Stück, 74 Ausschuss · letzte Ladung: 33 von 36" in flat
    assert "Lagerschaden, Außenring" in flat
    assert ("Lager prüfen" in flat) == details


def test_the_worst_alert_has_the_details_and_the_others_their_titles(tmp_path: Path) -> None:
    made = show(tmp_path, "de")
    (alarm,) = made.look.alerts
    lesser = {"alert": {**alarm["alert"], "severity": "watch"}, "text": {**alarm["text"], "title": "Nebensache"}}
    lesser["text"]["explain"] = "Nebenerklärung"
    made.look.alerts = [lesser] * 6 + [alarm]
    flat = drawn(made, 120)
    assert "Lager prüfen" in flat
    assert flat.count("Nebensache") == 3
    assert "Nebenerklärung" not in flat
    assert flat.index("Lagerschaden, Außenring  [") < flat.index("Nebensache")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_with_the_camera_is_said_in_one_line(tmp_path: Path, language: str) -> None:
    made = show(tmp_path, language)
    text = made.wording.catalogue["demo"]
    assert not any(text[key].split(":")[0] + ":" in drawn(made, 100) for key in ("camera", "camera_learns"))
    made.site.camera = True
    assert text["camera_learns"] in drawn(made, 100)
    made.site.camera_lacks = "No module named 'cv2'"
    reason = {"de": "'cv2' ist nicht installiert", "en": "No module named 'cv2'"}[language]
    assert text["no_camera"].format(reason=reason) in drawn(made, 100)
    made.site.camera_lacks = ""
    assert made.wording.number(42.8) in drawn(with_camera(made), 100)


def test_a_key_that_waits_for_the_machine_to_learn_shows_it(tmp_path: Path) -> None:
    made = show(tmp_path, "en")
    assert "…" not in drawn(made, 120)
    made.ask("heating_element_open", OVEN)
    assert f"{made.wording.cause('heating_element_open').name} …" in " ".join(drawn(made, 120).split())


def test_keys_come_without_enter_and_the_terminal_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with os.fdopen(slave, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with Keyboard() as keyboard:
            assert keyboard.pressed() == ""
            os.write(master, b"1q")
            assert keyboard.pressed() == "1q"
            assert keyboard.pressed() == ""
        assert termios.tcgetattr(slave) == before
    os.close(master)


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with Keyboard() as keyboard:
            assert keyboard.pressed() == ""


USAGE = {"broker": Usage(10_000_000, 0.5, 4_000_000, 20.0), "late": Usage()}


def test_the_result_is_json_and_says_what_was_measured(tmp_path: Path) -> None:
    slow = FaultRun("bearing_outer", MACHINES[0], 1.0, command="c", injected_ns=1, alert="a1", alert_after_s=3.0)
    quick = FaultRun("imbalance", MACHINES[0], 2.0, command="d", injected_ns=1, alert="a1", alert_after_s=1.0)
    refused = FaultRun("belt", MACHINES[0], 2.0, command="e", injected_ns=1, refused="no")
    made = show(tmp_path, "en", slow, quick, refused)
    outcome = result(made, Proof(published=3, accepted=3, stored=3), USAGE, 20.04)
    assert msgspec.json.decode(msgspec.json.encode(outcome)) == outcome
    assert (outcome["seconds"], outcome["refused"], outcome["sent_again"]) == (20.0, 2, 1)
    assert outcome["forwarded"] == {"forecast": 3, "budget": 2}
    assert outcome["latency_s"]["fault_to_alert"] == {"p50": 3.0, "p99": 3.0}
    assert [fault["injected"] for fault in outcome["faults"]] == [True, True, False]
    assert outcome["processes"]["broker"]["cpu_share"] == 0.025
    assert outcome["processes"]["late"]["cpu_share"] is None


@pytest.mark.parametrize("as_json", [False, True])
def test_without_a_terminal_the_address_is_told_in_one_line(tmp_path: Path, *, as_json: bool) -> None:
    made = show(tmp_path, "de")
    told = io.StringIO()
    _watch(made, Namespace(json=as_json, seconds=-1.0), Console(width=100, file=told))
    assert told.getvalue() == f"Werkpuls · {made.site.url}\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_fault_is_reported_as_what_it_was_first_called_and_another_name_at_the_end_is_told(
    tmp_path: Path, language: str
) -> None:
    fault = FaultRun("bearing_outer", MACHINES[0], 1.0, command="c", injected_ns=10**18)
    made = show(tmp_path, language, fault)
    (view,) = made.look.alerts
    console = Console(width=100, file=io.StringIO())
    lines = []
    for cause in ("unknown", "bearing_outer", "bearing_cage"):
        made.look.alerts = [{**view, "alert": {**view["alert"], "cause": cause}}]
        made._follow(fault)
        with console.capture() as capture:
            print_words(console, made.wording, result(made, Proof(), USAGE, 20.0))
        lines.append(capture.get())
    assert (fault.cause, fault.last_cause, fault.alert_after_s) == ("bearing_outer", "bearing_cage", 10**9)
    cage = made.wording.cause("bearing_cage").name
    renamed = made.wording.catalogue["demo"]["fault_renamed"].format(cause=cage)
    assert [renamed in text for text in lines] == [False, False, True]


def test_the_result_says_what_the_camera_saw_and_which_fault_was_seen_in_the_goods(tmp_path: Path) -> None:
    fault = FaultRun("heating_element_open", OVEN, 1.0, command="c", injected_ns=10**18, alert=None)
    made = with_camera(show(tmp_path, "en", fault))
    alert = {
        "id": "q1", "machine": "ofen", "node": "backstube", "kind": "quality", "cause": "too_dark", "severity": "alarm",
        "state": "open", "opened_ns": 10**18 + 9 * 10**9,
    }  # fmt: skip
    made.look.alerts = [
        {"alert": alert, "text": {**made.look.alerts[0]["text"], "title": "Alarm: Deck oven – Too dark"}}
    ]
    made.look.history = made.look.alerts
    made._follow(fault)
    outcome = result(made, Proof(published=3, accepted=3, stored=3), {}, 20.0)
    (told,) = outcome["faults"]
    assert (told["goods_after_s"], told["goods_cause"], told["alert_after_s"]) == (9.0, "too_dark", None)
    goods = outcome["goods"]
    assert (goods["camera"], goods["items"], goods["rejects"], goods["unsure"]) == (True, 36, 33, 2)
    assert goods["batches"] == [
        {"batch": "b1", "product": "rolls", "items": 36, "rejects": 33, "unsure": 2, "lightness": 42.8}
    ]
    assert goods["findings"] == [{"cause": "too_dark", "severity": "alarm", "title": "Alarm: Deck oven – Too dark"}]
    console = Console(width=100, file=io.StringIO())
    with console.capture() as capture:
        print_words(console, made.wording, outcome)
    assert "36 items of 1 oven loads inspected, 33 rejects, 2 unsure" in capture.get()
    assert "Noticed in the goods after 9" in capture.get()
    made.site.camera_lacks = "no OpenCV; pip install 'werkpuls[camera]'"
    with console.capture() as capture:
        print_words(console, made.wording, result(made, Proof(), {}, 20.0))
    assert "Without the camera" in capture.get()
    assert "'werkpuls[camera]'" in capture.get()


@pytest.mark.parametrize("name", WRONG)
def test_each_discrepancy_alone_is_a_failure(tmp_path: Path, name: str) -> None:
    made = show(tmp_path, "en")
    assert passed(result(made, Proof(published=3), {}, 1.0))
    proof = Proof(published=3)
    setattr(proof, name, 1)
    assert not passed(result(made, proof, {}, 1.0))


def test_what_a_disk_forced_out_and_counted_is_no_failure(tmp_path: Path) -> None:
    assert passed(result(show(tmp_path, "en"), Proof(published=3, dropped=1), {}, 1.0))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lost", [0, 2])
def test_the_last_words(tmp_path: Path, language: str, lost: int) -> None:
    found = FaultRun("bearing_outer", MACHINES[0], 1.0, injected_ns=1, alert_after_s=3.25, cause="bearing_outer")
    made = show(tmp_path, language, found, FaultRun("door_seal", OVEN, 1.0, refused="too late"))
    proof = Proof(published=9, stored=9 - lost, lost=lost, details=["oven-pi 7: gone"] if lost else [])
    console = Console(width=100, file=io.StringIO())
    with console.capture() as capture:
        print_words(console, made.wording, result(made, proof, USAGE, 20.0))
    flat = " ".join(capture.get().split())
    text = made.wording.catalogue["demo"]
    assert text["something_lost" if lost else "nothing_lost"].split(":")[0] in flat
    assert ("oven-pi 7: gone" in flat) == bool(lost)
    assert made.wording.number(3.25) in flat
    assert "too late" in flat
    assert "forecast 3, budget 2" in flat
    assert "10 MB" in flat
    figures = ["2,5 %", "4,0 MB"] if language == "de" else ["2.5 %", "4.0 MB"]
    assert all(figure in flat for figure in figures)
