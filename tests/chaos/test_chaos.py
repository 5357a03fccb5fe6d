"""A short run of the whole storm, and the parts of it that can be wrong by themselves."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos.compare import Comparison, compare
from benchmarks.chaos.events import check
from benchmarks.chaos.schedule import KINDS, plan
from gateway.alerting import READER as ALERTS_READER
from gateway.store.base import SeriesKey
from gateway.storing import READER as STORE_READER
from werkpuls.demo.proof import PUBLISHER
from wire.clock import Stamp
from wire.envelope import Envelope
from wire.journal import Journal, Record
from wire.messages import Series, Telemetry, Trust

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 2400.0
"""A short run takes about a minute; a machine that does much else takes longer."""
START_NS = 1_760_000_000_000_000_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "site"
    yield folder
    # A run that had to be killed could not give its small disk back.
    if (folder / "small-disk").is_mount():
        subprocess.run(["umount", "--lazy", str(folder / "small-disk")], check=True)


@pytest.mark.timeout(PATIENCE_S + 60)
@pytest.mark.skipif(
    shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None, reason="no mosquitto"
)
def test_a_short_storm_loses_nothing(site: Path) -> None:
    store = "victoria-metrics" if shutil.which("victoria-metrics") else "embedded"
    command = [
        sys.executable,
        "-m",
        "benchmarks.chaos",
        "--minutes",
        "0.2",
        "--seed",
        "759",
        "--json",
        "--store",
        store,
    ]
    done = subprocess.run(
        [*command, "--folder", str(site)],
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


class Small:
    """Journals of one node and its gateway with four messages a second apart, and a store that holds what it is given."""

    def __init__(self, folder: Path, arrive: list[int], *, same_time: tuple[int, ...] = ()) -> None:
        self.node, self.gateway = folder / "node.sqlite", folder / "gateway.sqlite"
        self.points: dict[SeriesKey, dict[int, float]] = defaultdict(dict)
        key = SeriesKey("demo", "n", "ofen", "temperature")
        sealed: dict[int, bytes] = {}
        journal = Journal(self.node, readers=[PUBLISHER], max_bytes=10**6)
        envelope = Envelope("demo", "n", "sense", journal.log)
        for number in range(1, 5):
            series = {"temperature": Series(unit="°C", values=[float(number)])}
            draft = envelope.draft(envelope.new(Telemetry, "boot", machine="ofen", series=series))
            journal.append([Record(draft.stream, draft.body, number, boot="boot")], commit=True)
            at_ns = START_NS + (0 if number in same_time else number) * 10**9
            sealed[number] = envelope.seal(draft, seq=number, prev=number - 1, stamp=Stamp(at_ns, Trust.GATEWAY))
            if number in arrive:
                self.points[key][at_ns // 1_000_000] = float(number)
        journal.close()
        journal = Journal(self.gateway, readers=[STORE_READER, ALERTS_READER], max_bytes=10**6)
        journal.append([Record("telemetry", sealed[number], number) for number in arrive], commit=True)
        journal.advance(STORE_READER, len(arrive))
        journal.advance(ALERTS_READER, len(arrive))
        journal.close()

    def compare(self) -> Comparison:
        return compare({"n": self.node}, self.gateway, lambda key, _first, _last: self.points[key], "demo")


@pytest.mark.parametrize(
    ("arrive", "lost", "duplicated", "disordered", "waiting"),
    [
        ([1, 2, 3, 4], 0, 0, 0, 0),
        ([1, 2, 4], 1, 0, 0, 0),
        ([1, 2, 3], 0, 0, 0, 1),
        ([1, 2, 2, 3, 4], 0, 1, 0, 0),
        ([1, 3, 2, 4], 0, 0, 1, 0),
    ],
)
def test_the_comparison_finds_what_is_wrong(
    tmp_path: Path, arrive: list[int], lost: int, duplicated: int, disordered: int, waiting: int
) -> None:
    found = Small(tmp_path, arrive).compare()
    assert (found.produced, found.altered) == (4, 0)
    assert (found.lost, found.duplicated, found.disordered, found.waiting) == (lost, duplicated, disordered, waiting)
    assert found.holds is not any((lost, duplicated, disordered))


def test_the_comparison_looks_into_the_store(tmp_path: Path) -> None:
    small = Small(tmp_path, [1, 2, 3, 4])
    (series,) = small.points.values()
    times = sorted(series)
    del series[times[0]]
    series[times[1]] = 7.5
    found = small.compare()
    assert (found.lost, found.points_missing, found.points_altered) == (1, 1, 1)
    assert not found.holds


def test_two_messages_on_one_millisecond_collide_and_lose_nothing(tmp_path: Path) -> None:
    found = Small(tmp_path, [1, 2, 3, 4], same_time=(2, 3)).compare()
    assert (found.lost, found.collisions, found.points) == (0, 1, 3)
    assert found.holds
