"""Measures the rows of a table and prints them, with what floors say of each."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

from benchmarks.condition.row import Bench, Figures, Measure, Missing, Row


def run(program: str, description: str, rows: Mapping[str, str]) -> int:
    """Measures what the command line asks for.

    Args:
        program: how it is called.
        description: for `--help`.
        rows: where the measurement of each row is, `module:function`; it is imported when it is its turn.

    Returns:
        1 when a floor is missed, else 0.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WERKPULS_DATA", "../shared/data")))
    parser.add_argument("--rows", default=",".join(rows), help=f"some of: {', '.join(rows)}")
    parser.add_argument("--plots", type=Path, help="folder for pictures")
    parser.add_argument("--full", action="store_true", help="long rows whole; without it they measure less and say so")
    parser.add_argument("--json", action="store_true", help="only one JSON object")
    options = parser.parse_args()
    names = [name for name in options.rows.split(",") if name]
    if wrong := [name for name in names if name not in rows]:
        parser.error(f"no such row: {', '.join(wrong)}; there are {', '.join(rows)}")
    bench = Bench(options.data, options.plots, options.full)
    reports, missed = {}, False
    for name in names:
        started = time.monotonic()
        module, _, function = rows[name].partition(":")
        try:
            row = cast("Measure", getattr(import_module(module), function))(bench)
        except Missing as exc:
            row = Row(name, skipped=str(exc))
        seconds = time.monotonic() - started
        missed = missed or bool(row.missed)
        reports[name] = row.report(seconds)
        if not options.json:
            print("\n".join(_lines(name, row, seconds)), flush=True)
    if options.json:
        print(json.dumps({"rows": reports, "ok": not missed}))
    return 1 if missed else 0


def _lines(name: str, row: Row, seconds: float) -> list[str]:
    if row.skipped is not None:
        return [f"{name:20} SKIPPED: {row.skipped}"]
    state = "MISSED" if row.missed else "held" if row.floors else "-"
    lines = [f"{name:20} {state:7} {row.recording} ({seconds:.1f} s)"]
    lines.append(f"{'':20} werkpuls: {_said(row.figures)}")
    lines += [f"{'':20} floor {floor}: {'held' if floor not in row.missed else 'MISSED'}" for floor in row.floors]
    lines += [f"{'':20} {other}: {_said(figures)}" for other, figures in row.beside.items()]
    lines += [f"{'':20}   {note}" for note in row.notes]
    return lines


def _said(figures: Figures) -> str:
    return ", ".join(
        f"{name} {value:g}" if not isinstance(value, str) else f"{name} {value}" for name, value in figures.items()
    )
