"""One table row per API call: it makes the route, checks the request, and describes itself for the OpenAPI document.

The types in the row are the contract: the body is decoded as `request` (unknown fields refused), path and query values
by their `Param`, the answer is encoded from `response`. So the published document cannot differ from the code.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.services import Services
from gateway.web.problems import HttpProblem

MAX_BODY_BYTES = 65_536
JSON = "application/json"
KEPT_S = 86_400
"""How long a browser may keep what never changes."""


@dataclass(frozen=True, slots=True)
class Param:
    """A path or query parameter. `type` may be any msgspec type, with limits in its Meta."""

    name: str
    type: Any
    where: Literal["path", "query"] = "query"
    default: Any = None
    required: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request: parameters by name, the decoded body, and who asks (for the audit trail)."""

    params: Mapping[str, Any]
    body: Any
    by: str
    """The name in the body, with the name that the password was given under where that is another one."""


Handler: TypeAlias = Callable[[Services, Call], Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API call."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    summary: str
    response: Any
    request: Any = None
    params: tuple[Param, ...] = ()
    status: int = 200
    problems: tuple[int, ...] = field(default=())
    """Statuses that this call answers with a problem document, besides 400 and 405."""
    media: str = JSON
    """Content type of the answer; for any other than JSON the handler returns bytes, which never change."""

    def route(self, services: Services) -> Route:
        """The route; its handler runs in a worker thread, as ledger and store wait for the disk."""
        return Route(self.path, self._answer(services), methods=[self.method])

    def _answer(self, services: Services) -> Callable[[Request], Awaitable[Response]]:
        encoder = msgspec.json.Encoder()
        decoder = None if self.request is None else msgspec.json.Decoder(self.request)

        async def answer(request: Request) -> Response:
            params = {param.name: _value(param, request) for param in self.params}
            refuse_unknown_query({param.name for param in self.params if param.where == "query"}, request)
            body = None if decoder is None else _decoded(decoder, request, await read_body(request, MAX_BODY_BYTES))
            call = Call(params=params, body=body, by=signed(getattr(body, "by", ""), request))
            result = await run_in_threadpool(self.handler, services, call)
            if self.media != JSON:
                headers = {"Cache-Control": f"private, max-age={KEPT_S}"}
                return Response(result, status_code=self.status, headers=headers, media_type=self.media)
            return Response(encoder.encode(result), status_code=self.status, media_type=JSON)

        return answer


def _value(param: Param, request: Request) -> Any:
    raw = request.path_params.get(param.name) if param.where == "path" else request.query_params.get(param.name)
    if raw is None:
        if param.required:
            raise HttpProblem(400, f"parameter {param.name} must be given")
        return param.default
    try:
        value = msgspec.convert(raw, param.type, strict=False)
    except msgspec.ValidationError as exc:
        raise HttpProblem(400, f"parameter {param.name}: {exc}"[:300]) from exc
    if isinstance(value, float) and not math.isfinite(value):
        raise HttpProblem(400, f"parameter {param.name}: not a number")
    return value


def refuse_unknown_query(known: AbstractSet[str], request: Request) -> None:
    """A parameter that would be ignored is a mistake; so is one given twice.

    Raises:
        HttpProblem: 400.
    """
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            raise HttpProblem(400, f"unknown parameter {name[:60]!r}; known: {', '.join(sorted(known)) or 'none'}")
        if name in seen:
            raise HttpProblem(400, f"parameter {name} is given twice")
        seen.add(name)


async def read_body(request: Request, limit: int) -> bytes:
    """The body, never more than `limit` bytes of it in memory.

    Raises:
        HttpProblem: 413.
    """
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdecimal()) or int(declared[:18]) > limit:
        raise HttpProblem(413, f"a body has at most {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise HttpProblem(413, f"a body has at most {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def signed(by: str, request: Request) -> str:
    """Who acts, for the audit trail, at most 80 characters.

    >>> from types import SimpleNamespace as Space
    >>> request = Space(state=Space(user="office"))
    >>> signed("Anna", request), signed("office", request), signed("", request)
    ('Anna (office)', 'office', 'office')
    """
    user = str(getattr(request.state, "user", "") or "")
    if not user or user == by:
        return by[:80]
    return f"{by[: 77 - len(user[:40])]} ({user[:40]})" if by else user[:80]


def _decoded(decoder: msgspec.json.Decoder[Any], request: Request, body: bytes) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpProblem(415, f"send application/json, not {kind[:60] or 'nothing'}")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise HttpProblem(422, str(exc)[:300]) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise HttpProblem(400, f"not JSON: {exc}"[:300]) from exc
