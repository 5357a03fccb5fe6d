"""What leaves the gateway for other services: CloudEvents 1.0, structured JSON, one typed payload per event type.

Ids are stable: the alert's id and version (or the batch's name and revision) and the type make the same id whenever the event is
made again, so a receiver that remembers ids takes each event once. `subject` is the machine; events of one subject arrive in
order, and `sequence` counts up within one alert or batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from gateway.alerts import Reason
from gateway.related import Measure, Moved, Related
from wire.messages import Cause, Evidence

CAPACITY = "de.werkpuls.capacity.v1"
SCRAP = "de.werkpuls.scrap.v1"
COST = "de.werkpuls.cost.v1"
ALERT = "de.werkpuls.alert.v1"
CONTENT_TYPE = "application/cloudevents+json"


class Capacity(Struct, frozen=True, kw_only=True):
    """Capacity that a machine in trouble may cost. Replaces what was said of the same alert before."""

    alert: str
    machine: str
    state: Literal["expected", "over"]
    start: str = msgspec.field(name="from")
    """RFC 3339. The outage, if it comes, lies between `from` and `until`."""
    until: str
    share: float
    """Of the site's capacity, 0 to 1, lost while the machine stands."""
    probability: float
    """0 to 1, that it stands at all; an assumption by severity from the gateway's configuration. 0 when over."""
    outage_hours: float
    """How long it stands, if it does."""
    expected_lost_hours: float
    """probability * outage_hours * share."""
    cause: str
    severity: str


class Scrap(Struct, frozen=True, kw_only=True):
    """Items of a batch that cannot be sold. Replaces what was said of the same batch before."""

    machine: str
    batch: str
    product: str
    items: int
    rejects: int
    unsure: int
    reasons: dict[str, int]
    """Rejected items by reason."""
    start: str = msgspec.field(name="from")
    until: str
    final: bool
    """Whether the batch is over; corrections may still follow."""
    product_name: str = ""
    """What people call the product."""


class Cost(Struct, frozen=True, kw_only=True):
    """Money that an alert or a batch is expected to cost, or did. Replaces what was said of the same `reference` before."""

    reference: str
    """The alert's id, or `batch:` and its name."""
    kind: Literal["machine", "scrap"]
    machine: str
    state: Literal["expected", "final"]
    currency: str
    repair: float
    downtime: float
    energy: float
    scrap: float
    total: float
    probability: float
    """0 to 1; repair and downtime already contain it."""
    cause: str = ""
    product: str = ""
    product_name: str = ""
    """What people call the product."""


class Explanation(Struct, frozen=True, kw_only=True):
    """An alert in plain words of one language."""

    title: str
    text: str
    check: str


class Expected(Struct, frozen=True, kw_only=True):
    """When the trouble is expected to get worse: between `from` and `until`, with that confidence, if it goes on growing."""

    start: str = msgspec.field(name="from")
    until: str
    confidence: float
    """Share of such statements that come true."""
    reaches: str
    """The severity that begins then."""


class Together(Struct, frozen=True, kw_only=True):
    """A change of the goods and what of their machine moved with it; which of them moves the other, nobody has tried."""

    product: str
    measure: Measure
    """`lightness` (L* of the crust), `size`, or `rejects` (% of the judged)."""
    unit: str
    since: str
    moved: Moved
    """The goods' own change."""
    batches: int
    """How many were held against the machine."""
    related: list[Related]
    """The strongest first."""


class AlertData(Struct, frozen=True, kw_only=True):
    """An alert as it stands after a change."""

    alert: str
    version: int
    reason: Reason
    state: str
    site: str
    machine: str
    node: str
    kind: str
    cause: str
    severity: str
    confidence: float | None
    since: str
    opened: str | None
    resolved: str | None
    resolution: str
    done: str
    """What was done about it, in the words of who did it; never who it was."""
    count: int
    channel: str | None
    causes: list[Cause]
    evidence: list[Evidence]
    texts: dict[str, Explanation]
    """By language: de, en."""
    prognosis: Expected | None
    """None where nothing grows, or where the data cannot say."""
    confirmed: str
    """The cause that a person found: its code, or their own words; empty until somebody says so."""
    relation: Together | None = None
    """For alerts about goods: what of the machine moved with them; null where nothing can be defended."""


class CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The envelope of every event (CloudEvents 1.0.2, structured content mode)."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    """`/werkpuls/<site>`."""
    type: str
    subject: str
    """The machine."""
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    sequence: str
    """CloudEvents extension `sequence`: counts up within one alert or batch; zero-padded so that text order is its order."""
    data: Capacity | Scrap | Cost | AlertData


EVENT_TYPES: Mapping[str, type[Struct]] = {CAPACITY: Capacity, SCRAP: Scrap, COST: Cost, ALERT: AlertData}
"""Every event type with its payload, for the published schemas and for the check of subscribers' filters."""


class Outgoing(NamedTuple):
    """One event ready to be kept and sent."""

    id: str
    type: str
    subject: str
    """Order is kept within one subject; contains the site."""
    severity: str
    at_ns: int
    body: bytes
    machine: str = ""
    kind: str = ""
    """Kind of the alert."""


def schema_uri(event_type: str) -> str:
    """What `dataschema` says; the schema itself is published in the documentation under the type's name."""
    return f"urn:werkpuls:schema:{event_type}"


def rfc3339(time_ns: int) -> str:
    """UTC with milliseconds.

    >>> rfc3339(1_767_225_600_123_456_789)
    '2026-01-01T00:00:00.123Z'
    """
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"
