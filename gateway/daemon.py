"""The gateway daemon: puts the parts together, watches over them, and stops them so that nothing is lost."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final, Protocol, Self

import msgspec

from gateway.alerting import READER as ALERTS_READER
from gateway.alerting import Alerting
from gateway.config import MB, GatewayOptions, local_zone, password_of, read_gateway, zone_of
from gateway.forward import Forwarder
from gateway.goods import Goods
from gateway.ingest import Ingest
from gateway.ledger import Ledger
from gateway.ledger_file import LedgerError, LedgerUnavailable
from gateway.listener import LiveEvent
from gateway.live import Live
from gateway.notify import Notifier as PeopleNotifier
from gateway.origins import OriginState
from gateway.relating import Relating
from gateway.remembered import silent_machines
from gateway.services import Failures, Services
from gateway.store.base import StoreConfigError, StoreUnavailable
from gateway.store.registry import open_store, pause_s
from gateway.storing import READER as STORE_READER
from gateway.storing import Storing
from gateway.translate import Translator
from gateway.web.app import build
from gateway.web.server import CannotServe, WebServer
from gateway.wording import LANGUAGES, Wording
from wire.broker import link_config
from wire.journal import Journal, JournalError
from wire.service import Notifier, StopSignals, stop_together
from wire.settings import SettingsError
from wire.topics import GATEWAY

BAD_CONFIGURATION: Final = 2
FAILED: Final = 1
TURN_S = 0.5
STOP_S = 45.0
"""Longest wait for all parts together; the unit allows a stop twice as much, for the files are closed after it."""
STALL_S = 60.0


class DaemonError(Exception):
    """The daemon cannot go on and must be started again; the text says why."""


class Gateway:
    """The running gateway; `with Gateway(options) as gateway:` starts and stops it.

    Raises:
        JournalBusy: another gateway runs with the same state folder.
        JournalError, LedgerError, LedgerUnavailable, StoreUnavailable, OSError: the state folder cannot be used.
    """

    def __init__(self, options: GatewayOptions, *, where: str = "", wall_ns: Callable[[], int] = time.time_ns) -> None:
        self.options = options
        options.state.dir.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opening:  # what was opened is closed again when what comes after it cannot be
            self._open(options, opening, where, wall_ns)
            self._opened = opening.pop_all()
        self._seen_alerts: dict[str, int] = {}
        self._untold = ""

    def _open(self, options: GatewayOptions, opening: ExitStack, where: str, wall_ns: Callable[[], int]) -> None:
        password = password_of(options.web, where)
        zone = zone_of(options, where) or local_zone()
        titles = {facts.name: facts.title for facts in options.machines if facts.title}
        wordings = {code: Wording(code, zone=zone, titles=titles) for code in LANGUAGES}
        self._open_files(
            options, opening, Translator(options.costs, options.machines, list(wordings.values())), wall_ns
        )
        self._make_intake(options, wall_ns)
        self._make_readers(options, wordings, zone, wall_ns)
        self.services = self._sum_up(options, titles, wordings, wall_ns)
        self.web = WebServer(options.web, build(self.services, password=password))
        opening.callback(self._stop_parts)

    def _open_files(
        self, options: GatewayOptions, opening: ExitStack, translator: Translator, wall_ns: Callable[[], int]
    ) -> None:
        folder = options.state.dir
        self.journal = Journal(
            folder / "journal.sqlite",
            readers=[STORE_READER, ALERTS_READER],
            max_bytes=options.journal.max_mb * MB,
            min_free_bytes=options.journal.min_free_mb * MB,
        )
        opening.callback(self.journal.close)
        self.ledger = Ledger(
            folder / "ledger.sqlite",
            policy=options.alerts,
            batches=options.batches,
            translator=translator,
            now_ns=wall_ns,
        )
        opening.callback(self.ledger.close)
        self.goods = Goods(folder / "goods.sqlite", options.goods)
        opening.callback(self.goods.close)
        self.store = open_store(options.store)
        opening.callback(self.store.close)

    def _make_readers(
        self, options: GatewayOptions, wordings: dict[str, Wording], zone: tzinfo, wall_ns: Callable[[], int]
    ) -> None:
        self.forwarder = Forwarder(self.ledger, options.subscribers, now_ns=wall_ns)
        self.people = PeopleNotifier(
            self.ledger, options.persons, wordings=wordings, settings=options.notify, zone=zone, now_ns=wall_ns
        )
        self.storing = Storing(
            self.journal,
            self.store,
            apart=options.state.dir / "rejected.sqlite",
            pause_s=pause_s(options.store),
            wall_ns=wall_ns,
        )
        self.live = Live(
            self.journal,
            wall_ns=wall_ns,
            known=lambda found: silent_machines(self.store, options.site, found, now_ns=wall_ns()),
            retired=self.ingest.retired,
        )
        self.relating = Relating(self.ledger, self.store, now_ns=wall_ns)

    def _make_intake(self, options: GatewayOptions, wall_ns: Callable[[], int]) -> None:
        self.ingest = Ingest(
            options.site,
            self.journal,
            link_config(options.mqtt, f"{options.site}-{GATEWAY}"),
            wall_ns=wall_ns,
            on_status=self._hear_status,
        )
        self.alerting = Alerting(
            self.ledger,
            self.journal,
            goods=self.goods,
            send=self.ingest.send_command,
            now_ns=wall_ns,
            retired=self.ingest.retired,
        )

    def _sum_up(
        self, options: GatewayOptions, titles: dict[str, str], wordings: dict[str, Wording], wall_ns: Callable[[], int]
    ) -> Services:
        return Services(
            site=options.site,
            language=options.language,
            titles=titles,
            wordings=wordings,
            journal=self.journal,
            ingest=self.ingest,
            live=self.live,
            store=self.store,
            storing=self.storing,
            ledger=self.ledger,
            goods=self.goods,
            alerting=self.alerting,
            alive={
                "ingest": lambda: self.ingest.alive,
                "storing": lambda: self.storing.stats().running,
                "alerting": lambda: self.alerting.stats().running,
                "forwarding": lambda: all(line.running for line in self.forwarder.stats()),
                "notifying": lambda: not options.persons or self.people.stats().running,
                "live": self.live.alive,
                "relating": lambda: self.relating.stats().running,
            },
            failures={
                "storing": lambda: _failures(self.storing.stats()),
                "alerting": lambda: _failures(self.alerting.stats()),
                "notifying": lambda: Failures(self.people.stats().failures, self.people.stats().round_error),
                "relating": lambda: _failures(self.relating.stats()),
            },
            wall_ns=wall_ns,
        )

    def _stop_parts(self) -> None:
        """All at once: each keeps what it was given, and what it was not given yet waits in the journal or the ledger."""
        parts = {
            "web": self.web.stop,
            "live": self.live.stop,
            "ingest": self.ingest.stop,
            "storing": self.storing.stop,
            "alerting": self.alerting.stop,
            "relating": self.relating.stop,
            "forwarding": self.forwarder.stop,
            "notifying": self.people.stop,
        }
        hanging = stop_together(parts, STOP_S)
        if hanging:
            logging.getLogger(__name__).warning("did not end in time: %s", ", ".join(hanging))

    def start(self) -> None:
        """Readers first, so that nothing waits for them; the broker last.

        Raises:
            DaemonError: the page's address cannot be used.
        """
        try:
            self.web.start()
        except CannotServe as exc:
            raise DaemonError(str(exc)) from exc
        self.live.start()
        self.storing.start()
        self.alerting.start()
        self.relating.start()
        self.forwarder.start()
        self.people.start()
        self.ingest.start()

    def turn(self) -> None:
        """About twice a second: tells listeners of changed alerts, and looks after the parts.

        Raises:
            DaemonError: a part has ended; a new process takes up where it stopped.
            LedgerError: the ledger is damaged.
        """
        try:
            self._tell_alerts()
            self._untold = ""
        except LedgerUnavailable:
            pass  # next turn again
        except LedgerError:
            raise
        except Exception as exc:  # pages that are open are not worth ending the gateway
            if str(exc) != self._untold:
                logging.getLogger(__name__).exception("open pages are not told of alerts")
            self._untold = str(exc)
        ended = [name for name, alive in self.services.alive.items() if not alive()]
        if not self.web.alive():
            ended.append("web")
        if ended:
            raise DaemonError(f"ended unexpectedly: {', '.join(ended)}")

    def progressing(self) -> bool:
        """Whether taking in, storing and alerting, which never rest, have turned lately."""
        oldest_ns = min(self.ingest.progress_ns, self.storing.stats().progress_ns, self.alerting.stats().progress_ns)
        return time.monotonic_ns() - oldest_ns < STALL_S * 1e9

    def status(self) -> str:
        """One line for people."""
        ingest, storing = self.ingest.stats(), self.storing.stats()
        broker = "broker connected" if ingest.link.connected else "no broker"
        return f"{broker}, {ingest.accepted} messages taken in, {storing.backlog} waiting for the store"

    def stop(self) -> None:
        """Ends every part, whatever becomes of the others, and then closes the files."""
        self._opened.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _hear_status(self, state: OriginState) -> None:
        self.alerting.hear_node(state.site, state.node, state.origin, online=state.online)

    def _tell_alerts(self) -> None:
        """Live listeners hear of an alert when its version changes."""
        present = {alert.id: alert for alert in self.ledger.open_alerts()}
        gone = [self.ledger.alert(one) for one in self._seen_alerts.keys() - present.keys()]
        closed = [alert for alert in gone if alert is not None]
        for alert in present.values():
            if self._seen_alerts.get(alert.id) != alert.version:
                self.live.publish(LiveEvent.of("alert", alert))
        for alert in closed:
            self.live.publish(LiveEvent.of("alert", alert))
        self._seen_alerts = {alert.id: alert.version for alert in present.values()}


class _Failing(Protocol):
    """What a part that goes on after a failure says of itself."""

    @property
    def failures(self) -> int: ...
    @property
    def last_error(self) -> str: ...


def _failures(stats: _Failing) -> Failures:
    return Failures(stats.failures, stats.last_error)


def main(config_path: Path, *, check: bool = False, json_output: bool = False) -> int:
    """Runs the gateway until SIGTERM or Ctrl-C, or only checks its configuration.

    Returns:
        0 after a signal or a good check, 1 when it could not go on, 2 for a configuration that cannot work.
    """
    try:
        options = read_gateway(config_path)
        if check:
            sys.stdout.write('{"ok":true}\n' if json_output else f"{config_path}: good\n")
            return 0
        summary = _run(options, str(config_path))
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        return BAD_CONFIGURATION
    except StoreConfigError as exc:
        sys.stderr.write(f"{config_path}: store: {exc}\n")
        return BAD_CONFIGURATION
    except (
        DaemonError,
        JournalError,
        LedgerError,
        LedgerUnavailable,
        StoreUnavailable,
        OSError,
    ) as exc:
        sys.stderr.write(f"werkpuls gateway: {exc}\n")
        return FAILED
    if json_output:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    return 0


def _run(options: GatewayOptions, where: str) -> dict[str, Any]:
    notifier = Notifier.from_environment()
    with StopSignals() as signals, Gateway(options, where=where) as gateway:
        scheme = "http" if options.web.cert is None else "https"
        logging.getLogger(__name__).info("ready: %s://%s:%s/", scheme, options.web.host, options.web.port)
        notifier.ready(gateway.status())
        while not signals.stop.wait(TURN_S):
            gateway.turn()
            notifier.status(gateway.status())
            if gateway.progressing():
                notifier.alive()
        notifier.stopping()
        ingest, storing = gateway.ingest.stats(), gateway.storing.stats()
        return {
            "received": ingest.received,
            "accepted": ingest.accepted,
            "duplicates": ingest.duplicates,
            "refused": ingest.refused,
            "stored": storing.stored,
            "points": storing.points,
            "backlog": storing.backlog,
        }
