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
from gateway.oven_history import TEMPERATURES, features
from gateway.related import Measure, Relation
from gateway.relation import LAGS_S, LEAST_BATCHES, WINDOW_S, BatchPoint, Goods, relate
from gateway.store.base import Chart, SeriesKey, Store, StoreUnavailable
from gateway.triage import Triage
from wire.backoff import Backoff

SPAN_DAYS = 42.0
"""Looked back over; older batches are another season's."""
STEP_S = 120.0
MOST_CHANNELS = 24
"""Read of one machine: temperatures first, then what it draws, then the rest by name."""
READING_S = 30.0
"""What has not been read by then is left out, and comes next time."""
LEAST_ITEMS = 5
"""Measured (for rejects: judged) items that make a batch's figure one."""
WAKE_S = 5.0
_NS = 1_000_000_000
_DERIVED = ("condition.", "inspection.", "health.")
_ELECTRIC = frozenset({"A", "mA", "W", "kW"})


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


def read_machine(
    store: Store, site: str, machine: str, start_ns: int, end_ns: int, *, enough: Callable[[], bool]
) -> dict[str, Chart]:
    """Channels of a machine between two moments, whichever node measures them; those that were read until it was `enough`.

    Raises:
        StoreUnavailable: it cannot be asked now.
    """
    known: dict[str, tuple[int, SeriesKey]] = {}
    for key, unit in store.series():
        if key.site == site and key.machine == machine and not key.channel.startswith(_DERIVED):
            rank = 0 if unit in TEMPERATURES else 1 if unit in _ELECTRIC else 2 if "." not in key.channel else 3
            known[key.channel] = (rank, key)
    chosen = sorted(known.values(), key=lambda one: (one[0], one[1].channel))[:MOST_CHANNELS]
    buckets = round((end_ns - start_ns) / (STEP_S * _NS)) + 2
    charts: dict[str, Chart] = {}
    for _, key in chosen:
        if enough():
            break
        charts[key.channel] = store.read(key, start_ns, end_ns, buckets)
    return charts


@dataclass(frozen=True, slots=True)
class RelatingStats:
    """How it is doing, since start."""

    asked: int
    """How often a machine's history was read."""
    told: int
    failures: int
    last_error: str
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

        Raises:
            StoreUnavailable, LedgerUnavailable: ask again later; alerts are as they were.
        """
        told = 0
        alerts = self._ledger.relations.untold()
        episodes = [(alert.id, alert.reopened) for alert in alerts]
        self._asked_with = {episode: self._asked_with.get(episode, "") for episode in episodes}
        for episode, alert in zip(episodes, alerts, strict=True):
            asked = asked_of(alert)
            if asked is None or alert.product is None or self._stopping.is_set():
                continue
            since_ns = self._now_ns() - round(SPAN_DAYS * 86_400 * _NS)
            latest = self._ledger.relations.over(alert.site, alert.machine, alert.product, since_ns=since_ns)
            if self._asked_with[episode] == latest:
                continue
            batches = self._ledger.relations.batches(alert.site, alert.machine, alert.product, since_ns=since_ns)
            self._asked_with[episode] = latest  # also where the answer is a stumble: it would be the same again
            try:
                relation = self._ask(alert, asked, batches)
                if relation is not None:
                    with self._ledger.transaction() as work:
                        told += Triage(work, self._ledger.policy).relate(alert.id, relation, at_ns=self._now_ns())
            except (StoreUnavailable, LedgerUnavailable):
                self._asked_with[episode] = ""
                raise
        self._told += told
        return told

    def _ask(self, alert: Alert, asked: _Asked, batches: Sequence[Batch]) -> Relation | None:
        points, goods = points_of(batches, asked.measure)
        if len(points) < LEAST_BATCHES:
            return None
        self._asked += 1
        before_ns = round((max(LAGS_S) + WINDOW_S + 3600.0) * _NS)
        start_ns, end_ns = points[0].time_ns - before_ns, points[-1].time_ns + _NS
        deadline_s = time.monotonic() + READING_S
        charts = read_machine(
            self._store,
            alert.site,
            alert.machine,
            start_ns,
            end_ns,
            enough=lambda: self._stopping.is_set() or time.monotonic() > deadline_s,
        )
        relation = relate(points, features(charts, STEP_S), goods)
        if relation is None or (relation.moved.after - relation.moved.before) * asked.way < 0.0:
            return None
        return relation

    def _main(self) -> None:
        while not self._stopping.is_set():
            wait_s = WAKE_S
            try:
                self.turn()
                self._backoff.reset()
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
