"""The live stream: server-sent events (WHATWG HTML, section 9.2) of what the live view hears."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.live import Listener, Live, LiveEvent
from gateway.web.problems import HttpProblem

KEEP_ALIVE_S = 10.0
MAX_LISTENERS = 50
"""Each holds a worker thread while it waits; phones in one workshop are fewer."""


class Stream:
    """Serves `/api/v1/stream`."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._open = 0

    async def serve(self, request: Request) -> Response:
        """One stream; `?types=alert,condition` keeps only those."""
        if self._open >= MAX_LISTENERS:
            raise HttpProblem(503, f"{MAX_LISTENERS} streams are open already")
        wanted = frozenset(filter(None, request.query_params.get("types", "").split(",")))
        return StreamingResponse(
            self._events(request, wanted),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, request: Request, wanted: frozenset[str]) -> AsyncIterator[bytes]:
        listener: Listener = self._live.listen()
        self._open += 1
        try:
            yield b"retry: 3000\n\n"
            quiet_s = 0.0
            while not listener.closed and not await request.is_disconnected():
                events = await run_in_threadpool(listener.take, 1.0)
                sent = [encode(event) for event in events if not wanted or event.type in wanted]
                quiet_s = 0.0 if sent else quiet_s + 1.0
                if sent:
                    yield b"".join(sent)
                elif quiet_s >= KEEP_ALIVE_S:
                    quiet_s = 0.0
                    yield b": alive\n\n"
        finally:
            self._open -= 1
            self._live.forget(listener)


def encode(event: LiveEvent) -> bytes:
    """One event in the wire format; JSON has no raw line breaks, so one data line holds it."""
    return b"event: " + event.type.encode() + b"\ndata: " + msgspec.json.encode(event.data) + b"\n\n"
