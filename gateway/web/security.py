"""Who may ask: a password where the page is reachable from other computers, and no requests forged by other pages."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.refused_requests import RefusedRequests
from gateway.web.problems import HttpProblem
from wire.broker import is_loopback

TRIES_PER_MINUTE = 10
MAX_CLIENTS = 1000
"""So many addresses are remembered for their wrong passwords, latest first."""
OPEN_PATHS = frozenset({"/health"})
"""Answered without a password, so that a monitor needs none; it says nothing about machines."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Pictures of goods are for this page, not for others to embed.
    (b"cross-origin-resource-policy", b"same-origin"),
    # Not no-referrer: with it browsers send `Origin: null` even from our own forms.
    (b"referrer-policy", b"same-origin"),
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
    Wrong passwords are counted per client, so that one who guesses locks out nobody else. Without a password only this
    computer reaches the page, and only under a name of its own: a page elsewhere that lets its name point here (DNS
    rebinding) gets nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        password: str | None,
        refused: RefusedRequests,
        answer: Callable[[Request, HttpProblem], Response],
    ) -> None:
        self._app = app
        self._answer = answer
        self._password = password
        self._refused = refused
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a refused request itself, hands on the others with the user's name in the request's state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        try:
            user = self._check(scope)
        except HttpProblem as problem:
            self._refused.count(problem.status)
            await self._answer(Request(scope), problem)(scope, receive, send_safely)
            return
        scope.setdefault("state", {})["user"] = user
        await self._app(scope, receive, send_safely)

    def _check(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            _require_same_origin(headers)
        if scope["path"] in OPEN_PATHS:
            return ""
        if self._password is None:
            _require_own_name(headers)
            return ""
        client = _client(scope)
        tries = self._failures.get(client)
        if tries is not None and len(tries) == TRIES_PER_MINUTE and time.monotonic() - tries[0] < 60:
            # Also with the right password: otherwise the answer would tell the guesser.
            raise HttpProblem(429, "too many wrong passwords; try again in a minute", {"Retry-After": "60"})
        user, given = _credentials(headers.get("authorization", ""))
        if not hmac.compare_digest(given.encode(), self._password.encode()):
            if given:
                self._remember_failure(client)
            raise HttpProblem(
                401, "the password is needed", {"WWW-Authenticate": 'Basic realm="Werkpuls", charset="UTF-8"'}
            )
        return user

    def _remember_failure(self, client: str) -> None:
        self._failures.setdefault(client, deque(maxlen=TRIES_PER_MINUTE)).append(time.monotonic())
        self._failures.move_to_end(client)
        if len(self._failures) > MAX_CLIENTS:
            self._failures.popitem(last=False)


def _client(scope: Scope) -> str:
    """The address that counts: an IPv6 host has a whole /64 network to itself."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    return str(address) if address.version == 4 else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


def _require_own_name(headers: Headers) -> None:
    name = headers.get("host", "").lower()
    host = name if name.endswith("]") else name.rsplit(":", 1)[0]
    if not is_loopback(host):
        raise HttpProblem(403, f"without a password this page is served as localhost only, not as {name[:100]!r}")


def _require_same_origin(headers: Headers) -> None:
    """A browser names the page that sends a POST; a page of another host must not act for the person at the screen."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HttpProblem(403, "requests from pages of other sites are not taken")
    origin = headers.get("origin")
    if origin is None:
        return
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        host = ""
    if not host or host != headers.get("host", "").lower():
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
