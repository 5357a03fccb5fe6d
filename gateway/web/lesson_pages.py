"""The page of a lesson and its buttons; it works without scripts, and what goes wrong is said on the page, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.goods import GoodsUnavailable
from gateway.ledger_file import LedgerUnavailable
from gateway.ledger_lessons import Known, Lesson
from gateway.lessons import CameraBusy, NoName, NothingSaid, UnknownLesson, WrongMoment
from gateway.services import Services
from gateway.web.endpoint import signed
from gateway.web.goods_pages import PATH as GOODS
from gateway.web.goods_pages import GoodsPages
from gateway.web.lesson_api import begin, lessons_of, view
from gateway.web.lesson_page import CHOICES, LessonPage
from gateway.web.lesson_views import ProductLabel
from gateway.web.problems import HttpProblem
from gateway.web.rendering import Rendering
from gateway.web.views import Person
from gateway.web.visit import form_of, language_of, user_of
from gateway.wording import LANGUAGES

PATH = f"{GOODS}/lessons"
MAX_FIELDS, MAX_FORM_BYTES = 220, 40_000
"""Of a form with a verdict for each item."""
_KNOWN: dict[str, Known | None] = {"add": "add", "replace": "replace"}


class _Sorry(Exception):
    """A person's mistake, or somebody was faster: a text of the catalogue, with its values."""

    def __init__(self, status: int, key: str, **values: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = values


class LessonPages:
    """Begins lessons, shows them, and takes what a person taps.

    Args:
        services: the gateway's parts.
        goods: the page from which they are begun.
    """

    def __init__(self, services: Services, goods: GoodsPages) -> None:
        self._services = services
        self._goods = goods
        self._rendering = Rendering(services)

    async def begin(self, request: Request) -> Response:
        """The form on the goods page; on to the lesson."""
        form = await form_of(request)
        language = self._language(request, form.get("lang", ""))
        try:
            lesson = await run_in_threadpool(self._begin, form, request)
        except _Sorry as sorry:
            said = self._said(sorry, language)
            return await self._goods.say(request, language, said, status=sorry.status, by=form.get("by", ""))
        return _to(lesson.id, language)

    async def lesson(self, request: Request) -> Response:
        """The page of one."""
        language = language_of(request, self._services)
        used = request.query_params.get("used", "") == "1"
        return await self._page(request, language, {}, used=used)

    async def act(self, request: Request) -> Response:
        """A button on it; back to it afterwards."""
        form = await form_of(request, max_fields=MAX_FIELDS, max_bytes=MAX_FORM_BYTES)
        language = self._language(request, form.get("lang", ""))
        action, lesson = form.get("action", ""), str(request.path_params["lesson"])
        if action == "look":
            return await self._page(request, language, form)
        actions: dict[str, Callable[[str, dict[str, str], str], Lesson]] = {
            "teach": self._teach,
            "add": self._teach,
            "replace": self._teach,
            "end": self._end,
            "use": self._use,
        }
        if action not in actions:
            raise HttpProblem(400, f"unknown action {action[:40]!r}")
        try:
            by = signed(_person(form.get("by", "")), request)
            await run_in_threadpool(_carefully, lambda: actions[action](lesson, form, by))
        except _Sorry as sorry:
            self._services.refused.count(sorry.status)
            said = self._said(sorry, language)
            return await self._page(request, language, form, said=said, status=sorry.status)
        return _to(lesson, language, used=action == "use")

    def _begin(self, form: dict[str, str], request: Request) -> Lesson:
        by = signed(_person(form.get("by", "")), request)
        node, _, camera = form.get("camera", "").partition("/")
        try:
            name = msgspec.convert(form.get("name", "").strip(), ProductLabel)
        except msgspec.ValidationError as exc:
            raise _Sorry(422, "no_name") from exc
        known = _KNOWN.get(form.get("known", ""))
        return _carefully(lambda: begin(self._services, (node, camera), name, by=by, known=known))

    def _teach(self, lesson: str, form: dict[str, str], by: str) -> Lesson:
        verdicts: dict[tuple[str, int], Literal["good", "reject"]] = {}
        for field, said in form.items():
            inspection, _, number = field.rpartition("/")
            if inspection and said in ("good", "reject") and number.isdecimal() and len(number) <= 3:
                verdicts[inspection, int(number)] = cast(Literal["good", "reject"], said)
        known = _KNOWN.get(form.get("action", ""))
        return lessons_of(self._services).teach(lesson, verdicts, by=by, known=known)

    def _end(self, lesson: str, _form: dict[str, str], by: str) -> Lesson:
        return lessons_of(self._services).end(lesson, by=by)

    def _use(self, lesson: str, _form: dict[str, str], by: str) -> Lesson:
        found = lessons_of(self._services).get(lesson)
        if found is None:
            raise UnknownLesson(lesson)
        if found.state != "taught":
            raise WrongMoment(found)
        self._services.ledger.command(
            "set_product",
            site=found.site,
            node=found.node,
            machine=found.machine,
            by=by,
            origin="watch",
            camera=found.camera,
            product=found.product,
        )
        return found

    async def _page(
        self,
        request: Request,
        language: str,
        form: dict[str, str],
        *,
        said: str = "",
        status: int = 200,
        used: bool = False,
    ) -> Response:
        lesson = str(request.path_params["lesson"])
        taps = {field: word for field, word in form.items() if "/" in field and word in CHOICES}
        by = form.get("by", "") or user_of(request)
        try:
            page = await run_in_threadpool(self._render, lesson, language, taps, said=said, by=by, used=used)
        except GoodsUnavailable:
            busy = self._services.wording(language).word("goods", "no_pictures_now")
            return await self._goods.say(request, language, busy, status=503, by=by)
        if page is None:
            gone = self._services.wording(language).word("lesson", "unknown")
            return await self._goods.say(request, language, gone, status=404, by=by)
        return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store", "Vary": "Accept-Language"})

    def _render(
        self, lesson: str, language: str, taps: dict[str, str], *, said: str, by: str, used: bool
    ) -> str | None:
        found = view(self._services, lesson)
        if found is None:
            return None
        values = LessonPage(self._services, self._services.wording(language)).values(found, taps, used=used)
        return self._rendering.page("lesson.html", f"{PATH}/{lesson}", language, said=said, by=by, **values)

    def _language(self, request: Request, asked: str) -> str:
        return asked if asked in LANGUAGES else language_of(request, self._services)

    def _said(self, sorry: _Sorry, language: str) -> str:
        words = self._services.wording(language)
        if sorry.key == "not_now":
            return words.word("page", "busy")
        return words.word("lesson", sorry.key).format(**sorry.values)


def _carefully(act: Callable[[], Lesson]) -> Lesson:
    """Does it; what goes wrong becomes a text.

    Raises:
        _Sorry: it cannot be done.
    """
    try:
        return act()
    except CameraBusy as exc:
        raise _Sorry(409, "busy", name=exc.lesson.label, by=exc.lesson.by) from exc
    except NoName as exc:
        raise _Sorry(422, "no_name") from exc
    except NothingSaid as exc:
        raise _Sorry(422, "nothing_said") from exc
    except UnknownLesson as exc:
        raise _Sorry(404, "unknown") from exc
    except WrongMoment as exc:
        raise _Sorry(409, "changed") from exc
    except (LedgerUnavailable, GoodsUnavailable) as exc:
        raise _Sorry(503, "not_now") from exc
    except HttpProblem as exc:
        raise _Sorry(exc.status, {404: "camera_gone", 409: "no_pictures"}.get(exc.status, "refused")) from exc


def _person(text: str) -> str:
    try:
        return msgspec.convert(text.strip(), Person)
    except msgspec.ValidationError as exc:
        raise _Sorry(422, "person") from exc


def _to(lesson: str, language: str, *, used: bool = False) -> Response:
    """To its page, so that reloading does nothing twice."""
    return RedirectResponse(f"{PATH}/{lesson}?lang={language}{'&used=1' if used else ''}", status_code=303)
