"""What the journal costs: bytes written per commit, and entries per second, beside SQLite alone.

`python -m benchmarks.journal [--seconds S] [--folder DIR] [--json]`. The first part appends what a node with three
machines appends (by default 3 entries of 2,000 bytes per group commit) and reads from /proc/self/io what reached the
block layer, with a reader that acknowledges everything. The second appends batches of 500 entries of 300 to 5,000 bytes,
as the gateway does, once with room and once at the bound, where every batch evicts as much as it brings. Beside it the
same rows go into a bare table (no numbers, checksums, positions or bounds) with the same pragmas, alternating in turns so
that both see the same disk.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from wire.journal import Journal, Record

BATCH = 500
ROOM_BYTES = 2 << 30
BOUND_BYTES = 64 << 20


def written_bytes() -> int:
    """Bytes that this process has caused to be written to the block layer so far."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("write_bytes"):
            return int(line.split()[1])
    return 0


def group_commits(folder: Path, commits: int, entries: int, size: int) -> dict[str, float]:
    """Written bytes per group commit, with the checkpoints that they cause, and what a day of one per second makes."""
    dice = random.Random(1)  # noqa: S311  # payloads, not secrets
    journal = Journal(folder / "node.db", readers=["publisher"], max_bytes=BOUND_BYTES, commit_interval_s=3600.0)
    journal.append([Record("telemetry", b"", 0)], commit=True)
    before, payload = written_bytes(), 0
    for number in range(commits):
        batch = [Record("telemetry", dice.randbytes(size), number, "0" * 36) for _ in range(entries)]
        payload += entries * size
        journal.append(batch)
        journal.flush()
        journal.advance("publisher", journal.stats().next - 1)
    journal.close()
    written = written_bytes() - before
    return {
        "entries_per_commit": entries,
        "payload_bytes_per_commit": payload / commits,
        "written_bytes_per_commit": written / commits,
        "amplification": written / payload,
        "gigabytes_per_day": written / commits * 86_400 / 1e9,
    }


def bare(path: Path) -> sqlite3.Connection:
    """A table with the journal's columns and pragmas and nothing else."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    db.execute(
        "CREATE TABLE t (seq INTEGER PRIMARY KEY, stream TEXT, at_ns INTEGER, boot TEXT, event INTEGER, payload BLOB)"
    )
    return db


def batches(folder: Path, seconds: float) -> dict[str, float]:
    """Entries per second in committed batches, journal and bare table in turns; medians of the turns."""
    dice = random.Random(2)  # noqa: S311  # payloads, not secrets
    records = [Record("telemetry", dice.randbytes(dice.randrange(300, 5000)), n, "0" * 36) for n in range(BATCH)]
    rows = [(r.stream, r.at_ns, r.boot, r.event, r.payload) for r in records]
    roomy = Journal(folder / "roomy.db", readers=["store"], max_bytes=ROOM_BYTES)
    bound = Journal(folder / "bound.db", readers=["store"], max_bytes=BOUND_BYTES)
    while not bound.stats().dropped:
        bound.append(records, commit=True)
    db = bare(folder / "bare.db")
    rates: dict[str, list[float]] = {"journal": [], "at_bound": [], "bare": []}

    def write_bare() -> None:
        db.execute("BEGIN")
        db.executemany("INSERT INTO t (stream, at_ns, boot, event, payload) VALUES (?,?,?,?,?)", rows)
        db.execute("COMMIT")

    actions = {
        "journal": lambda: roomy.append(records, commit=True),
        "at_bound": lambda: bound.append(records, commit=True),
        "bare": write_bare,
    }
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, action in actions.items():
            start = time.perf_counter()
            for _ in range(8):
                action()
            rates[name].append(8 * BATCH / (time.perf_counter() - start))
    start, read, after = time.perf_counter(), 0, 0
    while entries := roomy.read(after):
        after, read = entries[-1].seq, read + len(entries)
    read_rate = read / (time.perf_counter() - start)
    for journal in (roomy, bound):
        journal.close()
    db.close()
    middle = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "entries_per_s": middle["journal"],
        "entries_per_s_at_bound": middle["at_bound"],
        "entries_per_s_bare_sqlite": middle["bare"],
        "ratio_to_bare": middle["journal"] / middle["bare"],
        "read_entries_per_s": read_rate,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs both parts; ends with one JSON object when asked to."""
    parser = argparse.ArgumentParser(prog="benchmarks.journal", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the second part")
    parser.add_argument("--commits", type=int, default=600, help="group commits of the first part")
    parser.add_argument("--entries", type=int, default=3, help="entries per group commit")
    parser.add_argument("--size", type=int, default=2000, help="payload bytes of each of them")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to be measured; default: here")
    parser.add_argument("--json", action="store_true", help="print one JSON object only")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        group = group_commits(folder, options.commits, options.entries, options.size)
        result = {"group_commit": group, "batches": batches(folder, options.seconds)}
    if options.json:
        print(json.dumps(result))
        return 0
    for part, figures in result.items():
        print(part)
        for key, value in figures.items():
            print(f"  {key:34} {value:14,.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
