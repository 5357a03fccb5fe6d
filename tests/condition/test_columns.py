"""Samples as vectors."""

from collections import Counter

import numpy as np

from models.condition.columns import LARGEST, MOST_LAYOUTS, Columns
from models.condition.contract import FeatureInfo, Sample
from models.condition.memory import MAX_FEATURES, Memory

INFO = {name: FeatureInfo("A", name, "current") for name in "abcdefghij"}
SIGN = FeatureInfo("Hz", "x", "vibration", scored=False)


def sample(**values: float) -> Sample:
    return Sample(0.0, values, {**INFO, "sign": SIGN})


def test_each_feature_keeps_its_place() -> None:
    columns = Columns(Memory())
    assert columns.vector(sample(b=2.0, a=1.0)).tolist() == [2.0, 1.0]
    assert columns.vector(sample(a=1.0, b=2.0)).tolist() == [2.0, 1.0]
    late = columns.vector(sample(c=3.0, a=1.0))
    assert columns.names == ["b", "a", "c"]
    assert np.isnan(late[0])
    assert late[1:].tolist() == [1.0, 3.0]
    assert columns.vector(sample(a=1.0, b=2.0))[:2].tolist() == [2.0, 1.0]
    assert np.isnan(columns.vector(sample())).all()
    assert columns.vector(sample(c=3.0))[2] == 3.0


def test_what_is_no_number_is_absent_and_what_is_too_large_is_drawn_in() -> None:
    columns = Columns(Memory())
    columns.vector(sample(a=1.0, b=1.0, c=1.0, d=1.0))
    vector = columns.vector(sample(a=float("nan"), b=float("inf"), c=-1e300, d=4.0))
    assert np.isnan(vector[:2]).all()
    assert vector[2:].tolist() == [-LARGEST, 4.0]


def test_a_sign_and_a_feature_that_nobody_describes_have_no_column() -> None:
    columns = Columns(Memory())
    told = sample(sign=25.0, a=1.0, nobody=7.0)
    assert columns.vector(told).tolist() == [1.0]
    assert columns.vector(told).tolist() == [1.0]
    assert columns.signs(told) == {"sign": 25.0}
    assert columns.signs(sample(a=1.0)) == {}


def test_many_features_and_many_sets_of_them() -> None:
    info = {f"f{k}": FeatureInfo("A", "c", "current") for k in range(MAX_FEATURES + 5)}
    columns = Columns(Memory())
    assert len(columns.vector(Sample(0.0, dict.fromkeys(info, 1.0), info))) == MAX_FEATURES
    for k in range(3 * MOST_LAYOUTS):
        vector = columns.vector(Sample(0.0, {f"f{k}": 2.0}, info))
        assert vector[k] == 2.0
        assert np.isfinite(vector).sum() == 1


def sensors(*names: str, features: int = 51) -> Sample:
    """A sample of accelerometers, whose last features are told of all axes together."""
    info = {
        f"{name}.{f'x.f{k}' if k < features - 6 else f'line_{k}'}": FeatureInfo("g", name, "vibration")
        for name in names
        for k in range(features)
    }
    return Sample(0.0, dict.fromkeys(info, 1.0), info)


def places(columns: Columns) -> Counter[str]:
    return Counter(name.partition(".")[0] for name in columns.names)


def test_channels_share_the_columns_whichever_was_heard_first() -> None:
    columns = Columns(Memory())
    columns.vector(sensors("v1", "v2", "v3", "v4"))
    assert places(columns) == Counter(v1=40, v2=40, v3=40, v4=40)
    assert len(columns.unjudged) == 4 * 51 - MAX_FEATURES
    columns.vector(sensors("late", features=8))
    columns.vector(sensors("v5"))
    assert places(columns) == Counter(v1=31, v2=31, v3=30, v4=30, v5=30, late=8)
    assert sum(name.startswith("v5.line") for name in columns.names) == 6, "what is told of all axes comes first"
    vector = columns.vector(sensors("late", features=8))
    assert np.isfinite(vector).sum() == 8
    assert len(columns.names) == len(set(columns.names)) == MAX_FEATURES


def test_rows_of_a_feature_that_gave_its_column_away_are_not_taken_for_another_one() -> None:
    memory = Memory()
    columns = Columns(memory)
    memory.add(0.0, columns.vector(sensors("v1", "v2", "v3", "v4")))
    memory.add(1.0, columns.vector(sensors("v5")))
    fifth = [name.startswith("v5") for name in columns.names]
    assert np.isnan(memory.table[0, fifth]).all()
    assert np.isfinite(memory.table[1, fifth]).all()
    assert np.isfinite(memory.table[0, np.logical_not(fifth)]).all()


def test_once_something_is_learned_no_column_is_given_away() -> None:
    columns = Columns(Memory())
    columns.vector(sensors("v1", "v2", "v3"))
    columns.fix()
    columns.vector(sensors("v4"))
    assert places(columns) == Counter(v1=51, v2=51, v3=51, v4=7)
    assert len(columns.unjudged) == 44
    assert all(name.startswith("v4.") for name in columns.unjudged)
    columns.clear()
    assert columns.unjudged == ()


def test_another_machine_begins_with_no_columns() -> None:
    memory = Memory()
    columns = Columns(memory)
    memory.add(0.0, columns.vector(sample(a=1.0, b=2.0)))
    columns.clear()
    assert (len(memory), columns.names, columns.info) == (0, [], {})
    assert columns.vector(sample(b=2.0)).tolist() == [2.0]
    other = Columns(Memory())
    other.load(columns.state())
    assert (other.names, other.info) == (["b"], {"b": INFO["b"]})
