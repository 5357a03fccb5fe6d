"""`werkpuls score`: what the machine path says of recordings, row by row."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.config import MachineOptions, NodeOptions
from edge.machine import MachineSetup
from edge.path_maker import setup_of
from edge.recordings import Options, Recording, RecordingError, expand, open_recording
from edge.recordings.base import CHUNK_ROWS
from edge.recordings.channels import Overrides
from edge.sensors.replay import ReplayConfig
from werkpuls.lines import Excel, Writer
from werkpuls.options import Values, names
from werkpuls.reading import OVERWRITTEN, is_read, recording_file
from werkpuls.scoring import COLUMNS, LEAST_WARMUP, Mismatch, Plan, Scored, Scorer
from werkpuls.words import Words
from wire.settings import SettingsError, convert, load, nearest

EXAMPLE = "werkpuls score run1.csv --time datetime --ignore anomaly,changepoint --warmup 400 --out scores.csv"
DONE, PROBLEM, WRONG_USE = 0, 1, 2
_MOSTLY = 0.5
"""More of the rows in alarm than this, in the recording that was learned from, and its beginning was hardly normal."""


@dataclass(slots=True)
class Tally:
    """What came of one recording."""

    file: str
    rows: int = 0
    scored: int = 0
    learning: int = 0
    alarms: int = 0
    alarm_episodes: int = 0
    first_alarm_row: int | None = None
    first_alarm_line: int | None = None
    """Of the text file, counted from 1; None where a row is no line of text."""
    first_alarm_time: str | None = None
    """As in the column `time`; None where no time was recorded."""
    sensor_faults: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str | None = None
    _alarmed: bool = False

    @property
    def mostly_alarms(self) -> bool:
        """Whether the model was taught in this recording, and calls most of its rows an alarm."""
        after = self.rows - self.learning
        return self.learning > 0 and after >= LEAST_WARMUP and self.alarms > _MOSTLY * self.rows

    def take(self, scored: Scored) -> None:
        """Counts one row."""
        self.rows += 1
        self.scored += scored.judged
        self.learning += scored.judged and scored.learning
        self.sensor_faults += bool(scored.sensor_fault)
        self.alarms += scored.alarm
        if scored.alarm:
            self.causes[scored.cause] = self.causes.get(scored.cause, 0) + 1
            if not self._alarmed:
                self.alarm_episodes += 1
                if self.first_alarm_row is None:
                    self.first_alarm_row, self.first_alarm_time = scored.row, scored.time
        self._alarmed = scored.alarm

    def report(self) -> dict[str, Any]:
        """For `--json`; `explained` are the rows without a judgement of their own."""
        return {
            "file": self.file,
            "rows": self.rows,
            "scored": self.scored,
            "learning": self.learning,
            "explained": self.rows - self.scored,
            "alarms": self.alarms,
            "alarm_episodes": self.alarm_episodes,
            "first_alarm_row": self.first_alarm_row,
            "first_alarm_time": self.first_alarm_time,
            "sensor_faults": self.sensor_faults,
            "causes": self.causes,
            "notes": self.notes,
            "problem": self.problem,
        }


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    values = Values(words)
    file, column, columns = (words.say(f"value.{kind}") for kind in ("file", "column", "columns"))
    parser.add_argument("files", nargs="+", metavar=file, help=words.say("score.files"))
    parser.add_argument(
        "--separator", metavar=words.say("value.a_sign"), type=values.separator, help=words.say("score.separator")
    )
    parser.add_argument("--time", metavar=column, help=words.say("score.time"))
    parser.add_argument("--ignore", metavar=columns, type=names, default=(), help=words.say("score.ignore"))
    parser.add_argument("--columns", metavar=columns, type=names, default=(), help=words.say("score.columns"))
    parser.add_argument("--rate", metavar="HZ", type=values.positive, help=words.say("score.rate"))
    parser.add_argument(
        "--block", metavar=words.say("value.seconds"), type=values.positive, help=words.say("score.block")
    )
    parser.add_argument("--warmup", metavar="N", type=values.count, help=words.say("score.warmup"))
    parser.add_argument("--fresh", action="store_true", help=words.say("score.fresh"))
    parser.add_argument("--node", metavar="NODE.TOML", type=Path, help=words.say("score.node"))
    parser.add_argument("--machine", metavar=words.say("value.name"), help=words.say("score.machine"))
    parser.add_argument("--out", metavar="SCORES.CSV", type=Path, help=words.say("score.out"))
    parser.add_argument("--excel", action="store_true", help=words.say("score.excel"))
    parser.add_argument("--json", action="store_true", help=words.say("parser.json_end"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Scores the files; 0 done, 1 a recording cannot be used (which, where, why), 2 wrong use."""
    try:
        plan = plan_of(args)
    except SettingsError as exc:
        _say(words.say("common.bad_settings", what=words.told(exc)))
        return WRONG_USE
    started = time.monotonic()
    expanded, tallies = _expanded(args.files, words)
    if is_read(args.out, (args.node, *map(recording_file, expanded))):
        _say(words.told(f"{args.out}: {OVERWRITTEN}"))
        return WRONG_USE
    try:
        with ExitStack() as stack:
            writer = _writer(args, stack)
            tallies += _score_all(args, expanded, plan, writer, words)
    except BrokenPipeError:
        raise  # the command line's business
    except OSError as exc:
        _say(words.told(f"{args.out}: cannot be written: {exc.strerror or exc}"))
        return WRONG_USE
    _report(args, tallies, time.monotonic() - started, words)
    return PROBLEM if any(tally.problem for tally in tallies) else DONE


def _expanded(files: Sequence[str], words: Words) -> tuple[list[str], list[Tally]]:
    """The recordings that are meant, and what stands for none."""
    expanded, lost = [], []
    for given in files:
        try:
            expanded.extend(expand(given))
        except RecordingError as exc:
            _say(words.say("score.unusable", what=words.told(exc)))
            lost.append(Tally(given, problem=str(exc)))
    return expanded, lost


def _score_all(
    args: argparse.Namespace, expanded: Sequence[str], plan: Plan, writer: Writer | None, words: Words
) -> Iterator[Tally]:
    options = Options(args.separator, args.time, args.columns, args.ignore, args.rate)
    scorer: Scorer | None = None
    with _progress(len(expanded)) as advance:
        for number, name in enumerate(expanded):
            scorer = Scorer(plan) if scorer is None or args.fresh else scorer
            tally = Tally(name)
            try:
                _score_one(
                    name,
                    options,
                    scorer,
                    tally,
                    writer,
                    lambda share, at=number, file=name: advance(at + share, file),
                    alone=args.fresh or len(expanded) == 1,
                    fresh=args.fresh,
                )
            except (RecordingError, Mismatch) as exc:
                tally.problem = str(exc)
                _say(words.say("score.unusable", what=words.told(exc)))
            if args.warmup is None and args.node is None and (args.fresh or number == 0):
                tally.notes.append("no --warmup: the first 90 readings were taken as normal")
            if tally.mostly_alarms:
                tally.notes.append(
                    f"CAUTION: {tally.alarms} of the {tally.rows - tally.learning} rows after the warm-up are in alarm: the "
                    "beginning that was taken as normal is probably too short or not normal; say how long it is with --warmup"
                )
            if tally.rows and not scorer.learned and (args.fresh or number == len(expanded) - 1):
                tally.notes.append("the model was still learning at the end: nothing was judged yet")
            if tally.rows and scorer.learned and scorer.unsteady and (args.fresh or number == len(expanded) - 1):
                moved = ", ".join(scorer.unsteady[:5]) + (", …" if len(scorer.unsteady) > 5 else "")
                tally.notes.append(f"not steady while learned, a fault may have been among it: {moved}")
            if scorer.unjudged and (args.fresh or number == len(expanded) - 1):
                tally.notes.append(
                    f"more is measured than can be judged: {len(scorer.unjudged)} features are left out, {scorer.unjudged[0]} "
                    "among them; with --columns you choose what counts"
                )
            yield tally


def _score_one(
    name: str,
    options: Options,
    scorer: Scorer,
    tally: Tally,
    writer: Writer | None,
    advance: Any,
    *,
    alone: bool,
    fresh: bool,
) -> None:
    with open_recording(name, options) as recording:
        if alone:
            _refuse_too_short(recording)
        recording.head()
        if not recording.has_time and recording.rate_hz is None:
            recording.notes.append("no time in it: a row counts as a second; if it is a waveform, say so with --rate")
        try:
            for at, stretch in enumerate(scorer.score(recording)):
                for scored in stretch:
                    tally.take(scored)
                    if writer is not None:
                        writer.writerow(_line(name, scored))
                if at % 256 == 0:
                    advance(recording.progress())
        finally:
            tally.notes.extend(recording.notes)
            if recording.restarts and not fresh:
                tally.notes.append(
                    "several runs or machines follow on each other: with --fresh each is learned by itself"
                )
            if tally.first_alarm_row is not None and recording.rate_hz is None:
                tally.first_alarm_line = recording.line(tally.first_alarm_row)
            tally.first_alarm_time = tally.first_alarm_time if recording.has_time else None


def _refuse_too_short(recording: Recording) -> None:
    """Refuses a table that the model cannot learn from and that no other one goes on.

    Raises:
        RecordingError: it has too few rows with numbers, as a letter has that someone took for a recording.
    """
    if recording.rate_hz is not None:
        return
    numbers = int(np.isfinite(recording.head().values).any(axis=1).sum())
    if numbers < LEAST_WARMUP and len(recording.head().values) < CHUNK_ROWS:
        count = f"only {numbers} row{'s' if numbers != 1 else ''} with numbers"
        raise RecordingError(
            recording.name, f"has {count}; nothing can be learned from fewer than {LEAST_WARMUP}: is it a recording?"
        )


def _line(name: str, scored: Scored) -> tuple[object, ...]:
    return (
        name,
        scored.row,
        scored.time,
        scored.regime,
        "" if scored.score is None else f"{scored.score:.6g}",
        "" if scored.limit is None else f"{scored.limit:.6g}",
        scored.severity,
        int(scored.alarm),
        scored.sensor_fault,
        scored.cause,
        scored.channel,
    )


def plan_of(args: argparse.Namespace) -> Plan:
    """What is known beforehand.

    Raises:
        SettingsError: the node's file is wrong, or has no such machine.
    """
    if args.node is None:
        if args.machine is not None:
            raise SettingsError("--machine", "", "needs --node: the node's file says what is known of the machine")
        return Plan(MachineSetup(name="recording"), args.warmup, block_s=args.block, fresh=args.fresh)
    options = load(args.node, NodeOptions)
    machine = _machine(options, str(args.node), args.machine)
    return Plan(
        setup_of(machine),
        args.warmup,
        warmup_s=machine.warmup_s,
        block_s=args.block,
        overrides=_overrides(machine, args.node),
        false_alarms_per_month=machine.false_alarms_per_month,
        fresh=args.fresh,
        mains_known=True,
    )


def _machine(options: NodeOptions, where: str, wanted: str | None) -> MachineOptions:
    machines = {machine.name: machine for machine in options.machines}
    if wanted is None and len(machines) == 1:
        return next(iter(machines.values()))
    if wanted is None:
        raise SettingsError(where, "machine", f"has {len(machines)} machines; name one with --machine")
    if wanted not in machines:
        raise SettingsError(where, "machine", f"no machine {wanted!r}; {nearest(wanted, machines)}")
    return machines[wanted]


def _overrides(machine: MachineOptions, node: Path) -> Overrides | None:
    """Names, units and quantities of columns, where the machine is a replayed one."""
    for place, table in enumerate(machine.sensors):
        if table.get("type") == "replay":
            rest = {key: value for key, value in table.items() if key not in ("type", "name")}
            config = convert(
                rest, ReplayConfig, where=str(node), path=f"machine {machine.name} sensor[{place}]", base=node.parent
            )
            return Overrides(config.units, config.quantities, config.names)
    return None


def _writer(args: argparse.Namespace, stack: ExitStack) -> Writer | None:
    if args.out is None and args.json:
        return None
    # Excel takes a file for UTF-8 by its mark only.
    encoding = "utf-8-sig" if args.excel else "utf-8"
    stream = sys.stdout if args.out is None else stack.enter_context(args.out.open("w", newline="", encoding=encoding))
    plain = csv.writer(stream, delimiter=";" if args.excel else ",", lineterminator="\r\n" if args.excel else "\n")
    writer = Excel(plain) if args.excel else plain
    writer.writerow(COLUMNS)
    return writer


def _report(args: argparse.Namespace, tallies: Sequence[Tally], seconds: float, words: Words) -> None:
    if args.json:
        whole = {
            "files": len(tallies),
            **{
                key: sum(tally.report()[key] for tally in tallies)
                for key in ("rows", "scored", "learning", "explained", "alarms", "alarm_episodes", "sensor_faults")
            },
            "problems": [tally.problem for tally in tallies if tally.problem],
            "seconds": round(seconds, 3),
            "out": None if args.out is None else str(args.out),
            "recordings": [tally.report() for tally in tallies],
        }
        sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
        return
    for tally in tallies:
        if not tally.rows:
            continue
        said = words.say(
            "score.file",
            file=tally.file,
            rows=tally.rows,
            judged=tally.scored - tally.learning,
            learning=tally.learning,
            alarms=tally.alarms,
            faults=tally.sensor_faults,
        )
        if tally.first_alarm_row is not None:
            cause = max(tally.causes, key=lambda code: tally.causes[code])
            row, line = tally.first_alarm_row, tally.first_alarm_line
            place = words.say("score.row" if line is None else "score.line", row=row, line=line)
            if (moment := tally.first_alarm_time) is not None:
                moment = moment.replace("T", " ") if "T" in moment else f"{moment} s"
                place = words.say("score.timed", place=place, time=moment)
            said += words.say("score.first_alarm", place=place, cause=words.cause(cause))
        _say(said)
        for note in tally.notes:
            _say(f"  {words.told(note)}")
    _say(
        words.say(
            "score.all", files=len(tallies), rows=sum(tally.rows for tally in tallies), seconds=words.number(seconds, 1)
        )
    )


@contextmanager
def _progress(files: int) -> Iterator[Any]:
    """A bar on a terminal; nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda _done, _file: None
        return
    from rich.console import Console  # noqa: PLC0415  # only where a person looks
    from rich.progress import Progress  # noqa: PLC0415  # as above

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=float(max(files, 1)))
        yield lambda done, file: bar.update(task, completed=done, description=Path(file).name)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
