"""Teaching at a camera: what comes is collected and judged by nobody, a person says what is good, and the camera knows the product."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.broker import Broker, until
from support.nodes import write_node
from support.spine import Gateway
from support.watches import CAMERA, daemon, drop

from edge.lesson import MOST, Lesson, PresentLesson
from edge.vision.decode import encode
from edge.vision.scene import tray
from models.quality.profile import read_profile, read_profile_card
from wire.commands import Command
from wire.messages import Finding, Health, Inspection, Reply, Taught, TaughtItem

SIMULATED = """
[[camera]]
name = "tray"
machine = "oven-1"
type = "simulated"
width = 480
height = 360
tray_s = 2.5
interval_s = 0.1
"""
HOUR_NS = 3_600_000_000_000


class Camera:
    """A node's watch daemon whose camera sees what is dropped into a folder."""

    def __init__(self, folder: Path, gateway: Gateway, more: str = "") -> None:
        self.folder = folder
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.gateway = gateway
        self.path = write_node(folder, port=gateway.port, more=CAMERA + more)
        self.dropped = 0
        self.watch = daemon(self.path)
        self.watch.start()

    @property
    def profiles(self) -> Path:
        return self.folder / "state" / "watch" / "profiles"

    def restart(self) -> None:
        self.watch.stop()
        self.watch = daemon(self.path)
        self.watch.start()

    def show(self, browning: float = 0.5, *, dark: bool = False, trays: int = 1) -> None:
        """Six rolls on a tray of their own."""
        before = self.watch.cameras["tray"].loop.pictures
        for _ in range(trays):
            self.dropped += 1
            picture = tray(np.random.default_rng(self.dropped), (400, 300), browning, count=6)[0]
            drop(self.photos, encode((picture // 20).astype(np.uint8) if dark else picture), self.dropped)
        until(lambda: self.watch.cameras["tray"].loop.pictures == before + trays, 60)

    def told(self, kind: type) -> list[Any]:
        return [message for message in self.gateway.messages("pi") if isinstance(message, kind)]

    def ask(self, action: Any, **more: Any) -> Reply:
        """A command about lesson `l-1` to the camera, and its answer."""
        asked = command(action, **more)
        self.watch.desk.hear(asked)
        return self.answer(asked.id)

    def answer(self, asked: str) -> Reply:
        def found() -> list[Reply]:
            self.watch.turn()
            return [reply for reply in self.told(Reply) if reply.command == asked]

        until(lambda: bool(found()), 30)
        return found()[0]

    def lesson(self, count: int) -> list[TaughtItem]:
        """That many items of lesson `l-1`, all good, once they have arrived."""

        def arrived() -> list[TaughtItem]:
            self.watch.turn()
            return [
                TaughtItem(inspection=each.id, item=number, verdict="good")
                for each in self.told(Inspection)
                if each.lesson == "l-1"
                for number, item in enumerate(each.items)
                if item.picture
            ]

        until(lambda: len(arrived()) >= count, 60)
        return arrived()[:count]


def command(action: Any, **more: Any) -> Command:
    now = time.time_ns()
    fields: dict[str, Any] = {"camera": "tray", "lesson": "l-1", "product": "brezel", "seconds": 3600.0}
    times = {"issued_ns": now, "expires_ns": now + HOUR_NS}
    return Command(id=f"c-{now}", machine="oven-1", action=action, by="Eva", **{**fields, **times, **more})


def learned(reply: Reply) -> Taught:
    assert reply.taught is not None, reply.reason
    return reply.taught


def bad(items: list[TaughtItem]) -> list[TaughtItem]:
    return [TaughtItem(inspection=each.inspection, item=each.item, verdict="reject") for each in items]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Broker(tmp_path / "broker", durable=False) as broker, Gateway(tmp_path / "gateway", broker.port) as made:
        yield made


@pytest.fixture
def camera(tmp_path: Path, gateway: Gateway) -> Iterator[Camera]:
    made = Camera(tmp_path, gateway)
    yield made
    made.watch.stop()


def test_a_lesson_outlives_a_restart_but_not_its_time_and_has_an_end_to_its_pictures() -> None:
    present = PresentLesson(None)
    present.begin(Lesson("l-1", "brezel", until_ns=100))
    present.pictured(MOST - 1)
    again = PresentLesson(present.state)
    lesson = again.at(None)
    assert lesson is not None
    assert (lesson.product, lesson.room) == ("brezel", 1)
    again.begin(Lesson("l-1", "brezel", until_ns=999))
    assert again.at(100) is None, "the same command once more does not begin it anew"
    assert again.end("l-2") is False
    assert again.end("l-1") is True
    assert PresentLesson("rubbish").at(None) is None


def test_a_lesson_that_begins_during_a_pause_is_told_to_have_ended_it(camera: Camera) -> None:
    assert camera.ask("pause", seconds=1800.0).ok
    assert camera.told(Health)[-1].sensors[0].paused_left_s is not None
    assert camera.ask("start_lesson").ok
    assert camera.told(Health)[-1].sensors[0].paused_left_s is None


def test_rolls_under_a_simulated_camera_are_taught_and_known_from_then_on(tmp_path: Path, gateway: Gateway) -> None:
    path = write_node(tmp_path, port=gateway.port, more=SIMULATED)

    def told(kind: type) -> list[Any]:
        return [message for message in gateway.messages("pi") if isinstance(message, kind)]

    with daemon(path) as watch:

        def done(kind: type, wanted: Callable[[Any], bool]) -> Any:
            def found() -> list[Any]:
                watch.turn()
                return [each for each in told(kind) if wanted(each)]

            until(lambda: bool(found()), 60)
            return found()[0]

        start = command("start_lesson")
        watch.desk.hear(start)
        assert done(Reply, lambda reply: reply.command == start.id).ok
        tray = done(Inspection, lambda each: each.lesson == "l-1" and len(each.items) >= 10)
        assert tray.product == "brezel"
        assert {item.verdict for item in tray.items} == {"unsure"}, "nobody judges it but a person"
        assert sum(bool(item.picture) for item in tray.items) >= 10
        assert not any(item.seen for item in tray.items)
        items = [
            TaughtItem(inspection=tray.id, item=number, verdict="good")
            for number, item in enumerate(tray.items)
            if item.picture
        ]
        teach = command("teach", taught=items, label="Brezel")
        watch.desk.hear(teach)
        reply = done(Reply, lambda reply: reply.command == teach.id)
        assert reply.ok, reply.reason
        assert reply.taught.good == len(items)
        assert (learned(reply).wrong, learned(reply).missed, learned(reply).gone) == (0, 0, 0)
        after = done(Inspection, lambda each: each.seq > reply.seq)
        assert (after.product, after.lesson) == ("goods", None), "what lay there before is what lies there again"
        switch = command("set_product")
        watch.desk.hear(switch)
        known = done(Inspection, lambda each: each.product == "brezel" and each.lesson is None and len(each.items) >= 8)
        assert known.called == "Brezel"
        assert not after.called
        verdicts = [item.verdict for item in known.items if not item.cut_off]
        assert verdicts.count("good") >= len(verdicts) - 3
        assert not [each for each in told(Finding) if each.type == "quality" and each.seq < reply.seq]
    card = read_profile_card(tmp_path / "state" / "watch" / "profiles" / "brezel.json")
    assert (card.product, card.good, card.bad) == ("Brezel", len(items), 0)
    lessons = list((tmp_path / "state" / "watch" / "lessons" / "brezel" / "good").glob("*.jpg"))
    assert len(lessons) == len(items), "the pictures are there for another teaching, with another net"


def test_a_lesson_goes_on_after_a_restart_a_dark_picture_and_a_first_try_with_too_few(camera: Camera) -> None:
    assert camera.ask("start_lesson").ok
    camera.show(0.5)
    camera.show(dark=True, trays=2)
    first = camera.lesson(6)
    few = camera.ask("teach", taught=first[:4])
    assert (few.ok, few.code) == (False, "lesson_few")
    assert not camera.profiles.exists()
    camera.restart()
    camera.show(0.5)
    camera.show(0.9)
    items = camera.lesson(18)
    assert [each.cause for each in camera.told(Finding) if each.state == "open"] == ["camera_dark"]
    gone = TaughtItem(inspection="i-abc", item=1, verdict="good")
    reply = camera.ask("teach", taught=[*items[:12], *bad(items[12:]), gone])
    assert reply.ok, reply.reason
    assert (learned(reply).good, learned(reply).bad, learned(reply).gone) == (12, 6, 1)
    assert "brezel" not in {each.product for each in camera.told(Inspection) if each.lesson is None}
    (profile,) = camera.profiles.iterdir()
    held = profile.read_bytes()
    # A power cut before the answer: the gateway's command is carried out once more.
    again = camera.ask("teach", taught=[*items[:12], *bad(items[12:])])
    assert again.ok, again.reason
    assert profile.read_bytes() == held
    batch = camera.watch.cameras["tray"].path.batch
    assert batch is None or batch.product == "goods", "pieces of a lesson are no production"


def test_what_was_found_about_the_goods_stands_while_a_lesson_is_on(camera: Camera) -> None:
    def told() -> list[tuple[str, str]]:
        return [(each.state, each.cause) for each in camera.told(Finding) if each.type == "quality"]

    camera.show(0.95, trays=3)
    until(lambda: camera.watch.turn() or bool(told()), 30)  # type: ignore[func-returns-value]  # turn, then look
    found = told()
    assert found == [("open", "too_dark")]
    until(lambda: camera.watch.turn() or len(camera.told(Inspection)) == 3, 30)  # type: ignore[func-returns-value]  # turn, then look
    dark = camera.told(Inspection)
    # A lesson of the very product that lies there, so that it is the same batch.
    camera.ask("start_lesson", product="goods")
    camera.show(0.95)
    camera.show(0.5, trays=3)
    path = camera.watch.cameras["tray"].path
    for each in dark:
        for number in range(len(each.items)):
            path.correct(each.id, number, "good", "Eva", time.time_ns())
    camera.show(0.5, trays=2)
    camera.lesson(36)
    assert told() == found, "neither over nor found anew"
    camera.ask("end_lesson")
    camera.show(0.5)
    until(lambda: camera.watch.turn() or len(told()) == 2, 30)  # type: ignore[func-returns-value]  # turn, then look
    assert told() == [*found, ("cleared", "too_dark")], "judged again"


def test_what_was_taught_before_is_left_alone_until_a_person_says_otherwise(camera: Camera) -> None:
    camera.ask("start_lesson")
    camera.show(trays=2)
    items = camera.lesson(12)
    assert learned(camera.ask("teach", taught=items[:6])).good == 6
    first = (camera.profiles / "brezel.json").read_bytes()
    assert [camera.ask(*asked).code for asked in (("start_lesson",), ("teach",))] == ["lesson_taken", "lesson_few"]
    other = camera.ask("teach", taught=items[6:])
    assert (other.ok, other.code) == (False, "lesson_taken"), "nor where it came in the meantime"
    assert (camera.profiles / "brezel.json").read_bytes() == first
    more = camera.ask("teach", taught=[*items[6:11], *bad(items[11:])], known="add")
    assert (learned(more).good, learned(more).bad) == (11, 1)
    anew = camera.ask("teach", taught=items[6:], known="replace")
    assert (learned(anew).good, learned(anew).bad) == (6, 0)
    assert [doubt.code for doubt in learned(anew).doubts] == ["few"]
    net = camera.watch.cameras["tray"].path._grading
    assert net is not None
    assert len(read_profile(camera.profiles / "brezel.json", net.card.sha256).good) == 6
    (camera.profiles / "brezel.json").write_text("{}")
    assert camera.ask("start_lesson", known="add").code == "lesson_profile"


def test_a_lesson_ends_by_a_word_and_by_itself(camera: Camera) -> None:
    camera.ask("start_lesson", seconds=3.0)
    camera.show()
    until(lambda: camera.watch.cameras["tray"].path.lesson.at(time.time_ns()) is None, 10)
    camera.show()
    camera.ask("start_lesson", lesson="l-2")
    assert camera.ask("end_lesson", lesson="l-2", product=None).ok
    assert camera.ask("end_lesson", lesson="l-2", product=None).ok
    camera.show()
    until(lambda: camera.watch.turn() or len(camera.told(Inspection)) == 3, 30)  # type: ignore[func-returns-value]  # turn, then look
    assert [each.lesson for each in camera.told(Inspection)] == ["l-1", None, None]
    # Its pictures are still there.
    assert camera.ask("teach", taught=camera.lesson(6)).ok


def test_what_cannot_be_a_lesson_is_refused_with_a_reason(camera: Camera, tmp_path: Path) -> None:
    assert camera.ask("start_lesson", camera="belt").code == "lesson_camera"
    assert camera.ask("start_lesson", product=None).ok is False
    camera.ask("start_lesson")
    camera.show()
    items = camera.lesson(6)
    camera.profiles.write_text("in the way")
    refused = camera.ask("teach", taught=items)
    assert (refused.ok, refused.code) == (False, "lesson_folder")
    camera.watch.stop()
    write_node(tmp_path, port=camera.gateway.port, more=f"{CAMERA}keep_days = 0\n")
    camera.watch = daemon(camera.path)
    camera.watch.start()
    assert camera.ask("start_lesson").code == "lesson_no_pictures"
