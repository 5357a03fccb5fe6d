"""Tables of household machines with nothing wrong: every alarm is false."""

from __future__ import annotations

from benchmarks.condition.baselines import alarmed_percent
from benchmarks.condition.measures import episodes
from benchmarks.condition.plots import plot
from benchmarks.condition.row import Bench, Floor, Row, require
from benchmarks.condition.runs import PLAN, score, table
from edge.recordings import Options
from werkpuls.scoring import Plan

QUIET = (Floor("alarms", 0, at_least=False),)
DAY_S = 86_400.0


def washing_machine(bench: Bench) -> Row:
    """The same programme twice, as its rows arrived: the first run is learned, the second judged."""
    place = bench.data / "tables" / "washing_machine"
    files = [require(place / name) for name in ("45m30d-raw.csv", "45m30d-run2-raw.csv")]
    read = Options(time="DateTime", columns=("temperature", "power", "energy", "aX", "aY", "aZ", "gX", "gY", "gZ"))
    rows = len(table(files[0], read)[1])
    first, second = score(files, read, plan=Plan(PLAN.setup, rows))
    plot(bench.plots, "washing-machine-1", first)
    plot(bench.plots, "washing-machine-2", second)
    return Row(
        f"washing machine, first run known normal ({rows} rows), second judged ({len(second)} rows)",
        {"alarms": len(episodes(second.alarm)), "alarmed %": round(100 * float(second.alarm.mean()), 2)},
        QUIET,
    )


def refrigerator(bench: Bench) -> Row:
    """A week of three temperatures and humidity with a gap of 26 hours: two days are learned."""
    file = require(bench.data / "tables" / "refrigerator" / "sensor_data_July25_8am_to_Aug1.csv")
    read = Options(time="time", columns=("temperature_1", "temperature_2", "temperature_3", "humidity"))
    with_times = score([file], read, plan=Plan(PLAN.setup, warmup_s=2 * DAY_S))[0]
    known = int(with_times.learning.sum())
    plot(bench.plots, "refrigerator", with_times)
    judged = with_times.alarm[known:]
    return Row(
        f"refrigerator, {known} rows (two days) known normal, {len(judged)} judged",
        {"alarms": len(episodes(judged)), "alarmed %": round(100 * float(judged.mean()), 2)},
        QUIET,
        alarmed_percent(table(file, read)[1], known),
    )
