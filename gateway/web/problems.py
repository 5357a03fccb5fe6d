"""What a refused request gets: a problem document (RFC 9457)."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gateway.refused_requests import RefusedRequests

TITLES = {
    400: "Bad request",
    401: "Password needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Wrong content type",
    422: "Not valid",
    429: "Too many tries",
    500: "Internal error",
    503: "Not ready",
}


class Problem(Struct, frozen=True, kw_only=True):
    """An error as `application/problem+json` (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    """What was wrong and where, in English."""


class HttpProblem(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def problem_response(problem: HttpProblem) -> Response:
    """The document as a response."""
    body = Problem(title=TITLES.get(problem.status, "Error"), status=problem.status, detail=problem.detail)
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


def refused_of(request: Request) -> RefusedRequests:
    """The counter that this application keeps."""
    counter = request.app.state.refused
    if not isinstance(counter, RefusedRequests):
        raise TypeError("the application was built without its counter of refused requests")
    return counter
