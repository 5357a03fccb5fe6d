"""Lessons in the gateway: who may begin, teach and end one when, and what came of it; counts follow a person's word."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.goods import item
from support.messages import Node

from gateway.goods import Goods
from gateway.ledger import Ledger
from gateway.ledger_schema import MIGRATIONS
from gateway.ledger_transaction import COMMAND_LIFE_NS
from gateway.lessons import LONGEST_S, CameraBusy, Lessons, NoName, NothingSaid, Place, UnknownLesson, WrongMoment
from wire.commands import EXPIRED, Command
from wire.messages import Inspection, Reply, Taught

TRAY = Place("oven-pi", "tray", "oven")
NOW_NS = 1_800_000_000_000_000_000


class Office:
    """Ledger and pictures with a clock that can be set, and a node that answers."""

    def __init__(self, folder: Path) -> None:
        self.now_ns = NOW_NS
        self.folder = folder
        self.node = Node(node="oven-pi", log="log1")
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.folder / "ledger.sqlite", now_ns=lambda: self.now_ns)
        self.goods = Goods(self.folder / "goods.sqlite")
        self.lessons = Lessons(self.ledger, self.goods, "bakery", lambda: self.now_ns)

    def close(self) -> None:
        self.goods.close()
        self.ledger.close()

    def envelope(self) -> dict[str, Any]:
        return {**self.node.envelope(self.now_ns), "origin": "watch"}

    def commands(self) -> list[Command]:
        return [command for *_, command in self.ledger.queue.due()]

    def answer(self, lesson: str, *, ok: bool = True, **fields: Any) -> None:
        """The node's answer to what it was asked last about a lesson."""
        command = next(each for each in self.commands()[::-1] if each.lesson == lesson)
        with self.ledger.transaction() as work:
            work.replied(
                Reply(command=command.id, machine="oven", action=command.action, ok=ok, **fields, **self.envelope())
            )

    def show(self, lesson: str, count: int = 6, name: str = "i-1") -> None:
        """A tray of a lesson arrives."""
        seen = Inspection(
            id=name,
            machine="oven",
            camera="tray",
            product="brezel",
            batch="b-1",
            items=[item("unsure", "deformed")] * count,
            lesson=lesson,
            **self.envelope(),
        )
        with self.ledger.transaction() as work:
            work.inspected(seen)
        self.goods.take([seen], now_ns=self.now_ns)

    def state(self, lesson: str) -> str:
        found = self.lessons.get(lesson)
        assert found is not None
        return found.state


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def test_a_lesson_from_its_name_to_what_was_learned(office: Office) -> None:
    lesson = office.lessons.begin(TRAY, " Laugenbrezel groß ", by="Anna")
    assert (lesson.label, lesson.product, lesson.state) == ("Laugenbrezel groß", "laugenbrezel-gross", "asked")
    (start,) = office.commands()
    assert (start.action, start.camera, start.lesson, start.known) == ("start_lesson", "tray", lesson.id, None)
    assert (start.expires_ns, start.seconds) == (lesson.until_ns, LONGEST_S)
    office.answer(lesson.id)
    office.show(lesson.id)
    assert office.state(lesson.id) == "collecting"
    assert office.goods.items() == [], "what a person is asked about in a lesson is no doubtful item beside it"
    verdicts: dict[tuple[str, int], Any] = {("i-1", number): "good" for number in range(4)}
    office.lessons.teach(lesson.id, {**verdicts, ("i-1", 4): "reject", ("i-9", 0): "good"}, by="Bernd")
    assert office.state(lesson.id) == "teaching"
    (teach,) = office.commands()
    assert [(each.item, each.verdict) for each in teach.taught] == [
        *((number, "good") for number in range(4)),
        (4, "reject"),
    ]
    assert office.ledger.batches() == [], "pieces of a lesson are no production"
    assert office.ledger.goods.tallies(0) == []
    office.answer(lesson.id, taught=Taught(good=4, bad=1, wrong=1))
    done = office.lessons.get(lesson.id)
    assert done is not None
    assert (done.state, done.taught_by, done.taught) == ("taught", "Bernd", Taught(good=4, bad=1, wrong=1))
    assert [(each.by, each.what, each.text) for each in office.ledger.audit()] == [
        ("Bernd", "teach", "Laugenbrezel groß: 4 good, 1 reject"),
        ("Anna", "start_lesson", "Laugenbrezel groß"),
    ]


def test_two_people_at_one_camera(office: Office) -> None:
    first = office.lessons.begin(TRAY, "Brezel", by="Anna")
    with pytest.raises(CameraBusy, match="Brezel is being taught there by Anna"):
        office.lessons.begin(TRAY, "Laib", by="Bernd")
    other = office.lessons.begin(Place("oven-pi", "belt", "oven"), "Laib", by="Bernd")
    assert office.lessons.end(other.id, by="Bernd").state == "ended"
    with pytest.raises(WrongMoment, match="asked"):
        office.lessons.teach(first.id, {}, by="Anna")
    office.answer(first.id)
    office.show(first.id)
    asked = office.lessons.teach(first.id, {("i-1", 0): "good"}, by="Anna")
    assert (asked.state, asked.taught_by) == ("teaching", "Anna")
    with pytest.raises(WrongMoment, match="teaching"):
        office.lessons.teach(first.id, {("i-1", 0): "reject"}, by="Bernd")
    with pytest.raises(WrongMoment, match="teaching"):
        office.lessons.end(first.id, by="Bernd")
    with pytest.raises(UnknownLesson):
        office.lessons.end("l-none", by="Bernd")
    with pytest.raises(UnknownLesson):
        office.lessons.teach("l-none", {}, by="Bernd")


def test_a_lesson_of_which_nothing_is_said_teaches_nothing_and_goes_on(office: Office) -> None:
    lesson = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.answer(lesson.id)
    office.show(lesson.id)
    for nothing in ({}, {("i-9", 0): "good"}):
        verdicts: Any = nothing
        with pytest.raises(NothingSaid):
            office.lessons.teach(lesson.id, verdicts, by="Anna")
    assert (office.state(lesson.id), office.commands()) == ("collecting", [])
    assert [each.what for each in office.ledger.audit()] == ["start_lesson"]


def test_a_camera_that_refuses_says_why_and_the_lesson_goes_on_or_is_over(office: Office) -> None:
    taken = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.answer(taken.id, ok=False, code="lesson_taken", reason="brezel has been taught already")
    found = office.lessons.get(taken.id)
    assert found is not None
    assert (found.state, found.code) == ("refused", "lesson_taken")
    more = office.lessons.begin(TRAY, "Brezel", by="Anna", known="add")
    assert office.commands()[-1].known == "add"
    office.answer(more.id)
    office.show(more.id)
    office.lessons.teach(more.id, {("i-1", 0): "good"}, by="Anna")
    office.answer(more.id, ok=False, code="lesson_few")
    found = office.lessons.get(more.id)
    assert found is not None
    assert (found.state, found.code) == ("collecting", "lesson_few")
    office.lessons.teach(more.id, {("i-1", number): "good" for number in range(6)}, by="Anna")
    found = office.lessons.get(more.id)
    assert found is not None
    assert (found.state, found.code) == ("teaching", "")


def test_a_node_that_is_away_and_one_that_is_forgotten(office: Office) -> None:
    lost = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.now_ns = lost.until_ns
    assert office.state(lost.id) == "expired"
    kept = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.answer(kept.id)
    office.show(kept.id)
    office.now_ns = kept.until_ns
    assert office.state(kept.id) == "collected", "what was collected can still be taught"
    office.lessons.teach(kept.id, {("i-1", 0): "good"}, by="Anna")
    office.now_ns += COMMAND_LIFE_NS
    office.ledger.queue.tried(office.commands()[-1].id, sent=False, retry_ns=office.now_ns)
    found = office.lessons.get(kept.id)
    assert found is not None
    assert (found.state, found.code) == ("collected", "lesson_away")
    office.lessons.begin(TRAY, "Laib", by="Bernd")


def test_a_node_that_says_it_came_too_late_is_one_that_was_away(office: Office) -> None:
    late = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.answer(late.id, ok=False, code=EXPIRED)
    found = office.lessons.get(late.id)
    assert found is not None
    assert (found.state, found.code) == ("expired", "")
    lesson = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.answer(lesson.id)
    office.show(lesson.id)
    office.lessons.teach(lesson.id, {("i-1", 0): "good"}, by="Anna")
    office.answer(lesson.id, ok=False, code=EXPIRED)
    found = office.lessons.get(lesson.id)
    assert found is not None
    assert (found.state, found.code) == ("collecting", "lesson_away")


def test_a_gateway_that_is_started_again_goes_on_with_its_lessons(office: Office) -> None:
    lesson = office.lessons.begin(TRAY, "Brezel", by="Anna")
    office.answer(lesson.id)
    office.show(lesson.id)
    office.close()
    office.open()
    assert office.state(lesson.id) == "collecting"
    assert len(office.goods.lesson_items("oven-pi", lesson.id)) == 6
    assert office.goods.lesson_items("other-pi", lesson.id) == [], "another node has no part in it"
    office.lessons.teach(lesson.id, {("i-1", 0): "good"}, by="Anna")
    office.close()
    office.open()
    assert office.state(lesson.id) == "teaching"
    office.answer(lesson.id, taught=Taught(good=1, bad=0))
    assert office.state(lesson.id) == "taught"


def test_a_name_of_which_nothing_can_be_kept_is_refused(office: Office) -> None:
    with pytest.raises(NoName):
        office.lessons.begin(TRAY, "…", by="Anna")
    assert office.lessons.latest() == []


def test_a_ledger_of_before_lessons_learns_of_them(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE migrations(version INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL) WITHOUT ROWID")
        for version, statements in enumerate(MIGRATIONS[:2], 1):
            for statement in statements:
                db.execute(statement)
            db.execute("INSERT INTO migrations VALUES (?, 0)", (version,))
    ledger = Ledger(path)
    assert Lessons(ledger, Goods(tmp_path / "goods.sqlite"), "bakery", lambda: NOW_NS).latest() == []
    ledger.close()
