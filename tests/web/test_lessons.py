"""Lessons over the API and the page without a browser: what a person is told when a camera, a name or a moment is wrong."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx
import pytest
from support.gateways import Feed, client, running
from support.goods import cameras, inspect, item, settled
from support.openapi import check, problem

from edge.lesson import MOST as PICTURED
from gateway.daemon import Gateway
from gateway.goods import GoodsUnavailable
from gateway.ledger_lessons import Lesson, LessonState
from gateway.origins import OriginState
from gateway.web.goods_views import CameraView
from gateway.web.lesson_page import ANSWERED_NS, ENOUGH, MOST
from gateway.web.lesson_page import LessonPage as Page
from gateway.web.lesson_views import LessonView
from gateway.wording import LANGUAGES
from models.quality.doubts import ADVISED
from models.quality.doubts import Doubt as Found
from wire.messages import Doubt, Reply, SensorState, Taught, Trust

ROOT = Path(__file__).resolve().parents[2]
LESSONS = "/api/v1/goods/lessons"
WHERE = {"node": "oven-pi", "camera": "tray", "name": "Brezel", "by": "Anna"}


@pytest.fixture(scope="module", autouse=True)
def camera(gateway: Gateway, feed: Feed) -> None:
    cameras(feed, SensorState(name="tray", machine="oven", ok=True), SensorState(name="belt", machine="oven", ok=True))
    settled(gateway)


def answer(gateway: Gateway, feed: Feed, action: str, *, ok: bool = True, **fields: Any) -> None:
    """The node's answer to what it was asked last."""
    command = next(each for each in gateway.ledger.commands() if each.action == action)
    envelope = {**feed.node.envelope(time.time_ns()), "origin": "watch"}
    feed.tell(Reply(command=command.id, machine="oven", action=action, ok=ok, **fields, **envelope))
    settled(gateway)


@pytest.fixture
def lesson(gateway: Gateway, feed: Feed, http: httpx.Client) -> Any:
    """One that collects and has six items; ended afterwards."""
    made = check(http.post(LESSONS, json=WHERE))
    answer(gateway, feed, "start_lesson")
    items = [item("unsure", "deformed", seen="")] * 6
    inspect(feed, items, name=f"i-{made['id']}", product="brezel", lesson=made["id"])
    settled(gateway)
    yield made["id"]
    http.post(f"{LESSONS}/{made['id']}/end", json={"by": "Anna"})


def test_a_lesson_is_begun_shown_taught_and_its_result_told(
    gateway: Gateway, feed: Feed, http: httpx.Client, lesson: str
) -> None:
    shown = check(http.get(f"{LESSONS}/{lesson}"))
    assert (shown["lesson"]["state"], shown["lesson"]["product"], len(shown["items"])) == ("collecting", "brezel", 6)
    assert http.get(shown["items"][0]["picture"]).content.startswith(b"\xff\xd8\xff")
    assert check(http.get("/api/v1/goods/items")) == []
    items = [{"inspection": f"i-{lesson}", "item": number, "verdict": "good"} for number in range(5)]
    items.append({"inspection": f"i-{lesson}", "item": 5, "verdict": "reject"})
    asked = check(http.post(f"{LESSONS}/{lesson}/teach", json={"by": "Bernd", "items": items}))
    assert (asked["id"], asked["state"], asked["taught_by"]) == (lesson, "teaching", "Bernd")
    assert "Gesagt" not in http.get(f"/goods/lessons/{lesson}?lang=de&used=1").text, "nobody said it yet"
    problem(http.post(f"{LESSONS}/{lesson}/teach", json={"by": "Clara", "items": items}), 409)
    problem(http.post(f"{LESSONS}/{lesson}/end", json={"by": "Clara"}), 409)
    answer(gateway, feed, "teach", taught=Taught(good=5, bad=1, doubts=[Doubt(code="few", good=5)]))
    (latest, *_) = check(http.get(f"{LESSONS}?limit=1"))
    assert (latest["state"], latest["taught"]["good"], latest["taught_by"]) == ("taught", 5, "Bernd")
    page = http.get(f"/goods/lessons/{lesson}?lang=de").text
    assert "Angelernt: 5 Stück gut, 1 schlecht." in page
    assert "Gut sind nur 5 Stück" in page
    for counted in ("today", "batches"):
        found = check(http.get(f"/api/v1/goods/{counted}"))
        assert "brezel" not in {each["product"] for each in found}, "pieces of a lesson are no production"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**WHERE, "camera": "nowhere"}, 404),
        ({**WHERE, "name": ""}, 422),
        ({**WHERE, "name": "x" * 65}, 422),
        ({**WHERE, "name": "…"}, 422),
        ({**WHERE, "by": ""}, 422),
        ({**WHERE, "known": "perhaps"}, 422),
        ({**WHERE, "camera": "../x"}, 422),
    ],
)
def test_a_lesson_that_cannot_begin(http: httpx.Client, body: dict[str, Any], status: int) -> None:
    problem(http.post(LESSONS, json=body), status)


def test_a_profile_that_came_in_the_meantime_is_asked_about(
    gateway: Gateway, feed: Feed, http: httpx.Client, lesson: str
) -> None:
    place, form = f"/goods/lessons/{lesson}", {"by": "Anna", "lang": "de", f"i-{lesson}/0": "good"}
    assert http.post(place, data={**form, "action": "teach"}).status_code == 303
    answer(gateway, feed, "teach", ok=False, code="lesson_taken")
    page = http.get(f"{place}?lang=de").text
    assert "Unter diesem Namen ist schon etwas angelernt. Was soll damit geschehen?" in page
    assert 'value="teach"' not in page, "it would be refused again"
    assert http.post(place, data={**form, "action": "replace"}).status_code == 303
    command = next(each for *_, each in gateway.ledger.queue.due() if each.action == "teach")
    assert (command.known, command.lesson, len(command.taught)) == ("replace", lesson, 1)
    answer(gateway, feed, "teach", taught=Taught(good=6, bad=0))
    assert "Angelernt: 6 Stück gut" in http.get(f"{place}?lang=de").text
    assert http.post(place, data={**form, "action": "use"}).headers["location"] == f"{place}?lang=de&used=1"
    (switch, *_) = gateway.ledger.commands(limit=1)
    assert (switch.action, switch.origin, switch.machine) == ("set_product", "watch", "oven")
    assert http.post(place, data={**form, "action": "burn"}).status_code == 400


def test_with_every_item_left_out_there_is_nothing_to_learn(http: httpx.Client, lesson: str) -> None:
    place, taps = f"/goods/lessons/{lesson}", {f"i-{lesson}/{number}": "out" for number in range(6)}
    for language, said in (("de", "Kein Stück ist als gut oder schlecht angetippt,"), ("en", "No item is marked")):
        answered = http.post(place, data={**taps, "by": "Anna", "lang": language, "action": "teach"})
        assert (answered.status_code, said in answered.text) == (422, True)
    stranger = {"inspection": "i-other", "item": 0, "verdict": "good"}
    refused = http.post(f"{LESSONS}/{lesson}/teach", json={"by": "Anna", "items": [stranger]})
    problem(refused, 422)
    assert "nothing to learn" in refused.text
    assert check(http.get(f"{LESSONS}/{lesson}"))["lesson"]["state"] == "collecting"


def test_a_lesson_that_is_none_or_asked_for_from_elsewhere(http: httpx.Client) -> None:
    word = {"inspection": "i-1", "item": 0, "verdict": "good"}
    problem(http.get(f"{LESSONS}/l-none"), 404)
    problem(http.post(f"{LESSONS}/l-none/teach", json={"by": "Anna", "items": [word]}), 404)
    problem(http.post(f"{LESSONS}/l-none/teach", json={"by": "Anna", "items": []}), 422)
    problem(http.post(f"{LESSONS}/l-none/end", json={"by": "Anna"}), 404)
    elsewhere = {"origin": "https://else.where"}
    problem(http.post(LESSONS, json=WHERE, headers=elsewhere), 403)
    assert http.post("/goods/lessons", data={"name": "Brezel"}, headers=elsewhere).status_code == 403
    for action in ("start_lesson", "teach", "end_lesson"):
        asked = {"action": action, "by": "Anna", "origin": "watch"}
        problem(http.post("/api/v1/machines/oven-pi/oven/commands", json=asked), 422)


def test_one_camera_has_one_lesson_and_another_camera_another(http: httpx.Client, lesson: str) -> None:
    problem(http.post(LESSONS, json={**WHERE, "name": "Laib", "by": "Bernd"}), 409)
    other = check(http.post(LESSONS, json={**WHERE, "camera": "belt", "name": "Laib"}))
    page = http.get("/goods?lang=de").text
    assert "Brezel (tray): sammelt, Bilder: 6" in page
    assert "Laib (belt): Kamera wird gefragt" in page
    assert "Sie beginnt zu sammeln, sobald sie es wieder ist." in http.get(f"/goods/lessons/{other['id']}?lang=de").text
    check(http.post(f"{LESSONS}/{other['id']}/end", json={"by": "Anna"}))
    assert lesson


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"name": "Laib", "camera": "oven-pi/belt", "by": ""}, 422, "Bitte Ihren Namen eintragen"),
        ({"name": " ", "camera": "oven-pi/belt", "by": "Anna"}, 422, "Bitte einen Namen eintragen"),
        ({"name": "Laib", "camera": "oven-pi/rack", "by": "Anna"}, 404, "Diese Kamera kennt das Büro nicht."),
        ({"name": "Laib", "camera": "oven-pi/tray", "by": "Bernd"}, 409, "sammelt schon für Brezel (Anna)"),
    ],
)
def test_what_went_wrong_is_said_on_the_page(
    http: httpx.Client, lesson: str, form: dict[str, str], status: int, said: str
) -> None:
    answered = http.post("/goods/lessons", data={**form, "lang": "de"})
    assert (answered.status_code, lesson != "") == (status, True)
    assert said in answered.text
    assert "<h2" in answered.text


def test_pictures_that_cannot_be_read_take_neither_page_away(
    gateway: Gateway, http: httpx.Client, lesson: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise GoodsUnavailable("disk")

    monkeypatch.setattr(gateway.goods, "lesson_items", broken)
    shown = http.get(f"/goods/lessons/{lesson}?lang=de")
    assert (shown.status_code, "Bilder und Verläufe können gerade nicht gelesen werden." in shown.text) == (503, True)
    assert http.get("/goods").status_code == 200
    taught = http.post(f"/goods/lessons/{lesson}", data={"action": "teach", "by": "Anna", "lang": "de"})
    assert taught.status_code == 503
    problem(http.get(f"{LESSONS}/{lesson}"), 503)


def test_without_pictures_there_are_no_lessons(tmp_path: Path) -> None:
    with running(tmp_path, more="[goods]\nkeep_days = 0\n") as without, client(without) as http:
        cameras(Feed(without), SensorState(name="tray", machine="oven", ok=True))
        settled(without)
        problem(http.post(LESSONS, json=WHERE), 409)
        assert "In gateway.toml steht keep_days = 0." in http.get("/goods?lang=de").text


def view(state: Any, **fields: Any) -> LessonView:
    values = dict.fromkeys(("id", "site", "node", "camera", "machine", "product", "label", "by"), "x")
    plain: dict[str, Any] = {"known": None, "at_ns": 0, "until_ns": 1, "taught_by": "", "code": "", "reason": ""}
    return LessonView(lesson=Lesson(**{**values, **plain, "taught": None, "state": state, **fields}), items=[])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_code_and_doubt_has_its_words(gateway: Gateway, language: str) -> None:
    page = Page(gateway.services, gateway.services.wording(language))
    source = "".join((ROOT / "edge" / name).read_text(encoding="utf-8") for name in ("teaching.py", "watch.py"))
    codes = set(re.findall(r'"(lesson_[a-z_]+)"', source)) | {"lesson_away"}
    assert len(codes) > 9
    told = {code: page.values(view("refused", code=code), {})["trouble"] for code in codes}
    assert len(set(told.values())) == len(codes), "each in its own words, not in those of an unknown one"
    for state in get_args(LessonState):
        shown = page.values(view(state), {})
        assert shown["says"]
        assert "{" not in shown["says"]
    every = [Doubt(code=code, good=1, bad=1, of_good=2, of_bad=2) for code in get_args(get_type_hints(Found)["code"])]
    learned = page.values(view("taught", taught=Taught(good=9, bad=1, gone=1, doubts=every)), {})["learned"]
    assert len(learned) == 1 + len(every) + 1 + 1, "the test, each doubt, that of the net for either kind, what is gone"


@pytest.mark.parametrize(("language", "said"), [("de", "zu alt"), ("en", "too old")])
def test_a_camera_that_is_there_and_does_not_answer_is_not_waited_for_without_a_word(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    there = OriginState("bakery", "oven-pi", "watch", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    made = check(http.post(LESSONS, json={**WHERE, "camera": "belt"}))["id"]
    place = f"/goods/lessons/{made}"
    assert said not in http.get(f"{place}?lang={language}").text
    with gateway.ledger.transaction() as work:
        work.execute("UPDATE lessons SET at_ns = at_ns - ? WHERE id = ?", (ANSWERED_NS, made))
    late = http.get(f"{place}?lang={language}").text
    assert said in late
    assert 'value="end"' in late
    monkeypatch.setattr(gateway.ingest, "nodes", list)
    assert said not in http.get(f"{place}?lang={language}").text, "one that is away is waited for"
    assert http.post(place, data={"action": "end", "by": "Anna", "lang": language}).status_code == 303
    assert check(http.get(f"{LESSONS}/{made}"))["lesson"]["state"] == "ended"


def test_a_fault_of_the_camera_is_told_of_while_it_collects(gateway: Gateway) -> None:
    page = Page(gateway.services, gateway.services.wording("de"))
    facts: dict[str, Any] = {"node": "pi", "camera": "tray", "machine": "oven", "title": "Ofen", "online": True}
    text: dict[str, Any] = {"explain": "", "detail": "", "name": "Bild zu dunkel", "check": "Lampe prüfen."}
    dark = CameraView(**facts, **text, ok=False, fault="camera_dark", paused_left_s=None)
    assert page._camera_line(dark) == {"bad": True, "text": "Kamera: Bild zu dunkel. Lampe prüfen."}
    paused = CameraView(**facts, **text, ok=True, fault="", paused_left_s=60.0)
    assert "sammelt so lange nichts" in page._camera_line(paused)["text"]
    assert page._camera_line(None)["text"] == ""


def test_the_page_and_the_camera_mean_the_same_by_enough() -> None:
    assert (MOST, ADVISED <= ENOUGH < MOST) == (PICTURED, True)


def test_a_lesson_while_the_oven_or_its_goods_are_in_trouble_says_so(
    gateway: Gateway, feed: Feed, http: httpx.Client, lesson: str
) -> None:
    page = f"/goods/lessons/{lesson}?lang=de"
    assert "Achtung" not in http.get(page).text
    told = [
        feed.alert(id="element", machine="oven", cause="heating_element_open"),
        feed.alert(id="dark", machine="oven", type="quality", cause="too_dark", channel="tray"),
        feed.alert(id="else", machine="oven", type="quality", cause="too_light", channel="belt"),
        feed.alert(id="saw", machine="saw", cause="imbalance"),
    ]
    (said,) = [line for line in http.get(page).text.splitlines() if "Achtung" in line]
    assert "gerade offen: " in said
    names = said.partition("gerade offen: ")[2].partition(".")[0].split(", ")
    assert sorted(names) == ["Heizelement ausgefallen", "Zu dunkel"], "of another camera and another machine nothing"
    for alert in told:
        gateway.ledger.resolve(alert, done="", by="Anna")
    assert "Achtung" not in http.get(page).text
