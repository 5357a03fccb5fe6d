"""Finds one value in a JSON payload by a short path: `apower`, `StatusSNS.ENERGY.Power`, `['a b'][0]`, `switch:0.temp`."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

Step = str | int
_STEP = re.compile(
    r"""
    \[ (?: ' (?P<single> (?: [^'\\] | \\. )* ) '      # ['a key']
         | " (?P<double> (?: [^"\\] | \\. )* ) "      # ["a key"]
         | (?P<number> -? \d{1,9} ) ) \]              # [0], [-1]
    | (?P<dot> \.? ) (?P<bare> [^.\[\]'"]+ )          # key, .key
    """,
    re.VERBOSE,
)
_WORDS = {"on": 1.0, "true": 1.0, "open": 1.0, "online": 1.0, "off": 0.0, "false": 0.0, "closed": 0.0, "offline": 0.0}
"""What devices say instead of 1 and 0."""


class Malformed(ValueError):
    """The payload is not what the path expects: no JSON, or no number at its end."""


class Absent(NamedTuple):
    """The payload is fine and does not hold this value: many devices send only what changed."""

    step: Step
    """Where the path ends."""


def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path; none for an empty one, which means the payload itself.

    Raises:
        ValueError: it is no path; the text says where it stops being one.

    >>> parse("StatusSNS.ENERGY.Power[0]"), parse("['a b']"), parse("switch:0.apower")
    (('StatusSNS', 'ENERGY', 'Power', 0), ('a b',), ('switch:0', 'apower'))
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if not found or (found["bare"] is not None and bool(found["dot"]) is not bool(steps)):
            raise ValueError(f"not a path at {path[at : at + 20]!r} (character {at} of {path!r})")
        if found["number"] is not None:
            steps.append(int(found["number"]))
        elif found["bare"] is not None:
            steps.append(found["bare"])
        else:
            quoted = found["single"] if found["single"] is not None else found["double"]
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    return tuple(steps)


def number_at(payload: bytes, steps: tuple[Step, ...]) -> float | Absent:
    """The number at the end of the path; on/off, open/closed, true/false and online/offline are 1 and 0.

    Without steps the payload itself is the value, as plain text or JSON.

    Raises:
        Malformed: it is no JSON, or no finite number stands there.
    """
    if not steps:
        try:
            return _number(payload.decode("utf-8"))
        except UnicodeDecodeError as exc:
            raise Malformed("not text") from exc
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Malformed(f"not JSON: {exc}") from exc
    for step in steps:
        if isinstance(value, dict) and isinstance(step, str):
            if step not in value:
                return Absent(step)
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            if not -len(value) <= step < len(value):
                return Absent(step)
            value = value[step]
        else:
            return Absent(step)
    return Absent(steps[-1]) if value is None else _number(value)


def _number(value: object) -> float:
    try:
        if isinstance(value, bool | int | float):
            number = float(value)
        elif isinstance(value, str):
            text = value.strip().strip('"')
            word = _WORDS.get(text.lower())
            number = float(text) if word is None else word
        else:
            raise Malformed(f"a {type(value).__name__} where a number should be")
    except (ValueError, OverflowError) as exc:
        raise Malformed(f"no number: {str(value)[:40]!r}") from exc
    if number != number or number in (float("inf"), -float("inf")):  # noqa: PLR0124  # NaN is unequal to itself
        raise Malformed(f"not finite: {str(value)[:40]!r}")
    return number
