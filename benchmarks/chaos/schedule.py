"""What is broken when: a pure function of a seed, so that every run can be had again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

STEPS_S = (2.0, 20.0, 300.0, 3600.0)
"""How far the wall clock is stepped, either way."""
GAP_S = 5.0
"""Between the beginnings of two actions on average; several troubles at once are the rule."""
_HOLD_S = {
    "node": (0.2, 3.0),
    "broker": (0.2, 4.0),
    "gateway": (0.2, 5.0),
    "store": (0.2, 6.0),
    "receiver": (1.0, 6.0),
    "cut_silent": (2.0, 12.0),
    "cut_reset": (1.0, 8.0),
    "disk_full": (8.0, 14.0),
    "clock_step": (0.0, 0.0),
}
KINDS = tuple(_HOLD_S)
_USES = {"cut_silent": "cable", "cut_reset": "cable", "disk_full": "cable"}
_REST_S = 1.5
"""After the same thing was mended, before it breaks again."""


class Action(NamedTuple):
    """One thing that is broken from `at_s` on for `hold_s` seconds."""

    at_s: float
    """Seconds after the whole site stood."""
    kind: str
    target: str
    """Which node or receiver; for a cut along with a full disk, how the cable is cut; else the kind itself."""
    hold_s: float
    value: float = 0.0
    """For `clock_step`: the wall clock's offset from now on, seconds."""

    @property
    def until_s(self) -> float:
        """When it is mended."""
        return self.at_s + self.hold_s


def plan(
    seed: int, seconds: float, *, kinds: Sequence[str], nodes: Sequence[str], receivers: Sequence[str]
) -> list[Action]:
    """Actions in order of time, every kind about equally often, never the same thing twice at once.

    Args:
        seed: the same one gives the same plan.
        seconds: everything is mended by then.
        kinds: those of `KINDS` that can be done here.
        nodes, receivers: names to choose from.

    >>> plan(7, 60, kinds=KINDS, nodes=["a"], receivers=["r"]) == plan(7, 60, kinds=KINDS, nodes=["a"], receivers=["r"])
    True
    """
    draw = random.Random(seed)  # noqa: S311  # repeatable, not secret
    actions: list[Action] = []
    free_s: dict[str, float] = {}
    bag: list[str] = []
    offset = 0.0
    # A short run is a dense one, so that it also sees every kind.
    gap = min(GAP_S, seconds / (1.5 * len(kinds)))
    now = draw.uniform(0.5 * gap, 1.5 * gap)
    while True:
        if not bag:
            bag = draw.sample(list(kinds), len(kinds))
        kind = bag.pop()
        target = {
            "node": draw.choice(list(nodes)),
            "receiver": draw.choice(list(receivers)),
            "disk_full": draw.choice(["silent", "reset"]),
        }.get(kind, kind)
        use = _USES.get(kind, f"{kind} {target}")
        hold = min(draw.uniform(*_HOLD_S[kind]), seconds / 4)
        at = max(now, free_s.get(use, 0.0))
        now += draw.uniform(0.5 * gap, 1.5 * gap)
        if now > seconds:
            return sorted(actions)
        if at + hold > seconds:
            continue
        if kind == "clock_step":
            # There and back by turns, else a day's worth of steps forward adds up to what every message is refused for.
            step = draw.choice(STEPS_S) * draw.choice((-1.0, 1.0))
            offset = 0.0 if offset else step
        actions.append(Action(round(at, 2), kind, target, round(hold, 2), offset if kind == "clock_step" else 0.0))
        free_s[use] = at + hold + _REST_S
