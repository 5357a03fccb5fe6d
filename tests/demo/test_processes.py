"""Child processes: what they cost, how they end, and that none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.broker import until

from werkpuls.demo.processes import Child, ProcessFailed

ROOT = Path(__file__).parents[2]


@contextmanager
def child(folder: Path, program: str, **environment: str) -> Iterator[Child]:
    made = Child("test", [sys.executable, "-u", "-c", program], log=folder / "log", environment=environment)
    try:
        yield made
    finally:
        made.kill()


def alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


SLEEP = "import sys,time\nsys.stdout.write('up\\n')\ntime.sleep(60)"
"""One write: `print` makes two of an unbuffered line, and a kill between them leaves half a line in the log."""


def test_it_runs_in_its_environment_with_its_words_in_the_log(tmp_path: Path) -> None:
    with child(tmp_path, "import os,time\nprint(os.environ['WORD'])\ntime.sleep(60)", WORD="dough") as running:
        running.start()
        until(lambda: running.tail() == "dough")
        running.require_running()
        assert running.pid is not None
        assert alive(running.pid)


def test_one_that_ended_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    with child(tmp_path, "import sys\nfor n in range(40): print('line', n)\nsys.exit(3)") as running:
        running.start()
        until(lambda: running.pid is None)
        with pytest.raises(ProcessFailed, match=r"test ended with code 3\nline 25\n(.*\n)*line 39$"):
            running.require_running()


def test_one_that_was_never_started_is_not_running(tmp_path: Path) -> None:
    with child(tmp_path, SLEEP) as idle:
        assert idle.pid is None
        assert idle.stop()
        idle.kill()
        assert idle.tail() == ""
        with pytest.raises(ProcessFailed):
            idle.require_running()


def test_it_is_stopped_by_sigterm(tmp_path: Path) -> None:
    program = (
        "import signal,sys,time\nsignal.signal(15, lambda *_: sys.exit(print('bye')))\nprint('up')\ntime.sleep(60)"
    )
    with child(tmp_path, program) as running:
        running.start()
        until(lambda: "up" in running.tail())
        assert running.stop()
        assert running.pid is None
        assert running.tail().splitlines() == ["up", "bye"]
        assert running.stop(), "a second time is no error"


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    with child(tmp_path, f"import signal\nsignal.signal(15, signal.SIG_IGN)\n{SLEEP}") as running:
        running.start()
        until(lambda: "up" in running.tail())
        assert not running.stop(timeout_s=0.2)
        assert running.pid is None


def test_after_a_kill_it_goes_on_in_the_same_log_and_costs_add_up(tmp_path: Path) -> None:
    work = "sum(range(3_000_000))\nopen('/proc/self/oom_score_adj').read()\n" + SLEEP
    with child(tmp_path, work) as running:
        running.start()
        until(lambda: running.tail() == "up")
        running.kill()
        once = running.usage()
        assert once.cpu_s > 0
        assert once.resident_bytes > 1_000_000
        running.start()
        until(lambda: running.tail().splitlines() == ["up", "up"])
        twice = running.usage()
        assert twice.cpu_s > once.cpu_s
        assert twice.running_s > once.running_s
        assert twice.written_bytes >= once.written_bytes
        running.kill()
        assert running.usage().cpu_s >= twice.cpu_s, "known also after its end"


def test_none_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom werkpuls.demo.processes import Child\n"
        f"made = Child('test', [sys.executable, '-c', {SLEEP!r}], log=Path({str(tmp_path / 'log')!r}))\n"
        "made.start()\nprint(made.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # From its first word on it is the program itself, and no longer what prepares it.
        until(lambda: "up" in (tmp_path / "log").read_text())
        assert alive(pid)
        parent.kill()
    try:
        until(lambda: not alive(pid), 10.0)
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_ctrl_c_of_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    with child(tmp_path, "import os\nprint(os.getsid(0) == os.getpid())\n" + SLEEP) as running:
        running.start()
        until(lambda: running.tail().splitlines() == ["True", "up"])
        assert running.pid is not None
        assert os.getsid(running.pid) != os.getsid(0)
