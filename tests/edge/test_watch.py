"""The camera daemon's first path: pictures in a folder become findings about the camera, and nothing is invented."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.broker import Broker, until
from support.nodes import write_node
from support.spine import Gateway

from edge.config import read_node
from edge.vision.measure import measure
from edge.vision.photos import SETTLED_NS, PhotoFolder, Unreadable
from edge.watch import Watch, main
from wire.clock import Clock
from wire.messages import Finding, Health, Inspection

CAMERA = """
[[camera]]
name = "tray"
machine = "oven-1"
type = "photos"
folder = "photos"
interval_s = 0.1
"""
NOISE = np.random.default_rng(1).integers(60, 200, (120, 160), dtype=np.uint8)
PICTURES = {
    "good": NOISE,
    "dark": (NOISE // 20).astype(np.uint8),
    "bright": np.full((120, 160), 250, np.uint8),
    "blurred": np.full((120, 160), 128, np.uint8),
}


class Folder:
    """Drops pictures with settled and strictly rising modification times."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.count = 0

    def drop(self, kind: str) -> Path:
        self.count += 1
        path = self.path / f"{self.count}.png"
        hidden = self.path / "hidden"
        if kind == "damaged":
            hidden.write_bytes(b"\x89PNG rubbish")
        else:
            Image.fromarray(PICTURES[kind]).save(hidden, format="png")
        at = 1_700_000_000_000_000_000 + self.count * 1_000_000_000
        os.utime(hidden, ns=(at, at))
        hidden.rename(path)
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "photos")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Broker(tmp_path / "broker", durable=False) as broker, Gateway(tmp_path / "gateway", broker.port) as made:
        yield made


def daemon(path: Path) -> Watch:
    def clock(history: str) -> Clock:
        made = Clock(history=history, synced=lambda: True)
        made.poll()
        return made

    return Watch(read_node(path), clock=clock)


def test_what_a_picture_says() -> None:
    assert measure(PICTURES["dark"]).brightness < 10
    assert measure(PICTURES["blurred"]).sharpness == 0.0
    assert measure(PICTURES["good"]).sharpness > 1000
    wide = np.repeat(np.repeat(NOISE, 16, axis=0), 16, axis=1)
    assert measure(wide).brightness == pytest.approx(measure(NOISE).brightness)
    with pytest.raises(ValueError, match="grey frame"):
        measure(np.zeros((2, 5), np.uint8))
    with pytest.raises(ValueError, match="grey frame"):
        measure(np.zeros((5, 5, 3), np.uint8))


def test_pictures_come_once_oldest_first_and_only_when_settled(folder: Folder) -> None:
    old = folder.drop("good")
    at = old.stat().st_mtime_ns
    now = [at + SETTLED_NS]
    watched = PhotoFolder(folder.path, None, lambda: now[0])
    assert watched.new() == []
    first, second = folder.drop("good"), folder.drop("dark")
    (folder.path / "notes.txt").write_text("no picture")
    assert watched.new() == []
    now[0] = at + 3_000_000_000
    assert watched.new() == [first, second]
    assert watched.new() == []
    assert PhotoFolder(folder.path, at, lambda: now[0]).new() == [first, second]
    assert watched.grey(second).shape == (120, 160)
    with pytest.raises(Unreadable, match=r"4.png: "):
        watched.grey(folder.drop("damaged"))


def test_camera_faults_are_findings_and_goods_are_not_judged(tmp_path: Path, folder: Folder, gateway: Gateway) -> None:
    def findings() -> list[tuple[str, str]]:
        return [(m.state, m.cause) for m in gateway.messages("pi") if isinstance(m, Finding)]

    path = write_node(tmp_path, port=gateway.port, more=CAMERA)
    with daemon(path) as watch:

        def show(*kinds: str) -> None:
            before = watch.cameras["tray"].pictures
            for kind in kinds:
                folder.drop(kind)
            until(lambda: watch.cameras["tray"].pictures == before + len(kinds))

        show("good", "dark", "good")
        show("dark", "dark")
        until(lambda: watch.turn() or findings() == [("open", "camera_dark")])  # type: ignore[func-returns-value]  # turn, then look
        assert not watch.sensors()[0].ok
        show("damaged", "damaged")
        until(lambda: watch.turn() or findings()[1:] == [("changed", "camera_unreadable")])  # type: ignore[func-returns-value]  # see above
    folder.drop("good")
    folder.drop("good")
    with daemon(path) as watch:
        until(lambda: watch.turn() or findings()[2:] == [("cleared", "camera_unreadable")])  # type: ignore[func-returns-value]  # see above
        show("bright", "bright", "blurred", "blurred")
        until(lambda: watch.turn() or len(findings()) == 5)  # type: ignore[func-returns-value]  # see above
    assert findings()[3:] == [("open", "camera_overexposed"), ("changed", "camera_blurred")]
    messages = gateway.messages("pi")
    told = [message for message in messages if isinstance(message, Finding)]
    assert {(m.origin, m.machine, m.type, m.channel) for m in told} == {("watch", "oven-1", "camera", "tray")}
    assert len({m.id for m in told}) == 2
    assert told[0].evidence[0].feature == "brightness"
    assert not any(isinstance(message, Inspection) for message in messages)
    states = [state for message in messages if isinstance(message, Health) for state in message.sensors]
    assert {(state.name, state.machine) for state in states} == {("tray", "oven-1")}


def test_a_folder_that_goes_away_is_a_fault_of_the_camera(tmp_path: Path, folder: Folder) -> None:
    with daemon(write_node(tmp_path, more=CAMERA)) as watch:
        folder.path.rmdir()
        until(lambda: watch.sensors()[0].fault == "camera_no_data")
        watch.turn()
        assert "FileNotFoundError" in watch.sensors()[0].detail


def test_without_a_camera_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_node(tmp_path, "mixer-1")
    assert main(path) == 2
    assert capsys.readouterr().err == f"{path}: camera: there is none; watch needs at least one [[camera]]\n"
