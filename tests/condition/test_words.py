"""What a person says to the model is heard at once and lasts: over restarts, refits and a state of an older version."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pytest

from models.condition.contract import Confirmed, FeatureInfo, Sample, Verdict, Word
from models.condition.memory import MAX_FEATURES
from models.condition.model import Condition
from models.condition.settings import Settings

NAMES = tuple(f"c{k}" for k in range(10))
INFO = {name: FeatureInfo("bar", name, "level") for name in NAMES}
JAM: Mapping[str, float] = {"c0": 9.0, "c1": -7.0, "c2": 5.0}
LEAK: Mapping[str, float] = {"c6": 12.0, "c7": 8.0, "c8": -6.0}


class Press:
    """Ten pressures with noise of deviation 1 around 100, and what a fault does to them."""

    def __init__(self, seed: int = 0, warmup: int = 100) -> None:
        self.rng = np.random.default_rng(seed)
        self.model = Condition(Settings(warmup=warmup))
        self.tick = 0
        self.last: Mapping[str, float] = {}

    def samples(self, count: int, shift: Mapping[str, float] | None = None) -> Iterator[Sample]:
        for _ in range(count):
            values = {name: 100.0 + float(self.rng.standard_normal()) for name in NAMES}
            for name, change in (shift or {}).items():
                values[name] += change
            self.tick += 1
            yield Sample(float(self.tick), values, INFO)

    def judge(self, samples: Iterable[Sample]) -> list[Verdict]:
        verdicts = []
        for sample in samples:
            verdict = self.model.score(sample)
            self.model.learn(sample, verdict)
            verdicts.append(verdict)
        return verdicts

    def run(self, count: int, shift: Mapping[str, float] | None = None) -> list[Verdict]:
        return self.judge(self.samples(count, shift))

    def first_cause(self) -> tuple[str, str, bool]:
        (verdict,) = self.run(1, self.last)
        cause = self.model.explain(verdict).causes[0]
        return cause.code, cause.label, cause.recognised

    def break_it(self, shift: Mapping[str, float], count: int = 30) -> None:
        self.last = shift
        assert self.run(count, shift)[-1].alarm

    def mend(self) -> None:
        self.last = {}
        assert not self.run(80)[-1].alarm

    def restart(self) -> None:
        self.model = Condition.restore(json.loads(json.dumps(self.model.snapshot(), allow_nan=False)))


@pytest.fixture
def press() -> Press:
    made = Press()
    made.run(300)
    return made


def test_a_confirmed_fault_is_recognised_by_name_when_it_comes_back(press: Press) -> None:
    press.break_it(JAM)
    assert press.first_cause() == ("unknown", "", False)
    assert press.model.feedback(Word.CONFIRMED, Confirmed("own-jam", "Klemmt", {"c0": 8.0, "c1": -6.0}))
    assert press.first_cause() == ("own-jam", "Klemmt", True), "at once"
    press.mend()
    press.run(800)  # refitted meanwhile
    press.restart()
    press.break_it({name: 0.7 * shift for name, shift in JAM.items()})
    assert press.first_cause() == ("own-jam", "Klemmt", True)
    press.mend()
    press.break_it(LEAK)
    assert press.first_cause() == ("unknown", "", False)


def test_it_may_be_confirmed_after_the_repair_and_a_restart(press: Press) -> None:
    press.break_it(JAM)
    press.mend()
    press.restart()
    assert press.model.feedback(Word.CONFIRMED, Confirmed("own-jam", "Klemmt"))
    press.break_it(JAM)
    assert press.first_cause()[0] == "own-jam"


def test_confirming_teaches_nothing_of_the_normal(press: Press) -> None:
    press.break_it(JAM)
    before = press.model.snapshot()
    press.model.feedback(Word.CONFIRMED, Confirmed("belt"))
    after = press.model.snapshot()
    assert {key for key in before if before[key] != after[key]} == {"outlook"}
    assert all(verdict.alarm for verdict in press.run(400, JAM)), "it is still an alarm"


def test_a_new_normal_keeps_the_confirmed_faults_and_forgetting_does_not(press: Press) -> None:
    press.break_it(JAM)
    press.model.feedback(Word.CONFIRMED, Confirmed("own-jam", "Klemmt"))
    press.model.feedback(Word.NORMAL_NOW)
    press.run(300)
    press.break_it(JAM)
    assert press.first_cause()[0] == "own-jam"
    press.model.feedback(Word.RELEARN)
    press.run(300)
    press.break_it(JAM)
    assert press.first_cause()[0] == "unknown"


def test_a_false_alarm_stays_normal_over_restarts_and_refits(press: Press) -> None:
    press.break_it(JAM)
    assert press.model.feedback(Word.FALSE_ALARM)
    for _ in range(4):
        assert not any(verdict.alarm for verdict in press.run(500))
        press.restart()
        assert not any(verdict.alarm for verdict in press.run(40, JAM))
    press.break_it(LEAK)


def test_a_false_alarm_does_not_make_an_earlier_fault_normal(press: Press) -> None:
    press.break_it(LEAK, 100)
    press.mend()
    press.break_it(JAM)
    assert press.model.feedback(Word.FALSE_ALARM)
    assert not any(verdict.alarm for verdict in press.run(40, JAM))
    press.break_it(LEAK)


def test_words_without_an_alarm_have_nothing_to_mean(press: Press) -> None:
    assert not press.model.feedback(Word.FALSE_ALARM)
    assert not press.model.feedback(Word.CONFIRMED, Confirmed("belt"))
    assert not press.model.feedback(Word.CONFIRMED)
    assert not any(verdict.alarm for verdict in press.run(50))


def test_a_state_from_before_there_were_signatures_is_taken_up(press: Press) -> None:
    press.break_it(JAM)
    press.model.feedback(Word.FALSE_ALARM)
    older = json.loads(json.dumps(press.model.snapshot()))
    del older["outlook"]
    press.model = Condition.restore(older)
    assert not any(verdict.alarm for verdict in press.run(40, JAM))


def test_words_outlast_a_change_of_river(press: Press) -> None:
    press.break_it(JAM)
    press.model.feedback(Word.CONFIRMED, Confirmed("own-jam", "Klemmt"))
    press.mend()
    press.break_it(LEAK)
    press.model.feedback(Word.FALSE_ALARM)
    state = json.loads(json.dumps(press.model.snapshot()))
    state["river"] = "0.1.0"
    press.model = Condition.restore(state)
    assert not any(verdict.alarm for verdict in press.run(60, LEAK))
    press.break_it(JAM)
    assert press.first_cause() == ("own-jam", "Klemmt", True)


def test_while_it_learns_it_says_how_long_still_and_that_nothing_is_certain() -> None:
    press = Press(warmup=100)
    verdicts = press.run(40)
    assert verdicts[0].learning_left_s is None, "no pace yet"
    assert verdicts[39].learning_left_s == pytest.approx(61.0, abs=1.5)
    assert {verdict.certainty for verdict in verdicts} == {0.0}
    slow = Press(warmup=100)
    late = slow.judge(Sample(60.0 * sample.time_s, sample.values, INFO) for sample in slow.samples(50))
    assert late[-1].learning_left_s == pytest.approx(51 * 60.0, rel=0.03)
    slow.restart()
    again = slow.judge(Sample(sample.time_s - 50.0, sample.values, INFO) for sample in slow.samples(3))
    assert again[-1].learning_left_s is not None
    assert math.isfinite(again[-1].learning_left_s), "over a restart of the clock"


def test_certainty_comes_with_what_was_seen() -> None:
    press = Press(warmup=60)
    verdicts = press.run(1500)
    first, last = verdicts[61], verdicts[-1]
    assert 0.2 < first.certainty < 0.75
    assert last.certainty > 0.9
    assert (first.learning_left_s, last.learning_left_s) == (None, None)


def growing(seed: int) -> list[Verdict]:
    """The verdicts with a prognosis of a machine whose warning grows until it is an alarm."""
    press, size, said = Press(seed), 0.1, []
    press.run(300)
    while not press.run(40, {name: size * shift for name, shift in JAM.items()})[-1].alarm:
        size *= 1.15
    for k in range(8000):
        (verdict,) = press.run(1, {name: size * (1 + k / 4000) * shift for name, shift in JAM.items()})
        if verdict.prognosis is not None:
            said.append(verdict)
        if verdict.score >= 2.0 or len(said) == 50:
            break
    return said


def test_a_warning_that_grows_is_told_to_become_an_alarm_and_when() -> None:
    said = next(filter(None, map(growing, range(4))), [])
    assert said, "nothing was said before it became an alarm"
    assert {one.prognosis.reaches for one in said if one.prognosis is not None} == {"alarm"}
    assert {one.severity for one in said} == {"alarm"}, "within a shift: nobody would look before"


def test_a_steady_machine_is_never_seen_failing(press: Press) -> None:
    assert not any(verdict.prognosis for verdict in press.run(2500))


def test_what_a_person_called_normal_is_not_taken_for_another_sensor_after_a_restart() -> None:
    """A sensor that comes late is told by no column of those that the word was about, also where nothing is learned just then."""
    info = {f"a.x.f{k}": FeatureInfo("g", "a", "vibration") for k in range(MAX_FEATURES)}
    late = {f"b.x.f{k}": FeatureInfo("g", "b", "vibration") for k in range(60)}
    rng = np.random.default_rng(0)

    def sample(time_s: int, known: Mapping[str, FeatureInfo], **changed: float) -> Sample:
        values = {name: 1.0 + 0.05 * float(rng.standard_normal()) for name in known}
        return Sample(float(time_s), {**values, **changed}, known)

    model = Condition(Settings(warmup=30))
    for time_s in range(100):
        fault = {f"a.x.f{k}": 5.0 for k in range(100, 120)} if time_s >= 60 else {}
        told = sample(time_s, info, **fault)
        model.learn(told, model.score(told))
    assert model.feedback(Word.FALSE_ALARM)
    model.feedback(Word.NORMAL_NOW)
    model = Condition.restore(json.loads(json.dumps(model.snapshot(), allow_nan=False)))
    for time_s in range(100, 103):
        told = sample(time_s, {**info, **late})
        model.learn(told, model.score(told))
    assert set(model.unjudged) == set(late)
