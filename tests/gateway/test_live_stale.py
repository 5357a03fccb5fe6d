"""How old a machine's latest condition may be before it says nothing any more."""

from __future__ import annotations

import pytest
from support.messages import Node

from gateway.live import MachineState
from wire.messages import Condition, Severity

S = 1_000_000_000
START = 1_790_000_000 * S


def state(*moments_s: float, changing: bool = False) -> MachineState:
    """A machine that was heard of at these moments; `changing`: each time because it was doing something else."""
    made, node = MachineState("bakery", "oven-pi", "mixer"), Node()
    for number, moment_s in enumerate(moments_s):
        made = made.told(
            Condition(
                machine="mixer",
                regime=f"r{number % 2}" if changing else "r1",
                score=1.0,
                limit=4.0,
                severity=Severity.GOOD,
                learned=1.0,
                **node.envelope(START + round(moment_s * S)),
            )
        )
    return made


@pytest.mark.parametrize(
    ("moments_s", "good_until_s"),
    [
        ((0,), 600),
        (tuple(range(0, 300, 15)), 285 + 600),
        (tuple(range(0, 20_000, 3600)), 18_000 + 3 * 3600),
        # A node that speaks more often than it did is soon known for that.
        ((0, 3600, 7200, *range(7201, 7211)), 7210 + 3 * 3600 * 0.98**10),
        # A day's silence was none either.
        ((0, 15, 86_400, 86_415), 86_415 + 600),
        # Sent late, out of its time.
        ((100, 85), 85 + 600),
    ],
)
def test_a_condition_counts_for_ten_minutes_or_three_times_as_long_as_they_are_usually_apart(
    moments_s: tuple[float, ...], good_until_s: float
) -> None:
    made = state(*moments_s)
    assert not made.stale(START + round((good_until_s - 1) * S))
    assert made.stale(START + round((good_until_s + 1) * S))


def test_changes_that_are_told_at_once_make_no_habit_of_seconds_for_a_node_that_else_speaks_once_an_hour() -> None:
    shift = [7200 + 30 * number for number in range(960)]
    made = state(0, 3600, *shift, changing=True)
    assert not made.stale(START + (shift[-1] + 3700) * S)
    assert made.stale(START + (shift[-1] + 3 * 3600 + 1) * S)


def test_a_machine_that_nobody_judged_yet_has_nothing_that_could_be_too_old() -> None:
    assert not MachineState("bakery", "oven-pi", "mixer").stale(START)
