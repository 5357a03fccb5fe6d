"""What the overview page shows, as plain values for its template: texts in the reader's language, drawings as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from typing import Any

from gateway.alerts import SYSTEM, Alert, Entry, State
from gateway.ledger import Ledger
from gateway.services import Services
from gateway.store.base import Chart, SeriesKey, StoreUnavailable
from gateway.store.window import finished, window
from gateway.web import goods_state as state
from gateway.web import goods_views, views
from gateway.web.camera_card import camera_lines, camera_pill
from gateway.web.delivery import delivery
from gateway.web.state import machine_views, node_views
from gateway.web.still import still_there
from gateway.web.tending import Tending
from gateway.web.trouble import BLINDING, sentences, troubles
from gateway.web.unshown import card_or, unshown_alert, unshown_machine
from gateway.wording import CERTAIN, TOGETHER_NS, Wording, machine_causes
from wire.messages import Severity

CHART_MINUTES = 15
CHART_POINTS = 240
RESOLVED_DAYS = 3
RESOLVED_SHOWN = 10
SILENT_S = 120.0
"""A machine that says nothing for longer is shown with the time since."""
METER_WIDTH = 200
UNSTEADY_SHOWN = 3
NOTES_SHOWN, NOTE_LENGTH = 5, 500
"""The latest notes of an alert, and the characters of each."""
_MINUTE_NS = 60_000_000_000
_HALF_DAY_NS = 720 * _MINUTE_NS
_FIRST_CHOICES = (
    "vibration*.velocity_rms",
    "vibration*",
    "deck_temperature",
    "*temperature",
    "power",
    "*current*",
)
"""The channel that is drawn first, by pattern."""


class Overview:
    """Everything on the page at one moment, in one language."""

    def __init__(self, services: Services, words: Wording) -> None:
        self._services = services
        self._words = words
        self._page = words.catalogue["page"]
        self._now_ns = services.wall_ns()
        self._called: dict[str, str] = {}
        self._severities: dict[str, Severity] = {}
        """How bad each open alert is, by its id."""
        self._cameras: list[goods_views.CameraView] = []
        self._troubled: dict[str, int] = {}
        """Since when each open alert about a machine's own condition is, by the alert's id."""

    def values(self, asked: Alert | None = None) -> dict[str, Any]:
        """The template's values, but for the reader's own; `asked`: shown of those that are over, instead of the latest.

        Raises:
            LedgerError, LedgerUnavailable: alerts cannot be read now.
        """
        present = self._services.ledger.open_alerts()
        self._called = self._services.ledger.goods.called()
        notes = self._services.ledger.notes.of([alert.id for alert in present])
        cards = [(alert, self._card(alert, present, notes.get(alert.id, ()))) for alert in present]
        self._troubled = {alert.id: alert.since_ns for alert in present if alert.kind == "machine"}
        self._severities = {alert.id: alert.severity for alert in present}
        self._cameras = state.cameras(self._services, self._words)
        tending = Tending(self._services, self._words, self._cameras, self._now_ns)
        machines = [
            card_or(partial(unshown_machine, machine, self._words), partial(self._tended, machine, tending))
            for machine in machine_views(self._services)
        ]
        found = troubles(self._services)
        return {
            "t": self._page,
            "troubles": sentences(found, self._words),
            "actions": self._words.catalogue["actions"],
            "alerts": [card for alert, card in cards if not self._asleep(alert)],
            "snoozed": [card for alert, card in cards if self._asleep(alert)],
            "resolved": self._resolved(asked),
            "asked": asked is not None,
            "machines": machines,
            # Of a machine that is away, paused or still learned nobody knows that it runs as usual.
            "calm": bool(machines)
            and all(each["severity"] == "good" for each in machines)
            and not any(trouble.code in BLINDING for trouble in found),
            "deliveries": [delivery(one, self._words) for one in self._services.ledger.deliveries() if not one.retired],
            "nodes": [self._node(node) for node in node_views(self._services)],
        }

    def _card(self, alert: Alert, present: Sequence[Alert], notes: Sequence[Entry]) -> dict[str, Any]:
        return card_or(
            partial(unshown_alert, alert, self._words),
            lambda: self.alert(alert, together(alert, present), notes),
        )

    def alert(self, alert: Alert, others: Sequence[Alert] = (), notes: Sequence[Entry] = ()) -> dict[str, Any]:
        """One alert, which others began at about the same time, and what people wrote with what they did about it."""
        words = self._words
        text = words.describe(alert, now_ns=self._now_ns, called=self._called, beside=others)
        return {
            "id": alert.id,
            "version": alert.version,
            "severity": alert.severity.value,
            "severity_name": words.severity(alert.severity),
            "machine": words.machine(alert.machine),
            "cause": words.cause(alert.cause, alert.label).name,
            "explain": text.explain,
            "lines": [
                line
                for line in (
                    text.since,
                    text.expected,
                    text.sure,
                    text.also,
                    *text.evidence,
                    text.related,
                    self._together(others),
                )
                if line
            ],
            "check": text.check,
            "confirmed": self._confirmed(alert),
            "notes": self._written(notes),
            "causes": self._causes(alert) if alert.kind == "machine" else [],
            "owner": alert.owner,
            "acknowledged": alert.state is State.ACKNOWLEDGED,
            "state_name": words.word("states", alert.state),
            "goods": alert.kind in ("quality", "camera"),
            "until": str(self._page["until"]).format(when=words.when(alert.snoozed_until_ns or 0)),
        }

    def _together(self, others: Sequence[Alert]) -> str:
        names = (
            f"{self._words.machine(one.machine)}: {self._words.cause(one.cause, one.label).name}" for one in others
        )
        return str(self._page["together"]).format(alerts="; ".join(names)) if others else ""

    def _confirmed(self, alert: Alert) -> str:
        if not alert.confirmed:
            return ""
        name = self._words.cause(alert.confirmed, alert.confirmed_label).name
        return str(self._page["confirmed_line"]).format(cause=name, by=alert.confirmed_by)

    def _written(self, notes: Sequence[Entry]) -> list[str]:
        line = str(self._page["note_line"])
        return [line.format(by=each.by, text=shortened(each.text, NOTE_LENGTH)) for each in notes[-NOTES_SHOWN:]]

    def _causes(self, alert: Alert) -> list[tuple[str, str]]:
        """Causes to confirm, by code and name: those that are suspected first, then all of them by name."""
        suspected = [cause.code for cause in alert.causes if cause.code in machine_causes()]
        names = {code: self._words.cause(code).name for code in machine_causes()}
        others = sorted(names.keys() - set(suspected), key=lambda code: names[code].casefold())
        return [(code, names[code]) for code in (*suspected, *others)]

    def _asleep(self, alert: Alert) -> bool:
        return alert.snoozed_until_ns is not None and alert.snoozed_until_ns > self._now_ns

    def _resolved(self, asked: Alert | None) -> list[dict[str, Any]]:
        shown = lately(self._services.ledger, self._now_ns) if asked is None else [asked]
        notes = self._services.ledger.notes.of([alert.id for alert in shown])
        return [self._closed(alert, notes.get(alert.id, ())) for alert in shown]

    def _closed(self, alert: Alert, notes: Sequence[Entry]) -> dict[str, Any]:
        words = self._words
        state = words.word("resolutions", alert.resolution)
        when = words.when(alert.resolved_ns or 0)
        by = alert.resolved_by not in ("", SYSTEM)
        return {
            "id": alert.id,
            "machine": words.machine(alert.machine),
            "cause": words.cause(alert.cause, alert.label).name,
            "confirmed": self._confirmed(alert),
            "line": str(self._page["resolved_line"]).format(when=when, state=state, by=alert.resolved_by)
            if by
            else f"{when}: {state}",
            # What was written at the end is `done`.
            "notes": self._written(
                [each for each in notes if (each.what, each.at_ns) != ("resolved", alert.resolved_ns)]
            ),
            "done": alert.done,
        }

    def _tended(self, machine: views.Machine, tending: Tending) -> dict[str, Any]:
        return self._machine(machine) | tending.of(machine)

    def _machine(self, machine: views.Machine) -> dict[str, Any]:
        words, page = self._words, self._page
        channels = sorted(
            ({"name": name, "label": words.feature(name), "unit": words.word("units", value.unit)}
             for name, value in machine.values.items()),
            key=lambda channel: (channel["label"], channel["name"]),
        )  # fmt: skip
        chosen = first_choice([channel["name"] for channel in channels])
        cameras = [] if machine.condition_ns else [one for one in self._cameras if one.machine == machine.machine]
        limit = machine.limit or 1.0
        share = min((machine.score or 0.0) / (2 * limit), 1.0)
        return {
            "node": machine.node,
            "machine": machine.machine,
            "title": machine.title,
            **self._pill(machine, cameras),
            "facts": self._facts(machine, seen=bool(cameras)),
            "cameras": camera_lines(cameras, self._words, self._now_ns),
            "learned": machine.learned,
            "judged": bool(machine.condition_ns),
            "learning_text": self._learning(machine),
            "notes": self._notes(machine),
            "score": f"{min(machine.score or 0.0, 2 * limit):.3g}",
            "most": f"{2 * limit:.3g}",
            "meter": f"{METER_WIDTH * share:.1f}",
            "sensor_faults": [
                str(page["sensor_fault"]).format(channel=words.feature(channel)) for channel in machine.sensor_faults
            ],
            "channels": channels,
            "chosen": chosen,
            **self._drawn(self._chart(machine, chosen) if chosen else None),
        }

    def _pill(self, machine: views.Machine, cameras: Sequence[goods_views.CameraView]) -> dict[str, str]:
        """How it is in a word; a machine that nobody watches just now is not called good."""
        if cameras:
            alerts = [self._severities[alert] for alert in machine.alerts if alert in self._severities]
            return camera_pill(machine, cameras, alerts, self._words)
        if not machine.online:
            return {"severity": "new", "severity_name": str(self._page["offline"])}
        if machine.stale:
            return {"severity": "new", "severity_name": str(self._page["stale_pill"])}
        if machine.paused:
            return {"severity": "new", "severity_name": str(self._page["pause_pill"])}
        name = self._words.word("severities", machine.severity or "unknown")
        return {"severity": machine.severity or "new", "severity_name": name}

    def _learning(self, machine: views.Machine) -> str:
        percent, left_s = int(100 * machine.learned), machine.learning_left_s
        if left_s is None or not machine.online or machine.stale or machine.paused:
            return str(self._page["learning"]).format(percent=percent)
        return str(self._page["learning_left"]).format(percent=percent, duration=self._words.duration(left_s))

    def _notes(self, machine: views.Machine) -> list[str]:
        """What is worth knowing besides the score: what is coming, what moved, and how far it can be trusted."""
        notes: list[str] = []
        if machine.online and machine.stale:
            age_s = (self._now_ns - machine.condition_ns) / 1e9
            return [str(self._page["stale"]).format(duration=self._words.duration(age_s))]
        if machine.online and machine.unjudged:
            # Also while it learns: who then takes something away need not let it learn twice.
            notes.append(str(self._page["unjudged"]).format(count=machine.unjudged))
        if not machine.online or machine.learned < 1:
            return notes
        if (coming := machine.prognosis) is not None:
            notes.append(self._words.expected(coming.low_s, coming.high_s, coming.confidence, coming.reaches))
        notes += self._in_spite(machine)
        notes += still_there(self._services.ledger, machine, self._words, self._now_ns)
        if machine.severity not in (None, "good") and not machine.alerts:
            at_ns = machine.condition_ns
            notes += [self._words.evidence(item, at_ns=at_ns, now_ns=self._now_ns) for item in machine.evidence[:2]]
        if machine.limit is None:
            notes.append(str(self._page["new_regime"]))
        elif machine.certainty is not None and machine.certainty < CERTAIN:
            notes.append(str(self._page["uncertain"]).format(percent=round(100 * machine.certainty)))
        if machine.unsteady and not machine.alerts:
            features = ", ".join(self._words.feature(name) for name in machine.unsteady[:UNSTEADY_SHOWN])
            notes.append(str(self._page["unsteady"]).format(features=features))
        return notes

    def _in_spite(self, machine: views.Machine) -> list[str]:
        """Why it is called in trouble though its score is not over the limit now, as in a regime that the fault does not show in."""
        since = [self._troubled[alert] for alert in machine.alerts if alert in self._troubled]
        if machine.severity not in ("warning", "alarm") or machine.paused or not since:
            return []
        if machine.limit is not None and (machine.score or 0.0) >= machine.limit:
            return []
        near = self._now_ns - min(since) < _HALF_DAY_NS
        when = self._words.clock(min(since))[:5] if near else self._words.when(min(since))
        return [str(self._page["open_since" if machine.limit is None else "in_spite"]).format(when=when)]

    def _facts(self, machine: views.Machine, *, seen: bool) -> str:
        """`seen`: by cameras only, which do not say what it is doing."""
        facts = [machine.node]
        if machine.online and not machine.stale and not seen:  # what it did when it was last heard is no news
            facts.insert(0, self._words.word("regimes", machine.regime or "unknown"))
        silent_s = (self._now_ns - machine.seen_ns) / 1e9
        if not machine.seen_ns:
            facts.append(str(self._page["never_heard"]))
        elif silent_s > SILENT_S:
            facts.append(str(self._page["last_heard"]).format(duration=self._words.duration(silent_s)))
        return " · ".join(facts)

    def _chart(self, machine: views.Machine, channel: str) -> Chart | None:
        key = SeriesKey(machine.site, machine.node, machine.machine, channel)
        start_ns = self._now_ns - CHART_MINUTES * _MINUTE_NS
        try:
            return self._services.store.read(key, start_ns, self._now_ns, CHART_POINTS)
        except StoreUnavailable:
            return None  # /health says so; the page is still of use

    def _drawn(self, chart: Chart | None) -> dict[str, str]:
        """The chart's finished buckets as points of a 300 × 100 drawing, and its numbers."""
        step_ns = window(self._now_ns - CHART_MINUTES * _MINUTE_NS, self._now_ns, CHART_POINTS).step_ns
        over = 0 if chart is None else finished(chart.times_ns, step_ns, self._now_ns)
        if chart is None or over < 2:
            return dict.fromkeys(("points", "low", "latest", "high", "first", "last"), "")
        words, times_ns, mean = self._words, chart.times_ns[:over], chart.mean[:over]
        first_ns, last_ns = int(times_ns[0]), int(times_ns[-1])
        span, low, high = (last_ns - first_ns) or 1, float(min(mean)), float(max(mean))
        height = (high - low) or 1.0
        points = " ".join(
            f"{300 * (int(time_ns) - first_ns) / span:.1f},{95 - 90 * (float(value) - low) / height:.1f}"
            for time_ns, value in zip(times_ns, mean, strict=True)
        )
        return {
            "points": points,
            "low": f"min {words.number(low)}",
            "latest": f"{words.number(float(mean[-1]))} {words.word('units', chart.unit)}",
            "high": f"max {words.number(high)}",
            "first": words.clock(first_ns),
            "last": words.clock(last_ns),
        }

    def _node(self, node: views.Node) -> dict[str, Any]:
        return {
            "name": node.node if node.origin != state.WATCH else f"{node.node} ({self._words.word('kinds', 'camera')})",
            "node": node.node,
            "origin": node.origin,
            "online": node.online,
            "connection": self._page["online"] if node.online else self._page["offline"],
            "received": node.last,
            "missing": node.evicted,
        }


def lately(ledger: Ledger, now_ns: int) -> list[Alert]:
    """The latest `RESOLVED_SHOWN` alerts that were resolved within `RESOLVED_DAYS`."""
    since_ns = now_ns - RESOLVED_DAYS * 1440 * _MINUTE_NS
    listed = (
        alert
        for alert in ledger.alerts(limit=200)
        if alert.state is State.RESOLVED and alert.resolution != "merged" and (alert.resolved_ns or 0) >= since_ns
    )
    return list(islice(listed, RESOLVED_SHOWN))


def together(alert: Alert, present: Sequence[Alert]) -> list[Alert]:
    """Other present troubles of machines and goods that began within `TOGETHER_NS` of this one's beginning: one often shows in two places.

    That says nothing of a cause; a person who repairs one looks at the other, too.
    """
    return [
        other
        for other in present
        if other.id != alert.id
        and {alert.kind, other.kind} <= {"machine", "quality"}
        and abs(other.since_ns - alert.since_ns) <= TOGETHER_NS
    ]


def shortened(text: str, length: int) -> str:
    """The beginning of a text that is longer.

    >>> shortened("too hot", 7), shortened("far too hot", 7)
    ('too hot', 'far to…')
    """
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def first_choice(names: list[str]) -> str:
    """The channel that says most about a machine; empty without any.

    >>> first_choice(["power", "vibration.x.velocity_rms", "vibration.x.rms"])
    'vibration.x.velocity_rms'
    """
    matching = (name for pattern in _FIRST_CHOICES for name in names if fnmatchcase(name, pattern))
    return next(matching, names[0] if names else "")
