"""What an alert is: its states, its record, its history, the effects of a change, and what makes two findings one trouble.

How an alert changes is in `gateway/lifecycle.py`; which alert a finding belongs to, in `gateway/triage.py`; where alerts are
kept, in `gateway/ledger.py`. Nothing in the first three reads a clock, a file or a socket.

    pending ──(persists min_open_s, or alarm, or flaps)──▶ open ◀──▶ acknowledged
       │                                                    │  ▲          │
       └─(quiet)─▶ passed ─(again)─▶ pending                ▼  │ reopen   ▼
                                                         resolved ◀───────┘

A snooze hides an alert until a moment and is no state of its own; a rise in severity ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s
from typing import Annotated, Literal, NamedTuple, TypeAlias

from msgspec import Meta, Struct

from gateway.related import Relation
from wire.commands import Action
from wire.messages import Cause, Evidence, Finding, FindingType, Prognosis, Seconds, Severity

SECOND_NS = 1_000_000_000
SYSTEM = "system"
"""Who did it, where no person did."""

_GROUPS = {"bearing": ("bearing_outer", "bearing_inner", "bearing_ball", "bearing_cage", "bearing_wear")}
_GROUP_OF = {cause: group for group, causes in _GROUPS.items() for cause in causes}


class State(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    """Seen, but not yet for long enough to bother a person."""
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    PASSED = "passed"
    """Was pending, went away by itself, and never became an alert."""

    @property
    def closed(self) -> bool:
        """Whether nothing is waiting for a person."""
        return self in {State.RESOLVED, State.PASSED}

    @property
    def visible(self) -> bool:
        """Whether people see it in the list of alerts."""
        return self in {State.OPEN, State.ACKNOWLEDGED}


Resolution: TypeAlias = Literal["", "cleared", "done", "false_alarm", "merged", "passed", "retired"]
Reason: TypeAlias = Literal["opened", "escalated", "reopened", "changed", "resolved"]


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[alerts]` in gateway.toml: how patient the alerts are. All in seconds."""

    min_open_s: Seconds = 30.0
    """A finding below `alarm` must persist this long before it becomes an alert."""
    clear_after_s: Seconds = 600.0
    """How long every finding must have been clear before an alert resolves by itself."""
    ease_after_s: Seconds = 1800.0
    """How long a lower severity must last before the alert's own severity follows it down."""
    reopen_s: Seconds = 86_400.0
    """The same trouble of the same machine within this time reopens the alert instead of making a new one; and a finding
    that a person declared settled but that the node still reports after this time reopens it too."""
    renotify_s: Seconds = 28_800.0
    """An alert that comes back by itself is announced again only when the last message about it is older than this."""
    flap_opens: Annotated[int, Meta(ge=2)] = 3
    """A pending alert that has come and gone this often within `flap_window_s` is opened as flapping."""
    flap_window_s: Seconds = 3600.0
    """The time in which comings and goings are counted."""
    node_offline_s: Seconds = 300.0
    """A node that has been away this long becomes an alert."""
    stale_s: Seconds = 3600.0
    """A node that has called a machine good for this long without a break has forgotten what it had found there before."""


class Alert(Struct, frozen=True, kw_only=True):
    """The gateway's record of what nodes found about one trouble of one machine."""

    id: str
    site: str
    machine: str
    """For alerts of kind `node`: the node's name."""
    node: str
    """The node that reported last."""
    origin: str
    kind: FindingType
    key: str
    """What makes it the same trouble: kind and group of causes, or the channel of a sensor."""
    cause: str
    severity: Severity
    state: State = State.PENDING
    version: int = 0
    """Counts the entries of its history; a person's command may name the version it was decided on."""
    since_ns: int
    first_ns: int
    """When this episode's pending began."""
    last_seen_ns: int
    opened_ns: int | None = None
    count: int = 1
    """How often it was reported anew."""
    flaps: int = 0
    """How often it came back before it counted as gone."""
    reopened: int = 0
    active: dict[str, Severity] = {}
    """Findings that are still there, by source."""
    settled: dict[str, Severity] = {}
    """Findings that a person settled and that the node has not cleared yet."""
    clear_since_ns: int | None = None
    eased_since_ns: int | None = None
    snoozed_until_ns: int | None = None
    owner: str = ""
    """Who acknowledged it."""
    notified: Severity | None = None
    notified_ns: int = 0
    published_ns: int = 0
    """When subscribers were last told."""
    restate: bool = False
    """Whether its cause has changed since then, too soon after it to be told at once."""
    resolved_ns: int | None = None
    resolved_by: str = ""
    resolution: Resolution = ""
    done: str = ""
    """What the person did about it."""
    channel: str | None = None
    regime: str | None = None
    score: float | None = None
    limit: float | None = None
    causes: list[Cause] = []
    evidence: list[Evidence] = []
    detail: str = ""
    model: str = ""
    reported_ns: int = 0
    """The moment that evidence and prognosis are relative to."""
    prognosis: Prognosis | None = None
    """When it becomes an alarm, as the node said last."""
    certainty: float | None = None
    """How well the node knew what is normal when it found this, 0 to 1; None where it does not say."""
    product: str | None = None
    """Which product's goods it is about, for alerts about goods; None where the node does not say."""
    relation: Relation | None = None
    """What of the machine moved when its goods did, for alerts about goods; None while nothing can be defended."""
    confirmed: str = ""
    """The cause that a person found, by its code."""
    confirmed_label: str = ""
    """What they called it, where it is none of the catalogue."""
    confirmed_by: str = ""

    @property
    def named(self) -> Cause | None:
        """What the node says of `cause`; None where it gave nothing but the code."""
        return next((cause for cause in self.causes if cause.code == self.cause), None)

    @property
    def confidence(self) -> float | None:
        """How sure the node is of `cause`, 0 to 1; None where it gave none."""
        return self.named.confidence if self.named is not None else None

    @property
    def label(self) -> str:
        """What a person once called this cause; empty for causes of the catalogue."""
        return self.named.label if self.named is not None else ""

    @property
    def expected_ns(self) -> tuple[int, int] | None:
        """Between which moments the prognosis sees the next limit reached; None without one, or once it is closed."""
        if self.prognosis is None or self.state.closed:
            return None
        low_ns, high_ns = round(self.prognosis.low_s * SECOND_NS), round(self.prognosis.high_s * SECOND_NS)
        return self.reported_ns + low_ns, self.reported_ns + high_ns

    @property
    def flapping(self) -> bool:
        """Whether it came and went rather than stayed."""
        return self.flaps >= 2


class Entry(Struct, frozen=True, kw_only=True):
    """One line of an alert's history; never changed once written."""

    alert: str
    version: int
    at_ns: int
    what: str
    """suspected, opened, escalated, eased, cause_changed, flapping, reopened, still_there, acknowledged, snoozed, snooze_ended,
    note, confirmed, foreseen, related, resolved, passed, merged."""
    by: str
    text: str
    state: State
    severity: Severity
    cause: str


class Fault(NamedTuple):
    """What a person found: a cause of the catalogue, or their own name for it with a code made of that."""

    code: str
    label: str = ""

    @classmethod
    def of(cls, cause: str | None, label: str) -> Fault | None:
        """From what was filled in; None where nothing was. The same words give the same code, however they are spaced.

        >>> Fault.of("belt", ""), Fault.of(None, " "), Fault.of(None, "Splint  fehlt") == Fault.of(None, "Splint fehlt")
        (Fault(code='belt', label=''), None, True)
        """
        words = " ".join(label.split())[:80]
        if words:
            return cls(f"own-{blake2s(words.casefold().encode(), digest_size=6).hexdigest()}", words)
        return cls(cause) if cause else None

    @property
    def text(self) -> str:
        """For history and audit trail."""
        return self.label or self.code


@dataclass(frozen=True, slots=True)
class Notify:
    """People are to be told."""

    alert: Alert
    reason: Reason


@dataclass(frozen=True, slots=True)
class Publish:
    """Subscribers are to be told."""

    alert: Alert
    reason: Reason


@dataclass(frozen=True, slots=True)
class Instruct:
    """A node is to be told."""

    alert: Alert
    action: Action
    by: str
    fault: Fault | None = None
    """For `confirm_fault`."""


Effect: TypeAlias = Notify | Publish | Instruct


class Change(NamedTuple):
    """What one step made of an alert."""

    alert: Alert
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One report about a trouble, from a node's finding or from the gateway's own watch over the nodes."""

    site: str
    node: str
    origin: str
    id: str
    machine: str
    kind: FindingType
    state: Literal["open", "changed", "cleared"]
    cause: str
    severity: Severity
    at_ns: int
    since_ns: int
    channel: str | None = None
    regime: str | None = None
    score: float | None = None
    limit: float | None = None
    causes: tuple[Cause, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    detail: str = ""
    model: str = ""
    prognosis: Prognosis | None = None
    product: str | None = None
    certainty: float | None = None

    @property
    def source(self) -> str:
        """Names the finding for its whole life within the site."""
        return f"{self.node}/{self.origin}/{self.machine}/{self.id}"

    @property
    def key(self) -> str:
        """What makes two findings of a machine the same trouble."""
        if self.kind == "sensor":
            return f"sensor:{self.channel or self.cause}"
        return f"{self.kind}:{group_of(self.cause)}"


def group_of(cause: str) -> str:
    """The group whose causes are one trouble to a person: a bearing's races are repaired together.

    >>> group_of("bearing_inner"), group_of("imbalance")
    ('bearing', 'imbalance')
    """
    return _GROUP_OF.get(cause, cause)


def observe(finding: Finding, *, now_ns: int) -> Observation:
    """A node's finding as an observation.

    A sensor fault stays one whatever type the node gave it, and is never graded as a machine's alarm. A time ahead of
    the gateway's is taken as the gateway's, so that no wrong clock keeps an alert open for a day.
    """
    kind: FindingType = "sensor" if finding.cause.startswith("sensor_") else finding.type
    severity = max(finding.severity, Severity.WATCH, key=lambda grade: grade.rank)
    if kind == "sensor" and severity is Severity.ALARM:
        severity = Severity.WARNING
    at_ns = min(finding.time_ns, now_ns)
    return Observation(
        site=finding.site,
        node=finding.node,
        origin=finding.origin,
        id=finding.id,
        machine=finding.machine,
        kind=kind,
        state=finding.state,
        cause=finding.cause,
        severity=severity,
        at_ns=at_ns,
        since_ns=at_ns + round(finding.since_ms * 1e6),
        channel=finding.channel,
        regime=finding.regime,
        score=finding.score,
        limit=finding.limit,
        causes=tuple(finding.causes),
        evidence=tuple(finding.evidence),
        detail=finding.detail,
        model=finding.model,
        prognosis=finding.prognosis,
        product=finding.product,
        certainty=finding.certainty,
    )


def foreseen(prognosis: Prognosis | None) -> str:
    """A prognosis for the history, in hours.

    >>> foreseen(None), foreseen(Prognosis(low_s=7200.0, high_s=90000.0, confidence=0.8, reaches=Severity.ALARM))
    ('', 'alarm in 2 to 25 h (80 %)')
    """
    if prognosis is None:
        return ""
    low, high = prognosis.low_s / 3600, prognosis.high_s / 3600
    return f"{prognosis.reaches} in {low:.2g} to {high:.2g} h ({prognosis.confidence:.0%})".replace("%", " %")
