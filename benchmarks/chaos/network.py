"""A cable that can be pulled: a TCP forwarder between a node and the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from threading import Thread
from typing import Any, Literal, TypeVar

ResultT = TypeVar("ResultT")
CHUNK = 65_536


class Cable:
    """Forwards `port` to `target` on loopback.

    `cut("silent")` swallows what is sent, as a dead switch does; `cut("reset")` ends every connection and refuses new ones, as a rebooting router does; `heal()` mends both.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="cable", daemon=True)
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._refusing = False
        self.port = 0
        self.cuts = 0

    def start(self) -> None:
        """Starts forwarding on a free loopback port, see `port`."""
        self._thread.start()
        self._run(self._open())

    def cut(self, mode: Literal["silent", "reset"]) -> None:
        """Pulls the cable."""
        self.cuts += 1
        self._run(self._cut(mode))

    def heal(self) -> None:
        """Plugs it in again. Connections that were cut silently are ended: their bytes are gone."""
        self._run(self._heal())

    def stop(self) -> None:
        """Ends everything; a second call does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self, mode: str) -> None:
        if mode == "silent":
            self._flowing.clear()
        else:
            self._refusing = True
            self._drop()

    async def _heal(self) -> None:
        if not self._flowing.is_set():
            self._drop()
        self._refusing = False
        self._flowing.set()

    async def _close(self) -> None:
        self._drop()
        self._flowing.set()
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    def _drop(self) -> None:
        for writer in self._pairs:
            writer.transport.abort()
        self._pairs.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._pairs |= {writer, back}
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(CHUNK):
                if not self._flowing.is_set():
                    await self._flowing.wait()  # what was in the cable when it was pulled never arrives
                    break
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass  # one side has gone; the other is told below
        finally:
            sink.transport.abort() if not self._flowing.is_set() else sink.close()
            self._pairs.discard(sink)
