"""The daemon that looks through cameras: pictures in, inspections and findings out. One thread per camera."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.commands import Outcome
from edge.config import NodeConfig, read_node
from edge.daemon import SOURCES_S, STALL_S, Daemon, run
from edge.surroundings import Surroundings
from edge.vision.camera import CameraConfigError
from wire.commands import Command
from wire.messages import SensorState
from wire.service import join_all
from wire.settings import SettingsError

if TYPE_CHECKING:
    from edge.camera_watch import CameraWatch

ORIGIN: Final = "watch"
LESSONS: Final = ("start_lesson", "teach", "end_lesson")
"""Commands for one camera, not for all of a machine."""


class Watch(Daemon):
    """Runs every camera of a configuration; see `Daemon`, also for the arguments.

    Args:
        config: checked by `read_node`.
        **given: `clock`, `notifier`, `root`.
    """

    def __init__(self, config: NodeConfig, **given: Any) -> None:
        super().__init__(config, ORIGIN, sorted({camera.machine for camera in config.options.cameras}), **given)
        self.cameras: dict[str, CameraWatch] = {}

    def begin(self) -> None:
        """Puts the cameras together; raises SettingsError for one that can never work as configured."""
        # Here, because OpenCV and a TFLite runtime are 80 MB that only a running daemon needs.
        try:
            from edge.camera_watch import CameraWatch, Place  # noqa: PLC0415
        except ImportError as exc:
            why = f"{exc}; cameras need OpenCV: .venv/bin/pip install -e '.[camera]' in Werkpuls' folder"
            raise SettingsError(self.config.where, "camera", why) from exc
        clock = self.clock
        world = Surroundings(
            self.writer.put, self.journal.mark, clock.monotonic_ns, clock.wall_ns, clock.gateway_ns, clock.boot
        )
        for place, options in enumerate(self.options.cameras):
            part = f"camera {options.name}"
            moved = partial(self.progress.moved, part)
            where = Place(self.folder, self.drafter, world, self.link, moved)
            try:
                camera = CameraWatch(options, where)
            except (CameraConfigError, ValueError) as exc:
                raise SettingsError(self.config.where, f"camera[{place}]", str(exc)) from exc
            self.progress.expect(part, STALL_S)
            self.cameras[options.name] = camera
        for camera in self.cameras.values():
            camera.loop.start()

    def tend(self, now_ns: int) -> None:  # noqa: ARG002  # a camera's thread does not end by itself
        """Carries out commands: each is for a machine, whichever of its cameras it concerns."""
        for machine in {camera.options.machine for camera in self.cameras.values()}:
            for command in self.desk.take(machine):
                self._teach(command) if command.action in LESSONS else self._perform(command)
        for camera in self.cameras.values():
            done = camera.teaching.finished()
            if done is not None:
                self._answer(*done)

    def end(self) -> list[str]:
        """Ends the cameras' threads."""
        for camera in self.cameras.values():
            camera.loop.stop()
        return join_all({name: camera.loop.join for name, camera in self.cameras.items()}, SOURCES_S)

    def sensors(self) -> list[SensorState]:
        """Of all cameras."""
        return [camera.state() for camera in self.cameras.values()]

    def sources(self) -> dict[str, dict[str, int]]:
        """Counters by camera."""
        return {name: camera.counts() for name, camera in self.cameras.items()}

    def _teach(self, command: Command) -> None:
        camera = self.cameras.get(command.camera or "")
        outcome: Outcome | None
        if camera is None or camera.options.machine != command.machine:
            reason = f"there is no camera {command.camera!r} at {command.machine}"
            outcome = Outcome(ok=False, reason=reason, code="lesson_camera")
        else:
            try:
                outcome = camera.teaching.perform(command)
            except Exception as exc:
                self.log.exception("%s: command %s failed", camera.options.name, command.id)
                reason = f"failed: {type(exc).__name__}: {exc}"[:500]
                outcome = Outcome(ok=False, reason=reason, code="lesson_failed")
        if command.action == "start_lesson":
            # Before the answer: it ends a pause, and whoever is told that it is on finds the camera as it is now.
            self.tell_health(self.clock.monotonic_ns())
        if outcome is not None:
            self._answer(command, outcome)

    def _answer(self, command: Command, outcome: Outcome) -> None:
        if outcome.ok:
            self.log.info("%s: %s by %r", command.machine, outcome.reason, command.by)
            self.desk.finish(command, outcome)
        else:
            self.desk.refuse(command, "command_refused", outcome.reason, outcome.code)

    def _perform(self, command: Command) -> None:
        outcomes: list[Outcome] = []
        for camera in self.cameras.values():
            if camera.options.machine != command.machine:
                continue
            try:
                outcome = camera.perform(command)
            except Exception as exc:
                # A command that fails is answered; otherwise it would come again after each start.
                self.log.exception("%s: command %s failed", camera.options.name, command.id)
                outcome = Outcome(ok=False, reason=f"failed: {type(exc).__name__}: {exc}"[:500])
            if outcome is not None:
                outcomes.append(outcome)
        if command.action in ("pause", "resume", "set_product"):
            # Before the answer: whoever is told that it is done finds the cameras as they are now.
            self.tell_health(self.clock.monotonic_ns())
        best = next((one for one in outcomes if one.ok), None)
        if best is not None:
            self.log.info("%s: %s by %r", command.machine, best.reason, command.by)
            self.desk.finish(command, best)
            return
        if outcomes:
            reason, code = outcomes[0].reason, outcomes[0].code
        elif command.action == "set_product":
            reason, code = f"there is no camera {command.camera!r} at {command.machine}", None
        else:
            reason, code = "the item's picture is no longer held", None
        self.desk.refuse(command, "command_refused", reason, code)


def main(config_path: Path, *, json_output: bool = False) -> int:
    """Runs the daemon until SIGTERM or Ctrl-C; returns the exit code, see `edge.daemon.run`."""

    def read() -> NodeConfig:
        config = read_node(config_path)
        if not config.options.cameras:
            raise SettingsError(config.where, "camera", "there is none; watch needs at least one [[camera]]")
        return config

    return run(read, lambda config, notifier: Watch(config, notifier=notifier), json_output=json_output)
