"""What an examination can say. Codes and numbers only; the words for them are in the catalogue, section `doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much it matters."""

    GOOD = "good"
    NOTE = "note"
    """Worth knowing; nothing has to be done."""
    PROBLEM = "problem"
    """Something does not work, or will not for long."""


CODES: Mapping[str, Mapping[str, Level]] = {
    "software": {
        "good": Level.GOOD,
        "python": Level.PROBLEM,
        "bits": Level.PROBLEM,
        "packages": Level.PROBLEM,
    },
    "time": {"good": Level.GOOD, "not_synced": Level.NOTE, "unset": Level.PROBLEM},
    "power": {"good": Level.GOOD, "low_now": Level.PROBLEM, "low_before": Level.PROBLEM},
    "heat": {
        "good": Level.GOOD,
        "hot": Level.PROBLEM,
        "slowed_now": Level.PROBLEM,
        "slowed_before": Level.NOTE,
    },
    "memory": {"good": Level.GOOD, "low": Level.PROBLEM},
    "disk": {
        "good": Level.GOOD,
        "low": Level.PROBLEM,
        "read_only": Level.PROBLEM,
        "not_ours": Level.PROBLEM,
        "missing": Level.NOTE,
        "errors": Level.PROBLEM,
        "worn": Level.PROBLEM,
        "life": Level.NOTE,
        "written": Level.NOTE,
    },
    "access": {"good": Level.GOOD, "denied": Level.PROBLEM, "spare": Level.NOTE},
    "interfaces": {
        "on": Level.GOOD,
        "off": Level.NOTE,
        "needed": Level.PROBLEM,
        "restart": Level.PROBLEM,
        "module": Level.PROBLEM,
    },
    "i2c": {
        "nothing": Level.NOTE,
        "unknown": Level.NOTE,
        "unlike": Level.NOTE,
        "held": Level.NOTE,
        "stuck": Level.PROBLEM,
        "disturbed": Level.PROBLEM,
        "closed": Level.PROBLEM,
        "slow": Level.NOTE,
        "fast": Level.PROBLEM,
    },
    "spi": {"nothing": Level.NOTE, "busy": Level.NOTE, "closed": Level.PROBLEM},
    "onewire": {"nothing": Level.NOTE, "noise": Level.PROBLEM},
    "serial": {"port": Level.NOTE, "console": Level.NOTE, "console_other": Level.NOTE, "silent": Level.PROBLEM},
    "camera": {
        "failed": Level.PROBLEM,
        "library": Level.PROBLEM,
        "silent": Level.NOTE,
        "dark": Level.PROBLEM,
        "overexposed": Level.PROBLEM,
        "blurred": Level.PROBLEM,
        "blocked": Level.PROBLEM,
        "corners": Level.NOTE,
        "running": Level.NOTE,
        "other": Level.NOTE,
        "no_opencv": Level.NOTE,
    },
    "grading": {
        "good": Level.GOOD,
        "runtime": Level.PROBLEM,
        "refused": Level.PROBLEM,
        "profile": Level.GOOD,
        "not_taught": Level.NOTE,
        "profile_refused": Level.PROBLEM,
        "calibration": Level.GOOD,
        "no_calibration": Level.PROBLEM,
    },
    "config": {
        "good": Level.GOOD,
        "none": Level.NOTE,
        "wrong": Level.PROBLEM,
    },
    "service": {"running": Level.NOTE, "other": Level.NOTE},
    "sensor": {"failed": Level.PROBLEM, "fault": Level.PROBLEM, "silent": Level.PROBLEM, "package": Level.NOTE},
    "broker": {
        "good": Level.GOOD,
        "no_name": Level.PROBLEM,
        "closed": Level.PROBLEM,
        "silent": Level.PROBLEM,
        "files": Level.PROBLEM,
        "authority": Level.PROBLEM,
        "wrong_name": Level.PROBLEM,
        "out_of_date": Level.PROBLEM,
        "tls": Level.PROBLEM,
        "login": Level.PROBLEM,
        "certificate_good": Level.GOOD,
        "certificate_soon": Level.PROBLEM,
        "certificate_over": Level.PROBLEM,
    },
}
"""Every area and code there is."""


@dataclass(frozen=True, slots=True)
class Check:
    """One statement about the node; `area` and `code` are in `CODES`, `values` are for the sentence."""

    area: str
    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """How much it matters; raises KeyError for a code that does not exist."""
        return CODES[self.area][self.code]


def check(area: str, code: str, **values: Any) -> Check:
    """A check with its values by name.

    >>> check("memory", "low", free_mb=80).level
    <Level.PROBLEM: 'problem'>
    """
    made = Check(area, code, values)
    made.level  # noqa: B018  # a code that does not exist is a mistake here, not where it is worded
    return made
