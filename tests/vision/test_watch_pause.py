"""A pause for cleaning at a camera: neither goods nor the camera are judged, what was found stands, and it outlives the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.broker import Broker, until
from support.nodes import write_node
from support.spine import Gateway
from support.watches import CAMERA, daemon, drop

from edge.vision.decode import Image, encode
from edge.vision.scene import noisy, tray
from edge.watch import Watch
from wire.commands import EXPIRED, Command
from wire.messages import Finding, Health, Inspection, Reply

DARK = np.zeros((300, 400, 3), np.uint8)


def goods() -> Image:
    rng = np.random.default_rng(4)
    return noisy(rng, tray(rng, (480, 360), 0.5)[0])


def pause(action: Any = "pause", *, ago_s: float = 0.0, **more: Any) -> Command:
    asked_ns = time.time_ns() - round(ago_s * 1e9)
    name = f"c-{time.monotonic_ns()}"
    return Command(
        id=name, machine="oven-1", action=action, issued_ns=asked_ns, expires_ns=asked_ns + 10**13, by="Eva", **more
    )


@pytest.mark.timeout(120)
def test_while_somebody_cleans_nothing_is_judged_and_nothing_is_taken_for_a_fault(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    with Broker(tmp_path / "broker", durable=False) as broker, Gateway(tmp_path / "gateway", broker.port) as gateway:
        path = write_node(tmp_path, port=broker.port, more=CAMERA)

        def told(kind: type) -> list[Any]:
            return [message for message in gateway.messages("pi") if isinstance(message, kind)]

        def turning(watch: Watch, wanted: Callable[[], bool]) -> None:
            until(lambda: watch.turn() or wanted(), 60)  # type: ignore[func-returns-value]  # turn, then look

        def ask(watch: Watch, command: Command) -> Reply:
            watch.desk.hear(command)
            turning(watch, lambda: any(each.command == command.id for each in told(Reply)))
            answer: Reply = next(each for each in told(Reply) if each.command == command.id)
            return answer

        def show(watch: Watch, *images: Image) -> None:
            loop, before = watch.cameras["tray"].loop, watch.cameras["tray"].loop.pictures
            for image in images:
                drop(photos, encode(image), len(list(photos.iterdir())) + 1)
            turning(watch, lambda: loop.pictures == before + len(images))

        with daemon(path) as watch:
            show(watch, goods())
            turning(watch, lambda: len(told(Inspection)) == 1)
            late = ask(watch, pause(ago_s=3600.0, seconds=1800.0))
            assert (late.ok, late.code) == (False, EXPIRED)
            assert ask(watch, pause(seconds=1800.0, ago_s=60.0)).reason == "paused for 1740 s, what was left of 1800 s"
            (camera,) = told(Health)[-1].sensors
            assert camera.paused_left_s == pytest.approx(1740, abs=60)
            show(watch, DARK, DARK, DARK, goods())
        with daemon(path) as watch:
            (camera,) = watch.sensors()
            assert camera.paused_left_s == pytest.approx(1740, abs=90), "it outlives the process"
            show(watch, goods())
            assert ask(watch, pause("resume")).ok
            assert told(Health)[-1].sensors[0].paused_left_s is None
            assert len(told(Inspection)) == 1
            assert told(Finding) == []
            show(watch, goods(), DARK, DARK)
            turning(watch, lambda: [each.cause for each in told(Finding)] == ["camera_dark"])
            turning(watch, lambda: len(told(Inspection)) == 2)
            assert ask(watch, pause(seconds=600.0)).ok
            show(watch, goods(), goods(), goods())
            assert [each.state for each in told(Finding)] == ["open"], "what was found stands"


@pytest.mark.timeout(60)
def test_a_pause_is_as_long_as_asked_where_the_clock_of_the_gateway_is_behind(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with Broker(tmp_path / "broker", durable=False) as broker, Gateway(tmp_path / "gateway", broker.port):
        path = write_node(tmp_path, port=broker.port, more=CAMERA)
        with daemon(path, ahead_s=3600.0) as watch:
            until(lambda: (watch.clock.gateway_ns() or 0) < time.time_ns() + 60e9, 30)
            watch.desk.hear(pause(seconds=1800.0))
            until(lambda: watch.turn() or watch.sensors()[0].paused_left_s is not None, 30)  # type: ignore[func-returns-value]  # as above
            assert watch.sensors()[0].paused_left_s == pytest.approx(1800, abs=60)
