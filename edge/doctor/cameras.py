"""Cameras: which are plugged in, which are configured, and what to write for a new one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge.config import NodeConfig
from edge.doctor.files import text
from edge.doctor.look import Look
from edge.doctor.proposal import names, table

if TYPE_CHECKING:
    from edge.camera_options import CameraOptions

CAMERA_CHIPS = re.compile(r"^(imx|ov|arducam|gc|mira)\w*$")
"""Sensors behind a ribbon cable (raspberrypi.com, documentation: camera; drivers in linux, drivers/media/i2c)."""
NO_CAMERAS = re.compile(r"(?i)codec|isp|pispbe|hevc|rpivid|unicam|rp1-cfe|dummy|loopback|encode|decode|stateless")
"""Video devices of the processor itself."""
BY_ID = "dev/v4l/by-id"
"""Names that stay when plugs are swapped; index0 gives pictures, others are for metadata (systemd, 60-persistent-v4l.rules)."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """A camera that the kernel knows."""

    what: str
    place: str
    type: Literal["video", "picamera2"]
    source: str = ""
    """For `video`: the name that lasts."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera: found by looking, or named in the configuration, or both."""

    type: str
    found: Plugged | None
    configured: str = ""
    """`machine/camera` in the configuration; empty where it is not there."""
    options: CameraOptions | None = None
    """As configured."""
    look: Look | None = None
    """What it shows; None where it was not opened."""
    toml: str = field(default="")
    """Proposed configuration of one that is not configured."""

    @property
    def named(self) -> str:
        """For a sentence about it."""
        return self.configured or (self.type if self.found is None else self.found.what)


def plugged(root: Path) -> Iterator[Plugged]:
    """Cameras on USB, and camera chips on the ribbon cable."""
    for device in sorted((root / "sys/class/video4linux").glob("video*"), key=lambda path: _number(path.name)):
        name = text(device / "name") or ""
        # A USB camera has a second node for metadata; its index is not 0.
        if name and not NO_CAMERAS.search(name) and (text(device / "index") or "0") == "0":
            yield Plugged(name, f"/dev/{device.name}", "video", _lasting(root, device.name))
    for device in sorted((root / "sys/bus/i2c/devices").glob("*-*")):
        name = text(device / "name") or ""
        if CAMERA_CHIPS.match(name) and (device / "driver").exists():
            yield Plugged(name, f"CSI ({device.name})", "picamera2")


def cameras(root: Path, config: NodeConfig | None) -> list[Camera]:
    """What is plugged in, with where it is configured or how it could be; then what is only configured.

    Args:
        root: stands for /.
        config: the configuration, if there is one.
    """
    options = () if config is None else config.options.cameras
    labels = {f"{one.machine}/{one.name}": one for one in options}
    machines = [] if config is None else [machine.name for machine in config.options.machines]
    machines += [one.machine for one in options]
    found = list(plugged(root))
    matched: list[str] = []
    for each in found:
        free = (label for label in labels if label not in matched)
        matched.append(next((label for label in free if _means(root, labels[label], each)), ""))
    new = [each for each, label in zip(found, matched, strict=True) if not label]
    named = iter(names(["camera"] * len(new), [one.name for one in options]))
    made = []
    board_taken = any(one.type == "picamera2" for one in options)
    for each, label in zip(found, matched, strict=True):
        if label:
            made.append(Camera(each.type, each, label, labels[label]))
            continue
        # The board's own camera is its first one; a second one cannot be chosen.
        toml = "" if each.type == "picamera2" and board_taken else _proposal(each, next(named), machines)
        board_taken = board_taken or each.type == "picamera2"
        made.append(Camera(each.type, each, toml=toml))
    made += [Camera(one.type, None, label, one) for label, one in labels.items() if label not in matched]
    return made


def _proposal(found: Plugged, name: str, machines: Sequence[str]) -> str:
    """A `[[camera]]` table, ready to paste; the machine is the first one there is, or an example."""
    options: dict[str, object] = {"name": name, "machine": machines[0] if machines else "oven", "type": found.type}
    if found.source:
        options["source"] = found.source
    return table("camera", f"{found.what}, {found.place}", options)


def _means(root: Path, options: CameraOptions, found: Plugged) -> bool:
    """Whether a configured camera is the one that was found."""
    if options.type != found.type:
        return False
    if found.type == "picamera2" or options.source is None:
        return True
    device = found.place.removeprefix("/dev/")
    if options.source.isdecimal():
        return device == f"video{options.source}"
    return (root / options.source.lstrip("/")).resolve().name == device


def _lasting(root: Path, device: str) -> str:
    for link in sorted((root / BY_ID).glob("*")):
        if link.resolve().name == device:
            return f"/{BY_ID}/{link.name}"
    return f"/dev/{device}"


def _number(device: str) -> int:
    digits = device.removeprefix("video")
    return int(digits) if digits.isdecimal() else 0
