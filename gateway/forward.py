"""Events to other services: signed CloudEvents over HTTP, one thread and one queue per subscriber.

What becomes of a delivery depends on the answer:

| answer | meaning | what happens |
|---|---|---|
| 2xx | taken | delivered |
| none, 3xx, 401, 403, 404, 408, 425, 429, 5xx | cannot take it now, or not set up right | tried again, later and later, for `give_up_days` |
| 410 | does not want any more | the subscriber is disabled, visibly; its queue is kept until a person enables it, within `outbox.HELD_DAYS` |
| any other 4xx | refuses this very event | a dead letter after `REFUSALS` tries |

What is given up becomes a dead letter, which a person can send again. A redirect is never followed: it would carry a signed
body to somebody the configuration does not name.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import httpx
from msgspec import Meta, Struct

from gateway.alerts import SECOND_NS
from gateway.events import CONTENT_TYPE, EVENT_TYPES
from gateway.ledger import Ledger
from gateway.outbox import Item, Wants
from gateway.retry import Retry
from gateway.signing import headers, read_secret
from wire.messages import Name, Severity

REFUSALS: Final = 3
"""How often an event must be refused before it is given up: a receiver being deployed may refuse what it takes a minute later."""
RETRYABLE: Final = frozenset({401, 403, 404, 408, 425, 429})
_GONE = 410
_ANSWER_BYTES = 500
_PRIVATE_ENDINGS = (".local", ".lan", ".internal", ".home.arpa", ".localhost")
_LONGEST_RETRY_AFTER_S = 3600.0


class SubscriberError(Exception):
    """A subscriber that cannot be served as configured; the text says which and why."""


class Subscriber(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[subscriber]]` in gateway.toml: a service that gets events."""

    name: Name
    url: Annotated[str, Meta(max_length=2000)]
    """Where events are POSTed. Plain http only to this machine or a private network, unless `allow_http`."""
    secret_file: Path
    """File with the key of the signatures (at least 32 bytes, or `whsec_` and base64), not readable by every user."""
    types: list[str] = []
    """Event types wanted, e.g. `de.werkpuls.capacity.v1`; empty: all."""
    severity: Severity = Severity.GOOD
    """Only events of at least this severity; a batch's scrap has severity good."""
    machines: list[Name] = []
    """Only events of these machines; empty: all."""
    timeout_s: Annotated[float, Meta(gt=0.0, le=60.0)] = 10.0
    """Longest wait for an answer."""
    allow_http: bool = False
    """Allows plain http over a public network: everybody on the way can read the events."""
    ca_file: Path | None = None
    """Certificate authority of the receiver, where it is not a public one."""
    give_up_days: Annotated[float, Meta(gt=0.0, le=90.0)] = 7.0
    """How long an event is tried before it becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class ForwardStats:
    """How one subscriber's thread is doing, since start; the queue is in `Ledger.deliveries()`."""

    name: str
    delivered: int
    failed: int
    given_up: int
    last_error: str
    """Why the last attempt failed; empty after one that worked."""
    running: bool


def check(subscribers: Sequence[Subscriber]) -> dict[str, bytes]:
    """Refuses what can never work, before anything starts; returns the keys by name.

    Raises:
        SubscriberError: two of one name, an unknown event type, a URL that is not allowed, or an unusable `ca_file`.
        SecretError: a secret file that must not be used.
    """
    keys: dict[str, bytes] = {}
    for subscriber in subscribers:
        if subscriber.name in keys:
            raise SubscriberError(f"two subscribers named {subscriber.name!r}")
        for wanted in subscriber.types:
            if wanted not in EVENT_TYPES:
                known = ", ".join(EVENT_TYPES)
                raise SubscriberError(f"subscriber {subscriber.name!r}: no event type {wanted!r}; there are {known}")
        _check_url(subscriber)
        _trust(subscriber)
        keys[subscriber.name] = read_secret(subscriber.secret_file)
    return keys


class Forwarder:
    """Serves every subscriber. Construct it before anything writes to the ledger: it registers who gets what.

    Args:
        ledger: whose outbox is emptied.
        subscribers: whom to serve.
        now_ns: the wall clock.
        retry: delays between attempts.

    Raises:
        SubscriberError, SecretError: as `check`.
    """

    def __init__(
        self,
        ledger: Ledger,
        subscribers: Sequence[Subscriber],
        *,
        now_ns: Callable[[], int] = time.time_ns,
        retry: Retry | None = None,
    ) -> None:
        keys = check(subscribers)
        wants = [
            (each.name, Wants(types=tuple(each.types), severity=each.severity, machines=tuple(each.machines)))
            for each in subscribers
        ]
        ledger.outbox.register("subscriber", wants, now_ns=now_ns())
        self._lines = [Line(ledger, each, keys[each.name], now_ns, retry or Retry()) for each in subscribers]

    def start(self) -> None:
        """Begins; call once."""
        for line in self._lines:
            line.start()

    def stop(self) -> None:
        """Ends every thread, each after the request under way; safe without `start`."""
        for line in self._lines:
            line.ask_to_stop()
        for line in self._lines:
            line.join()

    def stats(self) -> list[ForwardStats]:
        """One per subscriber, in the order of the configuration."""
        return [line.stats() for line in self._lines]


class Line:
    """One subscriber's thread."""

    def __init__(
        self, ledger: Ledger, subscriber: Subscriber, key: bytes, now_ns: Callable[[], int], retry: Retry
    ) -> None:
        self._ledger = ledger
        self._to = subscriber
        self._key = key
        self._now_ns = now_ns
        self._retry = retry
        self._delivered = self._failed = self._given_up = 0
        self._last_error = ""
        self._troubled = True  # a restart is a reason to try at once what waits for a later attempt
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name=f"forward-{subscriber.name}", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Tells the thread."""
        self._stopping.set()
        self._ledger.outbox.poke()

    def join(self) -> None:
        """Waits for the request under way."""
        if self._thread.is_alive():
            self._thread.join(2 * self._to.timeout_s + 5.0)

    def stats(self) -> ForwardStats:
        """The state now."""
        return ForwardStats(
            name=self._to.name,
            delivered=self._delivered,
            failed=self._failed,
            given_up=self._given_up,
            last_error=self._last_error,
            running=self._thread.is_alive(),
        )

    def _main(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._client() as client:
                    self._serve(client)
            except Exception as exc:  # noqa: BLE001  # whatever it was, the thread lives on and says so
                self._note(f"{type(exc).__name__}: {exc}")
                self._stopping.wait(self._retry.poll_s)

    def _serve(self, client: httpx.Client) -> None:
        seen = 0
        while not self._stopping.is_set():
            if not self._round(client):
                seen = self._ledger.outbox.wait(seen, self._retry.poll_s)

    def _client(self) -> httpx.Client:
        return httpx.Client(
            verify=_trust(self._to), follow_redirects=False, trust_env=False, timeout=self._to.timeout_s
        )

    def _round(self, client: httpx.Client) -> bool:
        items = self._ledger.outbox.due("subscriber", self._to.name, now_ns=self._now_ns())
        for item in items:
            if self._stopping.is_set():
                break
            self._deliver(client, item)
        return bool(items)

    def _deliver(self, client: httpx.Client, item: Item) -> None:
        status, error, retry_after_s = self._post(client, item)
        now_ns = self._now_ns()
        outbox = self._ledger.outbox
        if status is not None and 200 <= status < 300:
            outbox.delivered(item.delivery, now_ns=now_ns)
            self._delivered += 1
            self._last_error = ""
            if self._troubled:
                outbox.wake("subscriber", self._to.name, now_ns=now_ns)
                self._troubled = False
            return
        self._failed += 1
        self._note(error)
        refused = status is not None and 400 <= status < 500 and status not in RETRYABLE and status != _GONE
        if status == _GONE:
            outbox.disable("subscriber", self._to.name, reason=f"answered 410 Gone at {now_ns // SECOND_NS}")
            self._ledger.record("system", "disable", f"subscriber:{self._to.name}", error)
        too_old = now_ns - item.since_ns >= self._to.give_up_days * 86_400 * SECOND_NS
        if (refused and item.refusals + 1 >= REFUSALS) or too_old:
            outbox.give_up(item.delivery, error=error, now_ns=now_ns)
            self._ledger.record("system", "dead_letter", f"subscriber:{self._to.name}", f"{item.id}: {error}")
            self._given_up += 1
            return
        self._troubled = self._troubled or not refused
        delay_s = max(self._retry.delay_s(item.attempts), min(retry_after_s, _LONGEST_RETRY_AFTER_S))
        next_ns = now_ns + round(delay_s * SECOND_NS)
        outbox.failed(item.delivery, error=error, next_ns=next_ns, now_ns=now_ns, refused=refused)

    def _post(self, client: httpx.Client, item: Item) -> tuple[int | None, str, float]:
        now_s = self._now_ns() // SECOND_NS
        signed = headers(self._key, event_id=item.id, body=item.body, now_s=now_s)
        deadline = time.monotonic() + 2 * self._to.timeout_s
        try:
            with client.stream(
                "POST",
                self._to.url,
                content=item.body,
                headers={"content-type": f"{CONTENT_TYPE}; charset=utf-8", **signed},
            ) as answer:
                if answer.is_success:
                    return answer.status_code, "", 0.0
                text = _beginning(answer, deadline)
                return (
                    answer.status_code,
                    f"HTTP {answer.status_code} {text}".strip(),
                    _retry_after(answer.headers, now_s),
                )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            return None, f"{type(exc).__name__}: {exc}"[:300], 0.0

    def _note(self, error: str) -> None:
        if error != self._last_error:
            logging.getLogger(__name__).warning("subscriber %s: %s", self._to.name, error)
        self._last_error = error


def _beginning(answer: httpx.Response, deadline: float) -> str:
    got = b""
    for part in answer.iter_raw():
        got += part
        if len(got) >= _ANSWER_BYTES or time.monotonic() > deadline:
            break
    printable = got[:_ANSWER_BYTES].decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in printable).split())[:200]


def _retry_after(answer: Mapping[str, str], now_s: int) -> float:
    """Seconds that the receiver asks for (RFC 9110, 10.2.3); 0 without a sensible wish."""
    wish = answer.get("retry-after", "").strip()
    if wish.isascii() and wish.isdigit():
        return float(wish[:9])
    try:
        return max(parsedate_to_datetime(wish).timestamp() - now_s, 0.0)
    except (ValueError, TypeError):
        return 0.0


def _trust(subscriber: Subscriber) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(subscriber.ca_file) if subscriber.ca_file else None)
    except OSError as exc:
        raise SubscriberError(f"subscriber {subscriber.name!r}: ca_file {subscriber.ca_file}: {exc}") from exc


def _check_url(subscriber: Subscriber) -> None:
    who = f"subscriber {subscriber.name!r}"
    try:
        parts = urlsplit(subscriber.url)
        host = parts.hostname
        _ = parts.port
        httpx.URL(subscriber.url)
    except (ValueError, httpx.InvalidURL) as exc:
        raise SubscriberError(f"{who}: url: {exc}") from exc
    if parts.scheme not in {"http", "https"} or not host:
        raise SubscriberError(f"{who}: url must be http(s)://host/path")
    if parts.username or parts.password:
        raise SubscriberError(f"{who}: url carries a password; the signature is what authenticates")
    if parts.scheme == "http" and not subscriber.allow_http and not is_private(host):
        raise SubscriberError(f"{who}: plain http to {host} over a public network; use https, or set allow_http")


def is_private(host: str) -> bool:
    """Whether a host is this machine or on a private network, as far as its name tells.

    >>> is_private("127.0.0.1"), is_private("budget.lan"), is_private("nas"), is_private("example.com")
    (True, True, True, False)
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_ENDINGS)
    return address.is_loopback or address.is_private or address.is_link_local
