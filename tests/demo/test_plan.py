"""What the demo's machines are looked at with."""

import tomllib

import pytest

from edge.feature_taking import SAME_TIME
from werkpuls.demo.plan import MACHINES, MachinePlan, machine_toml


@pytest.mark.parametrize("machine", [each for each in MACHINES if each.faults], ids=lambda each: each.name)
def test_windows_of_a_machine_whose_time_runs_faster_do_not_look_like_one_stretch(machine: MachinePlan) -> None:
    (table,) = tomllib.loads(machine_toml(machine, None, None))["machine"]
    (sensor,) = table["sensor"]
    assert sensor["speedup"] > 1.0
    assert table["interval_s"] - sensor["block_s"] > SAME_TIME * sensor["block_s"]
