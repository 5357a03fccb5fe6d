"""The gateway's web application, put together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway.goods import GoodsUnavailable
from gateway.ledger_file import LedgerError, LedgerUnavailable
from gateway.services import Services
from gateway.store.base import StoreUnavailable
from gateway.web.api import ENDPOINTS
from gateway.web.goods_pages import PATH, GoodsPages
from gateway.web.lesson_pages import PATH as LESSONS
from gateway.web.lesson_pages import LessonPages
from gateway.web.metrics import Metrics
from gateway.web.openapi import openapi
from gateway.web.pages import Pages
from gateway.web.problems import HttpProblem, refused_of
from gateway.web.security import Guard
from gateway.web.sorry import Sorry
from gateway.web.state import health
from gateway.web.stream import Stream
from wire.journal import JournalError

__all__ = ["ENDPOINTS", "build"]

STATIC = Path(__file__).parent / "static"


def build(services: Services, *, password: str | None = None) -> Guard:
    """The ASGI application over the running parts.

    Args:
        services: the gateway's parts.
        password: asked for on every path but /health; None where only this computer can reach the page.
    """
    refused = services.refused
    pages, goods = Pages(services), GoodsPages(services)
    lessons = LessonPages(services, goods)
    stream, sorry = Stream(services.live), Sorry(services)
    document = msgspec.json.encode(openapi(ENDPOINTS))

    async def serve_openapi(_request: Request) -> Response:
        return Response(document, media_type="application/json")

    async def serve_health(_request: Request) -> Response:
        view = await run_in_threadpool(health, services)
        status = 200 if view.status == "ok" else 503
        return Response(msgspec.json.encode(view), status_code=status, media_type="application/json")

    app = Starlette(
        routes=[
            Route("/", pages.overview, methods=["GET"]),
            Route(PATH, goods.goods, methods=["GET"]),
            Route(f"{PATH}/{{node}}/{{inspection}}/{{item:int}}", goods.judge, methods=["POST"]),
            Route(f"{PATH}/cameras/{{node}}/{{camera}}", goods.use, methods=["POST"]),
            Route(LESSONS, lessons.begin, methods=["POST"]),
            Route(f"{LESSONS}/{{lesson}}", lessons.lesson, methods=["GET"]),
            Route(f"{LESSONS}/{{lesson}}", lessons.act, methods=["POST"]),
            Route("/alerts/{alert}", pages.alert, methods=["GET"]),
            Route("/alerts/{alert}", pages.act, methods=["POST"]),
            Route("/machines/{node}/{machine}", pages.tend, methods=["POST"]),
            Route("/deliveries/{kind}/{name}", pages.send_again, methods=["POST"]),
            Route("/nodes/{node}/{origin}", pages.retire, methods=["POST"]),
            Route("/health", serve_health, methods=["GET"]),
            Route("/metrics", Metrics(services).serve, methods=["GET"]),
            Route("/api/v1/openapi.json", serve_openapi, methods=["GET"]),
            Route("/api/v1/stream", stream.serve, methods=["GET"]),
            *(endpoint.route(services) for endpoint in ENDPOINTS),
            Mount("/static", _Static(directory=STATIC)),
        ],
        exception_handlers={
            HttpProblem: _refuse,
            HTTPException: _refuse_http,
            Exception: _fail,
            **dict.fromkeys(_NOT_NOW, _not_now),
        },
    )
    app.state.refused, app.state.sorry = refused, sorry
    # From outside of all: what answers when a page breaks is guarded, too, and its answer has the safe headers.
    return Guard(app, password=password, refused=refused, answer=sorry.answer)


class _Static(StaticFiles):
    """Asked for again with each page: after an upgrade an old script must not meet a new one."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


_NOT_NOW = (GoodsUnavailable, LedgerUnavailable, LedgerError, StoreUnavailable, JournalError)
"""What a part of the gateway raises while its disk or server cannot be used; /health says the same."""


async def _not_now(request: Request, error: Exception) -> Response:
    logging.getLogger(__name__).warning("%s %s: %s", request.method, request.url.path, error)
    return await _refuse(request, HttpProblem(503, f"not now: {error}"[:300], {"Retry-After": "5"}))


async def _refuse(request: Request, problem: Exception) -> Response:
    if not isinstance(problem, HttpProblem):
        raise problem
    refused_of(request).count(problem.status)
    sorry: Sorry = request.app.state.sorry
    return sorry.answer(request, problem)


async def _refuse_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers: Mapping[str, str] = error.headers or {}
    return await _refuse(request, HttpProblem(error.status_code, f"{request.url.path}: {error.detail}", dict(headers)))


async def _fail(request: Request, _error: Exception) -> Response:
    # The server logs it with its traceback.
    return await _refuse(request, HttpProblem(500, "this went wrong at the gateway and is in its log"))
