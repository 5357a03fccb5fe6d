"""The overview page and its forms; it works without scripts, and what goes wrong is said on the page, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.alerts import Alert
from gateway.ledger_file import LedgerUnavailable
from gateway.services import Services
from gateway.web import views
from gateway.web.api import change_alert, take_out
from gateway.web.endpoint import signed
from gateway.web.overview import Overview, lately
from gateway.web.problems import HttpProblem
from gateway.web.rendering import Rendering
from gateway.web.tending import BUTTONS, tell
from gateway.web.visit import back, form_of, language_of, user_of
from gateway.wording import LANGUAGES

SNOOZE_MINUTES = 60.0
MAX_RESENT = 1000
_ACTIONS: dict[str, type[msgspec.Struct]] = {
    "acknowledge": views.Acknowledge,
    "confirm": views.Confirm,
    "snooze": views.Snooze,
    "resolve": views.Resolve,
    "false_alarm": views.FalseAlarm,
}
_TENDING = {404: "machine_gone", 422: "nameless", 503: "busy"}
_SAID = {404: "gone", 409: "changed", 422: "refused", 503: "busy"}
"""Texts of the page by status, of an alert's buttons and, above, of a machine's and a node's; anything else is no mistake of a person at the page."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person had filled in, and was not taken."""

    alert: str = ""
    by: str = ""
    note: str = ""
    cause: str = ""
    label: str = ""
    machine: tuple[str, str] | None = None
    """Node and machine, where it was a button of a machine's card."""
    daemon: tuple[str, str] | None = None
    """Node and origin, where it was a node's button."""


class Pages:
    """Renders the page and takes its forms."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rendering = Rendering(services)

    async def overview(self, request: Request) -> Response:
        """`/`, in the asked language, else the browser's first that we speak, else the site's."""
        return await self._page(request, language_of(request, self._services))

    async def alert(self, request: Request) -> Response:
        """An alert's own address, as messages to people have it: on to its place on the page, or the page with it where it has none."""
        alert = await run_in_threadpool(self._services.ledger.alert, str(request.path_params["alert"]))
        language = language_of(request, self._services)
        if alert is None:
            return await self._page(request, language, said="gone", status=404)
        latest = await run_in_threadpool(lately, self._services.ledger, self._services.wall_ns())
        if not alert.state.closed or alert.id in {one.id for one in latest}:
            return back("/", request.query_params.get("lang", ""), anchor=f"alert-{alert.id}")
        return await self._page(request, language, said="past", asked=alert)

    async def act(self, request: Request) -> Response:
        """A button below an alert; back to the page afterwards, so that reloading does nothing twice."""
        form = await form_of(request)
        action = form.get("action", "")
        kind = _ACTIONS.get(action)
        if kind is None:
            raise HttpProblem(400, f"unknown action {action[:40]!r}")
        language = form.get("lang", "")
        by, note, cause, label = (form.get(name, "").strip() for name in ("by", "note", "cause", "label"))
        draft = Draft(str(request.path_params["alert"]), by, note, cause, label)
        try:
            word = self._word(kind, draft, form.get("version", ""), language)
            by = signed(draft.by, request)
            await run_in_threadpool(change_alert, self._services, draft.alert, word, by)
        except HttpProblem as problem:
            return await self._sorry(request, problem, language, draft)
        except LedgerUnavailable as exc:
            return await self._sorry(request, HttpProblem(503, str(exc)), language, draft)
        return back("/", language)

    async def tend(self, request: Request) -> Response:
        """A button on a machine's card; back to that card afterwards."""
        form = await form_of(request)
        button, language, by = form.get("action", ""), form.get("lang", ""), form.get("by", "").strip()
        if button not in BUTTONS:
            raise HttpProblem(400, f"unknown action {button[:40]!r}")
        node, machine = str(request.path_params["node"]), str(request.path_params["machine"])
        draft = Draft(by=by, machine=(node, machine))
        try:
            await run_in_threadpool(tell, self._services, node, machine, button, by=by, signed=signed(by, request))
        except HttpProblem as problem:
            return await self._sorry(request, problem, language, draft)
        except LedgerUnavailable as exc:
            return await self._sorry(request, HttpProblem(503, str(exc)), language, draft)
        return back("/", language, anchor=f"machine-{node}-{machine}")

    async def retire(self, request: Request) -> Response:
        """A node's button: it is no longer in use; back to the nodes, of which it is none any more, or is online again."""
        form = await form_of(request)
        language, by = form.get("lang", ""), form.get("by", "").strip()
        node, origin = str(request.path_params["node"]), str(request.path_params["origin"])
        draft = Draft(by=by, daemon=(node, origin))
        try:
            _require_name(by)
            await run_in_threadpool(take_out, self._services, node, origin, by=signed(by, request))
        except HttpProblem as problem:
            if problem.status not in (404, 409):
                return await self._sorry(request, problem, language, draft)
        except LedgerUnavailable as exc:
            return await self._sorry(request, HttpProblem(503, str(exc)), language, draft)
        return back("/", language, anchor="nodes")

    async def send_again(self, request: Request) -> Response:
        """A receiver's button: serves it again and sends what was given up."""
        form = await form_of(request)
        kind, name = str(request.path_params["kind"]), str(request.path_params["name"])
        by = signed(form.get("by", "").strip()[:80] or "page", request)
        if not await run_in_threadpool(self._send_again, kind, name, by):
            raise HttpProblem(404, f"no {kind[:40]} {name[:80]}")
        return back("/", form.get("lang", ""))

    def _send_again(self, kind: str, name: str, by: str) -> bool:
        ledger = self._services.ledger
        target = next((one for one in ledger.deliveries() if (one.kind, one.name) == (kind, name)), None)
        if target is None:
            return False
        if target.disabled:
            ledger.enable(target.kind, name, by=by)
        if target.dead:
            # The oldest first: what is sent again goes out in its old order.
            for letter in reversed(ledger.dead_letters(limit=MAX_RESENT)):
                if (letter.kind, letter.target) == (kind, name):
                    ledger.resend(letter.id, by=by)
        return True

    def _word(self, kind: type[msgspec.Struct], draft: Draft, seen: str, language: str) -> msgspec.Struct:
        word: dict[str, Any] = {"by": draft.by}
        if seen:
            word["version"] = seen
        if kind is views.Resolve:
            word["done"] = draft.note or self._services.wording(language).word("page", "done_without_words")
        elif kind is not views.Confirm:
            word["note"] = draft.note
        if kind in (views.Acknowledge, views.Confirm, views.Resolve):
            word["cause"], word["label"] = draft.cause or None, draft.label
        if kind is views.Snooze:
            word["minutes"] = SNOOZE_MINUTES
        try:
            return msgspec.convert(word, kind, strict=False)
        except msgspec.ValidationError as exc:
            raise HttpProblem(422, str(exc)) from exc

    async def _sorry(self, request: Request, problem: HttpProblem, language: str, draft: Draft) -> Response:
        """The page again, with what went wrong and with what the person had written."""
        said = (_SAID if draft.machine is None and draft.daemon is None else _TENDING).get(problem.status)
        if said is None:
            raise problem
        self._services.refused.count(problem.status)
        shown = language if language in LANGUAGES else language_of(request, self._services)
        return await self._page(request, shown, said=said, draft=draft, status=problem.status)

    async def _page(
        self,
        request: Request,
        language: str,
        *,
        said: str = "",
        draft: Draft | None = None,
        status: int = 200,
        asked: Alert | None = None,
    ) -> Response:
        user = user_of(request)
        page = await run_in_threadpool(self._render, language, user, said, draft or Draft(by=user), asked)
        return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store", "Vary": "Accept-Language"})

    def _render(self, language: str, user: str, said: str, draft: Draft, asked: Alert | None) -> str:
        services, words = self._services, self._services.wording(language)
        return self._rendering.page(
            "overview.html",
            "/",
            language,
            user=user,
            said=words.word("page", said) if said else "",
            draft=draft,
            **Overview(services, words).values(asked),
        )


def _require_name(by: str) -> None:
    try:
        msgspec.convert(by, views.Person)
    except msgspec.ValidationError as exc:
        raise HttpProblem(422, f"by: {exc}"[:300]) from exc
