"""Faults that a person confirmed, known again by the direction in which the features moved.

How far a machine is from its normal says how bad a fault is; the direction says which one. So a signature is the mean
deviation over the samples of one alarm as a vector over named features, of length one, and two of them are compared by
the cosine of the angle between them, over the features that both know. Simulated faults of full and of three fifths of
their size, with other noise, mostly come to 0.95 and more; different ones to 0.81 and less, but for those that shake a
machine alike, as a bearing's parts do. There the rules over physics decide: where they are sure of another cause than they named
then, what they say goes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from models.condition.contract import Confirmed, Deviation, PossibleCause

SIMILAR = 0.85
"""Cosine from which a fault is the same again."""
MEANT = 0.5
"""Cosine with the reported evidence from which a remembered alarm is the one that a person means."""
CONTRADICTED = 0.5
"""What is left of a similarity when the rules are sure of another cause than they were sure of then."""
SURE_RULE = 0.5
"""Confidence from which a rule is sure."""
FADING = 0.98
"""What is left of what an alarm was after another sample: a second fault on top of the first is seen within a minute or so."""
LEAST_SAMPLES = 3
"""Alarmed samples that make an alarm worth remembering."""
COMMON = 0.25
"""Share of each vector's squared length that must lie in features which both know."""
ENOUGH_FEATURES = 3
"""Known to both; with fewer a direction says little."""
RECENT = 4
"""Alarms remembered for a person who speaks late."""
MOST_KNOWN = 16
"""Signatures kept; the one heard of longest ago goes first."""
MOST_EVIDENCE = 8

Vector = dict[str, float]


@dataclass(frozen=True, slots=True)
class Signature:
    """A confirmed fault: its name, what the rules called it then, its direction, and in how many alarms it was seen."""

    code: str
    label: str
    rule: str
    direction: Vector
    heard: int = 1


class Episode:
    """The deviations of one alarm, added up and fading. `measured` features that did not move count as zero."""

    def __init__(self) -> None:
        self.samples = 0
        self.rule = "unknown"
        """What the rules were sure of, latest."""
        self.total: Vector = {}

    def add(self, deviations: Iterable[Deviation], measured: Iterable[str], rule: str) -> None:
        """Takes one alarmed sample."""
        self.samples += 1
        self.rule = rule
        self.total = dict.fromkeys(measured, 0.0) | {name: FADING * value for name, value in self.total.items()}
        for deviation in deviations:
            self.total[deviation.feature] = self.total.get(deviation.feature, 0.0) + deviation.sigma


class Signatures:
    """What one machine's confirmed faults look like. Learns nothing of the normal."""

    def __init__(self) -> None:
        self.known: list[Signature] = []
        """Latest heard of last."""
        self._episodes: deque[Episode] = deque(maxlen=RECENT)
        self._alarmed = False

    def watch(self, deviations: Iterable[Deviation], measured: Iterable[str], rule: str) -> bool:
        """Takes an alarmed sample: its deviations, all features that were measured, and what the rules are sure of.

        True for the first one of an alarm.
        """
        begins = not self._alarmed
        if begins:
            self._alarmed = True
            self._episodes.append(Episode())
        self._episodes[-1].add(deviations, measured, rule)
        return begins

    def calm(self) -> None:
        """The alarm is over; what comes next is another one."""
        if self._alarmed and self._episodes[-1].samples < LEAST_SAMPLES:
            self._episodes.pop()
        self._alarmed = False

    def confirm(self, fault: Confirmed) -> bool:
        """Keeps the signature of the alarm that is meant; False where there is nothing to keep."""
        found = self._meant(fault.evidence)
        direction = _unit(found.total if found is not None else dict(fault.evidence))
        if not direction:
            return False
        rule = found.rule if found is not None else ""
        for place, known in enumerate(self.known):
            if (known.code, known.label) == (fault.code, fault.label) and similarity(
                known.direction, direction
            ) >= SIMILAR:
                both = {
                    name: known.heard * known.direction.get(name, 0.0) + direction.get(name, 0.0)
                    for name in {**known.direction, **direction}
                }
                del self.known[place]
                self.known.append(Signature(fault.code, fault.label, rule or known.rule, _unit(both), known.heard + 1))
                return True
        self.known.append(Signature(fault.code, fault.label, rule, direction))
        del self.known[:-MOST_KNOWN]
        return True

    def rank(self, causes: Sequence[PossibleCause]) -> tuple[PossibleCause, ...]:
        """The rules' causes of the present alarm, with what is recognised before them; behind them where they contradict."""
        if not self._alarmed:
            return tuple(causes)
        rule = sure_rule(causes)
        first: dict[tuple[str, str], PossibleCause] = {}
        doubted: dict[tuple[str, str], PossibleCause] = {}
        for signature in self.known:
            alike, evidence = self._compare(signature)
            if alike < SIMILAR:
                continue
            against = rule not in ("unknown", signature.code) and signature.rule not in ("unknown", rule)
            confidence = round(alike * (CONTRADICTED if against else 1.0), 3)
            cause = PossibleCause(signature.code, confidence, evidence, label=signature.label, recognised=True)
            place = doubted if against else first
            key = (signature.code, signature.label)
            if key not in place or place[key].confidence < confidence:
                place[key] = cause
        ranked = sorted(first.values(), key=lambda cause: -cause.confidence)
        named = {cause.code for cause in ranked}
        ruled = [cause for cause in causes if cause.code not in named and cause.code != "unknown"]
        mixed = [*ruled, *(cause for key, cause in doubted.items() if key not in first)]
        mixed.sort(key=lambda cause: -cause.confidence)
        return (*ranked, *mixed, *(cause for cause in causes if cause.code == "unknown"))

    def state(self) -> dict[str, Any]:
        """For the snapshot."""
        return {
            "known": [[s.code, s.label, s.rule, s.heard, s.direction] for s in self.known],
            "episodes": [[e.samples, e.rule, e.total] for e in self._episodes],
            "alarmed": self._alarmed,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a snapshot."""
        self.known = [
            Signature(str(code), str(label), str(rule), {str(k): float(v) for k, v in direction.items()}, int(heard))
            for code, label, rule, heard, direction in state["known"]
        ]
        self._episodes.clear()
        for samples, rule, total in state["episodes"]:
            episode = Episode()
            episode.samples, episode.rule = int(samples), str(rule)
            episode.total = {str(name): float(value) for name, value in total.items()}
            self._episodes.append(episode)
        self._alarmed = bool(state["alarmed"]) and bool(self._episodes)

    def _compare(self, signature: Signature) -> tuple[float, tuple[str, ...]]:
        total = self._episodes[-1].total
        return min(similarity(signature.direction, total), 1.0), _largest(signature.direction, total)

    def _meant(self, evidence: Mapping[str, float]) -> Episode | None:
        if not self._episodes:
            return None
        if not evidence:
            return self._episodes[-1]
        # Only what was reported is compared: a report holds the largest deviations, an alarm all of them. Latest first.
        near = [
            (cosine(dict(evidence), {name: e.total[name] for name in evidence if name in e.total}), -age, e)
            for age, e in enumerate(reversed(self._episodes))
        ]
        similarity, _, found = max(near, key=lambda entry: entry[:2])
        return found if similarity >= MEANT else None


def sure_rule(causes: Sequence[PossibleCause]) -> str:
    """What the rules name first, where they are sure of it; else `unknown`."""
    return causes[0].code if causes and causes[0].confidence >= SURE_RULE else "unknown"


def cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Cosine of the angle between two vectors over the features that both know; 0 where they share none that moved.

    >>> cosine({"a": 1.0, "b": 0.0}, {"a": 2.0, "c": 5.0}), cosine({"a": 1.0}, {"b": 1.0})
    (1.0, 0.0)
    """
    common = one.keys() & other.keys()
    length = sqrt(sum(one[name] ** 2 for name in common) * sum(other[name] ** 2 for name in common))
    return sum(one[name] * other[name] for name in common) / length if length > 0.0 else 0.0


def similarity(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """How alike two signatures are, -1 to 1.

    The cosine; 0 where either lies mostly in features that the other does not know, and less where so few are known
    to both that there are hardly two directions to tell apart.

    >>> similarity({"a": 1.0}, {"a": 2.0}) < 0.5, similarity({"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0})
    (True, 0.0)
    """
    common = one.keys() & other.keys()
    for vector in (one, other):
        if sum(vector[name] ** 2 for name in common) < COMMON * sum(value**2 for value in vector.values()):
            return 0.0
    return cosine(one, other) * min(len(common) / ENOUGH_FEATURES, 1.0)


def _unit(vector: Mapping[str, float]) -> Vector:
    length = sqrt(sum(value**2 for value in vector.values()))
    return {name: float(f"{value / length:.6g}") for name, value in vector.items()} if length > 0.0 else {}


def _largest(direction: Mapping[str, float], total: Mapping[str, float]) -> tuple[str, ...]:
    """The features in which the two agree most."""
    shared = {name: direction[name] * total[name] for name in direction.keys() & total.keys()}
    order = sorted((name for name, value in shared.items() if value > 0.0), key=lambda name: (-shared[name], name))
    return tuple(order[:MOST_EVIDENCE])
