"""Who may ask: a password where the page is reachable from other computers, and no requests forged by other pages."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import deque
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.problems import HttpProblem, RefusedRequests, problem_response

TRIES_PER_MINUTE = 30
OPEN_PATHS = frozenset({"/health"})
"""Answered without a password, so that a monitor needs none; it says nothing about machines."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        (
            b"default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; frame-ancestors 'none'; "
            b"base-uri 'none'; form-action 'self'"
        ),
    ),
)


class Guard:
    """ASGI middleware: HTTP Basic (RFC 7617) when a password is set, same-origin POSTs, safe headers.

    Any user name is taken with the right password and goes into the audit trail: it says who acted, not who may.
    """

    def __init__(self, app: ASGIApp, *, password: str | None, refused: RefusedRequests) -> None:
        self._app = app
        self._password = password
        self._refused = refused
        self._failures: deque[float] = deque(maxlen=TRIES_PER_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a refused request itself, hands on the others with the user's name in the request's state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            user = self._check(scope)
        except HttpProblem as problem:
            self._refused.count(problem.status)
            await problem_response(problem)(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = user

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        await self._app(scope, receive, send_safely)

    def _check(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            _require_same_origin(headers)
        if self._password is None or scope["path"] in OPEN_PATHS:
            return ""
        if len(self._failures) == TRIES_PER_MINUTE and time.monotonic() - self._failures[0] < 60:
            raise HttpProblem(403, "too many wrong passwords; try again in a minute")
        user, given = _credentials(headers.get("authorization", ""))
        if not hmac.compare_digest(given.encode(), self._password.encode()):
            if given:
                self._failures.append(time.monotonic())
            raise HttpProblem(
                401, "the password is needed", {"WWW-Authenticate": 'Basic realm="Werkpuls", charset="UTF-8"'}
            )
        return user


def _require_same_origin(headers: Headers) -> None:
    """A browser names the page that sends a POST; a page of another host must not act for the person at the screen."""
    origin = headers.get("origin")
    if origin is None:
        return
    if urlsplit(origin).netloc != headers.get("host", ""):
        raise HttpProblem(403, f"requests from pages of {origin[:100]} are not taken")


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user[:80], password
