"""The condition model: learns one machine's normal in each of its regimes, judges, explains, listens to people."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.condition import snapshot as snapshots
from models.condition.causes import explain
from models.condition.columns import Columns
from models.condition.contract import Confirmed, Deviation, Explanation, Sample, Verdict, Word
from models.condition.departures import Departures
from models.condition.intake import Intake
from models.condition.memory import Memory
from models.condition.normals import Normals
from models.condition.outlook import Outlook, assurance, certainty
from models.condition.persistence import Alarms
from models.condition.settings import Settings
from models.condition.severity import by_score, by_velocity, graded
from models.condition.suspects import Suspects
from models.condition.visits import Visits

Floats: TypeAlias = NDArray[np.float64]

ODD = 3.0
"""A single sample beyond this multiple of the limit is not learned, though it is no alarm."""
VELOCITY = "velocity_rms"
ALARM_MEMORY = 120
"""Alarmed samples that are kept for a person who calls them normal."""
NEW_REGIME_SHARE = 0.5
"""Share of a warm-up that makes a new regime known."""
MODEL = "condition-2"


class Condition:
    """The condition model of one machine; see `models.condition.contract.ConditionModel`.

    Warm-up takes `settings.warmup` samples as normal. Then every sample gets a regime and a score in multiples of that
    regime's limit (so the limit is 1), and accepted samples refine the normal: its centre at once and slowly, everything
    else whenever enough has come together.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._memory = Memory()
        self._columns = Columns(self._memory)
        self._normals = Normals(self._memory, self._columns, self.settings.budget)
        self._intake = Intake(self._memory, self._normals, int(NEW_REGIME_SHARE * self.settings.warmup))
        self._alarms = Alarms()
        self._visits = Visits()
        self._departures = Departures()
        self._suspects = Suspects()
        self._outlook = Outlook()
        self._warmed = 0
        self._odd = False
        self._alarmed: deque[Floats] = deque(maxlen=ALARM_MEMORY)
        self._last: tuple[float, Floats] | None = None

    @property
    def settings(self) -> Settings:
        """What it was told about its machine."""
        return self._settings

    def judge_by(self, settings: Settings) -> None:
        """Other settings hold from here on, as after a change of the configuration; what was learned stays.

        With another budget the limits are learned anew, from the same samples.
        """
        self._settings = settings
        self._intake.expect(int(NEW_REGIME_SHARE * settings.warmup))
        self._normals.spend(settings.budget)

    @property
    def learned(self) -> float:
        """Share of the warm-up that is done, 0 to 1."""
        return 1.0 if self._normals.learned else min(self._warmed / self.settings.warmup, 0.999)

    @property
    def unsteady(self) -> tuple[str, ...]:
        """Features that changed so much while they were learned that they have next to no say.

        A slow one may have drifted without meaning; but a fault that was there in a part of the warm-up looks the same, and is
        then part of the normal.
        """
        return self._normals.unsteady()

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Features of this machine that nothing is said of: it has more than there are columns for."""
        return self._columns.unjudged

    def conclude(self) -> None:
        """Ends the warm-up with what it has, if that is enough to learn from (8 samples)."""
        if not self._normals.learned:
            self._normals.fit()

    def score(self, sample: Sample) -> Verdict:
        """Judges one sample; see the contract."""
        vector = self._columns.vector(sample)
        self._last = (sample.time_s, vector)
        if not self._normals.learned:
            return self._learning(sample.time_s)
        regime, normal = self._normals.assign(sample.values)
        left = self._visits.enter(regime, sample.time_s)
        if left is not None and normal is not None and self._normals.leave(left.regime):
            self._intake.take_back(left.time_s)
        settling = self._settling
        seen = self._normals.score(normal, vector, settled=not settling) if normal is not None else None
        if normal is None or seen is None:
            return self._new(sample.time_s, regime)
        self._odd = seen.ratio > ODD
        persistence = self._alarms.of(regime)
        before = persistence.alarm
        ratio = persistence.ratio if settling else persistence.update(seen.ratio, seen.now)
        if before and not persistence.alarm:
            normal.recover()
        alarm = self._alarms.alarm
        deviations = self._departures.told(sample, normal, many=ratio > 1.0)
        severity = graded(self._alarms.worst(ratio), self._zone(sample, deviations, alarm=alarm), alarm=alarm)
        if not alarm:
            self._suspects.clear()
        signs = self._columns.signs(sample)
        known_as = certainty(normal.samples)
        if (alarm or ratio > 1.0) and not settling:
            self._suspects.hear(regime, self._departures.moved(sample, normal), signs)
            if self._alarms.raised_in(regime):
                # A regime without an alarm, as at rest, has little to say of one.
                sure = assurance(known_as, ratio)
                self._suspects.weigh(self._columns.info, self.settings.kind, sure, self._normals.usual)
        judged = Verdict(
            sample.time_s, regime, ratio, 1.0, severity, alarm, 1.0, deviations, certainty=known_as, signs=signs
        )
        return judged if settling else self._outlook.judge(judged)

    def learn(self, sample: Sample, verdict: Verdict) -> None:
        """Takes the sample into the normal, if the verdict allows it; see the contract."""
        last, self._last = self._last, None
        vector = last[1] if last is not None and last[0] == sample.time_s else self._columns.vector(sample)
        if not self._normals.learned:
            self._warmed += 1
            self._memory.add(sample.time_s, vector)
            if self._warmed >= self.settings.warmup:
                self._normals.fit()
            return
        if verdict.alarm:
            self._intake.discard()
            if self._alarms.raised_in(verdict.regime):
                measured = [name for name in self._columns.names if name in sample.values]
                if self._outlook.alarmed(verdict, measured, self._suspects.ranked()):
                    self._alarmed.clear()  # what alarmed before is another story
                self._alarmed.append(vector)
            return
        if not verdict.known_regime or verdict.limit is None:
            if verdict.regime in self._normals.regimes:
                self._normals.take(sample.time_s, verdict.regime, vector)
            else:
                self._intake.meet(sample.time_s, vector)
        elif not self._settling and not self._odd:
            self._intake.accept(sample.time_s, vector, verdict.regime, verdict.score / verdict.limit)

    def explain(self, verdict: Verdict) -> Explanation:
        """Deviations and ranked causes; see the contract."""
        direct = explain(
            verdict.deviations,
            self._columns.info,
            self.settings.kind,
            known_regime=verdict.known_regime,
            signs=verdict.signs,
        )
        if not verdict.alarm:
            return direct
        causes = self._suspects.ranked() if self._suspects else direct.causes
        return Explanation(direct.deviations, self._outlook.rank(causes))

    def feedback(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        """Hears a person; see the contract."""
        if word is Word.CONFIRMED:
            return confirmed is not None and self._outlook.confirm(confirmed)
        self._outlook.begin_anew(forget=word is Word.RELEARN)
        if word is Word.FALSE_ALARM:
            meant = bool(self._alarmed)
            if meant:
                self._normals.accept(list(self._alarmed))
            self._alarmed.clear()
            self._intake.discard()
            self._alarms.reset()
            self._suspects.clear()
            return meant
        self._memory.clear()
        self._warmed = 0
        self._normals.begin_anew(forget=word is Word.RELEARN)
        self._intake.clear()
        self._alarms.clear()
        self._alarmed.clear()
        self._visits.clear()
        self._departures.clear()
        self._suspects.clear()
        if word is Word.RELEARN:
            self._columns.clear()
        return True

    def snapshot(self) -> dict[str, Any]:
        """State as numbers; see the contract."""
        return snapshots.stamp(
            {
                "settings": self.settings.state(),
                "features": self._columns.state(),
                "memory": self._memory.state(),
                **self._normals.state(),
                **self._intake.state(),
                **self._visits.state(),
                "persistence": self._alarms.state(),
                "left": self._departures.state(),
                "suspects": self._suspects.state(),
                "outlook": self._outlook.state(),
                "warmed": self._warmed,
                "alarmed": [snapshots.optional_numbers(vector) for vector in self._alarmed],
            }
        )

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """A model with that state, or with what can be learned again from its rows; see the contract."""
        current = snapshots.require(state)
        try:
            model = cls(Settings.of(state["settings"]))
            model._load(state, current=current)
        except (KeyError, TypeError, IndexError, AttributeError) as exc:
            raise ValueError(f"condition snapshot is damaged: {exc!r}") from exc
        return model

    def _load(self, state: Mapping[str, Any], *, current: bool) -> None:
        # Settings, features, rows, and what a person called normal keep their meaning over versions.
        self._columns.load(state["features"])
        self._memory.load(state["memory"])
        self._warmed = int(state["warmed"])
        self._normals.load(state, current=current)
        if "outlook" in state:
            self._outlook.load(state["outlook"])
        if not current:
            return
        self._intake.load(state)
        self._visits.load(state)
        self._alarms.load(state["persistence"])
        self._departures.load(state["left"])
        self._suspects.load(state["suspects"])
        self._alarmed.extend(np.array(snapshots.with_nan(vector)) for vector in state["alarmed"])

    def _learning(self, time_s: float) -> Verdict:
        left_s = self._outlook.left_s(time_s, self.settings.warmup - self._warmed)
        return Verdict(
            time_s,
            "learning",
            0.0,
            None,
            "good",
            alarm=False,
            learned=self.learned,
            certainty=0.0,
            learning_left_s=left_s,
        )

    def _new(self, time_s: float, regime: str) -> Verdict:
        """Of a sample that there is no normal for."""
        alarm = self._alarms.alarm
        severity = by_score(self._alarms.worst(0.0), alarm=alarm)
        new = Verdict(time_s, regime, 0.0, None, severity, alarm, 1.0, (), known_regime=False, certainty=0.0)
        return self._outlook.judge(new)

    @property
    def _settling(self) -> bool:
        """Whether the machine is between two regimes."""
        return len(self._normals.regimes) > 1 and self._visits.settling

    def _zone(self, sample: Sample, deviations: Sequence[Deviation], *, alarm: bool) -> str | None:
        """The ISO zone of the velocity; of an alarmed machine only where velocity is what moved."""
        if self.settings.iso_class is None:
            return None
        velocity = [value for name, value in sample.values.items() if name.endswith(VELOCITY)]
        if not velocity:
            return None
        farthest = max((abs(d.sigma) for d in deviations), default=0.0)
        moved = any(d.feature.endswith(VELOCITY) and abs(d.sigma) >= 0.5 * farthest for d in deviations)
        return by_velocity(max(velocity), self.settings.iso_class) if moved or not alarm else None
