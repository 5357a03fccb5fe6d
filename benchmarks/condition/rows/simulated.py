"""Faults of the simulated machines: is each found, and is its own cause named first?

Each second shows the first 0.4 s of a minute of the machine's life. A machine is known normal for 400 of them (7 hours), then watched
while nothing is wrong for 200; from there each of its faults grows over 10 and stays for 240 altogether (4 hours). What counts as the
cause is what the finding says in the end, as a person would read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypedDict

import numpy as np

from benchmarks.condition.baselines import BASELINES, filled
from benchmarks.condition.rigs import KINDS, Rig, Scene, Vectors, apart
from benchmarks.condition.row import Bench, Figures, Floor, Row

SCENE = Scene(interval_s=1.0, speedup=60.0, schedule="continuous", warmup=400, ramp_s=10.0)
QUIET, GIVEN = 200, 240
SEEDS, FEW_SEEDS = 20, 3
IN_A_ROW = 5
"""Excesses of a baseline's limit that count as found."""


class Seen(TypedDict):
    """What came of one fault."""

    after: int | None
    first: str
    last: str
    others: dict[str, bool]
    """Baselines: found or not."""


class Tally(NamedTuple):
    """All seeds of one fault of one machine, in percent."""

    found: float
    right: float
    right_at_once: float
    delay: float


def faulty(rig: Rig, fault: str, vectors: Vectors) -> Seen:
    """Lets a fault happen and looks at what is said of it."""
    rig.sensor.inject(fault)
    after: int | None = None
    said: list[str] = []
    for k in range(GIVEN):
        step = rig.tick()
        vectors.add(step)
        if after is None and step.verdict is not None and step.verdict.alarm:
            after = k + 1
        said.extend(f.cause for f in step.findings if f.type == "machine" and f.state != "cleared")
    return {
        "after": after,
        "first": said[0] if said else "",
        "last": said[-1] if said else "",
        "others": _others(vectors),
    }


def _others(vectors: Vectors) -> dict[str, bool]:
    table = filled(vectors.table())
    found = {}
    for name, baseline in BASELINES.items():
        scores = baseline(table, SCENE.warmup)
        above = scores[SCENE.warmup + QUIET :] > scores[SCENE.warmup // 2 : SCENE.warmup].max()
        found[name] = bool((np.convolve(above, np.ones(IN_A_ROW), "valid") >= IN_A_ROW).any())
    return found


def tally(seen: Sequence[Seen], fault: str) -> Tally:
    """Percent of one fault's runs."""
    found = [run for run in seen if run["after"] is not None]
    share = 100.0 / len(seen)
    return Tally(
        share * len(found),
        share * sum(run["last"] == fault for run in found),
        share * sum(run["first"] == fault for run in found),
        float(np.median([run["after"] for run in found])) if found else float("nan"),
    )


def measure(bench: Bench) -> Row:
    """All faults of all machines."""
    seeds = SEEDS if bench.full else FEW_SEEDS
    seen: dict[tuple[str, str], list[Seen]] = {}
    false: dict[str, int] = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        for seed in range(1, seeds + 1):
            rig, vectors = Rig(kind, seed, SCENE), Vectors()
            for _ in range(SCENE.warmup + QUIET):
                step = rig.tick()
                vectors.add(step)
                false[kind] += sum(f.state == "open" and f.type == "machine" for f in step.findings)
            for fault in rig.machine_faults:
                result = apart(partial(faulty, rig, fault, vectors))
                seen.setdefault((kind, fault), []).append(result)
    tallies = {(kind, fault): tally(runs, fault) for (kind, fault), runs in seen.items()}
    return Row(
        f"{len(tallies)} faults of {len(KINDS)} simulated machines, {seeds} seeds each",
        figures(tallies, false),
        (
            Floor("found %", 95.0),
            Floor("right first %", 80.0),
            Floor("worst fault found %", 95.0),
            Floor("worst fault right first %", 80.0),
        ),
        {
            name: {"found %": _share(run["others"][name] for runs in seen.values() for run in runs)}
            for name in BASELINES
        },
        (
            *(() if bench.full else (f"{seeds} of {SEEDS} seeds; --full takes all",)),
            *lines(tallies),
            "the baselines' limit is the highest score of the second half of what is known normal; they name no causes",
        ),
    )


def figures(tallies: Mapping[tuple[str, str], Tally], false: Mapping[str, int]) -> Figures:
    """Means over faults, and the worst fault."""
    every = list(tallies.values())
    return {
        "found %": round(float(np.mean([t.found for t in every])), 1),
        "right first %": round(float(np.mean([t.right for t in every])), 1),
        "right at once %": round(float(np.mean([t.right_at_once for t in every])), 1),
        "worst fault found %": round(min(t.found for t in every), 1),
        "worst fault right first %": round(min(t.right for t in every), 1),
        "false findings before": sum(false.values()),
    }


def lines(tallies: Mapping[tuple[str, str], Tally]) -> list[str]:
    """The table, a line a fault."""
    return [
        f"{kind:10} {fault:20} found {t.found:3.0f} %, right first {t.right:3.0f} % (at once {t.right_at_once:3.0f} %), after {t.delay:g} min"
        for (kind, fault), t in tallies.items()
    ]


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return round(100.0 * sum(values) / max(len(values), 1), 1)
