"""The daemon that looks through cameras. So far it judges the picture (dark, overexposed, blurred, unreadable), not the goods."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from edge.camera_findings import CameraFindings
from edge.config import CameraOptions, NodeConfig, read_node
from edge.daemon import STALL_S, STOP_S, Daemon, run
from edge.vision.measure import measure
from edge.vision.photos import NoDecoder, PhotoFolder, Unreadable
from wire.messages import SensorState
from wire.settings import SettingsError

ORIGIN: Final = "watch"
RETRY_S = 5.0


class Camera:
    """One camera's thread.

    Args:
        options: its options.
        folder: its pictures.
        findings: what becomes of them.
        moved: called after each look.
    """

    def __init__(self, options: CameraOptions, folder: PhotoFolder, findings: CameraFindings, moved: Any) -> None:
        self.options = options
        self.error = ""
        self.pictures = 0
        self._folder = folder
        self._findings = findings
        self._moved = moved
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"camera-{options.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Waits for the end; False when it did not come."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def state(self) -> SensorState:
        """For the node's health."""
        fault = "camera_no_data" if self.error else self._findings.cause
        detail = self.error or self._findings.detail
        options = self.options
        return SensorState(name=options.name, machine=options.machine, ok=not fault, fault=fault, detail=detail[:500])

    def _run(self) -> None:
        while not self._stop.wait(RETRY_S if self.error else self.options.interval_s):
            try:
                self._look()
                self.error = ""
            except Exception as exc:  # noqa: BLE001  # a camera never stops the daemon: its fault is shown in health
                self.error = f"{type(exc).__name__}: {exc}"
            self._moved()

    def _look(self) -> None:
        for path in self._folder.new():
            try:
                found = measure(self._folder.grey(path))
            except (Unreadable, ValueError) as exc:
                self._findings.unreadable(str(exc), self._folder.after_ns)
            else:
                self._findings.take(found, self._folder.after_ns)
            self.pictures += 1


class Watch(Daemon):
    """Runs every camera of a configuration; see `Daemon`, also for the arguments.

    Args:
        config: checked by `read_node`.
        **given: `clock`, `notifier`, `root`.
    """

    def __init__(self, config: NodeConfig, **given: Any) -> None:
        super().__init__(config, ORIGIN, [], **given)
        self.cameras: dict[str, Camera] = {}

    def begin(self) -> None:
        """Opens the folders; raises SettingsError for one that cannot be read, or without a decoder."""
        for place, options in enumerate(self.options.cameras):
            findings = CameraFindings(
                options,
                self.drafter,
                put=self.writer.put,
                mark=self.journal.mark,
                monotonic_ns=self.clock.monotonic_ns,
            )
            try:
                folder = PhotoFolder(options.folder, findings.newest_ns, time.time_ns)
            except (NoDecoder, OSError) as exc:
                raise SettingsError(self.config.where, f"camera[{place}]", str(exc)) from exc
            part = f"camera {options.name}"
            self.progress.expect(part, STALL_S + options.interval_s)
            camera = Camera(options, folder, findings, lambda part=part: self.progress.moved(part))
            self.cameras[options.name] = camera
            camera.start()

    def tend(self, now_ns: int) -> None:
        """A camera's thread does not end by itself."""

    def end(self) -> list[str]:
        """Ends the cameras' threads."""
        for camera in self.cameras.values():
            camera.stop()
        return [name for name, camera in self.cameras.items() if not camera.join(STOP_S)]

    def sensors(self) -> list[SensorState]:
        """Of all cameras."""
        return [camera.state() for camera in self.cameras.values()]

    def sources(self) -> dict[str, dict[str, int]]:
        """Pictures by camera."""
        return {name: {"pictures": camera.pictures} for name, camera in self.cameras.items()}


def main(config_path: Path, *, json_output: bool = False) -> int:
    """Runs the daemon until SIGTERM or Ctrl-C; returns the exit code, see `edge.daemon.run`."""

    def read() -> NodeConfig:
        config = read_node(config_path)
        if not config.options.cameras:
            raise SettingsError(config.where, "camera", "there is none; watch needs at least one [[camera]]")
        return config

    return run(read, lambda config, notifier: Watch(config, notifier=notifier), json_output=json_output)
