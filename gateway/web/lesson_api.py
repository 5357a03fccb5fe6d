"""The API's calls about lessons: what is being taught to which camera, begin one, say what its items are, end it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.ledger_lessons import Known, Lesson
from gateway.lessons import CameraBusy, Lessons, NoName, NothingSaid, Place, UnknownLesson, WrongMoment
from gateway.services import Services
from gateway.web import goods_state as state
from gateway.web.endpoint import Call, Endpoint, Param
from gateway.web.lesson_views import BeginLesson, LessonView, TeachLesson
from gateway.web.problems import HttpProblem
from gateway.web.views import By
from wire.messages import Identifier

PATH = "/api/v1/goods/lessons"
_LESSON = Param("lesson", Identifier, "path", required=True)


def lessons_of(services: Services) -> Lessons:
    """What people do about lessons, over these parts."""
    return Lessons(services.ledger, services.goods, services.site, services.wall_ns)


def begin(services: Services, where: tuple[str, str], name: str, *, by: str, known: Known | None = None) -> Lesson:
    """Begins one at a camera, node and name.

    Raises:
        HttpProblem: 404, no such camera has reported; 409, no pictures are kept here.
        CameraBusy, NoName: see `Lessons.begin`.
    """
    node, camera = where
    found = [each for each in services.live.nodes() if (each.node, each.origin) == (node, state.WATCH)]
    machine = next((each.machine for health in found for each in health.sensors if each.name == camera), None)
    if machine is None:
        raise HttpProblem(404, f"no camera {camera} of {node} has reported")
    if not services.goods.keeps_pictures:
        raise HttpProblem(409, "no pictures are kept here: goods.keep_days is 0")
    return lessons_of(services).begin(Place(node, camera, machine), name, by=by, known=known)


def view(services: Services, lesson: str) -> LessonView | None:
    """A lesson and its items; None where there is none of that id."""
    found = lessons_of(services).get(lesson)
    if found is None:
        return None
    items = services.goods.lesson_items(found.node, found.id)
    return LessonView(lesson=found, items=state.item_views(services, services.wording(), items))


def get_lessons(services: Services, call: Call) -> list[Lesson]:
    """Lessons."""
    return lessons_of(services).latest(call.params["limit"])


def get_lesson(services: Services, call: Call) -> LessonView:
    """One of them."""
    found = view(services, call.params["lesson"])
    if found is None:
        raise HttpProblem(404, f"no lesson {call.params['lesson']}")
    return found


def post_lesson(services: Services, call: Call) -> Lesson:
    """Begins one."""
    asked: BeginLesson = call.body
    try:
        return begin(services, (asked.node, asked.camera), asked.name, by=call.by, known=asked.known)
    except CameraBusy as exc:
        raise HttpProblem(409, str(exc)) from exc
    except NoName as exc:
        raise HttpProblem(422, str(exc)) from exc


def post_teach(services: Services, call: Call) -> Lesson:
    """The camera learns."""
    asked: TeachLesson = call.body
    verdicts = {(each.inspection, each.item): each.verdict for each in asked.items}
    try:
        return lessons_of(services).teach(call.params["lesson"], verdicts, by=call.by, known=asked.known)
    except UnknownLesson as exc:
        raise HttpProblem(404, str(exc)) from exc
    except WrongMoment as exc:
        raise HttpProblem(409, str(exc)) from exc
    except NothingSaid as exc:
        raise HttpProblem(422, str(exc)) from exc


def post_end(services: Services, call: Call) -> Lesson:
    """Nothing is learned."""
    try:
        return lessons_of(services).end(call.params["lesson"], by=call.by)
    except UnknownLesson as exc:
        raise HttpProblem(404, str(exc)) from exc
    except WrongMoment as exc:
        raise HttpProblem(409, str(exc)) from exc


LESSON_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        PATH,
        get_lessons,
        "Lessons: what is or was being taught to which camera, the latest begun first.",
        list[Lesson],
        params=(Param("limit", Annotated[int, Meta(ge=1, le=200)], default=20, description="at most so many"),),
    ),
    Endpoint(
        "POST",
        PATH,
        post_lesson,
        "A camera collects what comes, to be taught a product; what it said is in the lesson.",
        Lesson,
        BeginLesson,
        status=202,
        problems=(404, 409),
    ),
    Endpoint(
        "GET",
        f"{PATH}/{{lesson}}",
        get_lesson,
        "A lesson with what was collected for it.",
        LessonView,
        params=(_LESSON,),
        problems=(404,),
    ),
    Endpoint(
        "POST",
        f"{PATH}/{{lesson}}/teach",
        post_teach,
        "The camera learns what a person says of a lesson's items; these are no production and are not counted.",
        Lesson,
        TeachLesson,
        (_LESSON,),
        status=202,
        problems=(404, 409),
    ),
    Endpoint(
        "POST",
        f"{PATH}/{{lesson}}/end",
        post_end,
        "The lesson is over, and nothing was learned.",
        Lesson,
        By,
        (_LESSON,),
        problems=(404, 409),
    ),
)
