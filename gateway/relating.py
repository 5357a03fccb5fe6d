"""Asks, for alerts about goods, what of their oven moved when they did: batches of the ledger against series of the store.

A thread of its own, beside alerting and behind it: an alert goes out when its time has come, with or without the answer. It is asked
for when the alert is suspected, and again each time another batch is over, until there is an answer that can be defended
(`gateway/relation.py`) or the alert is over. A store that cannot be asked costs nothing but the answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.alerts import Alert
from gateway.batches import Batch
from gateway.ledger import Ledger
from gateway.ledger_file import LedgerUnavailable
from gateway.machine_reading import MachineReading
from gateway.related import Measure
from gateway.relation import LAGS_S, LEAST_BATCHES, WINDOW_S, BatchPoint, Goods, relate
from gateway.store.base import Store, StoreUnavailable
from gateway.triage import Triage
from wire.backoff import Backoff

SPAN_DAYS = 42.0
"""Looked back over; older batches are another season's."""
READING_S = 30.0
"""What has not been read by then is read at the next turn; nothing is told before it has been."""
LEAST_ITEMS = 5
"""Measured (for rejects: judged) items that make a batch's figure one."""
WAKE_S = 5.0
_NS = 1_000_000_000


class _Asked(NamedTuple):
    """What an alert's goods are measured by, and which way they must have gone: 1, -1, or 0 for either."""

    measure: Measure
    way: int


def asked_of(alert: Alert) -> _Asked | None:
    """Which measure of the goods an alert is about; None where it is about something else.

    A drift's way is that of its evidence.
    """
    drifted = next((item.deviation for item in alert.evidence if item.feature in {"lightness", "size"}), 0.0)
    way = (drifted > 0.0) - (drifted < 0.0)
    known: Mapping[str, _Asked] = {
        "colour_drift": _Asked("lightness", way),
        "too_dark": _Asked("lightness", -1),
        "too_light": _Asked("lightness", 1),
        "size_drift": _Asked("size", way),
        "rejects_high": _Asked("rejects", 1),
        "shape": _Asked("rejects", 1),
    }
    return known.get(alert.cause) if alert.kind == "quality" else None


def points_of(batches: Sequence[Batch], measure: Measure) -> tuple[list[BatchPoint], Goods]:
    """The batches' figures with what they are, each at the middle of its time; those of too few items are left out.

    | measure | unit | least change worth telling |
    |---|---|---|
    | lightness | L* | 2: what an eye sees side by side (a just noticeable difference is about 2.3, Mahy et al. 1994) |
    | size | mm | 3 % of the usual size |
    | rejects | % of the judged | 5 |
    """
    points: list[BatchPoint] = []
    for batch in batches:
        judged = batch.items - batch.unsure
        count, value = {
            "lightness": (batch.lightness.count, batch.lightness.mean),
            "size": (batch.size_mm.count, batch.size_mm.mean),
            "rejects": (judged, 100.0 * batch.rejects / max(judged, 1)),
        }[measure]
        if count >= LEAST_ITEMS:
            points.append(BatchPoint((batch.since_ns + batch.last_ns) // 2, value))
    product = batches[-1].product if batches else ""
    usual = sorted(point.value for point in points)[len(points) // 2] if points else 0.0
    unit, least = {"lightness": ("L*", 2.0), "size": ("mm", 0.03 * usual), "rejects": ("%", 5.0)}[measure]
    return points, Goods(product, measure, unit, least)


class _UnderWay(NamedTuple):
    """A question whose machine is being read."""

    episode: tuple[str, int]
    asked: _Asked
    latest: str
    """The latest of its batches."""
    points: Sequence[BatchPoint]
    goods: Goods
    machine: MachineReading


@dataclass(frozen=True, slots=True)
class RelatingStats:
    """How it is doing, since start."""

    asked: int
    """How often a machine's history was read."""
    told: int
    failures: int
    last_error: str
    """Why the last turn did not work; empty after one that did."""
    running: bool


class Relating:
    """The thread.

    Args:
        ledger: where alerts and batches are.
        store: where the machines' series are.
        now_ns: the wall clock.
    """

    def __init__(self, ledger: Ledger, store: Store, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._ledger = ledger
        self._store = store
        self._now_ns = now_ns
        self._asked_with: dict[tuple[str, int], str] = {}
        """The latest batch that each episode of an alert was asked about with."""
        self._under_way: _UnderWay | None = None
        self._asked = self._told = self._failures = 0
        self._last_error = ""
        self._backoff = Backoff(15.0, 600.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="relating", daemon=True)

    def start(self) -> None:
        """Begins; call once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the question under way; safe without `start`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(READING_S + 10.0)

    def stats(self) -> RelatingStats:
        """The state now."""
        return RelatingStats(self._asked, self._told, self._failures, self._last_error, self._thread.is_alive())

    def turn(self) -> int:
        """Asks for every alert that another batch, or nothing yet, was asked for; returns how many were told something.

        What takes too long to be read is gone on with at the next turn, and the others wait for it.

        Raises:
            StoreUnavailable, LedgerUnavailable: ask again later; alerts are as they were.
        """
        told = 0
        alerts = {(alert.id, alert.reopened): alert for alert in self._ledger.relations.untold()}
        self._asked_with = {episode: self._asked_with.get(episode, "") for episode in alerts}
        under_way, self._under_way = self._under_way, None
        if under_way is not None and under_way.episode in alerts:
            alert = alerts[under_way.episode]
            if alert.product == under_way.goods.product and asked_of(alert) == under_way.asked:
                told += self._go_on(alert, under_way)
            else:
                self._asked_with[under_way.episode] = ""
        for episode, alert in alerts.items():
            if self._under_way is not None or self._stopping.is_set():
                break
            question = self._question(episode, alert)
            if question is not None:
                told += self._go_on(alert, question)
        return told

    def _question(self, episode: tuple[str, int], alert: Alert) -> _UnderWay | None:
        """What is to be asked of an alert; None for nothing, or nothing new."""
        asked = asked_of(alert)
        if asked is None or alert.product is None:
            return None
        since_ns = self._now_ns() - round(SPAN_DAYS * 86_400 * _NS)
        about = (alert.site, alert.machine, alert.product)
        latest = self._ledger.relations.over(*about, since_ns=since_ns)
        if self._asked_with[episode] == latest:
            return None
        points, goods = points_of(self._ledger.relations.batches(*about, since_ns=since_ns), asked.measure)
        if len(points) < LEAST_BATCHES:
            self._asked_with[episode] = latest
            return None
        self._asked += 1
        before_ns = round((max(LAGS_S) + WINDOW_S + 3600.0) * _NS)
        start_ns, end_ns = points[0].time_ns - before_ns, points[-1].time_ns + _NS
        machine = MachineReading(self._store, alert.site, alert.machine, start_ns, end_ns)
        return _UnderWay(episode, asked, latest, points, goods, machine)

    def _go_on(self, alert: Alert, question: _UnderWay) -> int:
        """Reads on and, once all is read, answers; returns how many were told something."""
        deadline_s = time.monotonic() + READING_S
        self._asked_with[question.episode] = question.latest  # also where it stumbles: it would do so again
        try:
            if not question.machine.go_on(lambda: self._stopping.is_set() or time.monotonic() > deadline_s):
                self._under_way = question
                return 0
            relation = relate(question.points, question.machine.found, question.goods)
            if relation is None or (relation.moved.after - relation.moved.before) * question.asked.way < 0.0:
                return 0
            with self._ledger.transaction() as work:
                told = int(Triage(work, self._ledger.policy).relate(alert.id, relation, at_ns=self._now_ns()))
        except (StoreUnavailable, LedgerUnavailable):
            self._under_way = question
            raise
        self._told += told
        return told

    def _main(self) -> None:
        while not self._stopping.is_set():
            wait_s = WAKE_S
            try:
                self.turn()
                self._backoff.reset()
                self._last_error = ""
            except (StoreUnavailable, LedgerUnavailable) as exc:
                wait_s = self._failed(exc, None)
            except Exception as exc:  # noqa: BLE001  # whatever it was, alerts go out without the answer
                wait_s = self._failed(exc, exc)
            self._stopping.wait(wait_s)

    def _failed(self, error: Exception, trace: Exception | None) -> float:
        self._failures += 1
        text = str(error) or type(error).__name__
        if text != self._last_error:
            logging.getLogger(__name__).warning(
                "oven and goods cannot be held against each other: %s", text, exc_info=trace
            )
        self._last_error = text
        return self._backoff.next()
