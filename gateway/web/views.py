"""What the API answers with: types only, made from the gateway's own state."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.alerts import Alert, Entry
from wire.commands import Action
from wire.messages import Cause, Evidence, Label, Name, Origin, Prognosis

Person = Annotated[str, Meta(min_length=1, max_length=80, description="who says so, for the audit trail")]
Version = Annotated[
    int, Meta(ge=0, description="version of the alert that the person saw; refused when it has changed")
]
Words = Annotated[str, Meta(max_length=500)]
CauseCode = Annotated[Name, Meta(description="the cause that was found, a key of the message catalogue")]
OwnLabel = Annotated[
    Label, Meta(description="what was found in one's own words, where the catalogue has no name for it")
]


class Value(Struct, frozen=True, kw_only=True):
    """The latest value of a channel or feature."""

    value: float
    unit: str


class Machine(Struct, frozen=True, kw_only=True):
    """One machine as it is now."""

    site: str
    node: str
    machine: str
    title: str
    online: bool
    """Whether its node is connected."""
    seen_ns: int
    condition_ns: int
    """When its condition was told; what `evidence` is relative to. 0 before the first."""
    stale: bool
    """Whether its condition is too old to say how it is now: it has no severity then."""
    regime: str | None
    severity: str | None
    score: float | None
    limit: float | None
    learned: float
    learning_left_s: float | None
    """About how long it still learns."""
    certainty: float | None
    """How well its normal is known, 0 to 1."""
    prognosis: Prognosis | None
    """When the next limit is reached, from now on."""
    paused: bool
    paused_left_s: float | None
    """How long the pause still takes; null where it does not end by itself."""
    unsteady: list[str]
    """Features that changed while they were learned: a fault may have been among it, and would be part of the normal."""
    unjudged: int
    """Features that its model has no room for: nothing is said of them."""
    sensor_faults: list[str]
    causes: list[Cause]
    evidence: list[Evidence]
    model: str
    values: dict[str, Value]
    alerts: list[str]
    """Ids of its open alerts."""


class Channel(Struct, frozen=True, kw_only=True):
    """A stored series of a machine."""

    name: str
    unit: str


class ChartView(Struct, frozen=True, kw_only=True):
    """A chart: columns of equal length, oldest first."""

    channel: str
    unit: str
    times_ms: list[int]
    """Start of each bucket, milliseconds since the epoch."""
    mean: list[float]
    low: list[float]
    high: list[float]


class AlertText(Struct, frozen=True, kw_only=True):
    """An alert in plain words."""

    title: str
    explain: str
    since: str
    expected: str
    """When it is expected to get worse; empty where nothing can be said."""
    sure: str
    also: str
    evidence: list[str]
    related: str
    """What of the machine moved when its goods did; empty where nothing can be defended."""
    check: str


class AlertView(Struct, frozen=True, kw_only=True):
    """An alert with its words in the asked language."""

    alert: Alert
    text: AlertText


class AlertDetail(Struct, frozen=True, kw_only=True):
    """An alert with everything that happened to it."""

    alert: Alert
    text: AlertText
    history: list[Entry]


class Acknowledge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody takes it on."""

    by: Person
    note: Words = ""
    cause: CauseCode | None = None
    label: OwnLabel = ""
    version: Version | None = None


class Confirm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It was a fault, and this was its cause: `cause` or `label`. The machine's model knows it again from here on."""

    by: Person
    cause: CauseCode | None = None
    label: OwnLabel = ""
    version: Version | None = None


class Snooze(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hide it for a while."""

    by: Person
    minutes: Annotated[float, Meta(gt=0, le=10_080)]
    note: Words = ""
    version: Version | None = None


class Resolve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something was done about it."""

    by: Person
    done: Annotated[str, Meta(min_length=1, max_length=500)]
    new_normal: bool = False
    """The machine was repaired or changed: what follows is its normal."""
    cause: CauseCode | None = None
    label: OwnLabel = ""
    version: Version | None = None


class FalseAlarm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There was nothing; the model learns it."""

    by: Person
    note: Words = ""
    version: Version | None = None


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line for the history."""

    by: Person
    text: Annotated[str, Meta(min_length=1, max_length=500)]
    version: Version | None = None


class CommandRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks a node to do something to a machine."""

    action: Action
    by: Person
    origin: Origin = "sense"
    """Which daemon of the node: `watch` for its cameras."""
    product: Name | None = None
    seconds: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
    fault: Name | None = None
    cause: CauseCode | None = None
    """For `confirm_fault`: the cause of the machine's latest alarm."""
    label: OwnLabel = ""


class CommandAccepted(Struct, frozen=True, kw_only=True):
    """The command is on its way; ask for its id to learn what became of it."""

    id: str
    expires_ns: int


class CommandFate(Struct, frozen=True, kw_only=True):
    """What became of a command."""

    id: str
    machine: str
    action: str
    state: Literal["queued", "sent", "done", "refused", "expired"]
    reason: str


class Node(Struct, frozen=True, kw_only=True):
    """One daemon of one node, and the proof that nothing of it is missing."""

    node: str
    origin: str
    online: bool
    log: str
    last: int
    """Everything up to this number is durable here."""
    evicted: int
    """Forced out by the node's own disk bound before it could be sent."""
    duplicates: int
    """Arrived again and dropped."""
    seen_ns: int
    trust: str | None
    cpu_temperature_c: float | None
    disk_free_bytes: int | None
    sensors_bad: list[str]


class By(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks."""

    by: Person


class Done(Struct, frozen=True, kw_only=True):
    """It was done."""

    done: Literal[True] = True


class Stats(Struct, frozen=True, kw_only=True):
    """Counters since the gateway's start."""

    received: int
    accepted: int
    duplicates: int
    refused: dict[str, int]
    evicted: int
    stored: int
    points: int
    rejected: int
    backlog: int
    """Messages in the journal that are not yet stored."""
    alerts_backlog: int
    """Messages in the journal that the alerts have not yet passed."""
    latency_p50_s: float | None
    latency_p99_s: float | None
    journal_bytes: int
    journal_next: int
    alerts_open: int
    alerts_total: int
    requests_refused: dict[str, int]


class HealthView(Struct, frozen=True, kw_only=True):
    """Whether every part works: 200 when all do, 503 otherwise."""

    status: Literal["ok", "trouble"]
    version: str
    parts: dict[str, bool]
    trouble: list[str]
