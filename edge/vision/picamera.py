"""The board's own camera through picamera2, in a child process that can be ended when it hangs.

libcamera now and then stops delivering after days, inside of a call that never returns; a thread could not be ended then, a process
can. The child (`edge.vision.picamera_child`) says that it lives with every picture its camera delivers, and hands one over when it is
asked. The frame comes through a pipe: 6 MB at 1600 × 1200, some milliseconds.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

import msgspec
import numpy as np

from edge.vision.camera import CameraError, Frame

MODULE = "picamera2"
START_S = 20.0
"""Import, opening and settling of exposure and white balance take some seconds on a small board."""
SILENT_S = 5.0
"""A child that has not said so long that it lives hangs."""
_CHUNK = 1 << 20
_LONGEST_LINE = 4096


class Line(msgspec.Struct, omit_defaults=True):
    """What the child says, one JSON line each; a picture's bytes follow its line.

    Args:
        kind: `ready` (settled), `alive`, `frame`, or `failed`.
        width: of a frame, in pixels.
        height: of a frame, in pixels.
        why: of a failure.
    """

    kind: str
    width: int = 0
    height: int = 0
    why: str = ""


class PiCamera:
    """One camera of the board.

    Args:
        name: of the camera.
        size: width and height of the pictures.
        monotonic_ns: the clock.
        module: what is imported as picamera2; the simulation in tests.
        number: which camera of the board.
        start_s: how long it may take until it is ready.
        silent_s: how long it may be silent afterwards.
    """

    live = True

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        *,
        monotonic_ns: Callable[[], int],
        module: str = MODULE,
        number: int = 0,
        start_s: float = START_S,
        silent_s: float = SILENT_S,
    ) -> None:
        self._name = name
        self._size = size
        self._monotonic_ns = monotonic_ns
        self._module = module
        self._number = number
        self._start_s = start_s
        self._silent_s = silent_s
        self._child: subprocess.Popen[bytes] | None = None
        self._pending = b""

    def open(self) -> None:
        """Starts the child and waits until exposure and white balance have settled.

        Raises:
            CameraError: there is no camera, or picamera2 is not installed.
        """
        self.close()
        width, height = self._size
        words: Sequence[str] = (self._module, str(self._number), str(width), str(height))
        self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "edge.vision.picamera_child", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._pending = b""
        try:
            self._await("ready", self._start_s)
        except CameraError:
            self.close()
            raise

    def read(self) -> Frame:
        """A picture that is taken now.

        Raises:
            CameraError: not open, it hangs, or the child has ended; it has been closed then.
        """
        child = self._child
        if child is None or child.stdin is None:
            raise CameraError(f"{self._name} is not open")
        try:
            self._ask(child.stdin)
            line = self._await("frame", self._silent_s)
            data = self._take(line.width * line.height * 3, self._silent_s)
        except (CameraError, OSError) as exc:
            self.close()
            raise CameraError(f"{self._name}: {exc}") from exc
        image = np.frombuffer(data, np.uint8).reshape(line.height, line.width, 3)
        return Frame(image, self._monotonic_ns(), self._name)

    def close(self) -> None:
        """Ends the child, whatever it is doing."""
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            # Its standard input has ended, which asks it to close the camera.
            child.wait(0.5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _ask(self, pipe: IO[bytes]) -> None:
        try:
            pipe.write(b"\n")
        except BrokenPipeError as exc:
            raise CameraError("its process has ended") from exc

    def _await(self, kind: str, silent_s: float) -> Line:
        """The next line of this kind; lines that say it lives give it more time, but not for ever."""
        deadline_ns = self._monotonic_ns() + round(max(silent_s, self._silent_s) * 2e9)
        while self._monotonic_ns() < deadline_ns:
            line = self._line(silent_s)
            if line.kind == kind:
                if kind == "frame" and (line.width, line.height) != self._size:
                    raise CameraError(f"it delivers {line.width} × {line.height} pixels")
                return line
            if line.kind == "failed":
                raise CameraError(line.why)
        raise CameraError("it lives and delivers no picture")

    def _line(self, silent_s: float) -> Line:
        while b"\n" not in self._pending:
            if len(self._pending) > _LONGEST_LINE:
                raise CameraError("its process talks nonsense")
            self._pending += self._more(silent_s)
        text, _, self._pending = self._pending.partition(b"\n")
        try:
            return msgspec.json.decode(text, type=Line)
        except msgspec.MsgspecError as exc:
            raise CameraError("its process talks nonsense") from exc

    def _take(self, size: int, silent_s: float) -> bytearray:
        data = bytearray(self._pending[:size])
        self._pending = self._pending[size:]
        while len(data) < size:
            more = self._more(silent_s)
            data += more[: size - len(data)] if len(data) + len(more) > size else more
        return data

    def _more(self, silent_s: float) -> bytes:
        """What the child says next."""
        child = self._child
        pipe: IO[bytes] | None = child.stdout if child is not None else None
        if child is None or pipe is None:
            raise CameraError("it is not open")
        if not select.select([pipe], [], [], silent_s)[0]:
            raise CameraError(f"it hangs: nothing for {silent_s:g} s")
        found = os.read(pipe.fileno(), _CHUNK)
        if not found:
            raise CameraError(f"its process has ended ({child.poll()})")
        return found
