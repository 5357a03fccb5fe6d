"""When a picture is taken: at an interval, once something new has come to rest, at a light barrier, at a message."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.broker import Broker, until

from edge.vision.camera import CameraConfigError
from edge.vision.scene import noisy, tray
from edge.vision.trigger import Interval, LightBarrier, Message, Movement
from wire.link import Inbound, Link, LinkConfig

S = 10**9
SIZE = (320, 240)
IMAGE = np.zeros((240, 320, 3), np.uint8)


def test_an_interval_lies_on_a_grid_and_leaves_missed_points_out() -> None:
    trigger = Interval(0.5)
    trigger.open()
    assert trigger.due(7 * S) == 0.0
    assert trigger.wants(IMAGE, 7 * S + 1)
    assert trigger.due(7 * S + 2) == pytest.approx(0.5)
    assert trigger.due(9 * S + S // 4) == 0.0
    assert trigger.wants(IMAGE, 9 * S + S // 4)
    assert trigger.due(9 * S + S // 4) == pytest.approx(0.25)
    trigger.close()


def test_movement_waits_until_what_has_come_rests_and_then_looks_once() -> None:
    rng = np.random.default_rng(1)
    empty, _ = tray(rng, SIZE, 0.5, count=0)
    full, _ = tray(rng, SIZE, 0.5, count=6)
    trigger = Movement(0.2)
    trigger.open()
    now, wanted = 0, []

    def look(image: NDArray[np.uint8]) -> None:
        nonlocal now
        assert trigger.due(now) <= 0.2
        now += S // 5
        wanted.append(trigger.wants(noisy(rng, image), now))

    look(empty)
    look(empty)
    assert wanted == [False, True]  # at first nobody knows whether it moves
    wanted.clear()
    for _ in range(20):
        look(empty)
    assert not any(wanted)
    for shift in (200, 140, 80, 30):  # a tray is pushed in
        look(np.asarray(cv2.warpAffine(full, np.array([[1.0, 0, shift], [0, 1, 0]]), SIZE), np.uint8))
    assert not any(wanted)
    for _ in range(10):
        look(full)
    assert wanted.count(True) == 1
    wanted.clear()
    for shift in range(0, 2000, 50):  # a belt never rests: about every two seconds
        look(np.roll(full, shift, axis=1))
    assert 3 <= wanted.count(True) <= 5


def test_a_light_barrier_asks_for_one_picture_each_time_it_is_interrupted() -> None:
    mock = pytest.importorskip("gpiozero.pins.mock")
    factory = mock.MockFactory()
    trigger = LightBarrier(17, pin_factory=factory)
    trigger.open()
    assert trigger.due(0) == float("inf")
    pin = factory.pin(17)
    pin.drive_high()
    until(lambda: trigger.due(0) == 0.0, 2)
    assert trigger.wants(IMAGE, 0)
    assert trigger.due(0) == float("inf")
    pin.drive_low()
    time.sleep(0.2)
    assert trigger.due(0) == float("inf")
    pin.drive_high()
    until(lambda: trigger.due(0) == 0.0, 2)
    with pytest.raises(CameraConfigError, match="pin 17"):
        LightBarrier(17, pin_factory=factory).open()
    trigger.close()
    trigger.close()


def test_a_message_asks_for_a_picture_but_not_one_that_the_broker_kept(tmp_path: Path) -> None:
    with Broker(tmp_path, durable=False) as broker:
        config = LinkConfig(host="127.0.0.1", port=broker.port, client_id="watch")
        topic = "line/tray-in"
        trigger = Message(topic, config, "tray")
        trigger.open()
        sender = Link(
            LinkConfig(host="127.0.0.1", port=broker.port, client_id="line"),
            will=None,
            subscriptions=[],
            on_message=lambda _: None,
            on_connected=lambda: None,
            on_disconnected=lambda _: None,
        )
        sender.start()

        def fired() -> bool:
            if sender.stats().connected:
                sender.publish(topic, b"in", qos=1)
            return trigger.due(0) == 0.0

        until(fired, 10)
        assert trigger.wants(IMAGE, 0)
        sender.stop()
        trigger.close()
        trigger.close()
    heard = Message(topic, config, "tray")
    heard._on_message(Inbound(topic, b"in", retain=True, duplicate=False, token=None, size=2))
    assert heard.due(0) == float("inf")
    with pytest.raises(CameraConfigError, match="wildcard"):
        Message("line/#", config, "tray")
