"""A short run of the whole storm, and the parts of it that can be wrong by themselves."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos.events import check
from benchmarks.chaos.schedule import KINDS, plan

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
"""A short run takes under a minute; a machine that does much else takes longer."""


@pytest.mark.xdist_group("chaos")
@pytest.mark.skipif(
    shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None, reason="no mosquitto"
)
def test_a_short_storm_loses_nothing(tmp_path: Path) -> None:
    store = "victoria-metrics" if shutil.which("victoria-metrics") else "embedded"
    command = [sys.executable, "-m", "benchmarks.chaos", "--minutes", "0.2", "--seed", "3", "--json", "--store", store]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    log = f"{done.stderr[-4000:]}\n{done.stdout[-4000:]}"
    assert done.returncode == 0, log
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["produced"] > 100, log
    assert (result["lost"], result["duplicated"], result["disordered"], result["altered"]) == (0, 0, 0, 0), log
    skipped = {line.split(":")[0] for line in result["skipped"]}
    expected = set(KINDS) - skipped - ({"store"} if store == "embedded" else set())
    assert set(result["actions"]) == expected, log


@given(st.integers(0, 2**32), st.floats(10, 600))
def test_a_plan_is_repeatable_and_mends_all_it_breaks(seed: int, seconds: float) -> None:
    actions = plan(seed, seconds, kinds=KINDS, nodes=["a", "b"], receivers=["r"])
    assert actions == plan(seed, seconds, kinds=KINDS, nodes=["a", "b"], receivers=["r"])
    assert actions == sorted(actions)
    assert all(0 <= action.at_s <= action.until_s <= seconds + 0.02 for action in actions)
    uses = {"cut_silent": "cable", "cut_reset": "cable", "disk_full": "cable"}
    busy: dict[str, float] = {}
    for action in actions:
        use = uses.get(action.kind, f"{action.kind} {action.target}")
        assert action.at_s >= busy.get(use, 0.0), f"{action} while {use} was still broken"
        busy[use] = action.until_s


def test_events_that_are_lost_doubled_or_out_of_order_are_found(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sqlite3.connect(ledger) as db:
        db.execute("CREATE TABLE outbox(seq INTEGER PRIMARY KEY, id TEXT)")
        db.execute("CREATE TABLE deliveries(kind TEXT, name TEXT, seq INTEGER, subject TEXT, state TEXT)")
        db.execute("CREATE TABLE alerts(opened_ns INTEGER)")
        db.execute("CREATE TABLE commands(state TEXT)")
        for seq, (event, state) in enumerate(
            [("e1", "delivered"), ("e2", "delivered"), ("e3", "delivered"), ("e4", "pending")]
        ):
            db.execute("INSERT INTO outbox VALUES (?, ?)", (seq, event))
            db.execute("INSERT INTO deliveries VALUES ('subscriber', 'forecast', ?, 'oven', ?)", (seq, state))
    kept = tmp_path / "forecast.jsonl"

    def keep(*events: str) -> None:
        kept.write_text("".join(json.dumps({"id": event, "subject": "oven"}) + "\n" for event in events))

    keep("e1", "e2", "e3")
    found = check(ledger, {"forecast": kept})
    assert (found.lost, found.duplicated, found.disordered, found.pending) == (0, 0, 0, 1)
    assert not found.hold
    keep("e2", "e1", "e2", "stranger")
    found = check(ledger, {"forecast": kept})
    assert (found.lost, found.duplicated, found.disordered) == (1, 2, 2)
