"""A confirmed fault is known again by its direction, whatever its size, and never in the place of another."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.condition.contract import Confirmed, Deviation, PossibleCause
from models.condition.signatures import MOST_KNOWN, Signatures, cosine, similarity

NAMES = [f"vibration.f{k}" for k in range(12)]
BELT = {NAMES[0]: 9.0, NAMES[1]: -6.0, NAMES[2]: 5.0, NAMES[3]: 3.0}
BEARING = {NAMES[5]: 20.0, NAMES[6]: 12.0, NAMES[2]: 2.5}
UNKNOWN = PossibleCause("unknown", 1.0)
VECTORS = st.dictionaries(st.sampled_from(NAMES), st.floats(-50.0, 50.0, allow_nan=False), min_size=1)


def alarm(
    signatures: Signatures, moved: Mapping[str, float], *, samples: int = 10, rule: str = "unknown", size: float = 1.0
) -> None:
    signatures.calm()
    deviations = [Deviation(name, 1.0, 0.0, size * sigma) for name, sigma in moved.items()]
    for _ in range(samples):
        signatures.watch(deviations, NAMES, rule)


def taught(
    moved: Mapping[str, float] = BELT, code: str = "belt", *, label: str = "", rule: str = "unknown"
) -> Signatures:
    signatures = Signatures()
    alarm(signatures, moved, rule=rule)
    assert signatures.confirm(Confirmed(code, label))
    return signatures


@pytest.mark.parametrize("size", [0.4, 1.0, 3.0])
def test_the_same_fault_is_named_first_however_large(size: float) -> None:
    signatures = taught()
    alarm(signatures, BELT, size=size)
    first, *others = signatures.rank([PossibleCause("imbalance", 0.4), UNKNOWN])
    assert (first.code, first.recognised) == ("belt", True)
    assert first.confidence > 0.95
    assert first.evidence[0] == NAMES[0]
    assert [cause.code for cause in others] == ["imbalance", "unknown"]


def test_another_fault_and_the_opposite_are_not_it() -> None:
    signatures = taught()
    for moved in (BEARING, {name: -sigma for name, sigma in BELT.items()}):
        alarm(signatures, moved)
        assert signatures.rank([UNKNOWN]) == (UNKNOWN,)


def test_a_persons_own_name_comes_back_with_its_label() -> None:
    signatures = taught(code="own-1", label="Splint fehlt")
    alarm(signatures, BELT)
    assert signatures.rank([UNKNOWN])[0].label == "Splint fehlt"


def test_a_clear_rule_that_says_something_else_than_then_goes_first() -> None:
    # A bearing's rings shake a machine alike: what the rules name tells them apart.
    signatures = taught(BEARING, "bearing_outer", rule="bearing_outer")
    alarm(signatures, BEARING)
    inner = PossibleCause("bearing_inner", 0.8)
    causes = signatures.rank([inner, UNKNOWN])
    assert [cause.code for cause in causes] == ["bearing_inner", "bearing_outer", "unknown"]
    assert causes[1].confidence <= 0.5
    alike = signatures.rank([PossibleCause("bearing_outer", 0.8), UNKNOWN])
    assert [cause.code for cause in alike] == ["bearing_outer", "unknown"]


def test_a_second_fault_on_top_of_a_known_one_is_not_taken_for_it_for_long() -> None:
    signatures = taught()
    alarm(signatures, BELT, samples=300)
    assert signatures.rank([UNKNOWN])[0].code == "belt"
    for _ in range(90):
        signatures.watch([Deviation(n, 1.0, 0.0, s) for n, s in {**BELT, **BEARING}.items()], NAMES, "unknown")
    assert signatures.rank([UNKNOWN]) == (UNKNOWN,)


def test_the_rules_may_have_been_wrong_and_are_overruled_the_next_time() -> None:
    signatures = taught(BELT, "belt", rule="looseness")
    alarm(signatures, BELT, rule="looseness")
    assert [cause.code for cause in signatures.rank([PossibleCause("looseness", 0.9), UNKNOWN])][:2] == [
        "belt",
        "looseness",
    ]


def test_the_alarm_that_was_reported_is_meant_not_the_last_one() -> None:
    signatures = Signatures()
    alarm(signatures, BELT)
    alarm(signatures, BEARING)
    assert signatures.confirm(Confirmed("belt", evidence={NAMES[0]: 8.5, NAMES[1]: -6.5}))
    alarm(signatures, BEARING)
    assert signatures.rank([UNKNOWN]) == (UNKNOWN,)
    alarm(signatures, BELT)
    assert signatures.rank([UNKNOWN])[0].code == "belt"


def test_what_was_reported_is_kept_where_the_alarm_itself_is_forgotten() -> None:
    signatures = Signatures()
    assert not signatures.confirm(Confirmed("belt")), "nothing to keep"
    assert signatures.confirm(Confirmed("belt", evidence=BELT))
    alarm(signatures, BELT)
    assert signatures.rank([UNKNOWN])[0].code == "belt"


def test_one_feature_alone_is_no_direction() -> None:
    signatures = Signatures()
    signatures.watch([Deviation("t", 1.0, 0.0, 9.0)], ["t"], "unknown")
    signatures.watch([Deviation("t", 1.0, 0.0, 9.0)], ["t"], "unknown")
    assert signatures.confirm(Confirmed("belt"))
    assert signatures.rank([UNKNOWN]) == (UNKNOWN,)


def test_hearing_it_again_is_kept_once_and_the_number_of_faults_is_bounded() -> None:
    signatures = taught()
    for size in (0.5, 2.0):
        alarm(signatures, BELT, size=size)
        signatures.confirm(Confirmed("belt"))
    assert [(one.code, one.heard) for one in signatures.known] == [("belt", 3)]
    for k in range(2 * MOST_KNOWN):
        signatures.confirm(Confirmed(f"own-{k}", evidence={NAMES[k % 12]: 5.0, NAMES[(5 * k) % 11]: float(k)}))
    assert len(signatures.known) == MOST_KNOWN
    assert signatures.known[-1].code == f"own-{2 * MOST_KNOWN - 1}"


@settings(max_examples=80, deadline=None)
@given(one=VECTORS, other=VECTORS, factor=st.floats(0.01, 100.0))
def test_similarity_knows_no_size_and_no_order(one: dict[str, float], other: dict[str, float], factor: float) -> None:
    assert -1.000001 <= similarity(one, other) <= 1.000001
    assert similarity(one, other) == pytest.approx(similarity(other, one))
    larger = {name: factor * value for name, value in one.items()}
    assert similarity(larger, other) == pytest.approx(similarity(one, other), abs=1e-6)
    if math.sqrt(sum(value**2 for value in one.values())) > 1e-3:
        assert cosine(one, one) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(confirmed=st.lists(VECTORS, max_size=4), now=VECTORS)
def test_a_snapshot_recognises_the_same(confirmed: list[dict[str, float]], now: dict[str, float]) -> None:
    signatures = Signatures()
    for k, moved in enumerate(confirmed):
        alarm(signatures, moved)
        signatures.confirm(Confirmed(f"own-{k}", f"Fehler {k}"))
    alarm(signatures, now)
    restored = Signatures()
    restored.load(json.loads(json.dumps(signatures.state(), allow_nan=False)))
    assert restored.rank([UNKNOWN]) == signatures.rank([UNKNOWN])
    alarm(signatures, now)
    alarm(restored, now)
    assert restored.state() == signatures.state()
