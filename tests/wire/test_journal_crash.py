"""Killed at any moment, and on a disk that is really full."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wire.journal import Journal, JournalBusy, JournalFull, Record

APPENDING = """
import sys
from pathlib import Path
from wire.journal import Journal, Record

journal = Journal(Path(sys.argv[1]), readers=["publisher"], max_bytes=int(sys.argv[2]), commit_interval_s=0.01)
print("open", journal.stats().next, journal.log, flush=True)
while True:
    first = journal.stats().next
    batch = [Record("finding" if n % 3 else "telemetry", b"%d" % n * 200, n, "b", bool(n % 3)) for n in range(first, first + 5)]
    given = journal.append(batch, marks={"last": str(first + 4)}, commit=True)
    print(given[-1], flush=True)
    journal.append([Record("telemetry", b"%d" % given.stop * 200, given.stop, "b")])
    if given[-1] % 7 == 0:
        journal.advance("publisher", given[-1] - 3)
"""

FILLING = """
import sys
from pathlib import Path
from wire.journal import Journal, JournalFull, Record

folder = Path(sys.argv[1])
journal = Journal(folder / "journal.db", readers=["publisher"], max_bytes=1 << 30)
assert (folder / "journal.db.ballast").exists()
journal.append([Record("finding", b"keep me", 0, event=True)])
seqs = [1]
for round in range(70):
    seqs += journal.append([Record("telemetry", bytes(2000), n) for n in range(200)], commit=True)
assert seqs == list(range(1, 14002)), "numbers are contiguous"
stats = journal.stats()
held = journal.read(0, limit=100_000, max_bytes=1 << 30)
assert held[0].payload == b"keep me" and held[-1].seq == 14001
assert stats.dropped == 14001 - len(held) > 0, (stats, len(held))
assert len(held) > 2000, "most of the disk is used"
# Somebody else takes what is left.
with (folder / "other").open("wb", buffering=0) as other:
    try:
        while other.write(bytes(4096)):
            pass
    except OSError:
        pass
for round in range(20):
    seqs += journal.append([Record("telemetry", bytes(2000), n) for n in range(200)], commit=True)
number = 0
try:
    for number in range(1, 100_000):
        seqs += journal.append([Record("finding", bytes(90_000), number, event=True)])
    raise SystemExit("never full")
except JournalFull as exc:
    full = str(exc)
assert journal.stats().next == seqs[-1] + 1
events = [entry for entry in journal.read(0, limit=100_000, max_bytes=1 << 30) if entry.event]
assert len(events) == number, (len(events), number)
journal.advance("publisher", seqs[-1])
seqs += journal.append([Record("finding", bytes(90_000), number, event=True)])
journal.close()
with (folder / "more").open("wb", buffering=0) as other:
    try:
        while other.write(bytes(4096)):
            pass
    except OSError:
        pass
again = Journal(folder / "journal.db", readers=["publisher"], max_bytes=1 << 30)
assert again.log == journal.log and again.position("publisher") == seqs[-1] - 1
assert again.append([Record("finding", b"", 0, event=True)]) == range(seqs[-1] + 1, seqs[-1] + 2)
again.close()
print("done", full)
"""


@pytest.mark.parametrize(("max_bytes", "seed"), [(256 * 1024 * 1024, 1), (512 * 1024, 2)])
def test_what_was_committed_survives_sigkill_at_any_moment(tmp_path: Path, max_bytes: int, seed: int) -> None:
    path = tmp_path / "journal.db"
    dice = random.Random(seed)  # noqa: S311  # a moment, not a secret
    newest, log, evicting = 0, "", max_bytes < 1024 * 1024
    for _ in range(3):
        command = [sys.executable, "-c", APPENDING, str(path), str(max_bytes)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            try:
                _, start, name = process.stdout.readline().split()
                assert int(start) > newest, "a number was given out twice"
                assert log in ("", name)
                log = name
                for _ in range(dice.randrange(3, 40)):
                    newest = int(process.stdout.readline())
            finally:
                process.send_signal(signal.SIGKILL)
            newest = max([newest, *(int(line) for line in process.stdout if line.endswith("\n"))])
    journal = Journal(path, readers=["publisher"], max_bytes=max_bytes)
    held = journal.read(0, limit=100_000, max_bytes=1 << 40)
    seqs = [entry.seq for entry in held]
    assert journal.log == log
    assert journal.stats().quarantined == ()
    assert seqs[-1] >= newest
    assert [entry.prev for entry in held[1:]] == seqs[:-1]
    if evicting:
        assert journal.stats().next - 1 == len(held) + journal.stats().dropped + journal.stats().evicted_read
    else:
        assert seqs == list(range(1, seqs[-1] + 1))
    for entry in held:
        assert entry.payload == b"%d" % entry.seq * 200
    assert int(journal.mark("last") or 0) in (newest, newest + 6)
    journal.close()


def test_a_second_process_is_refused_with_the_pid_of_the_first_and_let_in_after_its_death(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", APPENDING, str(path), str(1 << 24)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(JournalBusy, match=f"process {process.pid}$"):
                Journal(path, readers=["publisher"], max_bytes=1 << 24)
        finally:
            process.kill()
    journal = Journal(path, readers=["publisher"], max_bytes=1 << 24)
    assert journal.append([Record("t", b"", 0)], commit=True).start == journal.stats().next - 1
    journal.close()


def test_a_full_disk_evicts_telemetry_keeps_events_and_recovers(tmp_path: Path) -> None:
    """A small file system of its own, really full; in a mount namespace that ends with the process."""
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=28m none {tmp_path}"
    if not shutil.which("unshare") or subprocess.run([*namespace, "sh", "-c", mount], capture_output=True).returncode:  # noqa: PLW1510  # its code is the question
        pytest.skip("this user may not mount a file system; SQLite's own limit is tested below")
    script = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, sys.executable, FILLING],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("done")


def test_when_sqlite_finds_no_page_telemetry_makes_room_and_events_stay(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", readers=["publisher"], max_bytes=1 << 30)
    journal._file._db.execute("PRAGMA max_page_count = 200")
    journal.append([Record("finding", b"keep me", 0, event=True)])
    for _ in range(20):
        journal.append([Record("telemetry", bytes(2000), n) for n in range(20)], commit=True)
    held = journal.read(0, limit=10_000)
    assert held[0].payload == b"keep me"
    assert held[-1].seq == 401
    assert journal.stats().dropped == 401 - len(held) > 0
    before = journal.stats()
    with pytest.raises(JournalFull, match="disk is full"):
        journal.append([Record("finding", bytes(2_000_000), 0, event=True)], marks={"a": "1"})
    assert journal.stats().next == before.next
    assert journal.mark("a") is None
    assert journal.append([Record("finding", b"", 0, event=True)]) == range(402, 403)
    journal.close()
