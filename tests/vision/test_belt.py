"""A belt from its video to the messages: every item counted once, through the whole daemon."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.broker import until
from support.nodes import write_node
from support.scenes import Thing, oval, render

from edge.config import read_node
from edge.watch import Watch
from wire.clock import Clock
from wire.journal import Journal

SIZE = (480, 320)
ROWS, COLUMNS = 2, 7
CAMERA = """
[[camera]]
name = "belt"
machine = "tunnel-oven"
type = "video"
source = "{video}"
interval_s = 0.05
belt = true
# Drawn things have softer edges than photographed ones.
blurred_below = 0.5
"""


def film(path: Path, steps: tuple[int, ...]) -> int:
    """Two rows of rolls pass by, between two frames by these pixels in turn; how many frames it has."""
    rng = np.random.default_rng(11)
    rolls = []
    for column in range(COLUMNS):
        for row in range(ROWS):
            outline = oval(float(rng.uniform(32, 38)), float(rng.uniform(22, 27)), float(rng.uniform(-15, 15)))
            x = -50 - 120 * column + float(rng.uniform(-12, 12))
            rolls.append((outline, x, 80 + 160 * row + float(rng.uniform(-8, 8))))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, SIZE)
    passed, frames = 0, 0
    while passed < 50 + 120 * COLUMNS + SIZE[0]:
        things = [Thing(outline, x + passed, y) for outline, x, y in rolls if -45 < x + passed < SIZE[0] + 45]
        writer.write(render(things, SIZE[1], SIZE[0], "dark belt", seed=frames))
        passed += steps[frames % len(steps)]
        frames += 1
    writer.release()
    return frames


@pytest.mark.parametrize("steps", [(55,), (50, 50, 0, 0, 0, 50, 25)], ids=["runs evenly", "stops and starts"])
def test_each_roll_on_the_belt_is_inspected_and_told_exactly_once(tmp_path: Path, steps: tuple[int, ...]) -> None:
    video = tmp_path / "belt.avi"
    frames = film(video, steps)

    def clock(history: str) -> Clock:
        return Clock(history=history, synced=lambda: True)

    watch = Watch(read_node(write_node(tmp_path, more=CAMERA.format(video=video))), clock=clock)
    with watch:
        belt = watch.cameras["belt"]
        until(lambda: belt.loop.pictures == frames, 90)
        time.sleep(0.1)
        assert watch.sensors()[0].ok, watch.sensors()[0]
        counts = watch.sources()["belt"]
        batch = belt.path.batch
    assert counts["items"] == ROWS * COLUMNS
    assert batch is not None
    assert batch.judged + batch.verdicts.get("unsure", 0) == ROWS * COLUMNS
    assert batch.cut_off == 0, "each is judged where it is seen whole"
    journal = Journal(tmp_path / "state" / "watch" / "journal.sqlite", readers=["publisher"], max_bytes=10**9)
    told = [entry for entry in journal.read(0) if entry.stream == "inspection"]
    journal.close()
    assert len(told) == counts["inspections"] >= COLUMNS
