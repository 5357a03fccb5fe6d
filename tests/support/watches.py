"""The camera daemon for tests: a camera that looks into a folder of photos, and a daemon that knows the time at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

from edge.config import read_node
from edge.watch import Watch
from wire.clock import Clock

CAMERA = """
[[camera]]
name = "tray"
machine = "oven-1"
type = "photos"
folder = "photos"
interval_s = 0.1
load_gap_s = 3600
"""


def daemon(path: Path, *, ahead_s: float = 0.0) -> Watch:
    """The daemon of these settings, not begun; its clock is sure of itself, and so much ahead of everybody else's."""

    def clock(history: str) -> Clock:
        made = Clock(history=history, wall_ns=lambda: time.time_ns() + round(ahead_s * 1e9), synced=lambda: True)
        made.poll()
        return made

    return Watch(read_node(path), clock=clock)


def drop(folder: Path, data: bytes, number: int) -> Path:
    """Puts a picture into a camera's folder at once, dated by its number so that it has settled and follows those before it."""
    hidden, path = folder / "hidden", folder / f"{number}.jpg"
    hidden.write_bytes(data)
    at = 1_700_000_000_000_000_000 + number * 1_000_000_000
    os.utime(hidden, ns=(at, at))
    return hidden.rename(path)
