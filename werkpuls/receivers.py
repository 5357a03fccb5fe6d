"""Example receivers for the gateway's events: a forecast and a budget service in miniature, and a pattern for real ones.

A receiver does four things: it checks the signature over the body as it came, refuses what is too old, takes each event id once,
and answers 2xx only when it has kept the event. `python -m werkpuls.receivers --kind forecast --secret-file key` runs one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Literal, NamedTuple

from gateway.events import ALERT, CAPACITY, COST, SCRAP
from gateway.signing import SecretError, SignatureError, read_secret, verify
from wire.durable import sync_folder

Kind = Literal["forecast", "budget"]
TYPES: dict[Kind, tuple[str, ...]] = {"forecast": (CAPACITY, SCRAP, ALERT), "budget": (COST,)}
"""What each of them is interested in; anything else it takes and ignores."""
MAX_BODY_BYTES = 1_000_000


class Outage(NamedTuple):
    """What a receiver in trouble answers."""

    status: int
    """HTTP status; 0: closes the connection without an answer."""
    retry_after_s: int | None = None


class Receiver:
    """One receiver on a port of its own; usable in a test or as a program.

    Args:
        kind: which service it plays.
        keys: any of them may have signed.
        port: 0 takes a free one.
        host: address to listen on.
        now_s: the receiver's clock.
        keep: file that every event is appended to as one JSON line, and is on the disk before it is acknowledged.

    Raises:
        OSError, ValueError: what `keep` holds cannot be read.
    """

    def __init__(
        self,
        kind: Kind,
        keys: Sequence[bytes],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        now_s: Callable[[], float] = time.time,
        keep: Path | None = None,
        on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
    ) -> None:
        self.kind: Kind = kind
        self.events: list[dict[str, Any]] = []
        """Every event once, in the order of arrival."""
        self.duplicates = 0
        self.refused: dict[str, int] = {}
        """Requests refused, by reason."""
        self.outage: Outage | None = None
        """Set it to play a service that is down; None ends it."""
        self.refuse_subjects: dict[str, int] = {}
        """Answers this status for events of a subject, to play one that it cannot digest."""
        self.requests = 0
        self._keys = tuple(keys)
        self._now_s = now_s
        self._kept = None if keep is None else _Kept(keep)
        self._on_event = on_event
        self._ids: set[str] = set()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        for event in [] if self._kept is None else self._kept.load():
            self.events.append(event)
            self._ids.add(event["id"])
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = _Server((host, port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"receiver-{kind}", daemon=True
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where to POST."""
        return f"http://{self._server.server_address[0]!s}:{self.port}/events"

    def start(self) -> Receiver:
        """Begins to serve."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends; the port is free afterwards."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5.0)
        self._server.server_close()

    def wait(self, count: int, timeout_s: float) -> bool:
        """Whether this many different events are there, waiting for them at most so long."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.events) >= count, timeout_s)

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        """The events of one type."""
        with self._lock:
            return [event for event in self.events if event["type"] == event_type]

    def take(self, received: dict[str, str], body: bytes) -> tuple[int, str]:
        """Status and text for one request."""
        try:
            event_id = verify(self._keys, received, body, now_s=self._now_s())
        except SignatureError as exc:
            return self._refuse(401, "signature", str(exc))
        try:
            event = json.loads(body)
        except ValueError:
            return self._refuse(400, "not_json", "the body is not JSON")
        if not isinstance(event, dict) or event.get("specversion") != "1.0" or event.get("id") != event_id:
            return self._refuse(400, "not_cloudevent", "not a CloudEvent 1.0 of that id")
        if str(event.get("subject")) in self.refuse_subjects:
            return self._refuse(self.refuse_subjects[str(event.get("subject"))], "subject", "cannot digest that")
        with self._lock:
            return self._take_once(event_id, event)

    def _take_once(self, event_id: str, event: dict[str, Any]) -> tuple[int, str]:
        if event_id in self._ids:
            self.duplicates += 1
            return 200, "had that"
        if event.get("type") in TYPES[self.kind]:
            try:
                self._store(event)
            except OSError as exc:
                self.refused["not_kept"] = self.refused.get("not_kept", 0) + 1
                return 503, f"cannot be kept now: {exc.strerror}"
        self._ids.add(event_id)
        self._arrived.notify_all()
        return 202, "taken"

    def _store(self, event: dict[str, Any]) -> None:
        if self._kept is not None:
            self._kept.add(event)
        self.events.append(event)
        self._on_event(event)

    def _refuse(self, status: int, reason: str, text: str) -> tuple[int, str]:
        with self._lock:
            self.refused[reason] = self.refused.get(reason, 0) + 1
        return status, text


class _Kept:
    """Events in a file, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[dict[str, Any]]:
        """What is there. A line that a power cut left unfinished was never acknowledged: it is cut off, and comes again."""
        if not self._path.exists():
            return []
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def add(self, event: dict[str, Any]) -> None:
        """One more, on the disk when this returns.

        Raises:
            OSError: it is not there; nor is a part of it.
        """
        new = not self._path.exists()
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise
        if new:
            sync_folder(self._path.parent)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # the base's signature
        # A client that hangs up in the middle is its own business, and not worth a traceback on the terminal.
        logging.getLogger(__name__).debug("request from %s failed", client_address)


class _Handler(BaseHTTPRequestHandler):
    receiver: ClassVar[Receiver]
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        receiver = self.receiver
        receiver.requests += 1
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self._answer(413 if length.isdigit() else 411, "content-length is required and limited", close=True)
            return
        body = self.rfile.read(int(length))
        outage = receiver.outage
        if outage is not None:
            if outage.status:
                self._answer(outage.status, "out of order", retry_after_s=outage.retry_after_s)
            else:
                self.close_connection = True
            return
        self._answer(*receiver.take({name.lower(): value for name, value in self.headers.items()}, body))

    def _answer(self, status: int, text: str, *, close: bool = False, retry_after_s: int | None = None) -> None:
        payload = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(payload)))
        if retry_after_s is not None:
            self.send_header("retry-after", str(retry_after_s))
        if close:
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server uses
        logging.getLogger(__name__).debug(format, *args)


def summary(event: dict[str, Any]) -> str:
    """One event in one line, for a person who watches."""
    data = event["data"]
    what = str(event["type"]).split(".")[-2]
    if what == "capacity":
        said = f"{data['share']:.0%} of capacity, probability {data['probability']:.0%}, until {data['until']}"
    elif what == "cost":
        said = f"{data['total']:.2f} {data['currency']} {data['state']}"
    elif what == "scrap":
        said = f"{data['rejects']} of {data['items']} {data.get('product_name') or data['product']} rejected"
    else:
        said = f"{data['reason']}: {data['texts'].get('en', {}).get('title', data['cause'])}"
    return f"{event['time']} {event['subject']} {what}: {said}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one receiver until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m werkpuls.receivers", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kind", choices=sorted(TYPES), required=True, help="which service to play")
    parser.add_argument("--secret-file", type=Path, required=True, help="key of the signatures, as the gateway has it")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, which is printed")
    parser.add_argument("--keep", type=Path, help="append events to this file, one JSON object a line")
    parser.add_argument("--json", action="store_true", help="print events as JSON, one a line")
    chosen = parser.parse_args(arguments)
    try:
        key = read_secret(chosen.secret_file)
    except SecretError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2

    def show(event: dict[str, Any]) -> None:
        line = json.dumps(event, ensure_ascii=False) if chosen.json else summary(event)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        receiver = Receiver(chosen.kind, [key], port=chosen.port, keep=chosen.keep, on_event=show)
    except (OSError, OverflowError, ValueError) as exc:
        sys.stderr.write(f"cannot start: {exc}\n")
        return 2
    done = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        done.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    receiver.start()
    sys.stdout.write(
        json.dumps({"listening": receiver.url}) + "\n" if chosen.json else f"listening on {receiver.url}\n"
    )
    sys.stdout.flush()
    done.wait()
    receiver.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
