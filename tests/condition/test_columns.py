"""Samples as vectors."""

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
