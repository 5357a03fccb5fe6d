"""What the fields of messages may hold: names, numbers and texts with their limits."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

EARLIEST_NS = 1_704_067_200_000_000_000
"""2024-01-01: no Werkpuls message is older; a time before it is a board without a clock."""

# In Python `$` matches before a last line feed too, in JSON Schema it does not; `(?!\n)` makes them the same.
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)"
Name = Annotated[str, Meta(pattern=NAME_PATTERN, description="lower-case letters, digits, - and _; at most 63")]
ChannelName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,94}$(?!\n)",
        description="channel or feature, e.g. vibration or vibration.velocity_rms",
    ),
]
Seq = Annotated[int, Meta(ge=1, le=2**53, description="contiguous per log, from 1")]
Prev = Annotated[int, Meta(ge=0, le=2**53, description="sequence number of the message before this one, 0: none")]
Identifier = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^\.*[A-Za-z0-9_:-][A-Za-z0-9_.:-]*$(?!\n)",
        description="letters, digits, _ . : and -, not dots alone: it becomes part of a path",
    ),
]
Text = Annotated[str, Meta(max_length=500)]
Label = Annotated[str, Meta(max_length=80)]
Unit = Annotated[str, Meta(max_length=16)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Meta(ge=0.0)]
Millimetres = Annotated[float, Meta(ge=0.0, le=1e5)]
Measure = Annotated[float, Meta(ge=-1e6, le=1e6, description="a lightness or a length, or a limit of one")]
Count = Annotated[int, Meta(ge=0)]
TimeNs = Annotated[int, Meta(ge=0, le=2**63 - 1, description="nanoseconds since 1970-01-01T00:00:00Z")]

LONGEST_S = 3.2e9
"""A century: no time in a message is longer, so that every moment reckoned from one is a date that can be written."""
Seconds = Annotated[float, Meta(ge=0.0, le=LONGEST_S, description="seconds, at most a century")]
Past = Annotated[
    float,
    Meta(
        ge=-1000.0 * LONGEST_S,
        le=0.0,
        description="milliseconds relative to the message's own time, never after it, at most a century before",
    ),
]

Origin: TypeAlias = Literal["sense", "watch"]


class Trust(StrEnum):
    """How far a message's wall time is trusted, best first."""

    SYNCED = "synced"
    """The node's own clock was synchronised (NTP, or a real-time clock)."""
    GATEWAY = "gateway"
    """Taken from the gateway over MQTT; within about a second."""
    ESTIMATED = "estimated"
    """Carried over a restart for which no time was ever known; order is right, the distance is not."""


class Severity(StrEnum):
    """Zones A to D of ISO 20816 where the standard applies, otherwise their equivalents."""

    GOOD = "good"
    WATCH = "watch"
    WARNING = "warning"
    ALARM = "alarm"

    @property
    def rank(self) -> int:
        """0 (good) to 3 (alarm), for comparison."""
        return list(Severity).index(self)
