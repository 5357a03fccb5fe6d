"""A run's outcome as one JSON object, or as tables for a person."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.chaos.run import Outcome


def as_json(outcome: Outcome) -> dict[str, Any]:
    """What `--json` ends with."""
    comparison = asdict(outcome.comparison)
    details = comparison.pop("details")
    return {
        "seed": outcome.seed,
        "minutes": outcome.minutes,
        "store": outcome.store,
        "held": outcome.holds,
        "actions": dict(sorted(outcome.done.items())),
        **comparison,
        "dropped": outcome.comparison.missing,
        "events": asdict(outcome.events),
        "recovery_s": {
            kind: {"p50": round(median(seconds), 2), "max": round(max(seconds), 2), "count": len(seconds)}
            for kind, seconds in sorted(outcome.recovered_s.items())
        },
        "disk_by": outcome.disk_by,
        "restarted_unasked": outcome.unasked,
        "slowest_look_s": outcome.slowest_look_s,
        "skipped": outcome.skipped,
        "problems": outcome.problems,
        "details": details,
    }


def show(console: Console, outcome: Outcome) -> None:
    """Tables of what was done and what came of it."""
    result = as_json(outcome)
    actions = Table("action", "times", "flowing again, s (median)", "longest, s", title="What was broken")
    for kind, times in result["actions"].items():
        recovery = result["recovery_s"].get(kind, {})
        actions.add_row(kind, str(times), str(recovery.get("p50", "–")), str(recovery.get("max", "–")))
    for skipped in outcome.skipped:
        actions.add_row(f"SKIPPED {skipped}", "0", "–", "–")
    console.print(actions)
    compared = Table("messages and points", "", title="What was produced and what is stored")
    for name in (
        "produced", "stored", "lost", "duplicated", "disordered", "altered", "dropped", "dropped_counted_by_node",
        "dropped_seen_by_gateway", "dropped_but_arrived", "dropped_at_end", "waiting", "points", "points_missing", "points_altered", "collisions",
    ):  # fmt: skip
        compared.add_row(name, str(result[name]))
    for name, value in result["events"].items():
        if name != "details":
            compared.add_row(f"events: {name}", str(value))
    console.print(compared)
    for line in (*outcome.problems, *outcome.comparison.details, *outcome.events.details):
        console.print(f"  {line}", markup=False)
    if outcome.unasked:
        console.print(f"ended by themselves and were started again: {outcome.unasked}", markup=False)
    console.print("the promise held" if outcome.holds else "THE PROMISE WAS BROKEN", style="bold")
