"""One camera put together: source, trigger, crop, grading, stores; and what a command can do to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.camera_findings import CameraFindings
from edge.camera_options import CameraOptions
from edge.commands import Outcome, pause
from edge.drafts import Drafter
from edge.goods import GoodsPath
from edge.grading import Grading
from edge.item_pictures import ItemPictures
from edge.products import Products
from edge.surroundings import Surroundings
from edge.teaching import Teaching
from edge.vision.calibration import Calibration, CalibrationError
from edge.vision.camera import CameraConfigError
from edge.vision.camera_check import CameraCheck, CheckLimits
from edge.vision.capture import CameraLoop
from edge.vision.geometry import BeltCrop
from edge.vision.inspector import Inspector, Setting
from edge.vision.registry import World, make_camera, make_trigger
from edge.vision.retention import Lessons, PictureStore
from edge.vision.tracking import Tracker
from edge.vision.white import Patch
from models.quality.card import ModelRefused
from models.quality.classifier import Classifier
from models.quality.runtime import RuntimeUnavailable
from wire.commands import Command
from wire.link import LinkConfig
from wire.messages import SensorState

SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera's path runs.

    Args:
        folder: of the daemon's state; pictures and lessons go below it.
        drafter: makes the records.
        world: clock and journal.
        broker: the node's own.
        moved: told whenever the camera's thread moves.
    """

    folder: Path
    drafter: Drafter
    world: Surroundings
    broker: LinkConfig
    moved: Callable[[], None]


class CameraWatch:
    """One camera of the daemon.

    Args:
        options: checked.
        place: where it runs.

    Raises:
        CameraConfigError: it can never work as configured.
        ValueError: corners that make no crop.
    """

    def __init__(self, options: CameraOptions, place: Place) -> None:
        # A node has other things to do, and each thread of OpenCV's pool has memory of its own.
        cv2.setNumThreads(1)
        self.options = options
        self._monotonic_ns, self._gateway_ns = place.world.monotonic_ns, place.world.gateway_ns
        corners = options.corners
        crop = None if corners is None else BeltCrop(corners)
        grading, self._refused = _grading(options, crop)
        net = grading.card.sha256 if grading is not None else ""
        mark = place.world.mark(f"product/{options.name}")
        products = Products(options, net, mark, place.folder / "profiles")
        store = PictureStore(
            place.folder / "pictures" / options.name,
            days=options.keep_days,
            max_mb=options.keep_mb,
            wall_ns=time.time_ns,
            monotonic_ns=self._monotonic_ns,
            known_ns=place.world.wall_ns,
        )
        pictures = ItemPictures(
            options.name,
            store,
            Lessons(place.folder / "lessons"),
            place.world.mark(f"corrected/{options.name}"),
            kept=options.keep_days > 0,
        )
        mark = place.world.mark(f"camera/{options.name}")
        position = CameraFindings(options, place.drafter, mark).position
        begun = place.folder / "begun" / options.name
        world = World(self._monotonic_ns, time.time_ns, position, place.broker, begun)
        camera = make_camera(options, world)
        limits = CheckLimits(options.dark_below, options.bright_above, options.blurred_below)
        belt = options.belt if options.belt is not None else camera.live and options.trigger == "interval"
        self.path = GoodsPath(
            options,
            grading,
            products,
            CameraCheck(limits, live=camera.live, corners=corners),
            pictures,
            place.drafter,
            place.world,
            # A file's pictures come as fast as they are worked on: only those of a live camera have a time of their own.
            belt=Tracker(timed=camera.live) if belt else None,
        )
        self.teaching = Teaching(self.path, products, pictures, net, kept=options.keep_days > 0)
        self.loop = CameraLoop(
            options.name,
            camera,
            make_trigger(options, world),
            self.path,
            crop=crop,
            idle_s=options.interval_s,
            monotonic_ns=self._monotonic_ns,
            moved=place.moved,
        )

    def state(self) -> SensorState:
        """For the node's health."""
        findings, options = self.path.camera, self.options
        fault, detail = findings.cause, findings.detail
        if self.loop.error:
            fault, detail = "camera_no_image", self.loop.error
        elif not fault and self._refused:
            fault, detail = "model_refused", self._refused
        elif not fault and self.path.trouble:
            fault, detail = "inspection_failed", self.path.trouble
        elif not fault and self.path.products.trouble:
            fault, detail = "profile_refused", self.path.products.trouble
        left_s = (self.path.paused_until_ns - self._monotonic_ns()) / 1e9
        return SensorState(
            name=options.name,
            machine=options.machine,
            ok=not fault,
            fault=fault,
            detail=detail[:500],
            paused_left_s=round(left_s, 1) if left_s > 0 else None,
            product=self.path.product(),
            products=self.path.products.known(),
        )

    def counts(self) -> dict[str, int]:
        """For the daemon's summary."""
        path = self.path
        return {
            "pictures": self.loop.pictures,
            "inspections": path.inspections,
            "items": path.items,
            "crumbs": path.crumbs,
            "corrections": path.corrections,
            "opened": self.loop.opened,
        }

    def perform(self, command: Command) -> Outcome | None:
        """Carries out a command for the machine that this camera looks at; None where it is not for this camera."""
        actions: dict[str, Callable[[Command], Outcome | None]] = {
            "set_product": self._set_product,
            "pause": self._pause,
            "resume": self._resume,
            "relearn": self._relearn,
            "confirm_normal": self._relearn,
            "correct_verdict": self._correct,
        }
        action = actions.get(command.action)
        if action is None:
            return Outcome(ok=False, reason=f"{command.action} has no meaning for a camera")
        return action(command)

    def _set_product(self, command: Command) -> Outcome | None:
        if command.camera not in (None, self.options.name):
            return None
        if command.product is None:
            return Outcome(ok=False, reason="set_product needs the product's name")
        self.path.say_product(command.product)
        return Outcome(ok=True, reason=f"makes {command.product} from now on")

    def _pause(self, command: Command) -> Outcome:
        return pause(command, self.path.pause, self._monotonic_ns(), self._gateway_ns())

    def _resume(self, _: Command) -> Outcome:
        self.path.pause(0)
        return Outcome(ok=True, reason="goes on")

    def _relearn(self, _: Command) -> Outcome:
        return Outcome(ok=True, reason=f"takes what follows as the normal of {self.path.relearn()}")

    def _correct(self, command: Command) -> Outcome | None:
        if command.inspection is None or command.item is None or command.verdict is None:
            return Outcome(ok=False, reason="correct_verdict needs inspection, item and verdict")
        try:
            said = self.path.correct(command.inspection, command.item, command.verdict, command.by, command.issued_ns)
        except (OSError, ValueError) as exc:
            return Outcome(ok=False, reason=f"the correction could not be kept: {exc}"[:500])
        return None if said is None else Outcome(ok=True, reason=said[:500])


def _calibration(options: CameraOptions, crop: BeltCrop | None) -> Calibration | None:
    """Of what is inspected; raises CameraConfigError for a file that is none."""
    if options.calibration is None:
        return None
    try:
        found = Calibration.load(options.calibration)
    except CalibrationError as exc:
        raise CameraConfigError(str(exc)) from exc
    return found if crop is None else found.within(crop)


def _grading(options: CameraOptions, crop: BeltCrop | None) -> tuple[Grading | None, str]:
    """Who grades; None and why where the model cannot be used: the camera itself is looked after all the same."""
    calibration = _calibration(options, crop)
    try:
        model = options.model
        grader = Classifier.shipped() if model is None else Classifier.load(model, model.with_suffix(SUFFIX))
    except (ModelRefused, RuntimeUnavailable) as exc:
        logging.getLogger(__name__).error("%s: nothing is graded: %s", options.name, exc)  # noqa: TRY400  # the text says it all
        return None, str(exc)
    patch = None if options.white_patch is None else Patch(options.white_patch, options.white_reflectance)
    return Grading(Inspector(grader, Setting(patch=patch)), grader.card, calibration), ""
