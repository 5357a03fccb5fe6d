"""What a person sees whose page cannot be shown: a sentence in their language; programs get a problem document."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.services import Services
from gateway.web.problems import HttpProblem, problem_response
from gateway.web.rendering import Rendering
from gateway.web.visit import language_of

AGAIN_S = 5
"""A page that cannot be shown now is asked for again after so long."""
_OF_PROGRAMS = ("/api/", "/static/", "/metrics", "/health")
_SAID = {
    401: "sorry_password",
    403: "sorry_forbidden",
    404: "sorry_none",
    405: "sorry_none",
    429: "sorry_tries",
    500: "sorry_broken",
    503: "sorry_later",
}


class Sorry:
    """Answers requests that were refused. It needs nothing that may be broken."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rendering = Rendering(services)

    def answer(self, request: Request, problem: HttpProblem) -> Response:
        """A page where a browser asked for one."""
        if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith(_OF_PROGRAMS):
            return problem_response(problem)
        language = language_of(request, self._services)
        page = self._rendering.page(
            "sorry.html",
            "",
            language,
            said=self._services.wording(language).word("page", _SAID.get(problem.status, "sorry_other")),
            detail=problem.detail,
            again_s=AGAIN_S if problem.status == 503 and request.method == "GET" else None,
        )
        headers = {**problem.headers, "Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
        return HTMLResponse(page, status_code=problem.status, headers=headers)
