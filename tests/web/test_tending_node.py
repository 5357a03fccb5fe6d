"""The buttons of a machine's card with a broker and a node's own daemon: what it answers is on the card."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.broker import Broker, until
from support.gateways import client, running
from support.nodes import write_node

pytestmark = pytest.mark.timeout(180)


def test_a_node_pauses_goes_on_and_learns_anew(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    with (
        Broker(tmp_path / "broker") as broker,
        running(tmp_path / "gateway", broker=broker.port) as gateway,
        client(gateway) as http,
    ):
        path = write_node(tmp_path / "node", "mixer", port=broker.port)
        command = [sys.executable, "-m", "werkpuls", "edge", "sense", "--config", str(path)]
        node = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
        try:
            until(lambda: 'value="pause_30"' in page(http), 60)
            press(http, "pause_30")
            until(lambda: "Überwachung macht Pause bis " in page(http), 30)
            until(
                lambda: (
                    "Pause für Reinigung (Anna, " in page(http) and "Die Messstelle hat es übernommen" in page(http)
                ),
                30,
            )
            press(http, "resume")
            until(lambda: "Überwachung macht Pause" not in page(http), 30)
            press(http, "relearn")
            until(lambda: "Neu lernen (Anna, " in page(http) and "Die Messstelle hat es übernommen" in page(http), 30)
            until(lambda: gateway.ledger.commands(limit=1)[0].state == "done", 30)
            answers = [one.reason for one in gateway.ledger.commands(limit=3)]
            assert answers == ["forgot everything, learns anew", "goes on", "paused for 1800 s"]
        finally:
            node.terminate()
            node.wait(20)


def page(http: httpx.Client) -> str:
    return http.get("/?lang=de").text


def press(http: httpx.Client, button: str) -> None:
    assert http.post("/machines/pi/mixer", data={"action": button, "by": "Anna", "lang": "de"}).status_code == 303
