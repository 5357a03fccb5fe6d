"""How bad: by the score against its limit, and by ISO zones where velocity is measured and the machine has a class."""

from __future__ import annotations

from collections.abc import Mapping

SEVERITIES = ("good", "watch", "warning", "alarm")
WATCH_SHARE = 0.7
"""Share of the limit from which a machine is worth a look."""
ALARM_SHARE = 2.0
"""Multiple of the limit from which a warning is an alarm."""
ISO_ZONES_MM_S: Mapping[str, tuple[float, float, float]] = {
    "I": (0.71, 1.8, 4.5),
    "II": (1.12, 2.8, 7.1),
    "III": (1.8, 4.5, 11.2),
    "IV": (2.8, 7.1, 18.0),
}
"""Upper bounds of zones A, B and C in mm/s RMS by machine class (ISO 10816-1:1995, annex B)."""


def by_score(ratio: float, *, alarm: bool) -> str:
    """Severity of a score as a multiple of its limit; `alarm` is the state after persistence.

    >>> [by_score(r, alarm=a) for r, a in ((0.2, False), (0.8, False), (1.4, True), (3.0, True), (3.0, False))]
    ['good', 'watch', 'warning', 'alarm', 'watch']
    """
    if alarm:
        return "alarm" if ratio >= ALARM_SHARE else "warning"
    return "watch" if ratio >= WATCH_SHARE else "good"


def by_velocity(velocity_rms_mm_s: float, iso_class: str) -> str:
    """Severity of a vibration velocity: zone A good, B watch, C warning, D alarm.

    Raises:
        KeyError: not a class of ISO 10816-1.
    """
    return SEVERITIES[sum(velocity_rms_mm_s > bound for bound in ISO_ZONES_MM_S[iso_class])]


def worse(first: str, second: str) -> str:
    """The worse of two severities."""
    return max(first, second, key=SEVERITIES.index)
