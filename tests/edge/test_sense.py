"""The daemon whole: simulated machines, real journal, real broker, the gateway's real other end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.broker import Broker, until
from support.nodes import write_node
from support.spine import Gateway

from edge.config import read_node
from edge.daemon import DaemonError
from edge.sense import Sense
from edge.sensors.base import SensorConfigError
from edge.sensors.simulated import Simulated
from wire.clock import Clock
from wire.commands import Command
from wire.journal import JournalBusy
from wire.messages import Condition, Finding, Health, Reply, SensorState, Telemetry
from wire.service import Notifier
from wire.settings import SettingsError


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", durable=False) as made:
        yield made


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker) -> Iterator[Gateway]:
    with Gateway(tmp_path / "gateway", broker.port) as made:
        yield made


def daemon(path: Path, **given: object) -> Sense:
    def clock(history: str) -> Clock:
        made = Clock(history=history, synced=lambda: True)
        made.poll()
        return made

    return Sense(read_node(path), clock=clock, **given)


def turning(sense: Sense, condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    """Keeps the daemon going until that is so."""

    def look() -> object:
        sense.turn()
        return condition()

    until(look, timeout_s)


def command(identifier: str, action: str, machine: str = "mixer-1", **fields: object) -> Command:
    now = time.time_ns()
    return Command(
        id=identifier,
        machine=machine,
        action=action,  # type: ignore[arg-type]  # a test's shorthand
        issued_ns=now,
        expires_ns=now + 60_000_000_000,
        **fields,  # type: ignore[arg-type]  # a test's shorthand
    )


def replies(gateway: Gateway) -> dict[str, Reply]:
    return {message.command: message for message in gateway.messages("pi") if isinstance(message, Reply)}


def test_readings_reach_the_gateway_in_order_and_the_end_is_clean(
    tmp_path: Path, broker: Broker, gateway: Gateway
) -> None:
    with daemon(write_node(tmp_path, "mixer-1", "mixer-2", port=broker.port)) as sense:
        turning(sense, lambda: sense.publisher.stats().acked >= 30)
        log = sense.journal.log
        assert "2 running, gateway online" in sense.status()
    summary = sense.summary()
    messages = gateway.messages("pi")
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert {message.log for message in messages} == {log}
    kinds = {type(message) for message in messages}
    assert {Telemetry, Condition, Health} <= kinds
    machines = {message.machine for message in messages if isinstance(message, Telemetry)}
    assert machines == {"mixer-1", "mixer-2"}
    assert summary["sources"]["mixer-1"]["restarts"] == 0
    assert summary["refused"] == {}
    (state,) = gateway.ingest.nodes()
    until(lambda: not gateway.ingest.nodes()[0].online, what="the node says that it goes")
    assert state.node == "pi"


def test_a_second_start_knows_what_the_first_learned_and_goes_on_counting(
    tmp_path: Path, broker: Broker, gateway: Gateway
) -> None:
    path = write_node(tmp_path, "mixer-1", port=broker.port)

    def learned() -> list[float]:
        return [message.learned for message in gateway.messages("pi") if isinstance(message, Condition)]

    with daemon(path) as sense:
        turning(sense, lambda: 1.0 in learned())
        log = sense.journal.log
    before = len(gateway.messages("pi"))
    with daemon(path) as sense:
        assert sense.journal.log == log
        turning(sense, lambda: len(gateway.messages("pi")) > before + 5)
    assert all(share == 1.0 for share in learned()[-2:])
    messages = gateway.messages("pi")
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))


def test_a_damaged_snapshot_is_set_aside_and_the_model_starts_anew(
    tmp_path: Path, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_node(tmp_path, "mixer-1", port=broker.port)
    models = tmp_path / "state" / "sense" / "models"
    models.mkdir(parents=True)
    (models / "mixer-1.json").write_text('{"format":1,"machine":"mixer-1","crc":0,"state":{"version":99}}')
    with daemon(path) as sense:
        turning(sense, lambda: sense.loops["mixer-1"].state.ticks > 2)
        assert sense.loops["mixer-1"].state.restarts == 0
    (aside,) = models.glob("*.bad-*")
    assert str(aside) in caplog.text
    assert (models / "mixer-1.json").exists()


def test_commands_are_carried_out_once_and_answered(tmp_path: Path, broker: Broker, gateway: Gateway) -> None:
    with daemon(write_node(tmp_path, "mixer-1", port=broker.port)) as sense:
        turning(sense, lambda: sense.publisher.stats().acked > 3)
        send = gateway.ingest.send_command
        for _ in range(2):
            assert send("pi", "sense", command("c-pause", "pause", seconds=600.0, by="Anna")).wait(5)
        assert send("pi", "sense", command("c-none", "pause", machine="oven-9")).wait(5)
        assert send("pi", "sense", command("c-product", "set_product", product="rye")).wait(5)
        turning(sense, lambda: len(replies(gateway)) == 3)
        found = replies(gateway)
        assert (found["c-pause"].ok, found["c-pause"].reason) == (True, "paused for 600 s")
        assert (found["c-none"].ok, found["c-none"].reason) == (False, "there is no machine 'oven-9' on this node")
        assert (found["c-product"].ok, found["c-product"].reason) == (True, "makes rye from now on")
        turning(sense, lambda: any(isinstance(m, Condition) and m.paused for m in gateway.messages("pi")))
        turning(sense, lambda: sense.refused() == {"command_repeated": 1, "command_machine": 1})
    # The pause outlives the process.
    with daemon(tmp_path / "node.toml") as sense:
        before = len(gateway.messages("pi"))
        turning(sense, lambda: any(isinstance(m, Condition) for m in gateway.messages("pi")[before:]))
        (first, *_) = [m for m in gateway.messages("pi")[before:] if isinstance(m, Condition)]
        assert first.paused
        assert first.product == "rye"
        assert gateway.ingest.send_command("pi", "sense", command("c-resume", "resume")).wait(5)
        turning(sense, lambda: "c-resume" in replies(gateway))
        turning(sense, lambda: not [m for m in gateway.messages("pi") if isinstance(m, Condition)][-1].paused)


def test_an_injected_sensor_fault_is_a_sensor_finding_and_clears(
    tmp_path: Path, broker: Broker, gateway: Gateway
) -> None:
    def findings() -> list[tuple[str, str, str]]:
        return [(m.type, m.state, m.cause) for m in gateway.messages("pi") if isinstance(m, Finding)]

    with daemon(write_node(tmp_path, "mixer-1", port=broker.port)) as sense:
        turning(sense, lambda: sense.publisher.stats().acked > 3)
        assert gateway.ingest.send_command("pi", "sense", command("c1", "inject_fault", fault="sensor_bus")).wait(5)
        turning(sense, lambda: ("sensor", "open", "sensor_bus") in findings())
        assert not sense.loops["mixer-1"].sensors()[0].ok
        # The findings that are open are known to the next process, be it killed or not.
    with daemon(tmp_path / "node.toml") as sense:
        turning(sense, lambda: ("sensor", "cleared", "sensor_bus") in findings())
        assert replies(gateway)["c1"].ok
    opened = [m.id for m in gateway.messages("pi") if isinstance(m, Finding) and m.state == "open"]
    cleared = [m.id for m in gateway.messages("pi") if isinstance(m, Finding) and m.state == "cleared"]
    assert set(cleared) <= set(opened)


def test_faults_are_refused_unless_allowed(tmp_path: Path, broker: Broker, gateway: Gateway) -> None:
    with daemon(write_node(tmp_path, "mixer-1", port=broker.port, faults=False)) as sense:
        turning(sense, lambda: sense.publisher.stats().acked > 1)
        assert gateway.ingest.send_command("pi", "sense", command("c1", "inject_fault", fault="sensor_bus")).wait(5)
        turning(sense, lambda: "c1" in replies(gateway))
        assert "not allowed" in replies(gateway)["c1"].reason


def test_a_thread_that_dies_is_started_again_and_shows_in_health(
    tmp_path: Path, broker: Broker, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states() -> list[SensorState]:
        return [state for m in gateway.messages("pi") if isinstance(m, Health) for state in m.sensors]

    with daemon(write_node(tmp_path, "mixer-1", "mixer-2", port=broker.port)) as sense:
        turning(sense, lambda: sense.loops["mixer-1"].ticks > 2)
        path = sense.loops["mixer-1"]._path
        assert path is not None

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a defect")

        monkeypatch.setattr(path, "step", broken)
        turning(sense, lambda: sense.loops["mixer-1"].state.restarts == 1)
        turning(sense, lambda: sense.loops["mixer-1"].ticks > 2)
        turning(sense, lambda: any(state.fault == "loop_restarted" for state in states()))
        (state, *_) = [state for state in states() if state.fault == "loop_restarted"]
        assert (state.name, state.machine, state.ok) == ("machine", "mixer-1", False)
        assert "ZeroDivisionError: a defect" in state.detail
        assert sense.loops["mixer-2"].state.restarts == 0


def test_the_watchdog_starves_when_a_machine_hangs(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sense.STALL_S", 0.3)
    monkeypatch.setattr("edge.sense.OPENING_S", 0.2)
    said: list[str] = []

    class Listening(Notifier):
        def _send(self, text: str) -> None:
            said.append(text)

    sense = daemon(write_node(tmp_path, "mixer-1", port=broker.port), notifier=Listening("x", 0.03))
    with sense:
        turning(sense, lambda: "WATCHDOG=1" in said)
        assert said[0].startswith("READY=1\nSTATUS=1 running")
        sense.progress.expect("machine mixer-9", 0.0)
        turning(sense, lambda: "STATUS=stands still: machine mixer-9" in said)
        fed = said.count("WATCHDOG=1")
        for _ in range(10):
            sense.turn()
            time.sleep(0.02)
        assert said.count("WATCHDOG=1") == fed
    assert said[-1] == "STOPPING=1"


def test_two_processes_on_one_state_folder_are_refused(tmp_path: Path) -> None:
    path = write_node(tmp_path, "mixer-1")
    sense = daemon(path)
    with pytest.raises(JournalBusy):
        daemon(path)
    sense.journal.close()


def test_a_damaged_journal_ends_the_daemon(tmp_path: Path) -> None:
    with daemon(write_node(tmp_path, "mixer-1")) as sense:
        sense.turn()
        sense.writer.broken = "page 3 is damaged"
        with pytest.raises(DaemonError, match="page 3"):
            sense.turn()


def test_a_sensor_that_can_never_work_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise SensorConfigError("address 0x19 belongs to another chip")

    path = write_node(tmp_path, "mixer-1")
    monkeypatch.setattr(Simulated, "open", refuse)
    with pytest.raises(SettingsError, match=r"node.toml: machine 1, sensor 1: address 0x19"):
        daemon(path).start()


def started(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "werkpuls", "edge", "sense", "--config", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_a_killed_process_goes_on_where_it_was_and_sigterm_ends_it_with_a_summary(
    tmp_path: Path, broker: Broker, gateway: Gateway
) -> None:
    path = write_node(tmp_path, "mixer-1", port=broker.port)
    killed = started(path)
    try:
        until(lambda: len(gateway.messages("pi")) > 10, 30)
    finally:
        killed.kill()
        killed.communicate(timeout=10)
    before = len(gateway.messages("pi"))
    process = started(path)
    try:
        until(lambda: len(gateway.messages("pi")) > before + 10, 30)
        resident_kb = (
            int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        )
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, err.decode()
    messages = gateway.messages("pi")
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert {message.log for message in messages} == {json.loads(out)["log"]}
    assert json.loads(out)["journaled"] >= len(messages)
    assert resident_kb < 130_000
