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
from models.condition.contract import (
    Confirmed,
    Deviation,
    Explanation,
    PossibleCause,
    Sample,
    Verdict,
    Word,
)
from models.condition.detector import Normal
from models.condition.memory import Memory
from models.condition.outlook import Outlook, certainty
from models.condition.persistence import Persistence
from models.condition.regime import Regimes, settled_rows
from models.condition.settings import Settings
from models.condition.severity import by_score, by_velocity, graded
from models.condition.suspects import LEANING, Suspects
from models.condition.tolerance import tolerance

Floats: TypeAlias = NDArray[np.float64]

DELAY = 12
"""Accepted samples wait this long before they are learned; an alarm meanwhile discards them: what came just before it was its beginning."""
GATE = 0.8
"""Samples above this share of the limit are not remembered."""
SETTLING = (0.2, 1, 5)
"""Share of a usual visit to a regime after which the machine has arrived there, and the least and most samples of it.

Until then nothing is learned and nothing alarmed on: it is under way."""
ODD = 3.0
"""A single sample beyond this multiple of the limit is not learned, though it is no alarm."""
WORTH_TELLING = 2.0
"""Deviations from which a feature is named at all, and how many of them: with and without something to explain."""
MANY, FEW = 64, 8
LEFT_NORMAL = 3.0
VELOCITY = "velocity_rms"
REGROWTH = 1.3
"""The model is fitted again when its memory has grown by this factor."""
LONGEST_WAIT = 2_000
ALARM_MEMORY = 120
NEW_REGIME_SHARE = 0.5
LEAST_ROWS = 24
"""Samples of a regime from which it is judged by them; until then it is met like one that is new."""
LEAST_WARMUP = 8
"""Samples without which nothing is learned."""
MODEL = "condition-2"


class Condition:
    """The condition model of one machine; see `models.condition.contract.ConditionModel`.

    Warm-up takes `settings.warmup` samples as normal. Then every sample gets a regime and a score in multiples of that
    regime's limit (so the limit is 1), and accepted samples refine the normal: its centre at once and slowly, everything
    else whenever enough has come together.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._memory = Memory()
        self._columns = Columns(self._memory)
        self._regimes: Regimes | None = None
        self._normals: dict[str, Normal] = {}
        self._persistence: dict[str, Persistence] = {}
        self._visits: dict[str, float] = {}
        self._suspects = Suspects()
        self._outlook = Outlook()
        self._warmed = 0
        self._regime = ""
        self._odd = False
        self._in_regime = 0
        self._next_fit = 0
        self._since_fit = 0
        self._pending: deque[tuple[float, str, Floats]] = deque()
        self._alarmed: deque[Floats] = deque(maxlen=ALARM_MEMORY)
        self._exemplars: list[Floats] = []
        self._left: dict[str, float] = {}
        self._strangers: list[tuple[float, Floats]] = []
        self._last: tuple[float, Floats] | None = None

    @property
    def learned(self) -> float:
        """Share of the warm-up that is done, 0 to 1."""
        return 1.0 if self._regimes is not None else min(self._warmed / self.settings.warmup, 0.999)

    @property
    def unsteady(self) -> tuple[str, ...]:
        """Features that changed so much while they were learned that they have next to no say.

        A slow one may have drifted without meaning; but a fault that was there in a part of the warm-up looks the same, and is
        then part of the normal.
        """
        return tuple(dict.fromkeys(name for normal in self._normals.values() for name in normal.unsteady()))

    def conclude(self) -> None:
        """Ends the warm-up with what it has, if that is enough to learn from (8 samples)."""
        if self._regimes is None and len(self._memory) >= LEAST_WARMUP:
            self._fit()

    def score(self, sample: Sample) -> Verdict:
        """Judges one sample; see the contract."""
        vector = self._columns.vector(sample)
        self._last = (sample.time_s, vector)
        if self._regimes is None:
            left_s = self._outlook.left_s(sample.time_s, self.settings.warmup - self._warmed)
            return Verdict(
                sample.time_s,
                "learning",
                0.0,
                None,
                "good",
                alarm=False,
                learned=self.learned,
                certainty=0.0,
                learning_left_s=left_s,
            )
        _, known, regime = self._regimes.assign(sample.values)
        normal = self._normals.get(regime) if known else None
        self._enter(regime)
        seen = normal.score(self._select(vector, normal), settled=not self._settling) if normal is not None else None
        if normal is None or seen is None:
            alarm = self._alarm
            severity = by_score(self._worst(0.0), alarm=alarm)
            new = Verdict(sample.time_s, regime, 0.0, None, severity, alarm, 1.0, (), known_regime=False, certainty=0.0)
            return self._outlook.judge(new)
        persistence = self._persistence.get(regime)
        if persistence is None:
            persistence = self._persistence[regime] = Persistence()
        self._odd = seen.ratio > ODD
        before = persistence.alarm
        ratio = persistence.ratio if self._settling else persistence.update(seen.ratio, seen.now)
        if before and not persistence.alarm:
            normal.recover()
        alarm = self._alarm
        deviations = self._deviations(sample, normal, many=ratio > 1.0)
        severity = graded(self._worst(ratio), self._zone(sample, deviations, alarm=alarm), alarm=alarm)
        if not alarm:
            self._suspects.clear()
        signs = self._columns.signs(sample)
        if (alarm or ratio > 1.0) and not self._settling:
            self._suspects.hear(regime, self._moved(sample, normal), signs, known=known)
        known_as = certainty(normal.samples)
        judged = Verdict(
            sample.time_s, regime, ratio, 1.0, severity, alarm, 1.0, deviations, known, known_as, signs=signs
        )
        return judged if self._settling else self._outlook.judge(judged)

    def learn(self, sample: Sample, verdict: Verdict) -> None:
        """Takes the sample into the normal, if the verdict allows it; see the contract."""
        last, self._last = self._last, None
        vector = last[1] if last is not None and last[0] == sample.time_s else self._columns.vector(sample)
        if self._regimes is None:
            self._warmed += 1
            self._memory.add(sample.time_s, vector)
            if self._warmed >= self.settings.warmup:
                self._fit()
            return
        if verdict.alarm:
            self._pending.clear()
            if (persistence := self._persistence.get(verdict.regime)) is not None and persistence.alarm:
                measured = [name for name in self._memory.names if name in sample.values]
                if self._outlook.alarmed(verdict, measured, self._causes()):
                    self._alarmed.clear()  # what alarmed before is another story
                self._alarmed.append(vector)
            return
        if not verdict.known_regime or verdict.limit is None:
            if verdict.regime in self._regimes.names:
                self._take(sample.time_s, verdict.regime, vector)
            else:
                self._meet(sample.time_s, vector)
        elif not self._settling and not self._odd:
            self._accept(sample.time_s, vector, verdict.regime, verdict.score / verdict.limit)

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
        causes = self._causes() if self._suspects else direct.causes
        return Explanation(direct.deviations, self._outlook.rank(causes))

    def feedback(self, word: Word, confirmed: Confirmed | None = None) -> bool:
        """Hears a person; see the contract."""
        if word is Word.CONFIRMED:
            return confirmed is not None and self._outlook.confirm(confirmed)
        self._outlook.begin_anew(forget=word is Word.RELEARN)
        if word is Word.FALSE_ALARM:
            meant = bool(self._alarmed)
            if meant:
                accepted = list(self._alarmed)
                self._exemplars = [*self._exemplars, *accepted[:: max(1, len(accepted) // 20)]][-100:]
                self._teach(accepted)
            self._alarmed.clear()
            self._pending.clear()
            self._calm()
            return meant
        self._memory.clear()
        self._regimes = None
        self._normals = {}
        self._warmed = 0
        self._pending.clear()
        self._alarmed.clear()
        self._strangers.clear()
        self._left.clear()
        self._visits.clear()
        self._calm()
        self._persistence.clear()
        if word is Word.RELEARN:
            self._exemplars = []
            self._memory = Memory()
            self._columns = Columns(self._memory)
        return True

    def snapshot(self) -> dict[str, Any]:
        """State as numbers; see the contract."""
        memory = self._memory
        settings = self.settings
        return snapshots.stamp(
            {
                "settings": [settings.warmup, settings.kind, settings.iso_class, settings.budget],
                "features": self._columns.state(),
                "memory": {
                    "stride": memory.stride,
                    "offered": memory.offered,
                    "times": memory.times.tolist(),
                    "rows": [snapshots.optional_numbers(row) for row in memory.table.tolist()],
                },
                "regimes": self._regimes.state() if self._regimes else None,
                "normals": {name: normal.state() for name, normal in self._normals.items()},
                "persistence": {name: entry.state() for name, entry in self._persistence.items()},
                "visits": dict(self._visits),
                "suspects": self._suspects.state(),
                "outlook": self._outlook.state(),
                "warmed": self._warmed,
                "regime": [self._regime, self._in_regime],
                "fits": [self._next_fit, self._since_fit],
                "pending": [[time_s, regime, snapshots.optional_numbers(v)] for time_s, regime, v in self._pending],
                "alarmed": [snapshots.optional_numbers(v) for v in self._alarmed],
                "exemplars": [snapshots.optional_numbers(v) for v in self._exemplars],
                "strangers": [[time_s, snapshots.optional_numbers(v)] for time_s, v in self._strangers],
                "left": dict(self._left),
            }
        )

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """A model with that state, or with what can be learned again from its rows; see the contract."""
        current = snapshots.require(state)
        try:
            return cls._restored(state, current=current)
        except (KeyError, TypeError, IndexError, AttributeError) as exc:
            raise ValueError(f"condition snapshot is damaged: {exc!r}") from exc

    @classmethod
    def _restored(cls, state: Mapping[str, Any], *, current: bool) -> Self:
        # Settings, features, rows, and what a person called normal keep their meaning over versions.
        warmup, kind, iso_class, budget = state["settings"]
        model = cls(Settings(int(warmup), str(kind), iso_class, float(budget)))
        model._columns.load(state["features"])
        kept = state["memory"]
        for time_s, row in zip(kept["times"], kept["rows"], strict=True):
            model._memory.add(float(time_s), np.array(snapshots.with_nan(row)))
        model._memory.stride, model._memory.offered = int(kept["stride"]), int(kept["offered"])
        model._exemplars = [np.array(snapshots.with_nan(v)) for v in state["exemplars"]]
        model._warmed = int(state["warmed"])
        if current:
            model._take_up(state)
        else:
            model._learn_again(state)
        return model

    def _take_up(self, state: Mapping[str, Any]) -> None:
        """Everything else, as it was."""
        self._regimes = Regimes.from_state(state["regimes"]) if state["regimes"] else None
        self._normals = {str(name): Normal.from_state(entry) for name, entry in state["normals"].items()}
        for name, entry in state["persistence"].items():
            self._persistence[str(name)] = Persistence()
            self._persistence[str(name)].load(entry)
        self._visits = {str(name): float(value) for name, value in state["visits"].items()}
        self._suspects.load(state["suspects"])
        if "outlook" in state:
            self._outlook.load(state["outlook"])
        self._regime, self._in_regime = str(state["regime"][0]), int(state["regime"][1])
        self._next_fit, self._since_fit = (int(value) for value in state["fits"])
        self._pending.extend((float(t), str(r), np.array(snapshots.with_nan(v))) for t, r, v in state["pending"])
        self._alarmed.extend(np.array(snapshots.with_nan(v)) for v in state["alarmed"])
        self._strangers = [(float(t), np.array(snapshots.with_nan(v))) for t, v in state["strangers"]]
        self._left = {str(name): float(value) for name, value in state["left"].items()}

    def _learn_again(self, state: Mapping[str, Any]) -> None:
        """Everything else, from the rows: the state is of another version of this model or of River."""
        if "outlook" in state:
            self._outlook.load(state["outlook"])
        if state["regimes"] and len(self._memory) >= LEAST_WARMUP:
            self._warmed = max(self._warmed, self.settings.warmup)
            self._fit()

    def _select(self, vector: Floats, normal: Normal) -> Floats:
        # Columns only ever grow at the end, and a normal is fitted to all columns there were.
        size = len(normal.names)
        if len(vector) >= size:
            return vector[:size]
        return np.concatenate([vector, np.full(size - len(vector), np.nan)])

    def _fit(self) -> None:
        memory = self._memory
        table = memory.table
        names = list(memory.names)
        old = self._normals
        self._regimes = Regimes.fit(table, names, self._columns.info, self._regimes)
        leaves = self._regimes.leaves(table, names)
        logarithmic = np.array([self._is_logarithmic(name) for name in names], dtype=bool)
        span = np.abs(np.where(np.isfinite(table), table, 0.0)).max(axis=0)
        least = np.array(
            [tolerance(self._columns.info[name], name, float(wide)) for name, wide in zip(names, span, strict=True)]
        )
        scored = np.array([self._columns.info[name].quantity != "state" for name in names], dtype=bool)
        self._normals = {}
        for leaf, name in enumerate(self._regimes.names):
            rows = table[settled_rows(leaves, leaf)]
            if len(rows) < min(LEAST_ROWS, len(table) // 2):
                # It is known, but these rows are too few to judge by.
                if name in old:
                    self._normals[name] = old[name]
                continue
            normal = Normal(names, self.settings.budget)
            normal.fit(np.where(scored, rows, np.nan), logarithmic, least)
            if name in old:
                normal.inherit(old[name])
            self._normals[name] = normal
        if self._exemplars:
            self._teach(self._exemplars)
        self._since_fit = 0
        self._next_fit = max(int(memory.offered * (REGROWTH - 1.0)), 30)

    def _is_logarithmic(self, name: str) -> bool:
        info = self._columns.info[name]
        return info.quantity == "vibration" and info.unit != "%"

    def _accept(self, time_s: float, vector: Floats, regime: str, ratio: float) -> None:
        """Learns of a sample that raised no alarm as much as its score allows."""
        if ratio <= GATE:
            self._pending.append((time_s, regime, vector))
            if len(self._pending) > DELAY:
                self._take(*self._pending.popleft())
        elif ratio <= 1.0 or self._catching_up(regime):
            # Not remembered, but followed: else a drift would sit between the gate and the limit for ever.
            self._follow(regime, vector)

    def _take(self, time_s: float, regime: str, vector: Floats) -> None:
        self._memory.add(time_s, vector)
        self._follow(regime, vector)
        self._since_fit += 1
        if self._since_fit >= min(self._next_fit, LONGEST_WAIT):
            self._fit()

    def _catching_up(self, regime: str) -> bool:
        normal = self._normals.get(regime)
        return normal is not None and normal.catching_up

    def _follow(self, regime: str, vector: Floats) -> None:
        normal = self._normals.get(regime)
        if normal is not None:
            normal.follow(self._select(vector, normal))

    def _meet(self, time_s: float, vector: Floats) -> None:
        """Gets to know a regime that the warm-up did not see."""
        self._strangers.append((time_s, vector))
        if len(self._strangers) >= max(10, int(NEW_REGIME_SHARE * self.settings.warmup)):
            for moment, known in self._strangers:
                self._memory.add(moment, known)
            self._strangers.clear()
            self._fit()

    def _teach(self, vectors: list[Floats]) -> None:
        """Makes vectors that a person called normal normal, in the regime each belongs to."""
        if self._regimes is None:
            return
        names = self._memory.names
        grouped: dict[str, list[Floats]] = {}
        for vector in vectors:
            values = {name: float(value) for name, value in zip(names, vector, strict=False) if np.isfinite(value)}
            grouped.setdefault(self._regimes.assign(values)[2], []).append(vector)
        for regime, members in grouped.items():
            normal = self._normals.get(regime)
            if normal is not None:
                normal.accept(np.array([self._select(member, normal) for member in members]))

    @property
    def _alarm(self) -> bool:
        return any(entry.alarm for entry in self._persistence.values())

    @property
    def _settling(self) -> bool:
        if len(self._normals) < 2:
            return False
        share, least, most = SETTLING
        usual = self._visits.get(self._regime, 3.0 / share)
        return self._in_regime <= min(max(round(share * usual), least), most)

    def _worst(self, ratio: float) -> float:
        """The ratio that counts for the severity: an alarm raised in one regime stands while the machine is in another."""
        return max([ratio, *(entry.ratio for entry in self._persistence.values() if entry.alarm)])

    def _enter(self, regime: str) -> None:
        if regime != self._regime:
            if self._regime and self._in_regime:
                usual = self._visits.get(self._regime, float(self._in_regime))
                self._visits[self._regime] = usual + 0.3 * (self._in_regime - usual)
            self._regime, self._in_regime = regime, 0
        self._in_regime += 1

    def _calm(self) -> None:
        for entry in self._persistence.values():
            entry.reset()
        self._suspects.clear()

    def _deviations(self, sample: Sample, normal: Normal, *, many: bool) -> tuple[Deviation, ...]:
        telling = normal.telling(WORTH_TELLING)
        if not telling:
            self._left.clear()
            return ()
        telling.sort(key=lambda entry: -abs(entry[1]))
        outside = {normal.names[k] for k, sigma in telling if abs(sigma) >= LEFT_NORMAL}
        self._left = {name: since for name, since in self._left.items() if name in outside}
        for name in outside:
            self._left.setdefault(name, sample.time_s)
        return self._told(sample, normal, telling[: MANY if many else FEW])

    def _moved(self, sample: Sample, normal: Normal) -> tuple[Deviation, ...]:
        """Everything that leans to one side, for the picture of an alarm."""
        return self._told(sample, normal, normal.telling(LEANING))

    def _told(self, sample: Sample, normal: Normal, telling: Sequence[tuple[int, float]]) -> tuple[Deviation, ...]:
        return tuple(
            Deviation(name, sample.values[name], normal.expected(k), sigma, self._left.get(name))
            for k, sigma in telling
            if (name := normal.names[k]) in sample.values
        )

    def _causes(self) -> tuple[PossibleCause, ...]:
        return self._suspects.ranked(self._columns.info, self.settings.kind)

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
