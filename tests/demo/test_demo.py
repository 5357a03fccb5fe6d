"""The whole demo as a person runs it: real broker, nodes, gateway and receivers, ended by time, by Ctrl-C and by a key."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from werkpuls.demo.site import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 200.0
"""On two busy cores the start alone may take half a minute."""
# One after the other: each is a whole site of processes.
pytestmark = pytest.mark.timeout(240)


class Demo:
    """A demo with its temporary folder below `folder`."""

    def __init__(self, folder: Path, *words: object, terminal: int | None = None) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "werkpuls", "demo", *map(str, words)],
            cwd=ROOT,
            env={
                # The terminal says how large it is.
                **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
                "TMPDIR": str(folder),
                "TERM": "xterm-256color",
            },
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.parts(), psutil.Process(self.process.pid)] if self.process.poll() is None else []:
            process.kill()
        self.process.wait(10)

    def parts(self) -> list[psutil.Process]:
        """Every process whose command line names the demo's folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if any(str(self.folder) in word for word in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def addresses(self) -> set[str]:
        """Where its parts listen."""
        return {
            connection.laddr.ip
            for process in self.parts()
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }

    def until(self, condition: Callable[[], object], why: Callable[[], str] = lambda: "too slow") -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, "ended early"
            assert time.monotonic() < deadline, why()
            time.sleep(0.1)

    def nodes_online(self) -> bool:
        return any(self.folder.glob("werkpuls-demo-*/state/keller/sense/journal.sqlite")) and bool(
            list(self.folder.glob("werkpuls-demo-*/state/backstube/sense/journal.sqlite"))
        )

    def result(self) -> dict[str, Any]:
        """What it printed at its end: one JSON object on one line."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, err.decode() + out.decode()
        (line,) = out.decode().splitlines()
        decoded: dict[str, Any] = json.loads(line)
        return decoded

    def left_nothing(self) -> bool:
        return not self.parts() and not list(self.folder.iterdir())


def clean(result: dict[str, Any]) -> bool:
    wrong = ("lost", "duplicates", "disordered", "altered", "points_missing", "points_extra", "points_altered")
    return not any(result[name] for name in wrong) and result["published"] == result["stored"] > 0


def test_a_fault_becomes_an_alert_and_an_event_at_each_receiver(tmp_path: Path) -> None:
    with Demo(tmp_path, "--for", 25, "--fault", "bearing_outer@1", "--blind", "--json") as demo:
        demo.until(demo.nodes_online)
        assert demo.addresses() == {"127.0.0.1"}
        result = demo.result()
        assert clean(result), result
        assert demo.left_nothing()
    (fault,) = result["faults"]
    assert (fault["injected"], fault["machine"]) == (True, "kneter")
    # On a very busy computer learning may have taken nearly all of the time; what matters is that it was told.
    assert "kneter" in {alert["machine"] for alert in result["alerts"]}, result
    assert fault["alert_after_s"] > 0
    assert set(fault["receivers_after_s"]) == {"forecast", "budget"}
    assert all(count >= 1 for count in result["forwarded"].values())
    assert "de.werkpuls.cost.v1" in result["events"]["budget"]
    assert set(result["processes"]) == {"broker", "forecast", "budget", "gateway", "backstube", "keller"}
    assert (result["goods"]["camera"], result["goods"]["lacks"], result["goods"]["items"]) == (False, "", 0)
    assert all(used["resident_bytes"] > 1e6 and used["cpu_s"] > 0 for used in result["processes"].values())


def test_a_heating_element_that_fails_shows_in_the_crust_of_what_comes_out(tmp_path: Path) -> None:
    port = free_port()
    with Demo(tmp_path, "--fault", "heating_element_open@1", "--port", port, "--lang", "en", "--json") as demo:

        def alerts() -> set[tuple[str, str]]:
            try:
                with urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5) as answer:  # our own
                    found = json.load(answer)
            except OSError:
                return set()
            return {(one["alert"]["kind"], one["alert"]["cause"]) for one in found if one["alert"]["machine"] == "ofen"}

        demo.until(lambda: ("quality", "too_dark") in alerts(), lambda: f"{alerts()}")
        demo.process.send_signal(signal.SIGINT)
        result = demo.result()
        assert demo.left_nothing()
    assert clean(result), result
    goods, (fault,) = result["goods"], result["faults"]
    assert "heating_element_open" in {alert["cause"] for alert in result["alerts"]}, result["alerts"]
    assert fault["goods_cause"] == "too_dark", fault
    assert fault["goods_after_s"] > 0
    assert "too_dark" in {finding["cause"] for finding in goods["findings"]}
    first, last = goods["batches"][0], max(goods["batches"], key=lambda batch: batch["rejects"])
    assert first["rejects"] <= 0.2 * first["items"]
    assert last["rejects"] > 0.4 * last["items"]
    assert last["lightness"] < first["lightness"] - 5
    assert sum(batch["items"] for batch in goods["batches"]) == goods["items"] >= 36
    assert "kamera" in result["processes"]


def test_ctrl_c_ends_it_with_the_comparison(tmp_path: Path) -> None:
    with Demo(tmp_path, "--json") as demo:
        demo.until(demo.nodes_online)
        time.sleep(3.0)
        demo.process.send_signal(signal.SIGINT)
        result = demo.result()
        assert clean(result), result
        assert result["faults"] == []
        assert demo.left_nothing()


def test_ctrl_c_in_the_middle_of_the_start_leaves_nothing(tmp_path: Path) -> None:
    with Demo(tmp_path, "--json") as demo:
        demo.until(lambda: list(tmp_path.glob("werkpuls-demo-*/broker.log")))
        demo.process.send_signal(signal.SIGINT)
        out, err = demo.process.communicate(timeout=PATIENCE_S)
        assert demo.process.returncode == 130
        assert not out
        assert b"Traceback" not in err
        assert demo.left_nothing()


def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    with Demo(tmp_path, "--json") as demo:
        demo.until(demo.nodes_online)
        demo.process.kill()
        demo.process.wait(10)
        deadline = time.monotonic() + 20
        while demo.parts() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not demo.parts()


def test_a_recording_goes_through_the_whole_chain(tmp_path: Path) -> None:
    path, folder = tmp_path / "pump.csv", tmp_path / "temporary"
    folder.mkdir()
    rows = [
        f"{row};{2 + 0.01 * (row * 37 % 11) + (1.5 if row > 120 else 0):.3f};{60 + row * 13 % 5}" for row in range(400)
    ]
    path.write_text("t;Current;Temperature\n" + "\n".join(rows) + "\n")
    words = ["--recording", path, "--time", "t", "--warmup", 100, "--for", 14, "--blind", "--json"]
    with Demo(folder, *words) as demo:
        result = demo.result()
        assert clean(result), result
        assert demo.left_nothing()
    assert "aufnahme" in {alert["machine"] for alert in result["alerts"] if alert["kind"] == "machine"}, result
    assert not [alert for alert in result["alerts"] if alert["kind"] == "sensor"]


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 120)])
def test_in_a_terminal_a_key_breaks_a_bearing_and_another_ends_it(tmp_path: Path, rows: int, columns: int) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    before = termios.tcgetattr(slave)
    with Demo(tmp_path, "--lang", "de", terminal=slave) as demo:
        seen = ""

        def shown(text: str) -> bool:
            nonlocal seen
            while select.select([master], [], [], 0)[0]:
                seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(master, 65536).decode(errors="ignore"))
            return text in seen

        demo.until(lambda: shown("Spiralkneter"), lambda: seen[-4000:])
        os.write(master, b"1")
        demo.until(lambda: shown("Alarm: Spiralkneter"), lambda: seen[-4000:])
        demo.until(lambda: shown("→ budget"), lambda: seen[-4000:])
        os.write(master, b"aq")
        deadline = time.monotonic() + PATIENCE_S
        while demo.process.poll() is None and time.monotonic() < deadline:
            shown("")
            time.sleep(0.1)
        assert demo.process.poll() == 0, seen[-3000:]
        assert shown("Vergleiche, was angekommen ist"), "while the comparison runs"
        assert shown("Nichts verloren"), seen[-3000:]
        assert shown("Spiralkneter: „Lagerschaden")
        assert demo.left_nothing()
    assert termios.tcgetattr(slave) == before, "the terminal is as it was"
    os.close(slave)
    os.close(master)
