"""Sending lines in batches while the next ones are still being made, and finding those that are refused."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from gateway.store.base import StoreUnavailable
from gateway.store.server import LinesRefused, Server


class Sending:
    """The lines of one write. Batches go out one after another on a thread of their own, as soon as they are full.

    Args:
        server: where to; nobody else may use it meanwhile.
        thread: the sending thread.
        size: lines in a batch.

    Attributes:
        lines: all lines so far; append here.
        requests: batches handed over so far.
    """

    def __init__(self, server: Server, thread: ThreadPoolExecutor, size: int) -> None:
        self._server = server
        self._thread = thread
        self._size = size
        self._sent = 0
        self._batches: list[tuple[int, int, Future[None]]] = []
        self.lines: list[str] = []

    @property
    def requests(self) -> int:
        """Batches handed over so far."""
        return len(self._batches)

    def go_on(self) -> None:
        """Hands over what is a full batch by now."""
        while len(self.lines) - self._sent >= self._size:
            self._hand_over(self._sent + self._size)

    def finish(self) -> Sequence[tuple[int, str]]:
        """Hands over the rest, waits, and returns (index, reason) of every line that is refused for good.

        Raises:
            StoreUnavailable: some lines may not have arrived.
        """
        if self._sent < len(self.lines):
            self._hand_over(len(self.lines))
        doubtful: list[tuple[int, int, LinesRefused]] = []
        try:
            for start, end, batch in self._batches:
                try:
                    batch.result()
                except LinesRefused as exc:
                    doubtful.append((start, end, exc))
        except BaseException:
            self.abandon()
            raise
        return self._isolate(doubtful) if doubtful else ()

    def abandon(self) -> None:
        """Sends nothing more; waits for the request under way."""
        for _, _, batch in self._batches:
            batch.cancel()
        for _, _, batch in self._batches:
            if not batch.cancelled():
                batch.exception()

    def _hand_over(self, end: int) -> None:
        body = "\n".join(self.lines[self._sent : end]).encode()
        self._batches.append((self._sent, end, self._thread.submit(self._server.write, body)))
        self._sent = end

    def _isolate(self, doubtful: Sequence[tuple[int, int, LinesRefused]]) -> list[tuple[int, str]]:
        """Halves what was refused until every refused line stands alone."""
        accepted = sum(end - start for start, end, _ in self._batches) - sum(end - start for start, end, _ in doubtful)
        certain: list[tuple[int, str]] = []
        unclear: list[tuple[int, str]] = []
        todo = list(doubtful)[::-1]
        while todo:
            start, end, refusal = todo.pop()
            if end - start == 1 or (refusal.dropped == end - start and not refusal.too_large):
                found = certain if refusal.about_lines or refusal.too_large else unclear
                found.extend((at, refusal.reason) for at in range(start, end))
                continue
            middle = (start + end) // 2
            for low, high in ((middle, end), (start, middle)):
                try:
                    self._server.write("\n".join(self.lines[low:high]).encode())
                    accepted += high - low
                except LinesRefused as exc:
                    todo.append((low, high, exc))
        if unclear and not accepted:
            # It took nothing and does not speak of lines: more likely the request is wrong than every line.
            raise StoreUnavailable(f"everything is refused: {unclear[0][1]}")
        return sorted(certain + unclear)
