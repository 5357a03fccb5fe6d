"""Cameras and triggers by the name that node.toml gives them. Adding one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from edge.camera_options import CameraOptions
from edge.vision.camera import Camera, CameraConfigError
from edge.vision.trigger import Interval, LightBarrier, Message, Movement, Trigger
from wire.link import LinkConfig


class World(NamedTuple):
    """What cameras may use."""

    monotonic_ns: Callable[[], int]
    wall_ns: Callable[[], int]
    """This computer's own time, as files are dated by it."""
    position: str | None
    """Of the last picture taken up before a restart, see `Frame.position`."""
    broker: LinkConfig
    begun: Path | None = None
    """File of a camera that remembers which picture it has begun, see `PhotoCamera`."""


def make_camera(options: CameraOptions, world: World) -> Camera:
    """A camera, not yet open.

    Raises:
        CameraConfigError: it can never work as configured.
    """
    return _CAMERAS[options.type](options, world)


def make_trigger(options: CameraOptions, world: World) -> Trigger:
    """A trigger, not yet open.

    Raises:
        CameraConfigError: it can never work as configured.
    """
    return _TRIGGERS[options.trigger](options, world)


def _photos(options: CameraOptions, world: World) -> Camera:
    from edge.vision.photos import PhotoCamera  # noqa: PLC0415  # each is loaded by who has it

    if options.folder is None:
        raise CameraConfigError("folder must be given")
    return PhotoCamera(
        options.name,
        options.folder,
        world.position,
        monotonic_ns=world.monotonic_ns,
        wall_ns=world.wall_ns,
        begun=world.begun,
    )


def _video(options: CameraOptions, world: World) -> Camera:
    from edge.vision.video import VideoCamera  # noqa: PLC0415  # as above

    if options.source is None:
        raise CameraConfigError("source must be given")
    size = (options.width, options.height)
    whole = options.corners is not None
    return VideoCamera(options.name, options.source, size, monotonic_ns=world.monotonic_ns, whole=whole)


def _picamera2(options: CameraOptions, world: World) -> Camera:
    from edge.vision.picamera import PiCamera  # noqa: PLC0415  # as above

    return PiCamera(options.name, (options.width, options.height), monotonic_ns=world.monotonic_ns)


def _simulated(options: CameraOptions, world: World) -> Camera:
    from edge.vision.simulated import WELL_BAKED, BrowningFile, Loads, SimulatedCamera  # noqa: PLC0415  # as above

    file = None if options.browning is None else BrowningFile(options.browning)
    return SimulatedCamera(
        options.name,
        (options.width, options.height),
        monotonic_ns=world.monotonic_ns,
        tray_s=options.tray_s,
        browning=(lambda: WELL_BAKED) if file is None else file.browning,
        loads=None if file is None or options.load_trays is None else Loads(file.came, options.load_trays),
    )


def _light_barrier(options: CameraOptions, _: World) -> Trigger:
    if options.barrier_pin is None:
        raise CameraConfigError("barrier_pin must be given")
    return LightBarrier(options.barrier_pin, active_high=options.barrier_active_high)


def _message(options: CameraOptions, world: World) -> Trigger:
    if options.trigger_topic is None:
        raise CameraConfigError("trigger_topic must be given")
    return Message(options.trigger_topic, world.broker, options.name)


_CAMERAS: Mapping[str, Callable[[CameraOptions, World], Camera]] = {
    "photos": _photos,
    "video": _video,
    "picamera2": _picamera2,
    "simulated": _simulated,
}
_TRIGGERS: Mapping[str, Callable[[CameraOptions, World], Trigger]] = {
    "interval": lambda options, _: Interval(options.interval_s),
    "movement": lambda options, _: Movement(options.interval_s),
    "light_barrier": _light_barrier,
    "mqtt": _message,
}
