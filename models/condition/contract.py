"""The condition model's contract: samples in, verdicts out, a person's word heard, state as numbers.

One model watches one machine. The caller hands it one sample per tick, in time order, and calls `score` then
`learn`: the model itself decides whether to learn (never while alarmed, never from a sensor fault).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """Where a feature comes from: its unit, its channel, and the quantity of that channel."""

    unit: str
    channel: str
    quantity: str
    """vibration, temperature, current, power, energy, speed, level or state."""
    scored: bool = True
    """False for a sign: a number that means something by itself (the order of a knock), and helps to name a cause. No detector
    learns it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The features of one machine at one moment.

    `values` holds finite numbers only; a feature whose channel delivered nothing is absent. `time_s` is monotonic
    seconds and need not be evenly spaced.
    """

    time_s: float
    values: Mapping[str, float]
    info: Mapping[str, FeatureInfo]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One feature's distance from normal. `sigma` is signed, in standard deviations of its own normal."""

    feature: str
    value: float
    expected: float
    sigma: float
    since_s: float | None = None
    """Sample time at which it left its normal, where known."""


@dataclass(frozen=True, slots=True)
class Prognosis:
    """When the next limit is reached if what grows goes on growing: between these times from now, with that confidence.

    Seconds of the machine's observed life: what it is switched off together with its node does not count.
    """

    low_s: float
    high_s: float
    confidence: float
    """0 to 1: share of such statements that come true."""
    reaches: str = "warning"
    """Severity that begins there: warning (the limit itself) or, for a machine beyond it, alarm."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model says of one sample."""

    time_s: float
    regime: str
    score: float
    """Distance from normal, 0 and up; comparable only with `limit`."""
    limit: float | None
    """Where this machine's alarm starts; None while there is too little to say."""
    severity: str
    """good, watch, warning or alarm."""
    alarm: bool
    """After persistence: what a person should be told."""
    learned: float
    """0 to 1; 1 once warm-up is complete."""
    deviations: tuple[Deviation, ...] = ()
    """Largest first."""
    known_regime: bool = True
    """False where this regime was not met in the warm-up; the verdict is then less certain."""
    certainty: float = 1.0
    """0 to 1: how well the normal is known that this was judged by; 0 while there is none."""
    learning_left_s: float | None = None
    """About how long the warm-up still takes at the present pace; None once it is complete, or when the pace is unknown."""
    prognosis: Prognosis | None = None
    """None where nothing grows, or where the data cannot say when a limit is reached."""
    signs: Mapping[str, float] = field(default_factory=dict)
    """The sample's unscored features (`FeatureInfo.scored`), for the explanation."""


@dataclass(frozen=True, slots=True)
class PossibleCause:
    """A cause's code with its confidence (0 to 1) and the features that speak for it."""

    code: str
    confidence: float
    evidence: tuple[str, ...] = ()
    label: str = ""
    """What a person called it, where the code is no cause of the catalogue."""
    recognised: bool = False
    """It looks as it did when a person confirmed that cause; the confidence is the similarity."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why: what moved, and what that could be. `causes` is ranked; the last resort is `unknown`."""

    deviations: tuple[Deviation, ...]
    causes: tuple[PossibleCause, ...] = field(default=())


class Word(StrEnum):
    """What a person can tell the model."""

    FALSE_ALARM = "false_alarm"
    """This was normal: learn what alarmed just now."""
    NORMAL_NOW = "normal_now"
    """Repaired or changed: take what follows as normal from here on."""
    RELEARN = "relearn"
    """Forget everything and warm up again."""
    CONFIRMED = "confirmed"
    """This was a fault, and this was its cause: know it again when it comes back."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The fault that a person confirmed: its code, their own name for it, and the deviations that were reported.

    `evidence` says which of the latest alarms is meant: features with their signed deviations; empty for the last one.
    """

    code: str
    label: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)


class ConditionModel(Protocol):
    """Learns one machine's normal online.

    Implementations keep no reference to a sample's mappings after the call, do no I/O, and never raise for odd input:
    a missing, constant, extreme or new feature is handled and shows in the verdict.
    """

    def score(self, sample: Sample) -> Verdict:
        """Judges one sample. Call once per sample, in time order: persistence counts calls."""
        ...

    def learn(self, sample: Sample, verdict: Verdict) -> None:
        """Takes the sample into the normal, if the verdict allows it."""
        ...

    def explain(self, verdict: Verdict) -> Explanation:
        """Why that verdict: deviations and ranked causes."""
        ...

    def feedback(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        """Hears a person; takes effect at once and lasts over snapshots. `confirmed` goes with `Word.CONFIRMED`.

        False where there is nothing that the word could mean, as of a false alarm without an alarm.
        """
        ...

    def snapshot(self) -> dict[str, Any]:
        """State as JSON-compatible numbers, strings, lists and dicts, with the format's version."""
        ...

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """A model with that state.

        Raises:
            ValueError: the state is not of this format; the caller starts anew and says so.
        """
        ...
