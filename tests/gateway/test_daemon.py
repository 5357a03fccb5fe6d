"""The whole gateway with a real broker: from a node's message to store, alert and page; killed, restarted, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from support.broker import Broker, free_port, until
from support.gateways import Feed, client, options_in, running, write_gateway
from support.openapi import check
from support.raw import RawNode

import gateway.daemon
from gateway.daemon import DaemonError, Gateway, main
from gateway.ledger_file import LedgerError
from gateway.notify import Notifier as PeopleNotifier
from gateway.relating import Relating
from wire.journal import JournalBusy


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


def finding(node: RawNode, seq: int, **changes: Any) -> dict[str, Any]:
    message = node.message(seq, kind="finding", id="f1", type="machine", state="open", cause="looseness", severity="alarm",
                           since_ms=-1000.0, machine="mixer", **changes)  # fmt: skip
    del message["series"]
    return message


def test_from_a_message_to_store_alert_and_page(tmp_path: Path, broker: Broker) -> None:
    with (
        running(tmp_path / "gateway", broker=broker.port) as gateway,
        RawNode(broker.port) as node,
        client(gateway) as http,
    ):
        until(lambda: gateway.ingest.stats().link.connected)
        node.up()
        assert node.status().wait(10)
        assert node.say(node.message(1, machine="mixer")).wait(10)
        assert node.say(finding(node, 2), stream="finding").wait(10)
        until(lambda: bool(gateway.ledger.open_alerts()))
        until(lambda: gateway.storing.stats().stored == 2)
        gateway.turn()
        assert gateway.progressing()
        health = http.get("/health")
        assert (health.status_code, check(health)["status"]) == (200, "ok")
        machine = check(http.get("/api/v1/machines/oven-pi/mixer"))
        assert machine["online"]
        assert len(machine["alerts"]) == 1
        chart = check(http.get("/api/v1/machines/oven-pi/mixer/chart", params={"channel": "vibration"}))
        assert chart["mean"] == [1.0]
        assert check(http.get("/api/v1/nodes"))[0]["last"] == 2
        assert "Etwas ist locker" in http.get("/").text
        assert "2 messages taken in, 0 waiting" in gateway.status()
        # And back: a command reaches the node.
        sent = check(http.post("/api/v1/machines/oven-pi/mixer/commands", json={"action": "relearn", "by": "Anna"}))
        topic = "werkpuls/v1/bakery/oven-pi/command/sense"
        until(lambda: any(json.loads(one)["id"] == sent["id"] for one in node.payloads(topic)))
        until(lambda: check(http.get(f"/api/v1/commands/{sent['id']}"))["state"] == "sent")


def test_a_second_gateway_on_the_same_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as gateway:
        with pytest.raises(JournalBusy, match=str(os.getpid())):
            Gateway(options_in(tmp_path))
        assert main(tmp_path / "gateway.toml") == 1
        assert "in use by process" in capsys.readouterr().err
        assert gateway.web.alive()


def test_what_was_opened_is_closed_when_the_rest_cannot_be(tmp_path: Path) -> None:
    options = options_in(tmp_path)
    options.state.dir.mkdir()
    (options.state.dir / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError):
        Gateway(options)
    (options.state.dir / "ledger.sqlite").unlink()
    with Gateway(options) as gateway:  # the journal's lock was given back
        assert gateway.web.alive()


def test_without_its_pictures_the_gateway_works_and_says_so(tmp_path: Path) -> None:
    options = options_in(tmp_path)
    (options.state.dir / "goods.sqlite").mkdir(parents=True)
    with Gateway(options) as gateway, client(gateway) as http:
        assert Feed(gateway).alert()
        until(lambda: "pictures of goods cannot be kept" in check(http.get("/health"))["trouble"])
        assert "können gerade nicht gelesen werden" in http.get("/goods?lang=de").text
        time.sleep(1.0)
        assert "pictures of goods cannot be kept" in check(http.get("/health"))["trouble"], "for as long as it is so"


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        options = options_in(tmp_path, web=other.getsockname()[1])
        with pytest.raises(DaemonError, match="cannot serve"), Gateway(options):
            pass
    with Gateway(options) as gateway:
        assert gateway.web.alive()


def test_a_certificate_that_is_none_ends_it_with_the_reason(tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("not a certificate")
        (tmp_path / name).chmod(0o600)
    options = options_in(tmp_path, more_web='cert = "cert"\nkey = "key"')
    with pytest.raises(DaemonError, match=r"cannot serve.*PEM"), Gateway(options):
        pass


def test_a_part_that_has_ended_ends_the_daemon(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.turn()
        gateway.live.stop()
        with pytest.raises(DaemonError, match="live"):
            gateway.turn()


def test_stopping_does_not_wait_for_open_streams(tmp_path: Path) -> None:
    gateway = Gateway(options_in(tmp_path))
    gateway.start()
    with client(gateway) as http, http.stream("GET", "/api/v1/stream") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 3000"
        gateway.stop()
        assert not gateway.web.alive()
        assert [line for line in lines if line and not line.startswith(":")] == []
    gateway.stop()  # a second time does nothing


class Process:
    """`werkpuls gateway` as a process of its own."""

    def __init__(self, path: Path, port: int) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "werkpuls", "gateway", "--json", "--config", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path: str) -> Any:
        try:
            return self._http.get(path).json()
        except httpx.TransportError:
            time.sleep(0.2)  # it has enough to do with starting
            return None

    def until_ready(self) -> None:
        until(lambda: (self.get("/health") or {}).get("status") == "ok", timeout_s=60)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err


def test_parts_that_hang_hold_up_neither_the_others_nor_the_closing_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = Event()
    monkeypatch.setattr(gateway.daemon, "STOP_S", 1.0)
    monkeypatch.setattr(PeopleNotifier, "stop", lambda _self: released.wait(60))
    monkeypatch.setattr(Relating, "stop", lambda _self: released.wait(60))
    gateway_process = Gateway(options_in(tmp_path))
    with gateway_process:
        pass
    assert "did not end in time: relating, notifying" in caplog.text
    assert not gateway_process.alerting.stats().running
    Gateway(options_in(tmp_path)).stop()  # the files are free again
    released.set()


@pytest.mark.timeout(180)
def test_killed_and_started_again_it_goes_on_and_sigterm_ends_it_cleanly(tmp_path: Path, broker: Broker) -> None:
    port = free_port()
    path = write_gateway(tmp_path / "gateway", broker=broker.port, web=port)
    first = Process(path, port)
    with RawNode(broker.port) as node:
        node.up()
        try:
            first.until_ready()
            assert node.status().wait(10)
            for seq in (1, 2, 3):
                assert node.say(node.message(seq, machine="mixer")).wait(10)
            assert node.say(finding(node, 4), stream="finding").wait(10)
            until(lambda: len(first.get("/api/v1/alerts") or []) == 1)
        finally:
            first.end(signal.SIGKILL)
        # What is sent while it is away waits at the broker.
        assert node.say(node.message(5, machine="mixer")).wait(10)
        second = Process(path, port)
        try:
            second.until_ready()
            assert node.say(node.message(6, machine="mixer")).wait(10)
            until(lambda: (second.get("/api/v1/nodes") or [{}])[0].get("last") == 6)
            until(lambda: second.get("/api/v1/stats")["backlog"] == 0)
            assert len(second.get("/api/v1/alerts")) == 1, "the same alert, once"
            assert second.get("/api/v1/machines/oven-pi/mixer")["values"]["vibration"]["value"] == 6.0
            now_ms = time.time_ns() // 1_000_000
            chart = second.get(
                f"/api/v1/machines/oven-pi/mixer/chart?channel=vibration&until_ms={now_ms + 1000}&minutes=5&points=5000"
            )
            assert max(chart["high"]) == 6.0
        finally:
            code, out, err = second.end(signal.SIGTERM)
    assert code == 0, err
    assert "Traceback" not in err
    summary = json.loads(out)
    assert summary["backlog"] == 0
    assert summary["accepted"] == 2
    assert summary["refused"] == {}
