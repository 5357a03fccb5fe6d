"""What every page needs of a visit: its language, its form, and the way back."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.services import Services
from gateway.web.endpoint import read_body
from gateway.web.problems import HttpProblem
from gateway.wording import LANGUAGES

MAX_FORM_BYTES = 10_000
MAX_FIELDS = 20


def language_of(request: Request, services: Services) -> str:
    """The asked one, else the browser's first that we speak, else the site's."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for part in request.headers.get("accept-language", "").split(","):
        code = part.partition(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return services.language


def user_of(request: Request) -> str:
    """The name that the password was given under; empty without one."""
    return str(getattr(request.state, "user", "") or "")


async def form_of(request: Request, *, max_fields: int = MAX_FIELDS, max_bytes: int = MAX_FORM_BYTES) -> dict[str, str]:
    """The fields of a form.

    Args:
        request: of the visit.
        max_fields: that it may have.
        max_bytes: of its body.

    Raises:
        HttpProblem: 400, 413, 415: it is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpProblem(415, f"send application/x-www-form-urlencoded, not {kind[:60] or 'nothing'}")
    body = await read_body(request, max_bytes)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=max_fields))
    except (UnicodeDecodeError, ValueError) as exc:
        raise HttpProblem(400, f"not a form: {exc}"[:300]) from exc


def back(path: str, language: str, *, before: int | None = None, anchor: str = "") -> Response:
    """To a page after its form was taken, so that reloading does nothing twice."""
    asked = {"lang": language if language in LANGUAGES else None, "before": before}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    place = f"#{quote(anchor)}" if anchor else ""
    return RedirectResponse(f"{path}{'?' if query else ''}{query}{place}", status_code=303)
