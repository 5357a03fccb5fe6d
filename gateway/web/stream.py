"""The live stream: server-sent events (WHATWG HTML, section 9.2) of what the live view hears.

It runs in the server's event loop and holds no thread while it waits: the API's handlers need those.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.listener import EVENT_TYPES, Listener, LiveEvent
from gateway.live import Live
from gateway.web.endpoint import refuse_unknown_query
from gateway.web.problems import HttpProblem

KEEP_ALIVE_S = 10.0
SEND_S = 30.0
"""A client that takes nothing for so long has gone without saying so (a phone out of reach)."""
MAX_LISTENERS = 50
"""Phones and screens in one workshop are fewer."""


class Stream:
    """Serves `/api/v1/stream`.

    Args:
        live: what is told.
        keep_alive_s: a comment is sent after so long without an event, so that both ends notice a broken connection.
        max_listeners: more are refused.
    """

    def __init__(self, live: Live, *, keep_alive_s: float = KEEP_ALIVE_S, max_listeners: int = MAX_LISTENERS) -> None:
        self._live = live
        self._keep_alive_s = keep_alive_s
        self._max_listeners = max_listeners
        self.open = 0
        """Streams open now."""

    async def serve(self, request: Request) -> Response:
        """One stream; `?types=alert,condition` keeps only those."""
        refuse_unknown_query({"types"}, request)
        wanted = frozenset(filter(None, request.query_params.get("types", "").split(",")))
        for name in sorted(wanted.difference(EVENT_TYPES)):
            raise HttpProblem(400, f"unknown event type {name[:60]!r}; known: {', '.join(EVENT_TYPES)}")
        if self.open >= self._max_listeners:
            raise HttpProblem(503, f"{self._max_listeners} streams are open already", {"Retry-After": "30"})
        return _EventStream(self, wanted)

    async def run(self, wanted: frozenset[str], receive: Receive, send: Send) -> None:
        """Sends events until the client or the view ends."""
        news = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the server's loop has ended
                loop.call_soon_threadsafe(news.set)

        listener = Listener(wanted | {"dropped"} if wanted else wanted, wake=wake)
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: news.set())
        self._live.listen(listener)
        try:
            await _send(send, b"retry: 3000\n\n")
            while not gone.done() and not listener.closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), self._keep_alive_s)
                news.clear()
                if gone.done():
                    break
                await _send(send, b"".join(map(encode, listener.take())) or b": alive\n\n")
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, OSError):
            return  # the client went without a word
        finally:
            self._live.forget(listener)
            gone.cancel()


class _EventStream(Response):
    """Starlette's streaming response cannot time a send out; this one is told how by `Stream`."""

    def __init__(self, stream: Stream, wanted: frozenset[str]) -> None:
        super().__init__(
            media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self._stream = stream
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._stream.open += 1  # before the first await, so that no other request slips in
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await self._stream.run(self._wanted, receive, send)
        finally:
            self._stream.open -= 1


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


def encode(event: LiveEvent) -> bytes:
    """One event in the wire format; JSON has no raw line breaks, so one data line holds it."""
    return b"event: " + event.type.encode() + b"\ndata: " + event.data + b"\n\n"
