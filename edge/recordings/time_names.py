"""What time columns are called, in German and English, and in which unit they then count."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1.0, "nanoseconds": 1.0, "us": 1e3, "µs": 1e3, "micros": 1e3, "microseconds": 1e3, "ms": 1e6, "msec": 1e6,
    "millis": 1e6, "milliseconds": 1e6, "millisekunden": 1e6, "s": 1e9, "sec": 1e9, "sek": 1e9,
    "seconds": 1e9, "sekunden": 1e9, "min": 60e9,
    "minutes": 60e9, "minuten": 60e9, "h": 3600e9, "hours": 3600e9, "stunden": 3600e9,
}  # fmt: skip
_UNIT_IN_NAME = re.compile(rf"(?:[_\s(\[/.,-]|^)({'|'.join(sorted(_UNITS, key=len, reverse=True))})[)\]]?$")
_TIME_WORDS = frozenset(
    {
        "clock", "date", "datetime", "datetimes", "datum", "datumuhrzeit", "datumzeit", "elapsed", "epoch", "laufzeit",
        "localtime", "messdatum", "messzeit", "messzeitpunkt", "micros", "millis", "milliseconds", "millisekunden",
        "seconds", "sekunden", "stamp", "t", "time", "times", "timestamp", "timestamps", "ts", "uhrzeit", "unixtime",
        "unixtimestamp", "uptime", "zeit", "zeitpunkt", "zeitstempel",
    }
)  # fmt: skip
_BESIDE_TIME = frozenset(
    {
        "abs", "absolute", "and", "at", "cest", "cet", "created", "der", "des", "device", "elapsed", "epoch", "event",
        "gmt", "h", "in", "local", "log", "logged", "logger", "lokal", "lokale", "measured", "measurement", "mesz",
        "mez", "min", "ms", "msec", "ns", "of", "posix", "received", "record", "recorded", "rel", "relative", "s",
        "sample", "sampling", "sec", "seit", "sek", "since", "stamp", "start", "system", "the", "und", "unix", "us",
        "utc", "von", "µs",
    }
)  # fmt: skip


def name_says_time(name: str) -> bool:
    """Whether a column is called like a time.

    >>> [name_says_time(name) for name in ("DateTime", "Zeit [s]", "timestamp_ms", "t/s", "Temperature", "cycle time")]
    [True, True, True, True, False, False]
    """
    words = re.findall(r"[a-zäöüµ]+", re.sub(r"[\s_]*[\[(].*$", "", name.strip().lower()))
    return any(word in _TIME_WORDS for word in words) and all(
        word in _TIME_WORDS or word in _BESIDE_TIME for word in words
    )


def unit_ns(name: str) -> float | None:
    """Nanoseconds in the unit that a time column's name says it counts in; None where it says none.

    >>> unit_ns("time_ms"), unit_ns("Zeit [min]"), unit_ns("time")
    (1000000.0, 60000000000.0, None)
    """
    unit = _UNIT_IN_NAME.search(name.strip().lower())
    return _UNITS[unit[1]] if unit else None
