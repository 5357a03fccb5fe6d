"""The goods page and its buttons; it works without scripts, and what goes wrong is said on the page, in plain words."""

from __future__ import annotations

from typing import Literal, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.goods import GoodsUnavailable
from gateway.ledger_file import LedgerUnavailable
from gateway.services import Services
from gateway.web import goods_state as state
from gateway.web.endpoint import signed
from gateway.web.goods_api import correct
from gateway.web.goods_page import GoodsPage, anchor
from gateway.web.lesson_page import LessonPage
from gateway.web.problems import HttpProblem
from gateway.web.rendering import Rendering
from gateway.web.views import Person
from gateway.web.visit import back, form_of, language_of, user_of
from gateway.wording import LANGUAGES

PATH = "/goods"
MOST = 1000
"""No inspection has an item of this number."""
_SAID = {404: ("goods", "gone"), 409: ("goods", "product_gone"), 422: ("goods", "refused"), 503: ("page", "busy")}


class GoodsPages:
    """Renders the page and takes a person's verdict."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rendering = Rendering(services)

    async def goods(self, request: Request) -> Response:
        """`/goods`; `?before=` shows pictures older than the one with that id."""
        return await self._page(
            request, language_of(request, self._services), _before(request.query_params.get("before"))
        )

    async def judge(self, request: Request) -> Response:
        """A button below a picture; back to it afterwards."""
        form = await form_of(request)
        language, verdict = form.get("lang", ""), form.get("verdict", "")
        if verdict not in ("good", "reject"):
            raise HttpProblem(400, f"unknown verdict {verdict[:40]!r}")
        path = request.path_params
        where = (str(path["node"]), str(path["inspection"]), min(int(path["item"]), MOST))
        said = cast(Literal["good", "reject"], verdict)
        try:
            by = signed(_person(form.get("by", "")), request)
            await run_in_threadpool(correct, self._services, where, said, by)
        except HttpProblem as problem:
            return await self._sorry(request, problem, language, form)
        except (LedgerUnavailable, GoodsUnavailable) as exc:
            return await self._sorry(request, HttpProblem(503, str(exc)), language, form)
        return back(PATH, language, before=_before(form.get("before")), anchor=anchor(*where))

    async def use(self, request: Request) -> Response:
        """A button with a product's name: that lies under the camera from now on; back to the cameras afterwards."""
        form, path = await form_of(request), request.path_params
        language = form.get("lang", "")
        where = (str(path["node"]), str(path["camera"]), form.get("product", ""))
        try:
            by = signed(_person(form.get("by", "")), request)
            await run_in_threadpool(state.use, self._services, *where, by)
        except HttpProblem as problem:
            return await self._sorry(request, problem, language, form, gone="no_camera_now")
        except LedgerUnavailable as exc:
            return await self._sorry(request, HttpProblem(503, str(exc)), language, form)
        return back(PATH, language, anchor="under-title")

    async def say(self, request: Request, language: str, said: str, *, status: int, by: str = "") -> Response:
        """The page with what went wrong at its top."""
        self._services.refused.count(status)
        return await self._page(request, language, None, said=said, by=by, status=status)

    async def _sorry(
        self, request: Request, problem: HttpProblem, language: str, form: dict[str, str], *, gone: str = "gone"
    ) -> Response:
        if problem.status not in _SAID:
            raise problem
        self._services.refused.count(problem.status)
        shown = language if language in LANGUAGES else language_of(request, self._services)
        page, key = _SAID[problem.status]
        said = self._services.wording(shown).word(page, gone if key == "gone" else key)
        return await self._page(
            request, shown, _before(form.get("before")), said=said, by=form.get("by", ""), status=problem.status
        )

    async def _page(
        self, request: Request, language: str, before: int | None, *, said: str = "", by: str = "", status: int = 200
    ) -> Response:
        page = await run_in_threadpool(self._render, language, before, said, by or user_of(request))
        return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store", "Vary": "Accept-Language"})

    def _render(self, language: str, before: int | None, said: str, by: str) -> str:
        words = self._services.wording(language)
        values = GoodsPage(self._services, words).values(before) | LessonPage(self._services, words).begin()
        return self._rendering.page("goods.html", PATH, language, said=said, by=by, **values)


def _person(text: str) -> str:
    try:
        return msgspec.convert(text.strip(), Person)
    except msgspec.ValidationError as exc:
        raise HttpProblem(422, f"by: {exc}"[:300]) from exc


def _before(text: str | None) -> int | None:
    """An item's id; None for anything else: a page that was bookmarked once is better than none."""
    return int(text) if text is not None and text.isascii() and text.isdecimal() and 0 < len(text) < 16 else None
