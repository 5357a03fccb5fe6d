"""What the page of a lesson shows, as plain values for its template, in one language."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway.goods import GoodsUnavailable
from gateway.ledger_lessons import BUSY, TEACHABLE, Lesson
from gateway.services import Services
from gateway.web import goods_state as state
from gateway.web import goods_views as views
from gateway.web.lesson_api import lessons_of
from gateway.web.lesson_views import LessonView
from gateway.wording import Wording
from wire.messages import Doubt, Taught

CHOICES = ("good", "reject", "out")
ENOUGH, MOST = 20, 40
"""Items that are enough, and so many that a camera pictures in a lesson at most."""
ANSWERED_NS = 60_000_000_000
"""A camera that is there has answered by then whether it begins."""
OPEN_NS = 24 * 3_600_000_000_000
"""So long what waits for a person is shown on the goods page."""


def field_of(item: views.ItemView) -> str:
    """The name under which an item's verdict stands in the form."""
    return f"{item.inspection}/{item.item}"


class LessonPage:
    """One lesson at one moment, or all that are open."""

    def __init__(self, services: Services, words: Wording) -> None:
        self._services = services
        self._words = words
        self._page = words.catalogue["lesson"]
        self._cameras = state.cameras(services, words)

    def values(self, shown: LessonView, said: Mapping[str, str], *, used: bool = False) -> dict[str, Any]:
        """The template's values.

        Args:
            shown: the lesson.
            said: what a person has tapped already, by `field_of`.
            used: whether the person has just said that this product lies under the camera.
        """
        lesson, page = shown.lesson, self._page
        camera = self._camera(lesson)
        return {
            "t": page,
            "title": str(page["title_of"]).format(name=lesson.label),
            "id": lesson.id,
            "node": lesson.node,
            "camera_name": lesson.camera,
            "label": lesson.label,
            "state": lesson.state,
            "waiting": lesson.state in BUSY,
            "where": f"{self._words.machine(lesson.machine)} · {lesson.camera}",
            "begun": str(page["begun_by"]).format(by=lesson.by),
            "tapped": str(page["taught_by"]).format(by=lesson.taught_by) if lesson.taught_by else "",
            "says": self._says(lesson, camera, len(shown.items)),
            "trouble": self._trouble(lesson),
            "camera": self._camera_line(camera) if lesson.state in BUSY else "",
            "doubtful": self._doubtful(lesson) if lesson.state in {*BUSY, *TEACHABLE} else "",
            "learned": self._learned(lesson.taught) if lesson.taught is not None else [],
            "taken": lesson.code in ("lesson_taken", "lesson_profile"),
            "addable": lesson.code == "lesson_taken",
            "again": lesson.state in ("refused", "expired", "ended")
            or (lesson.state == "collected" and not shown.items),
            "tappable": lesson.state in TEACHABLE,
            "items": [
                self._item(number, each, said, was="out" if lesson.taught_by else "")
                for number, each in enumerate(shown.items, 1)
            ],
            "choices": CHOICES,
            "used": str(page["used"]).format(name=lesson.label) if used and lesson.state == "taught" else "",
        }

    def begin(self) -> dict[str, Any]:
        """What the form on the goods page needs to begin one, and the lessons that are open."""
        return {
            "lesson": self._page,
            "lesson_cameras": [
                {"value": f"{each.node}/{each.camera}", "name": f"{each.title} · {each.camera}".removeprefix(" · ")}
                for each in self._cameras
            ],
            "lesson_pictures": self._services.goods.keeps_pictures,
            "lessons": [self._open(each) for each in lessons_of(self._services).latest() if self._is_open(each)],
        }

    def _is_open(self, lesson: Lesson) -> bool:
        waits = lesson.state == "collected" and self._services.wall_ns() - lesson.at_ns < OPEN_NS
        return lesson.state in BUSY or waits

    def _open(self, lesson: Lesson) -> dict[str, Any]:
        count = 0
        with suppress(GoodsUnavailable):  # the counts on the page are of use without it
            count = len(self._services.goods.lesson_items(lesson.node, lesson.id))
        told = str(self._page[f"state_{lesson.state}"]).format(count=count)
        return {"id": lesson.id, "text": self._page["open"].format(name=lesson.label, camera=lesson.camera, state=told)}

    def _camera(self, lesson: Lesson) -> views.CameraView | None:
        return next((each for each in self._cameras if (each.node, each.camera) == (lesson.node, lesson.camera)), None)

    def _says(self, lesson: Lesson, camera: views.CameraView | None, count: int) -> str:
        page = self._page
        away = camera is None or not camera.online
        if lesson.state in BUSY and away:
            return str(page[f"{lesson.state}_away"])
        if lesson.state == "asked" and self._services.wall_ns() - lesson.at_ns > ANSWERED_NS:
            return str(page["asked_long"]).format(end=page["end"])
        if lesson.state == "collecting" and count >= MOST:
            return str(page["full"]).format(most=MOST)
        if lesson.state == "collecting" and count >= ENOUGH:
            return str(page["enough"])
        if lesson.state == "collected" and not count:
            return str(page["collected_nothing"])
        taught = lesson.taught or Taught(good=0, bad=0)
        until = self._words.clock(lesson.until_ns)[:5]
        return str(page[lesson.state]).format(until=until, good=taught.good, bad=taught.bad)

    def _trouble(self, lesson: Lesson) -> str:
        """Why the camera refused; empty where it did not."""
        if not lesson.code and lesson.state != "refused":
            return ""
        return str(self._page.get(f"code_{lesson.code}") or self._page["code_other"])

    def _camera_line(self, camera: views.CameraView | None) -> dict[str, Any]:
        if camera is None or not camera.online:
            return {"bad": False, "text": ""}
        if camera.paused_left_s:
            return {"bad": True, "text": self._page["camera_paused"]}
        if camera.ok:
            return {"bad": False, "text": self._page["camera_good"]}
        return {"bad": True, "text": self._page["camera_trouble"].format(name=camera.name, check=camera.check)}

    def _doubtful(self, lesson: Lesson) -> str:
        """That what lies there now may not be as it should; empty where nothing says so."""
        words = self._words
        names = [
            words.cause(each.cause, each.label).name
            for each in self._services.ledger.open_alerts()
            if each.machine == lesson.machine
            and (each.kind == "machine" or (each.kind == "quality" and each.channel in (None, lesson.camera)))
        ]
        alerts = ", ".join(dict.fromkeys(names))
        return str(self._page["doubtful"]).format(machine=words.machine(lesson.machine), alerts=alerts) if names else ""

    def _learned(self, taught: Taught) -> list[str]:
        """How well it tells the items apart, and what is doubtful."""
        page, total = self._page, taught.good + taught.bad
        right = total - taught.wrong - taught.missed
        lines = [str(page["probe" if taught.bad else "probe_good"]).format(right=right, all=total)]
        for doubt in taught.doubts:
            lines += [str(page[key]).format(**_counts(doubt)) for key in _doubt_keys(doubt) if key in page]
        if taught.gone:
            lines.append(str(page["gone"]).format(gone=taught.gone))
        return lines

    def _item(self, number: int, item: views.ItemView, said: Mapping[str, str], *, was: str) -> dict[str, Any]:
        field = field_of(item)
        piece = str(self._page["piece"]).format(number=number)
        chosen = said.get(field, "good")
        if item.correction is not None:
            was = item.correction.verdict
            chosen = said.get(field, was)
        return {
            "field": field,
            "number": piece,
            "picture": item.picture,
            "box": [f"{100 * value:.1f}" for value in item.within] if item.within else None,
            "was": was,
            "chosen": chosen if chosen in CHOICES else "good",
        }


def _counts(doubt: Doubt) -> dict[str, int]:
    return {"good": doubt.good, "bad": doubt.bad, "of_good": doubt.of_good, "of_bad": doubt.of_bad}


def _doubt_keys(doubt: Doubt) -> list[str]:
    if doubt.code != "net":
        return [f"doubt_{doubt.code}"]
    sides = (("doubt_net_good", doubt.of_good), ("doubt_net_bad", doubt.of_bad))
    return [key for key, of in sides if of]
