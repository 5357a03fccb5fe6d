"""Goods over the API: counts, batches, charts, pictures, cameras, and a person's verdict."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from support.broker import until
from support.gateways import Feed
from support.goods import cameras, inspect, item, point, settled, tray
from support.openapi import check, problem

from gateway.daemon import Gateway
from gateway.goods import GoodsUnavailable
from gateway.lessons import Place
from gateway.origins import OriginState
from gateway.web.lesson_api import lessons_of
from wire.messages import Reply, SensorState, Trust

GOODS = "/api/v1/goods"


@pytest.fixture(scope="module", autouse=True)
def baked(gateway: Gateway, feed: Feed) -> None:
    for number in range(6):
        items = tray(10, number % 3, number % 2)
        inspect(
            feed, items, name=f"i-{number}", charts={"lightness": point(55.0 - number / 2)}, batch=f"b-{number // 3}"
        )
    inspect(feed, [item("reject", "broken", seen="", why=["size", "look"])], name="i-late", product="loaf")
    cameras(feed, SensorState(name="tray", machine="oven", ok=True))
    settled(gateway)


def test_what_was_baked_today(http: httpx.Client) -> None:
    loaf, roll = check(http.get(f"{GOODS}/today"))
    assert (loaf["product"], loaf["items"], loaf["rejects"], loaf["unsure"]) == ("loaf", 1, 1, 0)
    assert (roll["product"], roll["items"], roll["rejects"], roll["unsure"]) == ("roll", 69, 6, 3)
    assert roll["rate"]["share"] == pytest.approx(6 / 66)
    assert 0.04 < roll["rate"]["low"] < 6 / 66 < roll["rate"]["high"] < 0.19


def test_batches_latest_first(http: httpx.Client) -> None:
    found = check(http.get(f"{GOODS}/batches?limit=2"))
    assert [each["batch"] for each in found] == ["b-9", "b-1"]
    assert found[1]["lightness"] == 55.0
    assert found[1]["labels"] == {"burnt": 3}
    problem(http.get(f"{GOODS}/batches?limit=0"), 400)


def test_a_control_chart_as_its_camera_told_it(http: httpx.Client) -> None:
    (chart,) = check(http.get(f"{GOODS}/charts"))
    assert (chart["camera"], chart["product"], chart["quantity"]) == ("tray", "roll", "lightness")
    assert [each["point"]["value"] for each in chart["points"]] == [55.0, 54.5, 54.0, 53.5, 53.0, 52.5]
    assert check(http.get(f"{GOODS}/charts?quantity=size")) == []
    problem(http.get(f"{GOODS}/charts?quantity=weight"), 400)


def test_items_with_their_pictures(http: httpx.Client) -> None:
    found = check(http.get(f"{GOODS}/items"))
    assert len(found) == 10
    late = found[0]
    assert (late["label"], late["why"], late["seen"]) == ("broken", ["size", "look"], None)
    second = found[1]
    for path in (second["picture"], second["seen"]):
        answer = http.get(path)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"].startswith("private")
    older = check(http.get(f"{GOODS}/items", params={"limit": 4, "before": found[3]["id"]}))
    assert [each["id"] for each in older] == [each["id"] for each in found[4:8]]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("oven-pi/i-nowhere/0/picture", 404),
        ("oven-pi/i-late/1/picture", 404),
        ("oven-pi/i-late/0/picture?kind=seen", 404),
        ("oven-pi/i-late/0/picture?kind=../../ledger.sqlite", 400),
        ("oven-pi/i-late/1000/picture", 400),
        ("oven-pi/i%20late/0/picture", 400),
        ("oven-pi/..%2f..%2fledger.sqlite/0/picture", 404),
        ("Oven-Pi/i-late/0/picture", 400),
    ],
)
def test_a_picture_that_is_none(http: httpx.Client, path: str, status: int) -> None:
    problem(http.get(f"{GOODS}/items/{path}"), status)


def test_a_persons_verdict_is_counted_told_and_written_down(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    where = f"{GOODS}/items/oven-pi/i-5/10/verdict"
    before = check(http.get(f"{GOODS}/today"))[1]
    accepted = check(http.post(where, json={"by": "Anna", "verdict": "good"}))
    after = check(http.get(f"{GOODS}/today"))[1]
    assert (after["items"], after["rejects"]) == (before["items"], before["rejects"] - 1)
    fate = check(http.get(f"/api/v1/commands/{accepted['id']}"))
    assert (fate["action"], fate["machine"]) == ("correct_verdict", "oven")
    reply = {**feed.node.envelope(time.time_ns()), "origin": "watch"}
    feed.tell(
        Reply(command=accepted["id"], machine="oven", action="correct_verdict", ok=True, reason="learned", **reply)
    )
    settled(gateway)
    shown = next(
        each for each in check(http.get(f"{GOODS}/items")) if (each["inspection"], each["item"]) == ("i-5", 10)
    )
    assert {**shown["correction"], "at_ns": 0} == {
        "verdict": "good",
        "by": "Anna",
        "at_ns": 0,
        "state": "done",
        "reason": "learned",
    }
    entry = next(each for each in check(http.get("/api/v1/audit")) if each["what"] == "correct_verdict")
    assert (entry["by"], entry["object"], entry["text"]) == ("Anna", "oven-pi/tray/i-5/10", "good")
    assert next(each for each in check(http.get(f"{GOODS}/batches")) if each["batch"] == "b-1")["corrected"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"by": "Anna", "verdict": "unsure"}, 422),
        ({"verdict": "good"}, 422),
        ({"by": "", "verdict": "good"}, 422),
        ({"by": "Anna", "verdict": "good", "more": 1}, 422),
    ],
)
def test_a_verdict_that_is_none(http: httpx.Client, body: dict[str, Any], status: int) -> None:
    problem(http.post(f"{GOODS}/items/oven-pi/i-5/10/verdict", json=body), status)


def test_a_verdict_of_what_is_not_there_and_from_elsewhere(http: httpx.Client) -> None:
    said = {"by": "Anna", "verdict": "good"}
    problem(http.post(f"{GOODS}/items/oven-pi/i-5/0/verdict", json=said), 404)
    problem(
        http.post(f"{GOODS}/items/oven-pi/i-5/10/verdict", json=said, headers={"origin": "https://else.where"}), 403
    )
    problem(http.post("/api/v1/machines/oven-pi/oven/commands", json={"action": "correct_verdict", "by": "Anna"}), 422)


def test_a_camera_says_what_is_wrong_and_what_to_do(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    (good,) = check(http.get(f"{GOODS}/cameras"))
    assert (good["camera"], good["machine"], good["ok"], good["name"]) == ("tray", "oven", True, "")
    cameras(
        feed,
        SensorState(name="tray", machine="oven", ok=False, fault="model_refused", detail="another hash"),
        SensorState(name="belt", machine="oven", ok=False, fault="profile_refused"),
        SensorState(name="rack", machine="oven", ok=False, fault="inspection_failed"),
    )
    settled(gateway)
    found = check(http.get(f"{GOODS}/cameras?lang=en"))
    assert [each["camera"] for each in found] == ["belt", "rack", "tray"]
    assert all(each["name"] and each["check"] for each in found)
    assert not [each for each in found if each["fault"] in each["name"]], "in words"
    assert found[2]["detail"] == "another hash"
    german = check(http.get(f"{GOODS}/cameras?lang=de"))
    assert all(mine["name"] != theirs["name"] for mine, theirs in zip(german, found, strict=True))
    cameras(feed, SensorState(name="tray", machine="oven", ok=True))
    settled(gateway)


def test_a_camera_can_be_commanded(gateway: Gateway, http: httpx.Client) -> None:
    asked = {"action": "set_product", "by": "Anna", "product": "loaf", "origin": "watch"}
    made = check(http.post("/api/v1/machines/oven-pi/oven/commands", json=asked))
    found = gateway.ledger.command_state(made["id"])
    assert found is not None
    assert found.origin == "watch"


def test_the_page_says_it_in_german_first(gateway: Gateway, http: httpx.Client) -> None:
    page = http.get("/goods?lang=de").text
    for words in (
        "zerbrochen (90\u00a0% sicher)",
        "andere Größe als angelernt, sieht anders aus als angelernt",
        "unsicher: rissig? (90\u00a0%)",
        "Wie gewohnt: zuletzt L*\u00a052,5, sonst L*\u00a055,0",
        "Das ist Ausschuss",
        "Ihr Wort zählt",
        "Ofen oder Linie",
        "werkpuls teach",
    ):
        assert words in page
    assert f'href="/?lang=de">{gateway.services.wording("de").catalogue["goods"]["machines"]}</a>' in page
    assert "This is a reject" in http.get("/goods", headers={"accept-language": "en"}).text
    assert 'href="/goods?lang=de">Ware</a>' in http.get("/?lang=de").text


def test_a_button_of_the_page_judges_and_leads_back_to_the_picture(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "/goods/oven-pi/i-4/10"
    form = {"by": " Anna ", "lang": "de", "verdict": "good", "before": "7"}
    answer = http.post(place, data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/goods?lang=de&before=7#item-oven-pi-i-4-10"
    page = http.get("/goods?lang=de").text
    card = page[page.index('id="item-oven-pi-i-4-10"') :].partition("</article>")[0]
    assert "Laut Anna: gut" in card
    assert "Die Kamera erfährt es, sobald sie erreichbar ist." in card
    assert "Das ist Ausschuss" in card
    assert "Das ist gut" not in card
    assert [(each.by, each.text) for each in gateway.ledger.audit(limit=1)] == [("Anna", "good")]
    there = OriginState("bakery", "oven-pi", "watch", "log1", 1, True, 0, 0, 0, time.time_ns(), Trust.SYNCED)
    monkeypatch.setattr(gateway.ingest, "nodes", lambda: [there])
    assert "An die Kamera abgeschickt, die Antwort steht noch aus." in http.get("/goods?lang=de").text
    assert "Sent to the camera, there is no answer yet." in http.get("/goods?lang=en").text


@pytest.mark.parametrize(
    ("place", "form", "status", "said"),
    [
        ("/goods/oven-pi/i-5/11", {"by": "", "verdict": "good"}, 422, "Bitte den Namen eintragen"),
        ("/goods/oven-pi/i-5/11", {"by": "x" * 81, "verdict": "good"}, 422, "Bitte den Namen eintragen"),
        ("/goods/oven-pi/i-none/1", {"by": "Anna", "verdict": "good"}, 404, "Dieses Bild gibt es nicht mehr."),
        (f"/goods/oven-pi/i-5/{10**30}", {"by": "Anna", "verdict": "good"}, 404, "Dieses Bild gibt es nicht mehr."),
    ],
)
def test_what_went_wrong_is_said_on_the_page(
    http: httpx.Client, place: str, form: dict[str, str], status: int, said: str
) -> None:
    answer = http.post(place, data={**form, "lang": "de"})
    assert answer.status_code == status
    assert said in answer.text
    assert "<h2" in answer.text


def test_a_page_of_older_pictures_that_are_gone_shows_the_newest(http: httpx.Client) -> None:
    newest = check(http.get(f"{GOODS}/items?limit=1"))[0]
    for gone in (1, 10**9):  # nothing is older; never there, or no longer
        page = http.get(f"/goods?lang=de&before={gone}").text
        assert newest["picture"].replace("&", "&amp;") in page
        assert "Keine Bilder." not in page
        assert "Zurück zu den neuesten" not in page
    assert check(http.get(f"{GOODS}/items?before=1000000000")) == [], "to a program there is just nothing older"


def test_an_inspection_of_an_odd_name_has_a_page_and_buttons(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    inspect(feed, tray(0, 1), name="i:2026.11-26", product="odd")
    settled(gateway)
    (shown,) = [each for each in check(http.get(f"{GOODS}/items")) if each["product"] == "odd"]
    assert http.get(shown["picture"]).content.startswith(b"\xff\xd8\xff")
    page = http.get("/goods?lang=de").text
    place = 'formaction="/goods/oven-pi/i%3A2026.11-26/0"'
    assert place in page
    answer = http.post("/goods/oven-pi/i%3A2026.11-26/0", data={"by": "Anna", "lang": "de", "verdict": "good"})
    assert answer.status_code == 303


def test_forms_that_are_none_and_from_elsewhere(http: httpx.Client) -> None:
    place, said = "/goods/oven-pi/i-5/11", {"by": "Anna", "verdict": "good"}
    problem(http.post(place, data={**said, "verdict": "burnt"}), 400)
    problem(http.post(place, json=said), 415)
    problem(http.post(place, data=said, headers={"sec-fetch-site": "cross-site"}), 403)
    problem(http.post("/goods/oven-pi/i-5/x", data=said), 404)
    assert http.get("/goods?before=x&lang=de").status_code == 200


def test_what_a_node_sends_is_shown_and_never_run(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    evil = "<img src=x onerror=alert(1)>"
    (shown,) = [each for each in check(http.get(f"{GOODS}/items")) if each["inspection"] == "i-late"]
    check(http.post(f"{GOODS}/items/oven-pi/i-late/0/verdict", json={"by": evil, "verdict": "reject"}))
    page = http.get("/goods?lang=de").text
    assert shown["picture"] in page
    assert evil not in page
    assert "Laut &lt;img src=x onerror=alert(1)&gt;: Ausschuss" in page
    inspect(feed, [item("reject", "own-label")], name="i-own", product="x" * 63)
    settled(gateway)
    assert "own-label (90" in http.get("/goods?lang=de").text
    assert "script-src 'self'" in http.get("/goods").headers["content-security-policy"]


def test_pictures_that_cannot_be_read_take_nothing_else_away(
    gateway: Gateway, feed: Feed, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise GoodsUnavailable("disk")

    monkeypatch.setattr(gateway.goods, "items", fail)
    page = http.get("/goods?lang=de")
    assert page.status_code == 200
    assert "können gerade nicht gelesen werden" in page.text
    assert "Anteil Ausschuss" in page.text
    problem(http.get(f"{GOODS}/items"), 503)
    assert "pictures of goods cannot be kept" not in http.get("/health").text
    monkeypatch.setattr(gateway.goods, "take", fail)
    inspect(feed, tray(1), name="i-full-disk")
    settled(gateway)
    until(lambda: "pictures of goods cannot be kept" in http.get("/health").text)
    monkeypatch.undo()
    inspect(feed, tray(1), name="i-well-again")
    settled(gateway)
    until(lambda: "pictures of goods cannot be kept" not in http.get("/health").text)


def test_an_alert_about_goods_leads_to_their_pictures(gateway: Gateway, feed: Feed, http: httpx.Client) -> None:
    alert = feed.alert(id="dark", machine="oven", type="quality", cause="too_dark")
    page = http.get("/?lang=de").text
    card = page[page.index(f'id="alert-{alert}"') :].partition("</article>")[0]
    assert '<a href="/goods?lang=de">Bilder und Verlauf ansehen</a>' in card
    assert f'href="/?lang=de#alert-{alert}"' in http.get("/goods?lang=de").text
    gateway.ledger.resolve(alert, done="nichts", by="Anna")
    assert f'href="/?lang=de#alert-{alert}"' not in http.get("/goods?lang=de").text


def test_a_product_is_called_what_the_person_called_it_who_taught_it(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    name, product = "Körnerbrötchen <b>hell</b>", "koernerbroetchen-b-hell-b"
    for number in (1, 2):
        inspect(feed, tray(9, 1), name=f"i-called-{number}", product=product, charts={"size": point(80.0 + number)})
    settled(gateway)
    page = http.get("/goods?lang=de").text
    assert page.count(f"<h3>{product}</h3>") == 2, "the tally and the chart"
    lesson = lessons_of(gateway.services).begin(Place("oven-pi", "tray", "oven"), name, by="Anna")
    assert product not in http.get("/goods?lang=de").text, "what is collected is called so at once"
    with gateway.ledger.transaction() as work:
        work.lessons.teach(lesson.id, gateway.ledger.commands(limit=1)[0].id, "Anna")
    page = http.get("/goods?lang=de").text
    shown = "Körnerbrötchen &lt;b&gt;hell&lt;/b&gt;"
    assert product not in page
    assert page.count(f"<h3>{shown}</h3>") == 2
    assert f"Verlauf der Größe: {shown}, " in page
    assert f'<th scope="row">{shown}</th>' in page
    assert f"{shown} · " in page
    assert "<b>hell" not in page
    assert check(http.get(f"{GOODS}/today"))[0]["product"] == product, "services have the name that files bear"
    # Taught anew at the camera's own computer: what it says now counts.
    inspect(feed, tray(9, 1), name="i-called-3", product=product, called="Kornstange")
    alert = feed.alert(id="dark-rod", machine="oven", type="quality", cause="too_dark", product=product)
    settled(gateway)
    assert '<th scope="row">Kornstange</th>' in http.get("/goods?lang=de").text
    assert "Betroffene Sorte: Kornstange" in http.get("/?lang=de").text
    assert check(http.get(f"/api/v1/alerts/{alert}?lang=en"))["text"]["explain"].endswith("Product: Kornstange")
    gateway.ledger.resolve(alert, done="nichts", by="Anna")


def test_what_lies_under_a_camera_is_said_and_changed_with_two_taps(
    gateway: Gateway, feed: Feed, http: httpx.Client
) -> None:
    known = {"roll": "", "koernerbroetchen": "Körnerbrötchen <hell>"}
    cameras(feed, SensorState(name="tray", machine="oven", ok=True, product="roll", products=known))
    settled(gateway)
    (camera,) = check(http.get(f"{GOODS}/cameras"))
    assert camera["product"] == {"product": "roll", "called": "roll"}
    assert [each["called"] for each in camera["products"]] == ["Körnerbrötchen <hell>", "roll"]
    page = http.get("/goods?lang=de").text
    part = page[page.index('id="under"') :].partition("</section>")[0]
    assert "tray: <b>roll</b>" in part
    assert '<button name="product" value="koernerbroetchen">Körnerbrötchen &lt;hell&gt;</button>' in part
    assert 'value="roll"' not in part, "that lies there already"
    place, form = "/goods/cameras/oven-pi/tray", {"by": "Anna", "lang": "de", "product": "koernerbroetchen"}
    answer = http.post(place, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/goods?lang=de#under-title")
    (made,) = [each for _, _, _, each in gateway.ledger.queue.due() if each.action == "set_product" and each.camera]
    assert (made.machine, made.camera, made.product, made.by) == ("oven", "tray", "koernerbroetchen", "Anna")
    assert gateway.ledger.audit(limit=1)[0].object == "oven-pi/oven/tray"
    page = http.get("/goods?lang=de").text
    assert "Körnerbrötchen &lt;hell&gt; (Anna): Die Kamera " in page
    for wrong, status, said in (
        ({"by": ""}, 422, "Bitte den Namen eintragen"),
        ({"product": "loaf"}, 409, "kennt die Kamera nicht mehr"),
        ({"product": "../x"}, 409, "kennt die Kamera nicht mehr"),
    ):
        answer = http.post(place, data={**form, **wrong})
        assert (answer.status_code, said in answer.text) == (status, True)
    assert http.post("/goods/cameras/oven-pi/none", data=form).status_code == 404
    problem(http.post(place, data=form, headers={"sec-fetch-site": "cross-site"}), 403)
    cameras(feed, SensorState(name="tray", machine="oven", ok=True, product="koernerbroetchen", products=known))
    settled(gateway)
    page = http.get("/goods?lang=de").text
    assert "tray: <b>Körnerbrötchen &lt;hell&gt;</b>" in page
    assert "(Anna): Die Kamera" not in page
    cameras(feed, SensorState(name="tray", machine="oven", ok=True))
    settled(gateway)
    assert 'id="under-title"' not in http.get("/goods?lang=de").text, "an earlier version of the node does not say"
