"""One camera's thread: opens it, waits for the trigger, takes a picture, crops it, hands it on; opens it anew when it vanishes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from typing import Protocol

from edge.vision.camera import BadPicture, Camera, CameraConfigError, CameraError, Frame
from edge.vision.decode import Image, reduced
from edge.vision.geometry import BeltCrop
from edge.vision.trigger import Trigger

RETRY_S = 2.0
LONGEST_RETRY_S = 60.0
BREATH_S = 0.5
"""Longest pause between two questions to the trigger."""


class Receiver(Protocol):
    """What becomes of the pictures."""

    def see(self, frame: Frame, crop: Image) -> None:
        """A picture, whole and cropped."""

    def unreadable(self, exc: BadPicture) -> None:
        """A picture that is none."""

    def away(self, why: str) -> None:
        """No picture can be had."""


class CameraLoop:
    """Runs one camera until it is stopped.

    Args:
        name: of the camera.
        camera: not yet open.
        trigger: not yet open.
        receiver: called on the thread.
        crop: to belt or tray; None: the whole frame.
        idle_s: pause after a look that brought nothing.
        monotonic_ns: the clock.
        moved: called at least every half second while the thread lives.
    """

    def __init__(
        self,
        name: str,
        camera: Camera,
        trigger: Trigger,
        receiver: Receiver,
        *,
        crop: BeltCrop | None,
        idle_s: float,
        monotonic_ns: Callable[[], int],
        moved: Callable[[], None],
    ) -> None:
        self.error = ""
        """Why there is no picture, empty while there are."""
        self.pictures = 0
        """Pictures that were handed on, readable or not."""
        self.opened = 0
        """How often the camera was opened."""
        self._name = name
        self._camera = camera
        self._trigger = trigger
        self._receiver = receiver
        self._crop = crop
        self._idle_s = idle_s
        self._monotonic_ns = monotonic_ns
        self._moved = moved
        self._failures = 0
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"camera-{name}", daemon=True)

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

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work()
            except (CameraError, CameraConfigError) as exc:
                self._failed(str(exc) or type(exc).__name__)
            except Exception as exc:
                # A camera never stops the daemon; the trace is what an engineer needs to find the defect.
                if not self.error:
                    logging.getLogger(__name__).exception("%s: the camera's work failed", self._name)
                self._failed(f"{type(exc).__name__}: {exc}")
            finally:
                self._camera.close()
                self._trigger.close()
            self._rest(min(RETRY_S * 2.0 ** min(self._failures - 1, 10), LONGEST_RETRY_S))

    def _failed(self, why: str) -> None:
        self._failures += 1
        if why != self.error:
            logging.getLogger(__name__).warning("%s: %s", self._name, why)
        self.error = why
        self._receiver.away(why)

    def _rest(self, seconds: float) -> None:
        due_ns = self._monotonic_ns() + round(seconds * 1e9)
        while not self._stop.is_set() and self._monotonic_ns() < due_ns:
            self._moved()
            self._stop.wait(min(BREATH_S, max(due_ns - self._monotonic_ns(), 0) / 1e9))

    def _work(self) -> None:
        self._camera.open()
        self._trigger.open()
        self.opened += 1
        while not self._stop.is_set():
            self._moved()
            wait_s = self._trigger.due(self._monotonic_ns())
            if wait_s > 0:
                self._stop.wait(min(wait_s, BREATH_S))
                continue
            self._take()

    def _take(self) -> None:
        """One picture; of a source that keeps them, all that wait: each is a tray of its own."""
        more = True
        while more and not self._stop.is_set():
            more = False
            frame = None
            try:
                frame = self._camera.read()
                if frame is None:
                    self.error, self._failures = "", 0
                    self._rest(self._idle_s)
                    return
                frame, crop = self._cut(frame)
            except BadPicture as exc:
                self.pictures += 1
                self._receiver.unreadable(exc)
                more = exc.position is not None
                continue
            except ValueError as exc:
                self.pictures += 1
                # A frame in which the crop has no room.
                self._receiver.unreadable(BadPicture(str(exc), frame.position if frame else None))
                self._rest(self._idle_s)
                continue
            self.error, self._failures = "", 0
            more = frame.position is not None
            wanted = self._trigger.wants(crop, self._monotonic_ns())
            if wanted or more:
                self._receiver.see(frame, crop)
                self.pictures += 1
            self._moved()

    def _cut(self, frame: Frame) -> tuple[Frame, Image]:
        """The crop, and the frame reduced: it is not held at its full size while the goods are looked at."""
        if self._crop is None:
            crop = small = reduced(frame.image)
        else:
            crop, small = reduced(self._crop.apply(frame.image)), reduced(frame.image)
        return replace(frame, image=small), crop
