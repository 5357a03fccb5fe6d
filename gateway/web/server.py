"""The server of page and API."""

from __future__ import annotations

import asyncio
import time
from threading import Thread
from typing import Any, Final

import uvicorn

from gateway.config import WebOptions

START_S: Final = 20.0
"""Longest wait for the server to listen."""


class CannotServe(Exception):
    """The address is taken or not ours, or the certificate cannot be used; the text says which."""


class WebServer:
    """uvicorn in a thread of its own.

    Args:
        web: where to listen, with which certificate.
        app: what to serve, an ASGI application.
    """

    def __init__(self, web: WebOptions, app: Any) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=web.host,
                port=web.port,
                ssl_certfile=web.cert,
                ssl_keyfile=web.key,
                log_config=None,  # the daemon's own
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=3,
                limit_concurrency=200,
            )
        )
        self._thread = Thread(target=self._run, name="web", daemon=True)
        self._error = ""

    def start(self) -> None:
        """Listens.

        Raises:
            CannotServe: the address is taken or not ours.
        """
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                config = self._server.config
                raise CannotServe(f"cannot serve the page on {config.host}:{config.port} {self._error}".rstrip())
            time.sleep(0.01)

    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends it after the requests under way."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve())
        except SystemExit:
            self._error = "(address in use, or not allowed)"  # uvicorn has logged which
        except Exception as exc:  # noqa: BLE001  # a certificate that cannot be used, for one; told by `start`, or by who asks `alive`
            self._error = f"({exc})"
