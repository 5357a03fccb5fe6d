"""How bad: by ISO zones where velocity is what moved and the machine has a class, else by the size and the speed of growth."""

from __future__ import annotations

from collections.abc import Mapping

SEVERITIES = ("good", "watch", "warning", "alarm")
WATCH_SHARE = 0.7
"""Share of the limit from which a machine is worth a look."""
ALARM_SHARE = 2.0
"""Multiple of the limit from which a warning is an alarm."""
SOON_S = 8 * 3600.0
"""A warning that grows into an alarm within a shift is one: nobody would look at it before."""
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


def by_growth(high_s: float, *, alarm: bool) -> str:
    """Severity of a growth that reaches the next limit by `high_s` seconds from now at the latest.

    >>> by_growth(7200.0, alarm=True), by_growth(7200.0, alarm=False), by_growth(90_000.0, alarm=True)
    ('alarm', 'watch', 'warning')
    """
    if not alarm:
        return "watch"
    return "alarm" if high_s <= SOON_S else "warning"


def graded(ratio: float, zone: str | None, *, alarm: bool) -> str:
    """Severity of a score as a multiple of its limit, with the ISO zone where velocity is what moved (else None).

    Without an alarm a machine in zone C or D is worth a look: it may have been so when its normal was learned. With one
    the zone says how bad it is, and a change within zones A and B is a warning (criterion II of ISO 20816-1:2016).

    >>> graded(5.0, "watch", alarm=True), graded(1.2, "alarm", alarm=True), graded(0.1, "warning", alarm=False)
    ('warning', 'alarm', 'watch')
    """
    if zone is None:
        return by_score(ratio, alarm=alarm)
    if alarm:
        return worse("warning", zone)
    return worse(by_score(ratio, alarm=False), "watch" if zone in ("warning", "alarm") else "good")


def by_velocity(velocity_rms_mm_s: float, iso_class: str) -> str:
    """Severity of a vibration velocity: zone A good, B watch, C warning, D alarm.

    Raises:
        KeyError: not a class of ISO 10816-1.
    """
    return SEVERITIES[sum(velocity_rms_mm_s > bound for bound in ISO_ZONES_MM_S[iso_class])]


def worse(first: str, second: str) -> str:
    """The worse of two severities."""
    return max(first, second, key=SEVERITIES.index)
