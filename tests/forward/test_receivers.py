"""The example receivers: what a receiver must refuse, and the program itself."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.alerts import KEY, START, seen, translator

from gateway.alerts import Policy
from gateway.events import COST
from gateway.lifecycle import begin
from gateway.signing import headers
from werkpuls.receivers import Receiver, main
from wire.messages import Severity


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[Receiver]:
    served = Receiver("budget", [KEY], keep=tmp_path / "kept.jsonl").start()
    yield served
    served.stop()


def event() -> tuple[str, bytes]:
    made = begin(seen(0, severity=Severity.ALARM), Policy()).alert
    cost = next(e for e in translator().of_alert(made, "opened", now_ns=START) if e.type == COST)
    return cost.id, cost.body


def post(receiver: Receiver, event_id: str, body: bytes, *, key: bytes = KEY, at_s: float | None = None) -> int:
    now_s = int(time.time() if at_s is None else at_s)
    with httpx.Client(trust_env=False, timeout=5) as client:
        return client.post(
            receiver.url, content=body, headers=headers(key, event_id=event_id, body=body, now_s=now_s)
        ).status_code


def test_it_takes_an_event_once_and_keeps_it(budget: Receiver, tmp_path: Path) -> None:
    event_id, body = event()
    assert post(budget, event_id, body) == 202
    assert post(budget, event_id, body) == 200
    assert (len(budget.events), budget.duplicates) == (1, 1)
    assert json.loads((tmp_path / "kept.jsonl").read_text()) == json.loads(body)
    again = Receiver("budget", [KEY], keep=tmp_path / "kept.jsonl")
    signed = headers(KEY, event_id=event_id, body=body, now_s=int(time.time()))
    assert again.take(signed, body) == (200, "had that")
    again.stop()
    assert len(again.events) == 1


def test_a_line_that_a_power_cut_left_unfinished_is_cut_off_and_comes_again(tmp_path: Path) -> None:
    event_id, body = event()
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(b'{"id": "first"}\n' + body[: len(body) // 2])
    receiver = Receiver("budget", [KEY], keep=kept)
    signed = headers(KEY, event_id=event_id, body=body, now_s=int(time.time()))
    assert receiver.take(signed, body) == (202, "taken")
    receiver.stop()
    assert [json.loads(line)["id"] for line in kept.read_text().splitlines()] == ["first", event_id]


def test_what_cannot_be_kept_is_not_acknowledged_and_leaves_no_half_line(tmp_path: Path) -> None:
    event_id, body = event()
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(b'{"id": "first"}\n')
    receiver = Receiver("budget", [KEY], keep=kept)
    signed = headers(KEY, event_id=event_id, body=body, now_s=int(time.time()))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # as a disk with room for a part of the line
    try:
        status, _ = receiver.take(signed, body)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (status, kept.read_bytes(), receiver.events[1:]) == (503, b'{"id": "first"}\n', [])
    assert receiver.take(signed, body) == (202, "taken")
    receiver.stop()
    assert len(kept.read_text().splitlines()) == 2


def test_it_refuses_what_it_must(budget: Receiver) -> None:
    event_id, body = event()
    assert post(budget, event_id, body, key=b"x" * 32) == 401
    assert post(budget, event_id, body, at_s=time.time() - 400) == 401
    assert post(budget, "other-id", body) == 400
    assert post(budget, event_id, b"{nothing") == 400
    assert post(budget, event_id, b"[]") == 400
    assert not budget.events
    assert budget.refused == {"signature": 2, "not_cloudevent": 2, "not_json": 1}
    assert post(budget, event_id, body) == 202


def test_it_refuses_too_much_and_no_length(budget: Receiver) -> None:
    for header, status in (({"content-length": "2000000"}, 413), ({"content-length": "x"}, 411)):
        connection = http.client.HTTPConnection("127.0.0.1", budget.port, timeout=5)
        connection.putrequest("POST", "/events")
        for name, value in header.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_the_program_prints_what_arrives_and_ends_on_a_signal(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    command = [sys.executable, "-m", "werkpuls.receivers", "--kind", "budget", "--secret-file", str(key), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["listening"]
        event_id, body = event()
        signed = headers(KEY, event_id=event_id, body=body, now_s=int(time.time()))
        with httpx.Client(trust_env=False, timeout=5) as client:
            assert client.post(url, content=body, headers=signed).status_code == 202
        assert json.loads(process.stdout.readline())["id"] == event_id
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)


def test_the_program_refuses_an_open_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o644)
    assert main(["--kind", "budget", "--secret-file", str(key)]) == 2
