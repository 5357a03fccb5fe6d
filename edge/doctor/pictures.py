"""Opens cameras for a moment: what they show, and whether goods could be graded in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from edge.camera_options import CameraOptions
from edge.config import NodeConfig, link_of
from edge.doctor.cameras import Camera
from edge.doctor.checks import Check, check
from edge.doctor.look import Look
from edge.doctor.world import NAME, World

if TYPE_CHECKING:
    from edge.vision.camera import Camera as Source
    from edge.vision.camera import Frame

STEP_S = 0.05
PATIENCE_S = 10.0
"""A camera that has shown nothing yet is waited for so much longer: some need seconds for their first picture."""
FAULTS = {
    "camera_dark": "dark",
    "camera_overexposed": "overexposed",
    "camera_blurred": "blurred",
    "camera_blocked": "blocked",
}
"""Codes of `checks.CODES` by the causes of `edge.vision.camera_check`."""


def look(world: World, config: NodeConfig | None, known: list[Camera], seconds: float) -> list[Camera]:
    """The same cameras with what they showed, one after the other; those that cannot be read here stay without.

    Args:
        world: the board.
        config: for the broker that triggers come from.
        known: cameras.
        seconds: how long one is watched, so that its exposure can settle.
    """
    return [replace(one, look=_looked(world, config, one, seconds)) for one in known]


def judge(camera: Camera) -> Iterator[Check]:
    """What a look says that a person must act on, or should know."""
    seen, name = camera.look, camera.named
    if seen is not None and seen.error:
        yield check("camera", "library" if "picamera2" in seen.error else "failed", camera=name, error=seen.error)
    elif seen is not None and seen.silent:
        yield check("camera", "silent", camera=name)
    elif seen is not None and seen.fault:
        values = {"brightness": round(seen.brightness), "sharpness": round(seen.sharpness)}
        yield check("camera", seen.fault, camera=name, **values)


def without_corners(known: list[Camera]) -> Iterator[Check]:
    """The configured cameras whose whole picture is searched for goods, all at once."""
    open_wide = [
        one.named
        for one in known
        if one.options is not None and one.options.corners is None and one.type != "simulated"
    ]
    if open_wide:
        yield check("camera", "corners", camera=", ".join(open_wide))


def _looked(world: World, config: NodeConfig | None, camera: Camera, seconds: float) -> Look | None:
    from edge.vision.camera import BadPicture, CameraConfigError, CameraError  # noqa: PLC0415  # needs OpenCV further down

    options = _under(world.root, camera.options or _options(camera))
    if options.type == "picamera2" and not world.picamera:
        return None
    try:
        source = _source(world, config, options)
        source.open()
    except (CameraError, CameraConfigError) as exc:
        return Look(error=str(exc))
    try:
        frame = _last(source, seconds, world.monotonic_ns, world.sleep)
    except (CameraError, BadPicture) as exc:
        return Look(error=str(exc))
    finally:
        source.close()
    return Look() if frame is None else _judged(frame, options)


def _options(camera: Camera) -> CameraOptions:
    """Of one that is not configured, as it is proposed."""
    if camera.found is None or camera.found.type == "picamera2":
        return CameraOptions(name=NAME, machine=NAME, type="picamera2")
    return CameraOptions(name=NAME, machine=NAME, type="video", source=camera.found.source)


def _under(root: Path, options: CameraOptions) -> CameraOptions:
    """With its device below the folder that stands for /."""
    source = options.source
    if source is not None and source.isdecimal():
        source = f"/dev/video{source}"
    if root == Path("/") or source is None or not source.startswith("/dev/"):
        return options
    return replace_fields(options, source=str(root / source.lstrip("/")))


def _source(world: World, config: NodeConfig | None, options: CameraOptions) -> Source:
    from edge.vision.registry import World as Around  # noqa: PLC0415  # needs OpenCV
    from edge.vision.registry import make_camera  # noqa: PLC0415  # as above

    size = (options.width, options.height)
    if options.type == "picamera2":
        from edge.vision.picamera import PiCamera  # noqa: PLC0415  # as above

        return PiCamera(options.name, size, monotonic_ns=world.monotonic_ns, module=world.picamera)
    if config is None:
        from edge.vision.video import VideoCamera  # noqa: PLC0415  # as above

        return VideoCamera(options.name, options.source or "", size, monotonic_ns=world.monotonic_ns)
    position, broker = _before_newest(options.folder), link_of(config.options, NAME)
    return make_camera(options, Around(world.monotonic_ns, time.time_ns, position, broker))


def _before_newest(folder: Path | None) -> str:
    """The position from which a folder's newest picture is the next one."""
    times = [path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()] if folder is not None else []
    return str(max(times, default=1) - 1)


def _last(
    source: Source, seconds: float, monotonic_ns: Callable[[], int], sleep: Callable[[float], None]
) -> Frame | None:
    """The newest picture after that time; of a source that keeps its pictures the first."""
    end_ns = monotonic_ns() + round(seconds * 1e9)
    last_ns = end_ns + round(PATIENCE_S * 1e9) if source.live else end_ns
    found = None
    while True:
        found = source.read() or found
        now_ns = monotonic_ns()
        if found is not None and (not source.live or now_ns >= end_ns):
            return found
        if now_ns >= last_ns:
            return None
        sleep(STEP_S)


def _judged(frame: Frame, options: CameraOptions) -> Look:
    from edge.vision.camera_check import CameraCheck, CheckLimits, figures  # noqa: PLC0415  # needs OpenCV
    from edge.vision.geometry import BeltCrop  # noqa: PLC0415  # as above

    height, width = frame.image.shape[:2]
    try:
        crop = frame.image if options.corners is None else BeltCrop(options.corners).apply(frame.image)
    except ValueError as exc:
        return Look(error=str(exc))
    limits = CheckLimits(options.dark_below, options.bright_above, options.blurred_below)
    fault = CameraCheck(limits, live=False).look(frame.image, crop)
    shown = figures(crop)
    return Look(
        width,
        height,
        shown.brightness,
        shown.sharpness,
        "" if fault is None else FAULTS[fault.cause],
        image=frame.image,
    )
