"""The messages that travel over MQTT: types, units, ranges, one schema version.

Every message a node sends is one of `NodeMessage`; it is JSON on the wire, decoded and validated by `wire/codec.py` and
nowhere else. A message that breaks a rule raises `Refused` with a `kind` (short, for counting) and a `reason`
(for a person). Times are integers: nanoseconds since the Unix epoch (`*_ns`), or milliseconds relative to the
message's own time (`*_ms`).

Order and completeness. Each daemon of a node (its *origin*: `sense` or `watch`) numbers what it sends in its
journal: `log` names the journal, `seq` counts from 1 without gaps, and `prev` is the sequence number of the
message before this one that still exists. So a receiver that holds everything up to `last` takes a message when
`prev <= last < seq`; `seq - last - 1` messages were evicted by the node's own disk bound, and `prev > last` means
that something was lost on the way and has to be sent again.

Versions side by side. Nobody takes a field that he does not know, and a message that is refused is gone. So within one
schema version a field that comes later has a default that says "nothing of this", the default never changes, and what
has it is not written (`omit_defaults`): a newer node and an older gateway understand each other as long as the node has
nothing new to say.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

from wire.fields import (
    EARLIEST_NS,
    NAME_PATTERN,
    ChannelName,
    Count,
    Identifier,
    Label,
    Name,
    NonNegative,
    Origin,
    Past,
    Prev,
    Seconds,
    Seq,
    Severity,
    Share,
    Text,
    TimeNs,
    Trust,
    Unit,
)
from wire.goods import ChartPoint, Doubt, Item, Taught, TaughtItem

__all__ = [
    "EARLIEST_NS",
    "NAME_PATTERN",
    "SCHEMA_VERSION",
    "Ack",
    "Cause",
    "ChannelName",
    "ChartPoint",
    "Condition",
    "Count",
    "Doubt",
    "Evidence",
    "Finding",
    "FindingType",
    "Health",
    "Identifier",
    "Inspection",
    "Item",
    "JournalState",
    "Label",
    "Message",
    "Name",
    "NodeMessage",
    "NonNegative",
    "Origin",
    "Past",
    "Prev",
    "Prognosis",
    "Reply",
    "Seconds",
    "SensorState",
    "Seq",
    "Series",
    "Severity",
    "Share",
    "Status",
    "Taught",
    "TaughtItem",
    "Telemetry",
    "Text",
    "TimeBeacon",
    "TimeNs",
    "Trust",
    "Unit",
]

SCHEMA_VERSION: Literal[1] = 1
_Version = Annotated[Literal[1], Meta(extra_json_schema={"default": SCHEMA_VERSION})]


def _version() -> Literal[1]:
    # By a function: what a function makes is written always, a plain default is left out.
    return SCHEMA_VERSION


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    """The envelope that every message of a node carries."""

    v: _Version = field(default_factory=_version)
    site: Name
    node: Name
    origin: Origin
    log: Identifier
    seq: Seq
    prev: Prev
    boot: Identifier
    time_ns: TimeNs
    trust: Trust


class Series(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Values of one channel or feature within one interval.

    Sample *i* was taken at `message.time_ns + start_ms + i * step_ms`, or, where the rows arrived unevenly, at
    `message.time_ns + at_ms[i]`. `None` is a value that the sensor did not deliver.
    """

    unit: Unit
    values: Annotated[list[float | None], Meta(max_length=20_000)]
    start_ms: float = 0.0
    step_ms: float | None = None
    at_ms: list[float] | None = None


class Telemetry(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="telemetry"):
    """One machine, one interval: columns of values by channel or feature name."""

    machine: Name
    series: Annotated[dict[ChannelName, Series], Meta(max_length=256)]


class Evidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One feature that moved: what it is, what it was expected to be, and how far off it is."""

    feature: ChannelName
    value: float
    expected: float
    unit: Unit
    deviation: float
    """Signed distance from normal in standard deviations of that machine's own normal."""
    channel: ChannelName = "unknown"
    since_ms: Past | None = None


class Cause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A possible reason with its confidence; `code` is a key of the message catalogue."""

    code: Name
    confidence: Share
    evidence: list[ChannelName] = []
    """Names of the features that speak for it."""
    label: Label = ""
    """What a person called it, where the code is no key of the catalogue."""
    recognised: bool = False
    """It looks as it did when a person confirmed that cause; the confidence is the similarity."""


class Prognosis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the next limit is reached if what grows goes on growing: between these times, with that confidence."""

    low_s: Seconds
    """Seconds after the message's own time."""
    high_s: Seconds
    confidence: Share
    """Share of such statements that come true."""
    reaches: Severity
    """What begins there: warning (the limit itself) or alarm."""


class Condition(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="condition"):
    """What one machine is doing and how far it is from its normal at one moment."""

    machine: Name
    regime: Name
    score: NonNegative
    limit: NonNegative | None
    """Where this machine's alarm starts; none while it is still learning."""
    severity: Severity
    learned: Share
    """1.0 once warm-up is complete."""
    paused: bool = False
    product: Name | None = None
    """What it makes, as a person said last."""
    sensor_faults: Annotated[list[ChannelName], Meta(max_length=256)] = []
    evidence: Annotated[list[Evidence], Meta(max_length=32)] = []
    causes: Annotated[list[Cause], Meta(max_length=16)] = []
    model: Annotated[str, Meta(max_length=64)] = ""
    """Name and version of the model that said so."""
    certainty: Share | None = None
    """How well the normal is known that this was judged by; 0 while there is none."""
    learning_left_s: Seconds | None = None
    """About how long the warm-up still takes."""
    prognosis: Prognosis | None = None
    """None where nothing grows, or where the data cannot say when a limit is reached."""
    unsteady: Annotated[list[ChannelName], Meta(max_length=32)] = []
    """Features that changed while they were learned: a fault may have been among it, and would be part of the normal."""
    paused_left_s: Seconds | None = None
    """How long the pause still takes; None where there is none, or none that ends by itself."""
    unjudged: Count = 0
    """Features that the model has no room for: nothing is said of them."""


FindingType: TypeAlias = Literal["machine", "sensor", "quality", "camera", "node"]


class Finding(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="finding"):
    """Something worth a person's look, once when it starts, again when it changes, and when it has cleared."""

    id: Identifier
    """Stable over the life of one finding: open, changed and cleared share it."""
    machine: Name
    type: FindingType
    state: Literal["open", "changed", "cleared"]
    cause: Name
    """Best cause's code, e.g. bearing_outer or sensor_stuck; `unknown` is an answer."""
    severity: Severity
    since_ms: Past
    """When it began."""
    channel: ChannelName | None = None
    regime: Name | None = None
    score: NonNegative | None = None
    limit: NonNegative | None = None
    evidence: Annotated[list[Evidence], Meta(max_length=32)] = []
    causes: Annotated[list[Cause], Meta(max_length=16)] = []
    detail: Text = ""
    """English, for logs and engineers; people read the catalogue's text for `cause`."""
    model: Annotated[str, Meta(max_length=64)] = ""
    prognosis: Prognosis | None = None
    """When it becomes an alarm, where that can be said."""
    product: Name | None = None
    """Of type quality: which product's goods it is about; None where that is not known."""
    certainty: Share | None = None
    """Of type machine: how well the normal was known that it was found by."""


class Inspection(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="inspection"):
    """All items of one frame or tray with their verdicts."""

    id: Identifier
    machine: Name
    """The oven or line whose goods these are."""
    camera: Name
    product: Name
    batch: Identifier
    items: Annotated[list[Item], Meta(max_length=1000)]
    model: Annotated[str, Meta(max_length=64)] = ""
    charts: Annotated[dict[Literal["lightness", "size"], ChartPoint], Meta(max_length=2)] = {}
    """Of the quantities whose subgroup this inspection has filled."""
    called: Label = ""
    """What people call the product, where they taught it under a name of its own; empty where it is called `product`."""
    lesson: Identifier | None = None
    """Collected to teach `product`: nothing is judged, a person is asked about every item."""
    crumbs: Count = 0
    """Things beside the items that are too small to be goods, and were not counted."""


class SensorState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one sensor is doing."""

    name: Name
    """Name of the sensor within its machine; `machine` itself when the machine's loop as a whole is meant."""
    ok: bool
    machine: Name | None = None
    fault: Annotated[str, Meta(max_length=64)] = ""
    detail: Text = ""
    lost_samples: Count = 0
    paused_left_s: Seconds | None = None
    """Of a camera: how long it judges nothing yet because a person asked for it; None where it judges."""
    product: Name | None = None
    """Of a camera: what lies under it now, as a person said, by schedule or by what is seen; None where it does not say."""
    products: Annotated[dict[Name, Label], Meta(max_length=64)] = {}
    """Of a camera: what it can be told to lie under it, with what people call that; empty where it is called so."""


class JournalState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sender's journal: what it holds and what its bound forced out."""

    oldest: Count
    """Sequence number of the oldest entry still held, 0 when empty."""
    next: Count
    """Sequence number that the next entry will get."""
    acked: Count
    """Everything up to here is durable at the gateway."""
    bytes: Count
    dropped: Count
    """Entries evicted before they were acknowledged, since the journal was made."""


class Health(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="health"):
    """The node itself: board, journal, sensors, and what it refused."""

    uptime_s: Seconds
    journal: JournalState
    sensors: Annotated[list[SensorState], Meta(max_length=256)] = []
    refused: dict[Name, Count] = {}
    """Messages and commands refused since start, by kind."""
    cpu_temperature_c: float | None = None
    load: NonNegative | None = None
    memory_bytes: Count | None = None
    """Resident memory of the daemon."""
    disk_free_bytes: Count | None = None
    throttled: bool | None = None
    under_voltage: bool | None = None
    version: Annotated[str, Meta(max_length=32)] = ""


class Reply(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="reply"):
    """The node's answer to a command."""

    command: Identifier
    machine: Name
    action: Name
    ok: bool
    reason: Text = ""
    """English; why it was refused, or what was done."""
    code: Name | None = None
    """Why it was refused: `wire.commands.EXPIRED`, or for a lesson a key of the catalogue."""
    taught: Taught | None = None
    """To `teach`: what was learned."""


NodeMessage: TypeAlias = Telemetry | Condition | Finding | Inspection | Health | Reply


class Status(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Retained under `status/<origin>`; the offline form is the connection's last will.

    `acked` and `oldest` let a gateway that has never seen this log choose where to begin: at
    `min(acked, oldest - 1)`, so that history still held is sent again and nothing counts as lost that an earlier
    gateway had already taken.
    """

    site: Name
    node: Name
    origin: Literal["sense", "watch", "gateway"]
    online: bool
    log: Identifier = "none"
    oldest: Count = 0
    acked: Count = 0
    next: Count = 1
    v: _Version = field(default_factory=_version)


class Ack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Gateway to node, retained: everything of `log` up to `seq` is durable; `resend` asks for what follows it."""

    log: Identifier
    seq: Count
    resend: bool = False
    v: _Version = field(default_factory=_version)


class TimeBeacon(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The gateway's clock, sent every few seconds and never retained, for nodes without one."""

    time_ns: TimeNs
    synced: bool
    """Whether the gateway's own clock is synchronised; if not, it is still the site's common time."""
    v: _Version = field(default_factory=_version)
