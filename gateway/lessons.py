"""What people do about lessons: begin one at a camera, say what its items are, end it. Each is one transaction of the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

from gateway.goods import Goods
from gateway.ledger import Ledger
from gateway.ledger_lessons import TEACHABLE, Known, Lesson
from gateway.ledger_transaction import COMMAND_LIFE_NS
from wire.commands import Command
from wire.messages import TaughtItem
from wire.naming import plain_name

LONGEST_S = 7200.0
"""So long a camera collects; what a person forgets must not keep it from its work."""
MOST_ITEMS = 200
"""The wire's limit."""


class LessonError(Exception):
    """It cannot be done; the text says why."""


class UnknownLesson(LessonError):
    """There is no such lesson."""


class NoName(LessonError):
    """No letter or digit of the name can be kept."""


class CameraBusy(LessonError):
    """A lesson is on at this camera."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(f"{lesson.label} is being taught there by {lesson.by}")
        self.lesson = lesson


class WrongMoment(LessonError):
    """The lesson is in a state in which this makes no sense: somebody else was faster, or the camera has not begun."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(f"the lesson is {lesson.state}")
        self.lesson = lesson


class NothingSaid(LessonError):
    """Of no item of the lesson it is said what it is."""


class Place(NamedTuple):
    """A camera."""

    node: str
    camera: str
    machine: str


class Lessons:
    """Over the ledger and the file of goods. From any thread.

    Args:
        ledger: keeps them.
        goods: has the pictures.
        site: whose.
        now_ns: the clock.
    """

    def __init__(self, ledger: Ledger, goods: Goods, site: str, now_ns: Callable[[], int]) -> None:
        self._ledger = ledger
        self._goods = goods
        self._site = site
        self._now_ns = now_ns

    def begin(self, place: Place, name: str, *, by: str, known: Known | None = None) -> Lesson:
        """A camera collects what comes, to teach a product that people call `name`.

        Raises:
            NoName: of which no name for a file can be made.
            CameraBusy: a lesson is on there.
        """
        label, product, now_ns = name.strip(), plain_name(name), self._now_ns()
        if not product:
            raise NoName(f"no letter or digit in {name[:64]!r}")
        until_ns = now_ns + round(LONGEST_S * 1e9)
        lesson = Lesson(
            id=f"l-{secrets.token_hex(8)}",
            site=self._site,
            node=place.node,
            camera=place.camera,
            machine=place.machine,
            product=product,
            label=label,
            known=known,
            by=by[:80],
            at_ns=now_ns,
            until_ns=until_ns,
            state="asked",
            taught_by="",
            code="",
            reason="",
            taught=None,
        )
        command = self._command(lesson, "start_lesson", by, now_ns, expires_ns=until_ns)
        with self._ledger.transaction() as work:
            busy = work.lessons.busy(self._site, place.node, place.camera)
            if busy is not None:
                raise CameraBusy(busy)
            work.instruct(command, site=self._site, node=place.node, origin="watch")
            work.lessons.put(lesson, command.id)
            work.audit(by, "start_lesson", _object(lesson), label)
        return lesson

    def teach(
        self,
        lesson: str,
        verdicts: Mapping[tuple[str, int], Literal["good", "reject"]],
        *,
        by: str,
        known: Known | None = None,
    ) -> Lesson:
        """The camera learns what a person says of the lesson's items, by inspection and number; the others are left out.

        `known` says what becomes of a profile that is there, where it is not to be as it was said at the beginning. What a person says of each item is kept, whatever becomes of the lesson.

        Raises:
            UnknownLesson: there is none of that id.
            WrongMoment: it has been taught or ended, or has not begun.
            NothingSaid: none of its items is good or to be rejected.
        """
        now_ns = self._now_ns()
        begun = self._ledger.lessons.get(lesson, now_ns)
        if begun is None:
            raise UnknownLesson(f"no lesson {lesson[:64]}")
        there = self._goods.lesson_items(begun.node, lesson)
        said = [(each, verdicts[key]) for each in there if (key := (each.inspection, each.item)) in verdicts]
        taught = [TaughtItem(inspection=each.inspection, item=each.item, verdict=word) for each, word in said]
        asked = begun if known is None else msgspec.structs.replace(begun, known=known)
        command = self._command(asked, "teach", by, now_ns, taught=taught[:MOST_ITEMS])
        good = sum(word == "good" for _, word in said)
        with self._ledger.transaction() as work:
            present = work.lessons.get(lesson)
            if present is None or present.state not in TEACHABLE:
                raise WrongMoment(present or begun)
            if not taught:
                raise NothingSaid(
                    "no item of this lesson is said to be good or to be rejected: there is nothing to learn"
                )
            work.instruct(command, site=begun.site, node=begun.node, origin="watch")
            work.lessons.teach(lesson, command.id, by[:80])
            for each, word in said:
                work.goods.correct(each, word, by=by[:80], command=command.id)
            work.audit(by, "teach", _object(begun), f"{begun.label}: {good} good, {len(said) - good} reject")
            return work.lessons.get(lesson) or present

    def end(self, lesson: str, *, by: str) -> Lesson:
        """It is over, and nothing is learned.

        Raises:
            UnknownLesson: there is none of that id.
            WrongMoment: it is over already, or is being learned.
        """
        now_ns = self._now_ns()
        with self._ledger.transaction() as work:
            present = work.lessons.get(lesson)
            if present is None:
                raise UnknownLesson(f"no lesson {lesson[:64]}")
            if present.state not in {*TEACHABLE, "asked"}:
                raise WrongMoment(present)
            command = self._command(present, "end_lesson", by, now_ns)
            work.instruct(command, site=present.site, node=present.node, origin="watch")
            work.lessons.end(lesson)
            work.audit(by, "end_lesson", _object(present), present.label)
            return work.lessons.get(lesson) or present

    def get(self, lesson: str) -> Lesson | None:
        """One of them."""
        return self._ledger.lessons.get(lesson, self._now_ns())

    def latest(self, limit: int = 20) -> list[Lesson]:
        """The latest begun first."""
        return self._ledger.lessons.latest(self._now_ns(), limit)

    def _command(
        self,
        lesson: Lesson,
        action: Literal["start_lesson", "teach", "end_lesson"],
        by: str,
        now_ns: int,
        *,
        expires_ns: int | None = None,
        taught: list[TaughtItem] | None = None,
    ) -> Command:
        return Command(
            id=f"c-{secrets.token_hex(10)}",
            machine=lesson.machine,
            action=action,
            issued_ns=now_ns,
            expires_ns=expires_ns or now_ns + COMMAND_LIFE_NS,
            by=by[:80],
            product=lesson.product,
            label=lesson.label[:80],
            seconds=LONGEST_S if action == "start_lesson" else None,
            camera=lesson.camera,
            lesson=lesson.id,
            known=lesson.known,
            taught=taught or [],
        )


def _object(lesson: Lesson) -> str:
    return f"{lesson.node}/{lesson.camera}/{lesson.id}"
