"""Messages to people through Apprise (mail, chat, push), one per alert and recipient's address, and one when it gets worse.

An address is an Apprise URL and contains passwords: it is read from a file or an environment variable, never logged and never
shown; an address is called by its person's name and number. Apprise tells only whether a message was taken, so a failure
names the service and nothing more.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gateway.alerts import SECOND_NS, Alert, Reason
from gateway.ledger import Ledger
from gateway.outbox import Item, Wants
from gateway.retry import Retry
from gateway.wording import Wording
from wire.messages import FindingType, Name, Severity

GIVE_UP_S = 24 * 3600.0
"""A message about an alert that is a day late helps nobody; it becomes a dead letter."""
_MINUTES_A_DAY = 1440


class NotifyError(Exception):
    """A person who cannot be told as configured; the text says who and why, and never the address."""


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[person]]` in gateway.toml: somebody who is told about alerts."""

    name: Name
    urls_file: Path | None = None
    """File with Apprise URLs, one a line; not readable by every user. This or `urls_env` is required."""
    urls_env: Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]*$")] | None = None
    """Environment variable with Apprise URLs, separated by spaces or line ends."""
    language: Literal["de", "en"] = "de"
    """Language of the messages."""
    severity: Severity = Severity.WARNING
    """From this severity on."""
    machines: list[Name] = []
    """Only about these machines; empty: about all."""
    kinds: list[FindingType] = []
    """Only alerts of these kinds; empty: of all."""
    quiet: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    """Local time, e.g. `22:00-05:30`, in which only alarms are sent; the rest waits for its end."""


class Notifications(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify]` in gateway.toml."""

    page_url: Annotated[str, Meta(max_length=500)] = ""
    """Address of the gateway's page as people reach it, for the link in a message."""


class Sender:
    """One address. `service` is the Apprise schema, the only part of the address that may be shown."""

    def __init__(self, url: str) -> None:
        # Apprise logs addresses at some levels; what it has to say is in its return value.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            # Its plug-ins are loaded by the first address; what some of them say of Python's own modules is not ours to mend.
            warnings.simplefilter("ignore", DeprecationWarning)
            import apprise  # noqa: PLC0415  # 37 MB, and needed only where people are told

            self._apprise: Any = apprise.Apprise()
            understood = self._apprise.add(url)
        self.service = url.partition("://")[0][:20]
        if not understood:
            raise ValueError("not an address that Apprise understands")
        self._types = {"alarm": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING}
        self._other = apprise.NotifyType.INFO

    def send(self, title: str, body: str, severity: str) -> bool:
        """Whether the service took it."""
        return bool(self._apprise.notify(title=title, body=body, notify_type=self._types.get(severity, self._other)))


@dataclass(frozen=True, slots=True)
class NotifyStats:
    """How telling people is doing, since start; the queue is in `Ledger.deliveries()`."""

    sent: int
    failed: int
    given_up: int
    failures: int
    """Attempts that did not work, and rounds."""
    last_error: str
    """Of the last round or attempt; empty after one that worked. Who is not reached: `Outbox.unreached`."""
    round_error: str
    """Why nobody can be told just now; empty after a round that worked."""
    running: bool


class Notifier:
    """One thread that tells people. Construct it before anything writes to the ledger: it registers who gets what.

    Args:
        ledger: whose outbox is emptied.
        persons: whom to tell.
        wordings: one per language.
        settings: what messages say besides.
        zone: where the people are, for quiet hours.
        now_ns: the wall clock.
        retry: delays between attempts.
        environment: where `urls_env` is looked up.

    Raises:
        NotifyError: no or unusable addresses.
    """

    def __init__(
        self,
        ledger: Ledger,
        persons: Sequence[Person],
        *,
        wordings: Mapping[str, Wording],
        settings: Notifications | None = None,
        zone: tzinfo = UTC,
        now_ns: Callable[[], int] = time.time_ns,
        retry: Retry | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._ledger = ledger
        self._wordings = dict(wordings)
        self._settings = settings if settings is not None else Notifications()
        self._zone = zone
        self._now_ns = now_ns
        self._retry = retry if retry is not None else Retry(first_s=5.0, most_s=600.0)
        self._addresses: dict[str, tuple[Person, Sender]] = {}
        wants: list[tuple[str, Wants]] = []
        for person in persons:
            wanted = Wants(severity=person.severity, machines=tuple(person.machines), kinds=tuple(person.kinds))
            for number, url in enumerate(addresses(person, environment), start=1):
                address = f"{person.name}#{number}"
                if address in self._addresses:
                    raise NotifyError(f"two persons named {person.name!r}")
                self._addresses[address] = (person, _sender(person, number, url))
                wants.append((address, wanted))
        ledger.outbox.register("person", wants, now_ns=now_ns())
        self._sent = self._failed = self._given_up = self._stopped = 0
        self._last_error = self._round_error = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="notify", daemon=True)

    def start(self) -> None:
        """Begins; call once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the message under way; safe without `start`."""
        self._stopping.set()
        self._ledger.outbox.poke()
        if self._thread.is_alive():
            self._thread.join(30.0)

    def stats(self) -> NotifyStats:
        """The state now."""
        return NotifyStats(
            sent=self._sent,
            failed=self._failed,
            given_up=self._given_up,
            failures=self._failed + self._stopped,
            last_error=self._round_error or self._last_error,
            round_error=self._round_error,
            running=self._thread.is_alive(),
        )

    def _main(self) -> None:
        seen = 0
        while not self._stopping.is_set():
            try:
                busy = [self._round(address) for address in self._addresses]
                if not any(busy):
                    seen = self._ledger.outbox.wait(seen, self._retry.poll_s)
                self._round_error = ""
            except Exception as exc:  # noqa: BLE001  # whatever it was, the thread lives on and says so
                self._stopped += 1
                self._round_error = f"{type(exc).__name__}: {exc}"
                logging.getLogger(__name__).warning("telling people stopped for a moment: %s", self._round_error)
                self._stopping.wait(self._retry.poll_s)

    def _round(self, address: str) -> bool:
        items = self._ledger.outbox.due("person", address, now_ns=self._now_ns())
        for item in items:
            if self._stopping.is_set():
                break
            self._tell(address, item)
        return bool(items)

    def _tell(self, address: str, item: Item) -> None:
        person, sender = self._addresses[address]
        now_ns = self._now_ns()
        outbox = self._ledger.outbox
        if item.severity != Severity.ALARM and person.quiet is not None:
            resume_ns = quiet_until(person.quiet, now_ns, self._zone)
            if resume_ns is not None:
                outbox.postpone(item.delivery, next_ns=resume_ns, now_ns=now_ns)
                return
        about = msgspec.json.decode(item.body, type=_Notice)
        alert = self._ledger.alert(about.alert)
        if alert is None:
            outbox.give_up(item.delivery, error="its alert is gone", now_ns=now_ns)
            return
        wording, page_url = self._wordings[person.language], self._settings.page_url
        try:
            called = self._ledger.goods.called()
            beside = self._ledger.open_alerts() if alert.kind == "quality" else ()
            title, body = message(
                alert, about.reason, wording, now_ns=now_ns, page_url=page_url, called=called, beside=beside
            )
            taken = sender.send(title, body, item.severity)
        except Exception as exc:  # noqa: BLE001  # one message that fails must not hold back the others
            # Only its type: what a service's client says may hold the address.
            self._not_taken(address, item, f"{sender.service} failed with {type(exc).__name__}")
            return
        if taken:
            outbox.delivered(item.delivery, now_ns=self._now_ns())
            self._ledger.record("system", "notify", alert.id, address)
            self._sent += 1
            self._last_error = ""
            return
        self._not_taken(address, item, f"{sender.service} did not take the message")

    def _not_taken(self, address: str, item: Item, error: str) -> None:
        now_ns = self._now_ns()
        self._failed += 1
        if error != self._last_error:
            logging.getLogger(__name__).warning("telling %s: %s", address, error)
        self._last_error = error
        if now_ns - item.since_ns >= GIVE_UP_S * SECOND_NS:
            self._given_up += 1
            self._ledger.outbox.give_up(item.delivery, error=error, now_ns=now_ns)
            self._ledger.record("system", "dead_letter", f"person:{address}", f"{item.id}: {error}")
            return
        if item.attempts == 0:
            self._ledger.record("system", "notify_failed", f"person:{address}", f"{item.id}: {error}")
        next_ns = now_ns + round(self._retry.delay_s(item.attempts) * SECOND_NS)
        self._ledger.outbox.failed(item.delivery, error=error, next_ns=next_ns, now_ns=now_ns)


class _Notice(Struct, frozen=True):
    alert: str
    reason: Reason


def message(
    alert: Alert,
    reason: Reason,
    wording: Wording,
    *,
    now_ns: int,
    page_url: str = "",
    called: Mapping[str, str] | None = None,
    beside: Sequence[Alert] = (),
) -> tuple[str, str]:
    """Title and body of one message: machine, what, since when, how sure, what to check first; `called`, `beside`: see `Wording.describe`."""
    said = wording.describe(alert, now_ns=now_ns, reason=reason, called=called, beside=beside)
    lines = list(said.lines)
    if page_url:
        lines.append(wording.text("link", url=f"{page_url.rstrip('/')}/alerts/{alert.id}"))
    return said.title, "\n".join(lines)


def addresses(person: Person, environment: Mapping[str, str]) -> list[str]:
    """A person's Apprise URLs.

    Raises:
        NotifyError: neither or both sources given, a file open to every user, or nothing in it.
    """
    who = f"person {person.name!r}"
    if (person.urls_file is None) == (person.urls_env is None):
        raise NotifyError(f"{who}: urls_file or urls_env, one of them")
    if person.urls_file is not None:
        try:
            mode = person.urls_file.stat().st_mode
            text = person.urls_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise NotifyError(f"{who}: {person.urls_file} cannot be read") from exc
        if mode & stat.S_IRWXO:
            raise NotifyError(f"{who}: {person.urls_file} is open to every user; chmod 0640 or 0600")
    else:
        text = environment.get(str(person.urls_env), "")
    urls = [url for line in text.splitlines() if not line.lstrip().startswith("#") for url in line.split()]
    if not urls:
        raise NotifyError(f"{who}: no address in {person.urls_file or person.urls_env}")
    return urls


def quiet_until(quiet: str, now_ns: int, zone: tzinfo) -> int | None:
    """The end of the quiet hours that `now_ns` lies in, nanoseconds since the epoch; None outside of them.

    Args:
        quiet: `HH:MM-HH:MM`, may cross midnight; equal ends mean the whole day.
        now_ns: the moment.
        zone: whose hours these are.
    """
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in re.split("-", quiet))
    now = datetime.fromtimestamp(now_ns // SECOND_NS, tz=zone)
    minute = now.hour * 60 + now.minute
    if (minute - begin) % _MINUTES_A_DAY >= ((end - begin) % _MINUTES_A_DAY or _MINUTES_A_DAY):
        return None
    left = (end - minute - 1) % _MINUTES_A_DAY + 1
    until = now.replace(second=0) + timedelta(minutes=left)
    return round(until.timestamp()) * SECOND_NS


def _sender(person: Person, number: int, url: str) -> Sender:
    try:
        return Sender(url)
    except ValueError as exc:
        raise NotifyError(f"person {person.name!r}: address {number} is not one that Apprise understands") from exc
